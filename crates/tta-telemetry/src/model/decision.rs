//! The decision about a whole trace: keep or drop, at what rate, and why.

use std::fmt;

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

impl DecisionReason {
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
