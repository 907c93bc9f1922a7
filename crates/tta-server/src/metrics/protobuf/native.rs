//! Native histograms: buckets whose limits grow by a constant factor, made of the narrow buckets that
//! an engine counts in.
//!
//! In schema 3 each limit is 2^(1/8) times, about 9 % above, the one before: bucket `i` holds what
//! is above 2^((i-1)/8) and not above 2^(i/8). The narrow buckets are at most 1.6 % wide; each goes
//! as a whole to where its middle belongs, so that a value less than 0.8 % from a limit may be
//! counted on the other side of it.
//!
//! Worked example: three values of 0.9 s and one of 4 s. 0.9 lies between 2^(-2/8) = 0.841 and
//! 2^(-1/8) = 0.917, so in bucket -1; 4 is the limit of bucket 16. Two spans, from -1 and after 16
//! empty buckets, of one bucket each; the counts 3 and 1 are written as differences: 3, -2.

use tta_telemetry::HistogramValue;

use super::messages::BucketSpan;

/// Buckets for a factor of two: 2^3.
const PER_DOUBLING: f64 = 8.0;
pub(super) const SCHEMA: i32 = 3;
/// Empty buckets that are written as such instead of beginning another span, which takes as much.
const GAP: i32 = 2;

/// The buckets of a native histogram.
#[derive(Debug, PartialEq)]
pub(super) struct Native {
    /// What does not exceed this counts as 0.
    pub(super) zero_threshold: f64,
    pub(super) zero_count: u64,
    pub(super) spans: Vec<BucketSpan>,
    pub(super) deltas: Vec<i64>,
}

impl Native {
    pub(super) fn of(value: &HistogramValue) -> Self {
        let mut zero_count = 0;
        // By number, rising.
        let mut buckets: Vec<(i32, u64)> = Vec::new();
        let (min, max) = (value.values.min().unwrap_or(0), value.values.max().unwrap_or(0));
        // Prometheus refuses a histogram whose buckets do not add up to its count, and while it is
        // recorded into, more may have been read here than was counted.
        let mut left = value.count;
        for (bounds, held) in value.values.buckets_with_bounds() {
            let held = held.min(left);
            left -= held;
            let (low, high) = bounds.into_inner();
            let middle = (low + (high - low).div_ceil(2)).min(max).max(min);
            match (middle, held) {
                (_, 0) => {}
                (0, _) => zero_count += held,
                _ => add(&mut buckets, number_of(middle as f64 * value.resolution), held),
            }
        }
        match buckets.last_mut() {
            Some((_, last)) => *last += left,
            None => zero_count += left,
        }
        let (spans, deltas) = spans(&buckets);
        // Half of what the histogram tells apart was rounded to 0.
        Self { zero_threshold: value.resolution / 2.0, zero_count, spans, deltas }
    }
}

fn add(buckets: &mut Vec<(i32, u64)>, number: i32, held: u64) {
    match buckets.last_mut() {
        Some((last, count)) if *last == number => *count += held,
        _ => buckets.push((number, held)),
    }
}

/// The bucket that a value above 0 belongs to.
fn number_of(value: f64) -> i32 {
    let number = (value.log2() * PER_DOUBLING).ceil();
    // The logarithm of a limit may come out a little above its number.
    let is_limit = ((number - 1.0) / PER_DOUBLING).exp2() >= value;
    number as i32 - i32::from(is_limit)
}

