//! What should have reached the consumer, and how far from it what did is. Does not count.

use crate::case::Fate;

/// Which of the spans that are to be kept reach the consumer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reports {
    /// All of them.
    Everything,
    /// None: nothing is recorded, so nothing can be lost.
    Nothing,
    /// Those of this share of the traces, drawn by trace id.
    Share(f64),
}

/// What was recorded by one measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recorded {
    pub(crate) fate: Fate,
    pub(crate) traces: u64,
    /// Spans of one trace, an implementation's own included.
    pub(crate) spans_per_trace: u64,
}

/// How many standard deviations a drawn share may be off: by chance it is once in 500 million.
const TOLERANCE: f64 = 6.0;

impl Reports {
    /// How many spans too many or too few reached the consumer.
    ///
    /// A share is drawn, so it is checked in two ways: all spans of a trace are kept or none, so the
    /// spans are a multiple of those of a trace; and the traces are about as many as the share says.
    pub(crate) fn misplaced(self, recorded: &Recorded, reported: u64) -> u64 {
        let Recorded { fate, traces, spans_per_trace } = *recorded;
        match (self, fate) {
            (Self::Nothing, _) => 0,
            (_, Fate::Dropped) => reported,
            (Self::Everything, Fate::Kept) => reported.abs_diff(traces * spans_per_trace),
            (Self::Share(share), Fate::Kept) => {
                let expected = traces as f64 * share;
                let deviation = (expected * (1.0 - share)).sqrt();
                let kept_traces = reported / spans_per_trace;
                let excess = (kept_traces as f64 - expected).abs() - TOLERANCE * deviation;
                reported % spans_per_trace + excess.max(0.0).round() as u64 * spans_per_trace
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Recorded = Recorded { fate: Fate::Kept, traces: 1_000, spans_per_trace: 10 };
    const DROPPED: Recorded = Recorded { fate: Fate::Dropped, ..KEPT };

    #[test]
    fn everything_kept_is_to_be_reported_and_nothing_dropped() {
        assert_eq!(Reports::Everything.misplaced(&KEPT, 9_993), 7);
        assert_eq!(Reports::Everything.misplaced(&KEPT, 10_000), 0);
        assert_eq!(Reports::Everything.misplaced(&DROPPED, 7), 7);
        assert_eq!(Reports::Nothing.misplaced(&KEPT, 0), 0);
    }

    #[test]
    fn a_share_may_be_off_by_chance_but_not_by_parts_of_traces() {
        let share = Reports::Share(0.05);
        assert_eq!(share.misplaced(&KEPT, 500), 0);
        assert_eq!(share.misplaced(&KEPT, 620), 0);
        assert_eq!(share.misplaced(&KEPT, 618), 8);
        assert_eq!(share.misplaced(&DROPPED, 500), 500);
    }

    #[test]
    fn a_share_that_chance_does_not_explain_is_counted_in_spans() {
        // 50 traces expected, 41.4 more or fewer tolerated.
        assert_eq!(Reports::Share(0.05).misplaced(&KEPT, 0), 90);
        assert_eq!(Reports::Share(0.05).misplaced(&KEPT, 10_000), 9_090);
    }
}
