//! The bytes of a histogram: what is stored, sent, and kept of time slots that are over.
//!
//! Version 1: the version (one byte), the body, and the CRC-32 (IEEE 802.3) of both, little endian.
//! The body is a row of numbers, each as LEB128 in its shortest form: how many buckets hold
//! something; if any, sum, smallest value, and by how much the largest is larger; then for each of
//! these buckets, in order, how many empty ones precede it, and its count. There is one form for a
//! histogram, and everything else is refused.
//!
//! Worked example: the single value 5 is `01 | 01 05 05 00 05 01 | checksum`: one bucket, sum 5,
//! smallest 5, largest 0 above it; five empty buckets, then a count of 1.

use thiserror::Error;

use super::buckets::{PAGE, PAGES, locate, middle};
use super::histogram::Histogram;

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;
const BUCKETS: usize = PAGE * PAGES;

/// Why bytes are not a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HistogramDecodeError {
    /// They end too early.
    #[error("histogram is cut short")]
    Truncated,
    /// They are of a version that is not known here.
    #[error("histogram has version {given}, accepted is 1")]
    Version {
        /// The version given.
        given: u8,
    },
    /// They were changed on the way.
    #[error("histogram does not match its checksum")]
    Checksum,
    /// They contradict themselves.
    #[error("histogram is malformed: {what}")]
    Malformed {
        /// What is wrong with them.
        what: &'static str,
    },
}

use HistogramDecodeError::{Malformed, Truncated};

impl Histogram {
    /// The histogram as bytes: about 3 for each bucket that holds something, at most 45 KiB.
    ///
    /// ```
    /// use tta_telemetry::Histogram;
    /// let mut histogram = Histogram::default();
    /// (1..=1_000).for_each(|value| histogram.record(value * 1_000));
    /// let bytes = histogram.to_bytes();
    /// assert!(bytes.len() < 1_000);
    /// assert_eq!(Histogram::from_bytes(&bytes)?, histogram);
    /// # Ok::<(), tta_telemetry::HistogramDecodeError>(())
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        write_body(self, &mut bytes);
        let checksum = crc32(&bytes);
        bytes.extend(checksum.to_le_bytes());
        bytes
    }

    /// Reads what [`Histogram::to_bytes`] wrote. Whatever the bytes are, it does not panic and
    /// allocates no more than a histogram may hold (30 KiB).
    ///
    /// # Errors
    /// Everything else than what a histogram was written as.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, HistogramDecodeError> {
        let (&version, _) = bytes.split_first().ok_or(Truncated)?;
        if version != VERSION {
            return Err(HistogramDecodeError::Version { given: version });
        }
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Truncated)?;
        if crc32(content) != u32::from_le_bytes(*checksum) {
            return Err(HistogramDecodeError::Checksum);
        }
        let (_, mut body) = content.split_first().ok_or(Truncated)?;
        let mut histogram = Self::default();
        read_body(&mut body, &mut histogram)?;
        if body.is_empty() { Ok(histogram) } else { Err(Malformed { what: "bytes after the end" }) }
    }
}

/// Appends the body.
pub(super) fn write_body(histogram: &Histogram, out: &mut Vec<u8>) {
    let (mut first, mut last, mut filled) = (None, None, 0);
    for (page, within, _) in histogram.buckets() {
        first = first.or(Some((page, within)));
        last = Some((page, within));
        filled += 1;
    }
    write_number(filled, out);
    let (Some(first), Some(last)) = (first, last) else { return };
    // What is read from cells while they are written may have its ends inside its buckets.
    let inside = |end: Option<u64>, bucket: (usize, usize), fits: fn(&(usize, usize), &(usize, usize)) -> bool| {
        end.filter(|end| fits(&locate(*end), &bucket)).unwrap_or(middle(bucket.0, bucket.1))
    };
    let min = inside(histogram.min(), first, |end, bucket| end <= bucket);
    let max = inside(histogram.max(), last, |end, bucket| end >= bucket).max(min);
    write_number(histogram.sum(), out);
    write_number(min, out);
    write_number(max - min, out);
    let mut next = 0;
    for (page, within, count) in histogram.buckets() {
        let bucket = page * PAGE + within;
        write_number((bucket - next) as u64, out);
        write_number(count, out);
        next = bucket + 1;
    }
}

/// Takes a body off the front and adds what it holds.
pub(super) fn read_body(body: &mut &[u8], into: &mut Histogram) -> Result<(), HistogramDecodeError> {
    let filled = read_number(body)?;
    if filled == 0 {
        return Ok(());
    }
    if filled > BUCKETS as u64 {
        return Err(Malformed { what: "more buckets than there are" });
    }
    let (sum, min) = (read_number(body)?, read_number(body)?);
    let max = min.checked_add(read_number(body)?).ok_or(Malformed { what: "a largest value out of range" })?;
    let (mut next, mut count, mut first, mut last) = (0_u64, 0_u64, None, (0, 0));
    for _ in 0..filled {
        let bucket = next.checked_add(read_number(body)?).filter(|bucket| *bucket < BUCKETS as u64);
        let bucket = bucket.ok_or(Malformed { what: "a bucket out of range" })? as usize;
        let held = read_number(body)?;
        if held == 0 {
            return Err(Malformed { what: "an empty bucket" });
        }
        last = (bucket / PAGE, bucket % PAGE);
        first = first.or(Some(last));
        into.add(last.0, last.1, held);
        count = count.saturating_add(held);
        next = bucket as u64 + 1;
    }
    if first.is_none_or(|first| locate(min) > first) || locate(max) < last {
        return Err(Malformed { what: "values beyond the smallest or largest" });
    }
    into.absorb(count, sum, min, max);
    Ok(())
}