fn spans(buckets: &[(i32, u64)]) -> (Vec<BucketSpan>, Vec<i64>) {
    let (mut spans, mut deltas): (Vec<BucketSpan>, Vec<i64>) = Default::default();
    let (mut next, mut before) = (0, 0_i64);
    for (number, count) in buckets {
        let gap = number - next;
        match spans.last_mut() {
            Some(span) if gap <= GAP => {
                for _ in 0..gap {
                    deltas.push(-before);
                    before = 0;
                }
                span.length = span.length.map(|length| length + gap.unsigned_abs() + 1);
            }
            _ => spans.push(BucketSpan { offset: Some(gap), length: Some(1) }),
        }
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        deltas.push(count - before);
        (next, before) = (number + 1, count);
    }
    (spans, deltas)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tta_telemetry::Histogram;

    use super::*;

    fn of(values: &[u64]) -> HistogramValue {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        HistogramValue {
            limits: [].into(),
            cumulative: Vec::new(),
            count: values.len() as u64,
            sum: 0.0,
            values: histogram,
            resolution: 1e-9,
            exemplars: Vec::new(),
        }
    }

    /// The buckets as a reader understands them: number and count.
    fn read(native: &Native) -> Vec<(i32, u64)> {
        let (mut number, mut count, mut deltas) = (0, 0, native.deltas.iter());
        let mut buckets = Vec::new();
        for span in &native.spans {
            number += span.offset.unwrap();
            for _ in 0..span.length.unwrap() {
                count += deltas.next().unwrap();
                buckets.push((number, u64::try_from(count).unwrap()));
                number += 1;
            }
        }
        assert_eq!(deltas.next(), None);
        buckets
    }

    #[test]
    fn the_worked_example_holds() {
        let native = Native::of(&of(&[900_000_000, 900_000_000, 900_000_000, 4_000_000_000]));
        assert_eq!(native.deltas, [3, -2]);
        let spans =
            [(-1, 1), (16, 1)].map(|(offset, length)| BucketSpan { offset: Some(offset), length: Some(length) });
        assert_eq!(native.spans, spans);
        assert_eq!((native.zero_count, native.zero_threshold), (0, 5e-10));
    }

    #[test]
    fn limits_belong_to_their_own_bucket() {
        for number in -200..200 {
            let limit = (f64::from(number) / PER_DOUBLING).exp2();
            assert_eq!(number_of(limit), number);
            assert_eq!(number_of(limit * 1.000_001), number + 1);
        }
    }

    #[test]
    fn small_gaps_are_written_as_empty_buckets() {
        let (spans, deltas) = spans(&[(3, 5), (6, 2), (10, 9)]);
        let native = Native { zero_threshold: 0.0, zero_count: 0, spans, deltas };
        assert_eq!(read(&native), [(3, 5), (4, 0), (5, 0), (6, 2), (10, 9)]);
        assert_eq!(native.spans.len(), 2);
    }

    #[test]
    fn buckets_add_up_to_a_count_that_differs_from_what_was_read() {
        for (count, want) in [(0, 0), (1, 1), (2, 2), (7, 7)] {
            let native = Native::of(&HistogramValue { count, ..of(&[0, 5, 1_000_000]) });
            let sum: u64 = read(&native).iter().map(|(_, count)| count).sum();
            assert_eq!(native.zero_count + sum, want);
        }
        assert_eq!(Native::of(&HistogramValue { count: 2, ..of(&[]) }).zero_count, 2);
    }

    proptest! {
        #[test]
        fn every_value_is_counted_where_it_belongs_to_within_one_percent(
            values in prop::collection::vec(0_u64..4_000_000_000_000, 1..200),
        ) {
            let native = Native::of(&of(&values));
            let mut sorted: Vec<u64> = values.iter().copied().filter(|value| *value > 0).collect();
            sorted.sort_unstable();
            prop_assert_eq!(native.zero_count as usize, values.len() - sorted.len());
            let mut sorted = sorted.into_iter();
            for (number, count) in read(&native) {
                let upper = (f64::from(number) / PER_DOUBLING).exp2() * 1.01;
                let lower = (f64::from(number - 1) / PER_DOUBLING).exp2() / 1.01;
                for value in sorted.by_ref().take(usize::try_from(count).unwrap()) {
                    let value = value as f64 * 1e-9;
                    prop_assert!(lower <= value && value <= upper, "{} in {}", value, number);
                }
            }
            prop_assert_eq!(sorted.next(), None);
        }
    }
}
