//! The decision at a run's start.
//!
//! Owns which traces chance keeps and what is told to callees. Does not own what happens when the
//! run has ended: everything is recorded until then, and the tail may still keep what the head
//! would not.

use std::fmt;
use std::str::FromStr;

use super::error::SamplingError;
use super::md5_rule;
use super::otel_state::OtelState;
use super::parent::{RemoteParent, RemoteSampling};
use super::rate::{Rate, SharedRate};
use super::threshold::{Randomness, Threshold};
use crate::id::TraceId;
use crate::model::DecisionReason;
use crate::propagation::TraceState;

/// How chance is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SamplingHash {
    /// OpenTelemetry's consistent probability sampling. The default.
    #[default]
    Otel,
    /// MD5 of the correlation id, or else of the trace id, for fleets that sample so. It writes no
    /// threshold, so what others make of such traces has no weight.
    Md5,
}

impl SamplingHash {
    /// The stable string: `otel` or `md5`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SamplingHash::Otel => "otel",
            SamplingHash::Md5 => "md5",
        }
    }
}

impl fmt::Display for SamplingHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SamplingHash {
    type Err = SamplingError;

    fn from_str(text: &str) -> Result<Self, SamplingError> {
        match text {
            "otel" => Ok(SamplingHash::Otel),
            "md5" => Ok(SamplingHash::Md5),
            other => Err(SamplingError::new("hash", &other, "otel or md5")),
        }
    }
}

/// How likely it was that a trace was chosen at its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Selection {
    /// By OpenTelemetry's threshold: what callees are told.
    Threshold(Threshold),
    /// With this probability, by other means; above 0.
    Rate(f64),
    /// Nobody knows: the caller keeps it and does not say how likely that was.
    Unknown,
    /// It could not be.
    Never,
}

/// What was decided at a run's start. The tail may keep what this would not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadDecision {
    /// Whether the trace is kept unless the tail says more; the `sampled` flag of calls it makes.
    pub keep: bool,
    /// How likely that was.
    pub selection: Selection,
    /// Why.
    pub reason: DecisionReason,
    /// The rate that was asked for; of a sampled caller the one it tells, 1 when it tells none.
    pub rate: f64,
    /// The trace's randomness, for what the tail leaves to chance.
    pub randomness: Randomness,
    /// Who decided.
    pub sampler: &'static str,
}

impl HeadDecision {
    /// How many traces this one stands for if it is kept: `None` when nobody knows.
    #[must_use]
    pub fn adjusted_count(&self) -> Option<f64> {
        match self.selection {
            Selection::Threshold(threshold) => Some(threshold.adjusted_count()),
            Selection::Rate(rate) => Some(1.0 / rate),
            Selection::Unknown | Selection::Never => None,
        }
    }

    /// The `tracestate` of calls this run makes: with the threshold where the trace is kept by one,
    /// without where it is not kept or the probability is unknown.
    #[must_use]
    pub fn trace_state(&self, received: &TraceState) -> TraceState {
        let threshold = match self.selection {
            Selection::Threshold(threshold) if self.keep => Some(threshold),
            _ => None,
        };
        if threshold.is_none() && received.is_empty() {
            return TraceState::default();
        }
        OtelState::read(received).with_threshold(threshold).write(received)
    }
}

/// What is known at a run's start.
#[derive(Clone, Copy, Debug)]
pub struct RunStart<'a> {
    /// The trace.
    pub trace_id: TraceId,
    /// What the caller said, or [`RemoteSampling::root`].
    pub remote: RemoteSampling,
    /// What the `md5` rule takes for a key; the trace id where there is none or an empty one.
    pub correlation_id: Option<&'a str>,
    /// Somebody asked for this trace.
    pub forced: bool,
}

impl RunStart<'_> {
    /// A run that begins here and carries no correlation id.
    #[must_use]
    pub fn root(trace_id: TraceId) -> Self {
        Self { trace_id, remote: RemoteSampling::root(trace_id), correlation_id: None, forced: false }
    }
}

/// Decides by chance at a run's start, and honours what the caller decided.
///
/// Clones share the rate, so that adaptive control and configuration can change it while decisions
/// read it; a decision is one atomic load, some arithmetic and no allocation.
///
/// ```
/// use tta_telemetry::IdSource;
/// use tta_telemetry::sampling::{HeadSampler, Rate, RunStart, SamplingHash};
///
/// let sampler = HeadSampler::new(SamplingHash::Otel, Rate::new(0.25)?);
/// let ids = IdSource::seeded(7);
/// let kept = (0..10_000).filter(|_| sampler.decide(&RunStart::root(ids.trace_id())).keep).count();
/// assert!((2_400..2_600).contains(&kept));
/// # Ok::<(), tta_telemetry::sampling::SamplingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeadSampler {
    hash: SamplingHash,
    rate: SharedRate,
    name: &'static str,
}

