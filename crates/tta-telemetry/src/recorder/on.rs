//! The recorder and its housekeeping thread.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::{InEffect, Parts, next_engine_id};
use crate::cardinality::LabelLimiter;
use crate::clock::Clock;
use crate::cost::{BudgetRegistry, Charge, CostReport, StepCost};
use crate::counters::{ActiveBranches, RecorderCounters};
use crate::deadline::Deadline;
use crate::decisions::{Decision, DecisionCells, DecisionCount, DecisionKey, Observers};
use crate::detached;
use crate::engine::{CostPlace, EngineState, MeasuringSettings, ShutdownReport, StoreKept, TraceStart};
use crate::health::{HealthComponent, HealthRegistry, HealthReport};
use crate::id::IdSource;
use crate::limits::Limits;
use crate::measuring::{EngineReading, Measuring};
use crate::metrics::catalog::{self, BuiltIn};
use crate::metrics::{
    Family, HistogramRecorder, Metric, MetricError, MetricFamily, MetricSource, PrimitiveMetrics, Registered,
    StepInstruments, StepStatistics,
};
use crate::model::{Name, Sampling, SpanStatus};
use crate::money::Usd;
use crate::overhead::Overhead;
use crate::pending::PendingRegistry;
use crate::receive::{Assembly, ReceiveLimits, Receiver, SpanCodec};
use crate::record::core::{Core, Settings};
use crate::record::hooks::{self, Hooks};
use crate::record::{ActiveTrace, Stop, vitals};
use crate::redaction::{Redaction, SharedRedactor};
use crate::sampling::{AdaptiveStats, SamplingError, SamplingInEffect, SamplingPolicy};
use crate::sink::{ExportTimes, Sink, SinkStatus, SinkWorker};
use crate::slo::{Slo, SloError, SloStatus, SloTracker};

#[derive(Debug)]
pub(crate) struct Recorder {
    id: u64,
    core: Arc<Core>,
    health: HealthRegistry,
    /// The engine's own parts, which `health` asks as long as they live.
    _vitals: vitals::Components,
    budgets: BudgetRegistry,
    store: OnceLock<StoreKept>,
    pending: Arc<PendingRegistry>,
    stop: Arc<Stop>,
    /// Held while several settings are changed together.
    updating: Mutex<InEffect>,
}

impl Recorder {
    pub(crate) fn off(clock: Clock, ids: IdSource) -> Arc<Self> {
        Self::around(Core::new(bare(clock, ids, false)))
    }

    fn around(core: Arc<Core>) -> Arc<Self> {
        let (budgets, store, pending, stop, updating) = Default::default();
        let health = HealthRegistry::default();
        // Of an engine that records nothing there is nothing to say.
        let vitals = if core.enabled { vitals::components(&core) } else { vitals::Components::default() };
        vitals.0.iter().for_each(|part| health.watch(part));
        Arc::new(Self { id: next_engine_id(), core, health, _vitals: vitals, budgets, store, pending, stop, updating })
    }

    pub(crate) fn start(parts: Parts, by_hand: bool) -> Result<Arc<Self>, std::io::Error> {
        let redactor = parts.limiter.redactor().clone();
        let measuring = Measuring::new(parts.clock.clone(), parts.limiter, parts.measuring);
        let span_ns = if parts.cpu_time.is_some() { span_ns(&parts.clock) } else { 0.0 };
        let overhead = Arc::new(Overhead::new(parts.cpu_time, span_ns));
        let times = measuring.meter.built_in::<HistogramRecorder>(&catalog::EXPORT_SECONDS);
        let worker = |sink: Box<dyn Sink>| {
            let times = ExportTimes::new(parts.clock.clone(), times.at([sink.name()]), Arc::clone(&overhead));
            SinkWorker::new(sink, &parts.limits, times)
        };
        let sinks: Vec<_> = parts.sinks.into_iter().map(worker).collect();
        let core = Core::new(Settings {
            clock: parts.clock,
            ids: parts.ids,
            limits: parts.limits,
            sampling: parts.sampling,
            sinks,
            observers: parts.observers,
            hooks: Hooks::new(parts.hooks).map(Arc::new),
            measuring,
            overhead,
            redactor,
            enabled: true,
            export_wait: parts.export_wait,
        });
        let recorder = Self::around(core);
        let measuring = &recorder.core.measuring;
        recorder.health.watch(&(Arc::clone(measuring.limiter()) as Arc<dyn HealthComponent>));
        if let Some(hooks) = &recorder.core.hooks {
            recorder.core.counters.sampler_panics.add(hooks.nameless());
            recorder.health.watch(&(Arc::clone(hooks) as Arc<dyn HealthComponent>));
        }
        if measuring.slos.has_store() {
            recorder.health.watch(&(Arc::clone(&measuring.slos) as Arc<dyn HealthComponent>));
        }
        if !by_hand {
            for sink in &recorder.core.sinks {
                sink.start()?;
            }
            let (core, stop) = (Arc::clone(&recorder.core), Arc::clone(&recorder.stop));
            detached::spawn("tta-housekeeping", move || core.housekeeping_loop(&stop))?;
        }
        Ok(recorder)
    }

