//! Time slots of a histogram that only grows, and the windows made of them.
//!
//! The cells hold everything since the start. What a slot of time saw is what they hold when it is
//! over, less what they held when it began (the baseline). Slots that are over are kept as bytes
//! (`codec`), a tenth of a histogram's size: the last six of 10 s; when a minute is over its slots
//! are also added up to one, of which the last five are kept; and likewise twelve of 5 min.
//!
//! Worked example, 7 min 25 s after the start: open is slot 44 (7:20 to 7:30). "5 min" is what has
//! arrived in it, slots 42 and 43 (the minute that is not over yet) and minutes 2 to 6 (2:00 to
//! 7:00): 5 min 25 s. So a window holds its whole length and at most one of its slots more.

use super::super::buckets::{bounds, middle};
use super::super::codec::{read_body, write_body};
use super::super::histogram::Histogram;

/// Length of the shortest slot.
pub(in crate::metrics) const SLOT_NS: u64 = 10_000_000_000;
const SLOTS_PER_MINUTE: u64 = 6;
const MINUTES_PER_FIVE: u64 = 5;
const SLOTS_PER_FIVE: u64 = SLOTS_PER_MINUTE * MINUTES_PER_FIVE;
/// What is kept of each length, beside what is open.
const KEPT_SLOTS: u64 = 6;
const KEPT_MINUTES: u64 = 5;
const KEPT_FIVES: u64 = 12;
/// Sums that are off by more are not off by what was in flight: they have wrapped.
const MOST_IN_FLIGHT: i128 = 1 << 62;

/// Slots of one length that are over and hold something.
#[derive(Debug, Default)]
struct Kept(Vec<(u64, Box<[u8]>)>);

impl Kept {
    fn push(&mut self, index: u64, values: &Histogram) {
        if values.count() > 0 {
            let mut bytes = Vec::new();
            write_body(values, &mut bytes);
            self.0.push((index, bytes.into_boxed_slice()));
        }
    }

    /// Adds the slots that are asked for.
    fn add_to(&self, into: &mut Histogram, wanted: impl Fn(u64) -> bool) {
        for (_, bytes) in self.0.iter().filter(|(index, _)| wanted(*index)) {
            let read = read_body(&mut &**bytes, into);
            debug_assert!(read.is_ok(), "{read:?}");
        }
    }

    /// Forgets what is before `oldest`.
    fn forget_before(&mut self, oldest: u64) {
        self.0.retain(|(index, _)| *index >= oldest);
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u64, Box<[u8]>)>() + self.0.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
    }
}

/// What the windows hold.
#[derive(Clone, Debug, Default)]
pub(in crate::metrics) struct WindowsRead {
    pub(super) minute: Histogram,
    pub(super) five_minutes: Histogram,
    pub(super) hour: Histogram,
    pub(super) since_start: Histogram,
}

impl WindowsRead {
    pub(in crate::metrics) fn into_five_minutes(self) -> Histogram {
        self.five_minutes
    }

    /// Adds what another series saw.
    pub(in crate::metrics) fn merge(&mut self, other: &Self) {
        self.minute.merge(&other.minute);
        self.five_minutes.merge(&other.five_minutes);
        self.hour.merge(&other.hour);
        self.since_start.merge(&other.since_start);
    }
}

#[derive(Debug, Default)]
pub(in crate::metrics) struct Windows {
    /// What the cells held when the open slot began. Its sum leaves out what was in flight then.
    baseline: Histogram,
    open: u64,
    slots: Kept,
    minutes: Kept,
    fives: Kept,
}

impl Windows {
    /// The slot that is open.
    pub(in crate::metrics) fn open(&self) -> u64 {
        self.open
    }

    /// Closes the open slot with what the cells hold now, and opens a later one. Costs the same
    /// however long ago the open one began.
    pub(in crate::metrics) fn roll(&mut self, slot: u64, mut cells: Histogram) {
        let (seen, baseline_sum) = self.arrived(&cells);
        let closed = std::mem::replace(&mut self.open, slot);
        cells.set_sum(baseline_sum);
        self.baseline = cells;
        self.slots.push(closed, &seen);
        let minute = closed / SLOTS_PER_MINUTE;
        if slot / SLOTS_PER_MINUTE > minute {
            let mut whole = Histogram::default();
            self.slots.add_to(&mut whole, |index| index / SLOTS_PER_MINUTE == minute);
            self.minutes.push(minute, &whole);
        }
        let five = closed / SLOTS_PER_FIVE;
        if slot / SLOTS_PER_FIVE > five {
            let mut whole = Histogram::default();
            self.minutes.add_to(&mut whole, |index| index / MINUTES_PER_FIVE == five);
            self.fives.push(five, &whole);
        }
        self.slots.forget_before(slot.saturating_sub(KEPT_SLOTS));
        self.minutes.forget_before((slot / SLOTS_PER_MINUTE).saturating_sub(KEPT_MINUTES));
        self.fives.forget_before((slot / SLOTS_PER_FIVE).saturating_sub(KEPT_FIVES));
    }