impl HeadSampler {
    /// Keeps this share of traces.
    #[must_use]
    pub fn new(hash: SamplingHash, rate: Rate) -> Self {
        Self::sharing(hash, SharedRate::new(rate), "probabilistic")
    }

    /// Keeps a share that somebody else changes, and says so by this name in its decisions.
    #[must_use]
    pub const fn sharing(hash: SamplingHash, rate: SharedRate, name: &'static str) -> Self {
        Self { hash, rate, name }
    }

    /// The rate, to be read and changed.
    #[must_use]
    pub const fn rate(&self) -> &SharedRate {
        &self.rate
    }

    /// How chance is taken.
    #[must_use]
    pub const fn hash(&self) -> SamplingHash {
        self.hash
    }

    /// Decides about a run.
    #[inline]
    #[must_use]
    pub fn decide(&self, start: &RunStart<'_>) -> HeadDecision {
        self.decide_at(self.rate.get(), start)
    }

    /// Decides about a run at a rate of its own: that of its workflow, or of a
    /// [`Sampler`](super::Sampler).
    #[inline]
    #[must_use]
    pub fn decide_at(&self, rate: Rate, start: &RunStart<'_>) -> HeadDecision {
        let randomness = start.remote.randomness;
        let all = match self.hash {
            SamplingHash::Otel => Selection::Threshold(Threshold::ALWAYS),
            SamplingHash::Md5 => Selection::Rate(1.0),
        };
        let (keep, selection, reason, rate) = match start.remote.parent {
            _ if start.forced => (true, all, DecisionReason::Forced, 1.0),
            RemoteParent::NotSampled => (false, Selection::Never, DecisionReason::ParentNotSampled, 0.0),
            RemoteParent::Sampled(Some(threshold)) => {
                let selection = Selection::Threshold(threshold);
                (true, selection, DecisionReason::ParentSampled, threshold.probability())
            }
            RemoteParent::Sampled(None) => (true, Selection::Unknown, DecisionReason::ParentSampled, 1.0),
            RemoteParent::None if rate <= Rate::ZERO => (false, Selection::Never, DecisionReason::RateZero, 0.0),
            RemoteParent::None if rate >= Rate::ONE => (true, all, DecisionReason::RateOne, 1.0),
            RemoteParent::None => {
                let (keep, selection) = match self.hash {
                    SamplingHash::Otel => {
                        let threshold = Threshold::of_rate(rate.get());
                        (threshold.keeps(randomness), Selection::Threshold(threshold))
                    }
                    SamplingHash::Md5 => (keeps_by_md5(rate, start), Selection::Rate(rate.get())),
                };
                (keep, selection, DecisionReason::ProbabilisticHash, rate.get())
            }
        };
        HeadDecision { keep, selection, reason, rate, randomness, sampler: self.name }
    }

    /// Decides about a key as it stands in a list of them: any text for `md5`, where an empty one is
    /// left to the number that `draw` gives (0 to below 1), a trace id for `otel`.
    ///
    /// # Errors
    /// With `otel`, a text that is not a trace id, whatever the rate.
    pub fn decide_key(&self, key: &str, draw: impl FnOnce() -> f64) -> Result<HeadDecision, SamplingError> {
        let rate = self.rate.get();
        if self.hash == SamplingHash::Otel {
            let accepted = "32 lower-case hexadecimal digits, not all zero";
            let trace_id = key.parse().map_err(|_| SamplingError::new("trace_id", &quoted(key), accepted))?;
            return Ok(self.decide_at(rate, &RunStart::root(trace_id)));
        }
        let (keep, selection, reason) = if rate <= Rate::ZERO {
            (false, Selection::Never, DecisionReason::RateZero)
        } else if rate >= Rate::ONE {
            (true, Selection::Rate(1.0), DecisionReason::RateOne)
        } else if key.is_empty() {
            (draw() < rate.get(), Selection::Rate(rate.get()), DecisionReason::ProbabilisticRandom)
        } else {
            (md5_rule::keeps(key, rate), Selection::Rate(rate.get()), DecisionReason::ProbabilisticHash)
        };
        // A key is not always a trace id; where it is none, the end of its hash is as random.
        let randomness = key.parse().map_or_else(|_| md5_rule::randomness(key), Randomness::of);
        Ok(HeadDecision { keep, selection, reason, rate: rate.get(), randomness, sampler: self.name })
    }
}

/// A key of any length, for errors: where it begins and ends must be seen, and that it was cut.
fn quoted(key: &str) -> String {
    let characters = key.chars().count();
    if characters <= 36 {
        return format!("`{key}`");
    }
    format!("`{}…` ({characters} characters)", key.chars().take(16).collect::<String>())
}

/// Apart, so that deciding by threshold stays small.
#[inline(never)]
fn keeps_by_md5(rate: Rate, start: &RunStart<'_>) -> bool {
    match start.correlation_id {
        Some(key) if !key.is_empty() => md5_rule::keeps(key, rate),
        _ => md5_rule::keeps_trace(start.trace_id, rate),
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