    #[inline]
    pub(crate) fn is_enabled(&self) -> bool {
        self.core.enabled
    }

    /// Whether anything is counted.
    fn measures(&self) -> bool {
        self.core.enabled && !self.core.measuring.is_off
    }

    pub(crate) fn samples_at_head(&self) -> bool {
        self.core.enabled && self.core.policies.keeps_all()
    }

    #[inline]
    pub(crate) fn engine_id(&self) -> u64 {
        self.id
    }

    #[inline]
    pub(crate) fn clock(&self) -> &Clock {
        &self.core.clock
    }

    #[inline]
    pub(crate) fn ids(&self) -> &IdSource {
        &self.core.ids
    }

    #[inline]
    pub(crate) fn start_trace(&self, name: Name, start: &TraceStart<'_>) -> ActiveTrace {
        self.core.start_trace(name, start)
    }

    pub(crate) fn samples_by_correlation_id(&self) -> bool {
        self.core.enabled && self.core.policies.asks_for_correlation_id()
    }

    pub(crate) fn receiver(&self, codec: Box<dyn SpanCodec>, limits: ReceiveLimits) -> Receiver {
        let assembly = Arc::new(Assembly::new(codec, limits, self.core.clock.clone()));
        self.core.watch_received(Arc::clone(&assembly));
        Receiver::new(Arc::clone(&self.core), assembly)
    }

    pub(crate) fn adaptive_stats(&self) -> Option<AdaptiveStats> {
        let counters = self.counters();
        self.core.policies.adaptive_stats(counters.traces_kept + counters.traces_dropped, counters.traces_kept)
    }

    pub(crate) fn sampling(&self) -> SamplingInEffect {
        if !self.core.enabled {
            return SamplingInEffect::Simple(Sampling::KeepNone);
        }
        self.core.policies.in_effect()
    }

    pub(crate) fn state(&self) -> EngineState {
        if !self.core.enabled {
            return EngineState::default();
        }
        EngineState {
            is_up: !self.core.is_closed(),
            is_measuring: self.measures(),
            sampling_rate: self.core.policies.rate(),
            overhead: self.core.overhead.last(),
        }
    }

    pub(crate) fn rule_counts(&self) -> Vec<(String, u64)> {
        self.core.policies.rule_counts()
    }

    #[cfg_attr(not(feature = "config"), allow(dead_code))]
    pub(crate) fn stop_keeping_traces(&self) {
        self.core.policies.keep_none();
    }

    #[cfg_attr(not(feature = "config"), allow(dead_code))]
    pub(crate) fn updating(&self) -> &Mutex<InEffect> {
        &self.updating
    }

    pub(crate) fn set_redaction(&self, redaction: &Redaction) {
        self.core.redactor.set(redaction);
    }

    #[inline]
    pub(crate) fn redactor(&self) -> &SharedRedactor {
        &self.core.redactor
    }

    pub(crate) fn set_sampling_policy(&self, policy: SamplingPolicy) -> Result<(), SamplingError> {
        self.core.policies.set(policy, &self.core.clock)?;
        self.core.policies.learn_latencies(&self.core.measuring.steps);
        Ok(())
    }

    pub(crate) fn instruments(&self, workflow: &Name, name: &Name, kind: &Name) -> Option<Arc<StepInstruments>> {
        self.measures().then(|| self.core.measuring.step(workflow, name, kind))
    }

