//! How many of something came in the last 60 s, in slots of a second and a fixed 0.5 KiB.

use std::array;

/// Length of a slot.
pub(super) const SLOT_NS: u64 = 1_000_000_000;
/// The window, in slots.
const LENGTH: u64 = 60;
/// The window and the slot that it has left in part.
const SLOTS: usize = LENGTH as usize + 1;

/// Slots of a counter that only grows. What a slot saw is what the counter says when it is over,
/// less what it said when it began.
///
/// The slot that the window has left in part counts for the part that is still in it: exact for an
/// even flow, and off by less than what came in that one second for any other.
#[derive(Debug)]
pub(super) struct CountWindow {
    /// The counter when the open slot began.
    baseline: u64,
    open: u64,
    /// Slots that are over; slot `n` is at `n % SLOTS`.
    closed: [u64; SLOTS],
}

impl Default for CountWindow {
    fn default() -> Self {
        Self { baseline: 0, open: 0, closed: array::from_fn(|_| 0) }
    }
}

impl CountWindow {
    pub(super) fn open(&self) -> u64 {
        self.open
    }

    /// Closes the open slot with what the counter says now, and opens a later one.
    pub(super) fn roll(&mut self, slot: u64, counter: u64) {
        self.set(self.open, counter.wrapping_sub(self.baseline));
        // Slots in which nobody looked saw nothing; those before the window need no clearing twice.
        let empty_from = (self.open + 1).max(slot.saturating_sub(LENGTH));
        (empty_from..slot).for_each(|silent| self.set(silent, 0));
        self.baseline = counter;
        self.open = slot;
    }

    fn set(&mut self, slot: u64, count: u64) {
        if let Some(place) = self.closed.get_mut((slot % SLOTS as u64) as usize) {
            *place = count;
        }
    }

    /// The count of the last 60 s, `now_ns` being in the open slot.
    pub(super) fn count(&self, now_ns: u64, counter: u64) -> f64 {
        let at = |slot: u64| self.closed.get((slot % SLOTS as u64) as usize).copied().unwrap_or(0);
        let whole: u64 = (self.open.saturating_sub(LENGTH - 1)..self.open).map(at).sum();
        let recent = (whole + counter.wrapping_sub(self.baseline)) as f64;
        let passed = now_ns.saturating_sub(self.open.saturating_mul(SLOT_NS)) as f64 / SLOT_NS as f64;
        let leaving = self.open.checked_sub(LENGTH).map_or(0, at) as f64;
        recent + leaving * (1.0 - passed.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_flow_counts_exactly_and_silence_forgets_it() {
        let mut window = CountWindow::default();
        for slot in 1..=200 {
            window.roll(slot, slot * 10);
        }
        assert_eq!(window.count(200 * SLOT_NS, 2_000), 600.0);
        assert_eq!(window.count(200 * SLOT_NS + SLOT_NS / 2, 2_005), 600.0);
        window.roll(230, 2_000);
        assert_eq!(window.count(230 * SLOT_NS, 2_000), 300.0);
        window.roll(260, 2_000);
        assert_eq!(window.count(260 * SLOT_NS, 2_000), 0.0);
        window.roll(u64::MAX / SLOT_NS, 2_007);
        assert_eq!(window.count(u64::MAX, 2_008), 1.0);
    }
}
