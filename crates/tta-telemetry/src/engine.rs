//! The engine: one `Telemetry` per process, or as many as tests want.
//!
//! Owns building, the process default, flushing and shutting down. The recording itself lives in
//! `record`, or nowhere when that feature is off.

mod builder;
mod hooks;
mod measure;
mod state;
mod store;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use thiserror::Error;

pub(crate) use builder::MeasuringSettings;
pub use builder::TelemetryBuilder;
pub use measure::CostPlace;
pub use state::EngineState;
pub(crate) use store::StoreKept;

use crate::clock::Clock;
#[cfg(feature = "config")]
use crate::cost::BudgetBuilder;
use crate::cost::{Budget, CostError};
use crate::counters::{ActiveBranches, RecorderCounters};
use crate::decisions::{Decision, DecisionCells, DecisionCount, DecisionKey};
use crate::health::{HealthComponent, HealthReport};
use crate::id::{IdSource, SpanId, TraceId};
use crate::limits::LimitError;
use crate::metrics::{MetricError, StepInstruments, StepStatistics};
use crate::model::Name;
use crate::pending::PendingWork;
use crate::receive::{ReceiveLimits, Receiver, SpanCodec};
use crate::record::ActiveTrace;
use crate::recorder::Recorder;
use crate::redaction::{Redaction, SharedRedactor};
use crate::sampling::{AdaptiveStats, RemoteSampling, SamplingError, SamplingInEffect, SamplingPolicy};
use crate::sink::SinkStatus;
#[cfg(feature = "config")]
use crate::slo::Slo;
use crate::slo::SloError;

static DEFAULT: OnceLock<Telemetry> = OnceLock::new();
static DISABLED: OnceLock<Telemetry> = OnceLock::new();

/// A handle to an engine. Cheap to clone; the engine lives as long as a handle does.
///
/// Dropping the last handle decides about runs that are still open as they stand and stops the
/// background threads without waiting for them; call [`Telemetry::shutdown`] to lose nothing.
#[derive(Clone)]
pub struct Telemetry(Arc<Recorder>);

/// Without what it holds, where names are that users gave.
impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Telemetry");
        shown.field("engine_id", &self.engine_id()).field("is_enabled", &self.is_enabled()).finish_non_exhaustive()
    }
}

/// What is known of a run when it starts. See [`Telemetry::start_trace_with`].
#[derive(Clone, Copy, Debug)]
pub struct TraceStart<'a> {
    /// What kind of primitive the root is. Default `workflow`.
    pub kind: &'static str,
    /// The trace that was begun elsewhere, and the span in it that called. Default none: a new one.
    pub parent: Option<(TraceId, SpanId)>,
    /// What the caller in another process decided about it. Default nothing.
    pub remote: Option<RemoteSampling>,
    /// What the `md5` rule of sampling takes in place of the trace id.
    pub correlation_id: Option<&'a str>,
    /// Somebody asks for this trace: it is kept.
    pub is_forced: bool,
}

impl Default for TraceStart<'_> {
    fn default() -> Self {
        Self { kind: "workflow", parent: None, remote: None, correlation_id: None, is_forced: false }
    }
}