    pub(crate) fn decision_cells(
        &self,
        key: &DecisionKey,
        outcomes: &'static [&'static str],
    ) -> Option<Arc<DecisionCells>> {
        self.core.enabled.then(|| self.core.decisions.resolve(key, outcomes))
    }

    pub(crate) fn decision_counts(&self) -> Vec<DecisionCount> {
        self.core.decisions.read(&self.core.redactor.current())
    }

    pub(crate) fn tell(&self, decision: &Decision<'_>) {
        let panics = self.core.observers.tell(decision, &self.core.redactor.current());
        if panics > 0 {
            self.core.counters.observer_panics.add(panics);
        }
    }

    pub(crate) fn health(&self) -> &HealthRegistry {
        &self.health
    }

    pub(crate) fn budgets(&self) -> &BudgetRegistry {
        &self.budgets
    }

    pub(crate) fn store(&self) -> &OnceLock<StoreKept> {
        &self.store
    }

    pub(crate) fn health_report(&self) -> HealthReport {
        self.health.report(&self.core.redactor.current())
    }

    pub(crate) fn pending(&self) -> &Arc<PendingRegistry> {
        &self.pending
    }

    pub(crate) fn active_branches(&self, name: &Name) -> Option<Arc<ActiveBranches>> {
        self.measures().then(|| self.core.measuring.branches(name))
    }

    pub(crate) fn step_labels(&self, number: u32) -> Option<[Name; 3]> {
        self.core.measuring.steps.labels(number)
    }

    pub(crate) fn step_statistics(&self) -> Vec<StepStatistics> {
        self.core.measuring.steps.statistics()
    }

    pub(crate) fn counters(&self) -> RecorderCounters {
        self.core.read_counters()
    }

    pub(crate) fn sinks(&self) -> Vec<SinkStatus> {
        let redactor = self.core.redactor.current();
        self.core.sinks.iter().map(|sink| sink.status(&redactor)).collect()
    }

    pub(crate) fn register<I: Registered>(&self, metric: Metric) -> Result<Family<I>, MetricError> {
        let family = self.core.measuring.meter.register(metric)?;
        Ok(if self.measures() { family } else { Family::new(None) })
    }

    pub(crate) fn built_in<I: Registered>(&self, metric: &'static BuiltIn) -> Family<I> {
        if self.measures() { self.core.measuring.meter.built_in(metric) } else { Family::new(None) }
    }

    pub(crate) fn watch_metrics(&self, source: &Arc<dyn MetricSource>) {
        if self.measures() {
            self.core.measuring.meter.watch(source);
        }
    }

    pub(crate) fn collect_metrics(&self) -> Vec<MetricFamily> {
        if !self.core.enabled {
            return Vec::new();
        }
        let core = &self.core;
        core.measuring.collect(&EngineReading {
            is_up: !core.is_closed(),
            overhead: core.overhead.last(),
            estimate_error: core.policies.weights.error_ratio(),
            sampling_rate: core.policies.rate(),
            kept: core.counters.kept.read(),
            dropped: core.counters.dropped.read(),
            counters: core.read_counters(),
            rules: core.counters.by_rule.read(),
            decisions: self.decision_counts(),
            sinks: self.sinks(),
            health: self.health_report(),
        })
    }

    pub(crate) fn metrics(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<PrimitiveMetrics> {
        if self.measures() { self.core.measuring.metrics(wanted) } else { Vec::new() }
    }

    pub(crate) fn record_execution(
        &self,
        name: &str,
        kind: &str,
        duration: Duration,
        outcome: SpanStatus,
        cost: Option<Usd>,
    ) {
        if self.measures() {
            self.core.measuring.record_execution(name, kind, duration, outcome, cost);
        }
    }

    pub(crate) fn record_cost(&self, place: &CostPlace<'_>, charge: &Charge) {
        if self.measures() {
            self.core.measuring.record_cost(place, charge);
        }
    }

    pub(crate) fn cost_account(&self, place: &CostPlace<'_>) -> Option<Arc<StepCost>> {
        self.measures().then(|| Arc::new(self.core.measuring.cost_account(place)))
    }

    pub(crate) fn cost_report(&self) -> CostReport {
        let redactor = self.core.redactor.current();
        self.core.measuring.ledger().report().renamed(|key, name| redactor.redacted_name(key, name))
    }

    pub(crate) fn configure_slo(&self, subject: &Name, slo: Slo) -> Result<Arc<SloTracker>, SloError> {
        self.core.measuring.configure_slo(subject, slo)
    }

    #[cfg_attr(not(feature = "config"), allow(dead_code))]
    pub(crate) fn reconfigure_slos(&self, gone: &[(Name, Name)], wanted: Vec<(Name, Slo)>) -> Result<(), SloError> {
        self.core.measuring.reconfigure_slos(gone, wanted)
    }

    pub(crate) fn slo(&self, subject: &str, slo: &str) -> Option<Arc<SloTracker>> {
        self.core.measuring.slo(subject, slo)
    }

    pub(crate) fn slo_statuses(&self) -> Vec<SloStatus> {
        self.core.measuring.slos.all_statuses(self.core.clock.unix_ns(self.core.clock.ticks()))
    }

    pub(crate) fn limiter(&self) -> Option<&LabelLimiter> {
        self.core.enabled.then(|| &**self.core.measuring.limiter())
    }

    pub(crate) fn flush(&self, deadline: Duration) -> ShutdownReport {
        if hooks::is_inside() {
            // It would wait for the one who called the hook.
            return ShutdownReport { sinks: self.sinks(), ..ShutdownReport::default() };
        }
        let deadline = Deadline::after(deadline);
        self.core.housekeep_slowly();
        self.core.housekeep();
        self.core.wait_for_eviction();
        let complete = self.core.flush_sinks(deadline);
        ShutdownReport { complete, sinks: self.sinks(), ..ShutdownReport::default() }
    }

    pub(crate) fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        if hooks::is_inside() {
            return ShutdownReport { sinks: self.sinks(), ..ShutdownReport::default() };
        }
        let end = Deadline::after(deadline);
        // First, while what it does is still recorded.
        let unfinished = self.pending.wait(deadline, &self.core.redactor);
        self.core.end_within(end.remaining());
        let open_runs = self.core.close();
        self.stop.stop();
        self.core.housekeep();
        self.core.measuring.close();
        self.core.wait_for_eviction();
        // All are told first, so that they finish side by side within the one deadline.
        self.core.sinks.iter().for_each(SinkWorker::stop);
        let finished: Vec<bool> = self.core.sinks.iter().map(|sink| sink.join(end)).collect();
        self.core.forget_traces();
        let complete = unfinished.is_empty() && !finished.contains(&false);
        ShutdownReport { complete, open_runs, unfinished, sinks: self.sinks() }
    }
}