fn write_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Result<u64, HistogramDecodeError> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Truncated)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if (bits << shift) >> shift != bits {
            break;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            let shortest = byte != 0 || shift == 0;
            return if shortest { Ok(number) } else { Err(Malformed { what: "a number in a longer form" }) };
        }
    }
    Err(Malformed { what: "a number out of range" })
}

/// CRC-32 as in IEEE 802.3: finds every change of up to 32 bits in a row.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let (mut table, mut i) = ([0_u32; 16], 0);
        while i < 16 {
            let (mut entry, mut bit) = (i as u32, 0);
            while bit < 4 {
                entry = if entry & 1 == 1 { (entry >> 1) ^ 0xedb8_8320 } else { entry >> 1 };
                bit += 1;
            }
            #[allow(clippy::indexing_slicing)] // Evaluated by the compiler.
            {
                table[i] = entry;
            }
            i += 1;
        }
        table
    };
    let step = |crc: u32| (crc >> 4) ^ TABLE.get(crc as usize & 0xf).copied().unwrap_or_default();
    !bytes.iter().fold(!0, |crc, byte| step(step(crc ^ u32::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value));
        histogram
    }

    /// A body with a version and a checksum that are right.
    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut bytes = [&[VERSION], body].concat();
        bytes.extend(crc32(&bytes).to_le_bytes());
        bytes
    }

    #[test]
    fn the_worked_example_holds_and_the_checksum_is_the_standard_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(of(&[5]).to_bytes(), sealed(&[1, 5, 5, 0, 5, 1]));
        assert_eq!(of(&[]).to_bytes(), sealed(&[0]));
    }

    #[test]
    fn hostile_bodies_are_refused_with_their_reason() {
        let most = [0xff_u8; 9];
        let u64_max = [&most[..], &[1]].concat();
        let malformed = |what| Err(Malformed { what });
        let rows: [(&[u8], Result<Histogram, HistogramDecodeError>); 12] = [
            (&[], Err(Truncated)),
            (&[1, 5, 5, 0, 5], Err(Truncated)),
            (&[2, 5, 5, 0, 5, 1], Err(Truncated)),
            (&[1, 5, 5, 0, 5, 1, 0], malformed("bytes after the end")),
            (&[0x81, 0x00], malformed("a number in a longer form")),
            (&[&most[..], &[2]].concat(), malformed("a number out of range")),
            (&u64_max, malformed("more buckets than there are")),
            (&[&[1, 5, 5], &u64_max[..]].concat(), malformed("a largest value out of range")),
            (&[&[1, 5, 5, 0], &u64_max[..]].concat(), malformed("a bucket out of range")),
            (&[1, 5, 5, 0, 5, 0], malformed("an empty bucket")),
            (&[1, 5, 6, 0, 5, 1], malformed("values beyond the smallest or largest")),
            (&[2, 5, 5, 0, 5, 1, 0, 1], malformed("values beyond the smallest or largest")),
        ];
        for (body, want) in rows {
            assert_eq!(Histogram::from_bytes(&sealed(body)), want, "{body:?}");
        }
        assert_eq!(Histogram::from_bytes(&[]), Err(Truncated));
        assert_eq!(Histogram::from_bytes(&[1, 0]), Err(Truncated));
        let error = Histogram::from_bytes(&[2, 0, 0, 0, 0, 0]).unwrap_err();
        assert_eq!(error.to_string(), "histogram has version 2, accepted is 1");
    }

    #[test]
    fn a_claim_of_many_values_costs_no_more_than_a_histogram() {
        let every: Vec<u64> = (0..64).flat_map(|shift| (64..128).map(move |low: u64| low.rotate_left(shift))).collect();
        let mut full = of(&every);
        for _ in 0..70 {
            full.merge(&full.clone());
        }
        assert_eq!(full.count(), u64::MAX);
        let bytes = full.to_bytes();
        assert!(bytes.len() <= 45 * 1_024, "{}", bytes.len());
        let read = Histogram::from_bytes(&bytes).unwrap();
        assert!(read.heap_bytes() < 40_000);
        assert_eq!(read, full);
    }

    #[test]
    fn ends_that_were_read_amid_a_write_are_mended() {
        let mut torn = Histogram::default();
        torn.add(0, 5, 1);
        torn.absorb(1, 5, u64::MAX, 0);
        assert_eq!(torn.quantile(0.5), Some(0));
        assert_eq!(Histogram::from_bytes(&torn.to_bytes()), Ok(of(&[5])));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(values in prop::collection::vec(any::<u64>(), 0..200), small in prop::collection::vec(0_u64..5_000, 0..200)) {
            let histogram = of(&[values, small].concat());
            prop_assert_eq!(Histogram::from_bytes(&histogram.to_bytes()), Ok(histogram));
        }

        #[test]
        fn any_flipped_bit_and_any_cut_is_noticed(values in prop::collection::vec(any::<u64>(), 0..40), at: prop::sample::Index) {
            let bytes = of(&values).to_bytes();
            let bit = at.index(bytes.len() * 8);
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Histogram::from_bytes(&flipped).is_err());
            prop_assert!(Histogram::from_bytes(&bytes[..bit / 8]).is_err());
        }

        #[test]
        fn whatever_is_accepted_is_the_one_form_of_what_it_means(body: Vec<u8>, mut start in prop::collection::vec(0_u8..12, 0..20)) {
            start.extend(body);
            let bytes = sealed(&start);
            if let Ok(histogram) = Histogram::from_bytes(&bytes) {
                prop_assert_eq!(histogram.to_bytes(), bytes);
            }
        }
    }
}