/// Why an engine could not be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A limit is outside its range.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The sampling policy has a parameter outside its range.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// The configuration does not fit together.
    #[error("{0}")]
    Config(String),
    /// An objective that the configuration names is one too many.
    #[error(transparent)]
    Slo(#[from] SloError),
    /// A budget that the configuration names has a parameter outside its range.
    #[error(transparent)]
    Budget(#[from] CostError),
    /// The duration buckets of a primitive are not limits.
    #[error("duration buckets of `{0}`")]
    Buckets(Name, #[source] MetricError),
    /// More samplers and processors of the program's own than 64.
    #[error("{given} samplers and processors, accepted are at most 64")]
    TooManyHooks {
        /// How many there are.
        given: usize,
    },
    /// The operating system refused a background thread.
    #[error("cannot start a background thread of the telemetry engine")]
    Thread(#[source] std::io::Error),
    /// `install` was called while a process default exists.
    #[error("a process-wide telemetry engine is installed already, accepted is one per process")]
    AlreadyInstalled,
}

/// What a shutdown or flush achieved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ShutdownReport {
    /// Everything kept reached its sink, or failed there and was counted, before the deadline, and
    /// no work was unfinished.
    pub complete: bool,
    /// Runs that had not ended and were decided as they stood.
    pub open_runs: u64,
    /// Names of [pending work](Telemetry::pending_work) that was not over in time, in the order of
    /// starting: compensations of sagas, say. It goes on for as long as the process lives. At most
    /// 1,000, and a last entry for how many more. Empty for a flush, which does not wait for work.
    pub unfinished: Vec<String>,
    /// Each sink's counters; `waiting_traces` were not flushed.
    pub sinks: Vec<SinkStatus>,
}

impl Telemetry {
    /// Starts building an engine.
    pub fn builder() -> TelemetryBuilder {
        TelemetryBuilder::new()
    }

    /// An engine that records nothing and has no threads. Ids still come from it.
    #[must_use]
    pub fn disabled() -> Self {
        // One for the process: nothing in it can be told apart.
        DISABLED.get_or_init(|| Self(Recorder::off(Clock::system(), IdSource::random()))).clone()
    }

    /// The process default: the installed engine, or a disabled one while none is installed.
    #[must_use]
    pub fn global() -> Self {
        DEFAULT.get().cloned().unwrap_or_else(Self::disabled)
    }

    /// Makes this engine the process default that new contexts use.
    ///
    /// # Errors
    /// [`BuildError::AlreadyInstalled`] when there is one: engines are not exchanged under runs.
    pub fn install(&self) -> Result<(), BuildError> {
        DEFAULT.set(self.clone()).map_err(|_| BuildError::AlreadyInstalled)
    }

    /// Whether runs are recorded.
    #[inline]
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.0.is_enabled()
    }

    /// Whether a trace that begins here is known to be kept: the `sampled` flag that goes out with
    /// its calls. Traces that are kept for how they ended are decided later.
    #[must_use]
    pub fn samples_at_head(&self) -> bool {
        self.0.samples_at_head()
    }

    /// Whether both handles are of the same engine.
    #[must_use]
    pub fn same_engine(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A number that no other engine of this process has.
    #[inline]
    #[must_use]
    pub fn engine_id(&self) -> u64 {
        self.0.engine_id()
    }

    /// The engine's clock.
    #[inline]
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.0.clock()
    }

    /// The engine's source of ids and random numbers.
    #[inline]
    #[must_use]
    pub fn ids(&self) -> &IdSource {
        self.0.ids()
    }

    /// Starts a run whose trace id is new. It ends when the returned root does.
    #[inline]
    pub fn start_trace(&self, name: impl Into<Name>) -> ActiveTrace {
        self.0.start_trace(name.into(), &TraceStart::default())
    }

    /// Starts a run of a given kind: under a span of a trace that was begun elsewhere, or as a new
    /// trace when there is none.
    #[inline]
    pub fn start_trace_in(
        &self,
        name: impl Into<Name>,
        kind: &'static str,
        remote: Option<(TraceId, SpanId)>,
    ) -> ActiveTrace {
        self.0.start_trace(name.into(), &TraceStart { kind, parent: remote, ..TraceStart::default() })
    }

    /// Starts a run of which something is known.
    #[inline]
    pub fn start_trace_with(&self, name: impl Into<Name>, start: &TraceStart<'_>) -> ActiveTrace {
        self.0.start_trace(name.into(), start)
    }

    /// A way in for spans that other processes recorded, in the wire form of a codec. Traces whose
    /// spans come by different receivers are not put together.
    ///
    /// # Errors
    /// A limit outside its range.
    pub fn receiver(&self, codec: impl SpanCodec, limits: ReceiveLimits) -> Result<Receiver, LimitError> {
        limits.check()?;
        Ok(self.0.receiver(Box::new(codec), limits))
    }

    /// Whether traces are sampled by a key that is carried beside the trace id; see
    /// [`TraceStart::correlation_id`].
    #[must_use]
    pub fn samples_by_correlation_id(&self) -> bool {
        self.0.samples_by_correlation_id()
    }

    /// Keeps no traces from now on, until a policy is set.
    #[cfg(feature = "config")]
    pub(crate) fn stop_keeping_traces(&self) {
        self.0.stop_keeping_traces();
    }

    /// Takes objectives away, and sets those that are new or differ: all, or none.
    #[cfg(feature = "config")]
    pub(crate) fn reconfigure_slos(&self, gone: &[(Name, Name)], wanted: Vec<(Name, Slo)>) -> Result<(), SloError> {
        self.0.reconfigure_slos(gone, wanted)
    }

    /// Held while several settings are changed together.
    #[cfg(feature = "config")]
    pub(crate) fn updating(&self) -> std::sync::MutexGuard<'_, crate::recorder::InEffect> {
        self.0.updating().lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes out of kept traces, and of all else that leaves the engine, what these settings say,
    /// from now on. Series of metrics that exist by then keep their labels.
    pub fn set_redaction(&self, redaction: &Redaction) {
        self.0.set_redaction(redaction);
    }

    /// The redactor in effect, which follows every change of the settings. Works also when nothing is
    /// recorded, and by the default settings where none were given: what
    /// [`Telemetry::global`] has before an engine is installed.
    #[inline]
    #[must_use]
    pub fn redactor(&self) -> &SharedRedactor {
        self.0.redactor()
    }

    /// Where an adaptive rate stands; `None` when the rate is not adaptive.
    #[must_use]
    pub fn adaptive_stats(&self) -> Option<AdaptiveStats> {
        self.0.adaptive_stats()
    }

    /// What decides now which traces are kept. [`KeepNone`](crate::Sampling::KeepNone) when nothing is recorded.
    #[must_use]
    pub fn sampling(&self) -> SamplingInEffect {
        self.0.sampling()
    }

    /// How often each sampling rule decided, in their order, since the policy was set.
    #[must_use]
    pub fn rule_counts(&self) -> Vec<(String, u64)> {
        self.0.rule_counts()
    }

    /// Decides by this policy from now on, also about runs under way, when they end.
    ///
    /// # Errors
    /// What is outside its range; nothing is changed then.
    pub fn set_sampling_policy(&self, policy: SamplingPolicy) -> Result<(), SamplingError> {
        self.0.set_sampling_policy(policy)
    }

    /// The cells of a step; resolve once and keep. `None` when nothing is recorded.
    #[must_use]
    pub fn instruments(&self, workflow: &Name, name: &Name, kind: &Name) -> Option<Arc<StepInstruments>> {
        self.0.instruments(workflow, name, kind)
    }

    /// The counts of a primitive's decisions; resolve once and keep. `outcomes` are the words of
    /// its family, at most [`MAX_OUTCOMES`](crate::MAX_OUTCOMES), always the same for one family.
    /// `None` when nothing is recorded.
    #[must_use]
    pub fn decision_cells(&self, key: &DecisionKey, outcomes: &'static [&'static str]) -> Option<Arc<DecisionCells>> {
        self.0.decision_cells(key, outcomes)
    }

    /// Exact counts of what primitives decided since the start, in the order in which they were
    /// first met.
    #[must_use]
    pub fn decision_counts(&self) -> Vec<DecisionCount> {
        self.0.decision_counts()
    }

    /// Tells the observers of a decision. Counting it is [`DecisionCells::count`].
    pub fn tell(&self, decision: &Decision<'_>) {
        self.0.tell(decision);
    }

    /// Asks a component in every [`Telemetry::health`], as long as it lives. Registering it again
    /// does nothing.
    pub fn watch_health(&self, component: &Arc<dyn HealthComponent>) {
        self.0.health().watch(component);
    }

    /// How every registered component is now. Works also when nothing is recorded.
    #[must_use]
    pub fn health(&self) -> HealthReport {
        self.0.health_report()
    }

    /// Counts the branches of parallel primitives of this name that are active: in
    /// `parallel_active_branches`, and with all others in
    /// [`RecorderCounters::active_branches`](crate::RecorderCounters). Look it up once and keep it.
    /// `None` when nothing is recorded.
    #[must_use]
    pub fn active_branches(&self, name: &Name) -> Option<Arc<ActiveBranches>> {
        self.0.active_branches(name)
    }

    /// Workflow, name and kind of the step whose
    /// [instruments](crate::StepInstruments::number) have this number.
    #[must_use]
    pub fn step_labels(&self, number: u32) -> Option<[Name; 3]> {
        self.0.step_labels(number)
    }

    /// The budget of this name that the engine was given, in code or by configuration, for
    /// everything that spends from it. Works also when nothing is recorded.
    #[must_use]
    pub fn budget(&self, name: &str) -> Option<Budget> {
        self.0.budgets().get(name)
    }

    /// Every budget that the engine was given, by name.
    #[must_use]
    pub fn budgets(&self) -> Vec<Budget> {
        self.0.budgets().all()
    }

    /// Gives the engine a budget, in the place of the one of that name, and reports its health.
    pub(crate) fn add_budget(&self, budget: Budget) {
        self.watch_health(&budget.health_component());
        self.0.budgets().insert(budget);
    }

    /// Changes or makes budgets; the parameters must have been checked.
    #[cfg(feature = "config")]
    pub(crate) fn set_budgets(&self, budgets: Vec<BudgetBuilder>) -> Result<(), CostError> {
        for builder in budgets {
            if let Some(new) = self.0.budgets().set(builder, self.clock())? {
                self.watch_health(&new.health_component());
            }
        }
        Ok(())
    }

    /// Says that work is under way which must be over before the engine ends, until the guard is
    /// dropped: [`Telemetry::shutdown`] waits for it, and names it in
    /// [`ShutdownReport::unfinished`] when time runs out. Works also when nothing is recorded.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tta_telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder().build()?;
    /// let work = telemetry.pending_work("upload of the last batch");
    /// let report = telemetry.shutdown_blocking(Duration::ZERO);
    /// assert_eq!(report.unfinished, ["upload of the last batch"]);
    /// drop(work);
    /// assert!(telemetry.shutdown_blocking(Duration::from_secs(1)).complete);
    /// # Ok::<(), tta_telemetry::BuildError>(())
    /// ```
    pub fn pending_work(&self, name: impl Into<Name>) -> PendingWork {
        self.0.pending().start(name.into())
    }

    /// Exact statistics of every step since the start, in the order in which they were first met.
    #[must_use]
    pub fn step_statistics(&self) -> Vec<StepStatistics> {
        self.0.step_statistics()
    }

    /// What the recorder has counted about itself.
    #[must_use]
    pub fn counters(&self) -> RecorderCounters {
        self.0.counters()
    }

    /// What each sink has done so far.
    #[must_use]
    pub fn sinks(&self) -> Vec<SinkStatus> {
        self.0.sinks()
    }

    /// Decides what is due, sends every kept trace to its sinks and flushes them, waiting up to
    /// `deadline`. Blocks the calling thread; see [`Telemetry::flush`].
    pub fn flush_blocking(&self, deadline: Duration) -> ShutdownReport {
        self.0.flush(deadline)
    }

    /// [`Telemetry::flush_blocking`] for async code: waits on a thread of its own, so it works on
    /// any runtime, or none.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the flush.
    pub fn flush(&self, deadline: Duration) -> impl Future<Output = ShutdownReport> + Send + 'static {
        let recorder = Arc::clone(&self.0);
        crate::blocking::run(move || recorder.flush(deadline))
    }

    /// Ends the engine: waits for [pending work](Telemetry::pending_work), refuses new runs, decides
    /// about those still open as they stand, sends what is kept, and stops the threads, waiting up
    /// to `deadline` in all; a quarter of it, at most 5 s, is not spent on pending work. Runs go on
    /// unrecorded. A second call waits for work that is still pending and reports the state as it
    /// is then.
    ///
    /// Pending work may need this thread: on an async runtime use [`Telemetry::shutdown`].
    pub fn shutdown_blocking(&self, deadline: Duration) -> ShutdownReport {
        self.0.shutdown(deadline)
    }

    /// [`Telemetry::shutdown_blocking`] for async code, on any runtime or none.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the shutdown.
    pub fn shutdown(&self, deadline: Duration) -> impl Future<Output = ShutdownReport> + Send + 'static {
        let recorder = Arc::clone(&self.0);
        crate::blocking::run(move || recorder.shutdown(deadline))
    }
}