/// A core that keeps nothing and tells nobody.
fn bare(clock: Clock, ids: IdSource, enabled: bool) -> Settings {
    let limiter = LabelLimiter::default();
    Settings {
        redactor: limiter.redactor().clone(),
        measuring: Measuring::new(clock.clone(), limiter, MeasuringSettings::default()),
        overhead: Arc::default(),
        clock,
        ids,
        limits: Limits::default(),
        sampling: Sampling::KeepNone,
        sinks: Vec::new(),
        observers: Observers::default(),
        hooks: None,
        enabled,
        export_wait: None,
    }
}

/// What recording a span takes here, in nanoseconds: the mean over a thousand, on an engine of its own.
fn span_ns(clock: &Clock) -> f64 {
    const TRACES: u32 = 64;
    const SPANS: u32 = 16;
    let core = Core::new(bare(clock.clone(), IdSource::random(), true));
    let step = core.measuring.step("calibration", "calibration", "calibration");
    let start = clock.ticks();
    for _ in 0..TRACES {
        let run = core.start_trace(Name::from_static("calibration"), &TraceStart::default());
        for _ in 1..SPANS {
            step.begin();
            let mut span = run.span("calibration", "calibration");
            span.set("calibration", 1);
            span.end();
            step.finish(1, SpanStatus::Ok, clock.ticks());
        }
    }
    let ns = clock.nanos_between(start, clock.ticks()) as f64 / f64::from(TRACES * SPANS);
    // Closed first: idle traces are forgotten of engines that have ended.
    core.close();
    core.forget_traces();
    ns
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.core.closed.load(Ordering::SeqCst) {
            self.core.close();
            self.core.housekeep();
            self.core.wait_for_eviction();
            self.core.sinks.iter().for_each(SinkWorker::stop);
            self.core.forget_traces();
        }
        self.stop.stop();
    }
}
