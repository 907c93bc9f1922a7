//! The decision about a whole trace: keep or drop, at what rate, and why.

use std::fmt;
use std::str::FromStr;

/// Which traces the engine keeps.
///
/// Every run is recorded whichever is chosen; the choice is made when the run has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// Keep every trace. The default.
    #[default]
    KeepAll,
    /// Keep no trace. Step statistics stay exact.
    KeepNone,
    /// Keep traces that failed or were cancelled; drop those that succeeded.
    KeepFailed,
}

/// What was decided about one trace, once, when it ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingDecision {
    /// Whether the trace goes to the sinks.
    pub keep: bool,
    /// The probability with which traces of this class are kept, `0.0..=1.0`.
    pub rate: f64,
    /// Why.
    pub reason: DecisionReason,
    /// Who decided: a stable lower-case name.
    pub sampler: &'static str,
}

/// Why a trace was kept or dropped. The strings are stable; see [`DecisionReason::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecisionReason {
    /// The rate is 0.
    RateZero,
    /// The rate is 1.
    RateOne,
    /// The run failed.
    TailError,
    /// The run neither failed nor was cancelled, and only those are kept.
    TailNormal,
    /// The run was cancelled.
    Cancelled,
    /// Memory ran out and this trace was decided before its end, as it stood.
    Evicted,
}

/// Room for reasons in tables of counts.
pub(crate) const MOST_REASONS: usize = 16;

impl DecisionReason {
    /// All of them, each at its index.
    pub(crate) const ALL: [Self; 6] = [
        DecisionReason::RateZero,
        DecisionReason::RateOne,
        DecisionReason::TailError,
        DecisionReason::TailNormal,
        DecisionReason::Cancelled,
        DecisionReason::Evicted,
    ];

    /// A small number of its own.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The stable string of this reason, as in attributes, metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DecisionReason::RateZero => "sampling_rate_zero",
            DecisionReason::RateOne => "sampling_rate_one",
            DecisionReason::TailError => "tail_error",
            DecisionReason::TailNormal => "tail_normal",
            DecisionReason::Cancelled => "cancelled",
            DecisionReason::Evicted => "evicted",
        }
    }
}

impl fmt::Display for DecisionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DecisionReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sampling_rate_zero" => Ok(DecisionReason::RateZero),
            "sampling_rate_one" => Ok(DecisionReason::RateOne),
            "tail_error" => Ok(DecisionReason::TailError),
            "tail_normal" => Ok(DecisionReason::TailNormal),
            "cancelled" => Ok(DecisionReason::Cancelled),
            "evicted" => Ok(DecisionReason::Evicted),
            other => Err(format!(
                "`{other}` is not a decision reason: expected sampling_rate_zero, sampling_rate_one, tail_error, \
                 tail_normal, cancelled or evicted"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reason after this one. A new variant has to be put into the chain, and is then checked.
    fn next(reason: DecisionReason) -> Option<DecisionReason> {
        match reason {
            DecisionReason::RateZero => Some(DecisionReason::RateOne),
            DecisionReason::RateOne => Some(DecisionReason::TailError),
            DecisionReason::TailError => Some(DecisionReason::TailNormal),
            DecisionReason::TailNormal => Some(DecisionReason::Cancelled),
            DecisionReason::Cancelled => Some(DecisionReason::Evicted),
            DecisionReason::Evicted => None,
        }
    }

    #[test]
    fn every_reason_reads_back_from_its_stable_string() {
        let reasons: Vec<_> = std::iter::successors(Some(DecisionReason::RateZero), |reason| next(*reason)).collect();
        assert_eq!(reasons.len(), 6);
        for reason in reasons {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(DecisionReason::ALL[reason.index()], reason);
            assert!(reason.index() < MOST_REASONS);
        }
    }

    #[test]
    fn an_unknown_reason_is_refused_with_the_known_ones() {
        let error = "why_not".parse::<DecisionReason>().unwrap_err();
        assert!(error.starts_with("`why_not` is not a decision reason: expected sampling_rate_zero, "), "{error}");
    }
}