    pub(in crate::metrics) fn read(&self, cells: Histogram) -> WindowsRead {
        let (seen, _) = self.arrived(&cells);
        let (minute, five) = (self.open / SLOTS_PER_MINUTE, self.open / SLOTS_PER_FIVE);
        let mut read = WindowsRead { minute: seen.clone(), five_minutes: seen, ..WindowsRead::default() };
        self.slots.add_to(&mut read.minute, |_| true);
        self.slots.add_to(&mut read.five_minutes, |index| index / SLOTS_PER_MINUTE == minute);
        read.hour = read.five_minutes.clone();
        self.minutes.add_to(&mut read.five_minutes, |_| true);
        self.minutes.add_to(&mut read.hour, |index| index / MINUTES_PER_FIVE == five);
        self.fives.add_to(&mut read.hour, |_| true);
        read.since_start = cells;
        read
    }

    /// What has arrived in the open slot, and the sum of the baseline after it.
    ///
    /// Buckets and sum are not read in one moment. Where a value is in one of them only, the sum
    /// is one that its buckets allow, and what is left over counts in the next slot.
    fn arrived(&self, cells: &Histogram) -> (Histogram, u64) {
        let mut seen = Histogram::default();
        let (mut count, mut least, mut most) = (0_u64, 0_u128, 0_u128);
        let (mut first, mut last) = (None, 0);
        for (page, within, held) in cells.buckets() {
            let new = held.saturating_sub(self.baseline.bucket(page, within));
            if new == 0 {
                continue;
            }
            seen.add(page, within, new);
            count = count.saturating_add(new);
            let (low, high) = bounds(page, within);
            least = least.saturating_add(u128::from(low) * u128::from(new));
            most = most.saturating_add(u128::from(high) * u128::from(new));
            last = middle(page, within);
            first = first.or(Some(last));
        }
        let signed = |bound: u128| i128::try_from(bound).unwrap_or(i128::MAX);
        let measured = i128::from(cells.sum().wrapping_sub(self.baseline.sum()).cast_signed());
        let sum = measured.clamp(signed(least), signed(most));
        let in_flight = measured - sum;
        let left_over = if in_flight.abs() < MOST_IN_FLIGHT { in_flight as u64 } else { 0 };
        let sum = u64::try_from(sum).unwrap_or(u64::MAX);
        // The buckets know the ends to 0.8 %; the mean and the ends since the start know more.
        let (min, max) = match count {
            0 => (0, 0),
            1 => (sum, sum),
            _ => (first.unwrap_or(last).min(sum / count), last.max(sum.div_ceil(count))),
        };
        let (least_ever, most_ever) = (cells.min().unwrap_or(0), cells.max().unwrap_or(u64::MAX));
        seen.absorb(count, sum, min.max(least_ever), max.min(most_ever));
        (seen, cells.sum().wrapping_sub(left_over))
    }

    pub(in crate::metrics) fn heap_bytes(&self) -> usize {
        self.baseline.heap_bytes()
            + [&self.slots, &self.minutes, &self.fives].map(Kept::heap_bytes).iter().sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cells as a reader sees them that comes between two stores of a writer.
    fn cells(buckets: &[u64], sum: u64) -> Histogram {
        let mut cells = Histogram::default();
        buckets.iter().for_each(|value| cells.record(*value));
        cells.set_sum(sum);
        cells
    }

    #[test]
    fn a_value_that_is_read_half_written_counts_once_and_spoils_no_mean() {
        let mut windows = Windows::default();
        // The sum has the value of 10 s already, the buckets do not.
        windows.roll(1, cells(&[1_000_000], 10_001_000_000));
        let read = windows.read(cells(&[1_000_000, 10_000_000_000], 10_001_000_000));
        let first = {
            let mut first = Histogram::default();
            windows.slots.add_to(&mut first, |index| index == 0);
            first
        };
        assert!(first.sum().abs_diff(1_000_000) < 8_000, "{}", first.sum());
        assert_eq!((read.minute.count(), read.minute.sum()), (2, 10_001_000_000));
    }

    #[test]
    fn sums_that_wrap_leave_later_slots_unharmed() {
        let mut windows = Windows::default();
        let sum = u64::MAX.wrapping_mul(3);
        windows.roll(1, cells(&[u64::MAX, u64::MAX, u64::MAX], sum));
        windows.roll(100, cells(&[u64::MAX, u64::MAX, u64::MAX], sum));
        let read = windows.read(cells(&[u64::MAX, u64::MAX, u64::MAX, 70_000, 70_500], sum.wrapping_add(140_500)));
        assert_eq!((read.minute.count(), read.minute.sum()), (2, 140_500));
        assert_eq!(read.hour.sum(), u64::MAX);
    }
}
