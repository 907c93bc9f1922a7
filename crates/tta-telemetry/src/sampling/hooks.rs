//! Where a program takes part: samplers of its own, and processors of kept traces.
//!
//! Owns what they may see and change, what happens when they panic, and which of them are for whom.
//! Does not own when they are called: the recorder does that.

mod edit;
mod isolate;
mod list;

pub use edit::TraceEdit;
#[cfg(feature = "record")]
pub(crate) use isolate::Panicked;
pub use isolate::{IsolatedProcessor, IsolatedSampler};
pub(crate) use list::HookList;
#[cfg(feature = "record")]
pub(crate) use list::HookSet;

use super::head::RunStart;
use super::rate::Rate;
use crate::model::{Attribute, Name, RuleName, TraceClass};

/// What a [`Sampler`] says about a finished trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// Keep it.
    Keep,
    /// Drop it, and count it out of what estimates are made about.
    Drop,
    /// Keep this share of traces like it. 0 is [`Drop`](Self::Drop).
    Rate(Rate),
}

/// What a [`Sampler`] sees of a trace that has ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FinishedRun<'a> {
    /// The name with which its root was started.
    pub workflow: &'a str,
    /// How it ended.
    pub class: TraceClass,
    /// How long its root took, in milliseconds; up to now, while it has not ended.
    pub duration_ms: f64,
    /// Its spans, as far as they have ended.
    pub spans: usize,
    /// The attributes of its root; empty while it has not ended.
    pub attributes: &'a [Attribute],
}

impl<'a> FinishedRun<'a> {
    /// A run of this workflow, of one span without attributes.
    #[must_use]
    pub fn new(workflow: &'a str, class: TraceClass, duration_ms: f64) -> Self {
        Self { workflow, class, duration_ms, spans: 1, attributes: &[] }
    }
}

/// A sampler of the program's own.
///
/// It says how likely traces of some content are to be kept, and never which: chance is taken by the
/// engine, so that weights and consistency with other services hold. What it says must depend on
/// content only.
///
/// [`head`](Self::head) is called in the thread that starts a run and must be quick.
/// [`tail`](Self::tail) is called in the background, on the whole trace, as rules are; only when
/// memory has run out it is called by whoever needs some. One that panics is counted
/// (`telemetry_dropped_total`) and has said nothing. Neither may wait for the engine, and runs that
/// are started inside them are not recorded. Engines are given theirs by
/// [`TelemetryBuilder::sampler`](crate::TelemetryBuilder::sampler).
///
/// ```
/// use tta_telemetry::sampling::{FinishedRun, Rate, RunStart, Sampler, Verdict};
/// use tta_telemetry::{Name, RuleName, TraceClass};
///
/// struct Imports(RuleName);
///
/// impl Sampler for Imports {
///     fn name(&self) -> RuleName {
///         self.0
///     }
///     fn head(&self, workflow: &Name, _: &RunStart<'_>) -> Option<Rate> {
///         (*workflow == "import").then_some(Rate::ONE)
///     }
///     fn tail(&self, run: &FinishedRun<'_>) -> Option<Verdict> {
///         (run.spans > 1_000).then_some(Verdict::Keep)
///     }
/// }
///
/// let sampler = Imports("imports".parse()?);
/// assert_eq!(sampler.tail(&FinishedRun::new("import", TraceClass::Normal, 3.0)), None);
/// # Ok::<(), tta_telemetry::RuleNameError>(())
/// ```
pub trait Sampler: Send + Sync + 'static {
    /// Its name in decisions, as `rule:<name>`.
    fn name(&self) -> RuleName;

    /// The rate for a run that starts; asked once for each, unless a caller in another process has
    /// decided or the trace is forced. `None` leaves it to the next sampler, and in the end to the
    /// configuration: the workflow's rate, or that of all.
    fn head(&self, workflow: &Name, start: &RunStart<'_>) -> Option<Rate> {
        let _ = (workflow, start);
        None
    }

    /// What to do with a finished trace that is not kept anyway: that was not forced, did not fail,
    /// was neither cancelled nor slow. `None` leaves it to the next sampler, then to rules, and in the
    /// end to what was decided at its start.
    fn tail(&self, run: &FinishedRun<'_>) -> Option<Verdict> {
        let _ = run;
        None
    }
}

/// Looks at kept traces, or edits their attributes, before any sink has them.
///
/// It is called in the background; only when memory has run out it is called by whoever needs some.
/// What comes after a trace was decided is a trace of its own ([`Trace::late`](crate::Trace::late)) and
/// is processed as well. Secrets are taken out afterwards, so that nothing a processor adds escapes
/// that. One that panics is counted (`telemetry_dropped_total`); the trace goes on as it had become
/// until then. It may not wait for the engine, and runs that are started inside it are not recorded.
/// Engines are given theirs by [`TelemetryBuilder::processor`](crate::TelemetryBuilder::processor).
///
/// ```
/// use tta_telemetry::sampling::{TraceEdit, TraceProcessor};
///
/// struct Region(&'static str);
///
/// impl TraceProcessor for Region {
///     fn name(&self) -> &str {
///         "region"
///     }
///     fn process(&self, trace: &mut TraceEdit<'_>) {
///         trace.set(0, "cloud.region", self.0);
///     }
/// }
/// ```
pub trait TraceProcessor: Send + Sync + 'static {
    /// A short stable name, for counters and reports.
    fn name(&self) -> &str;

    /// Looks at a trace or edits its attributes.
    fn process(&self, trace: &mut TraceEdit<'_>);
}
