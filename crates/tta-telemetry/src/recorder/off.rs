//! The engine without its recorder: clock and ids only.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::{InEffect, Parts, next_engine_id};
use crate::cardinality::LabelLimiter;
use crate::clock::Clock;
use crate::cost::{BudgetRegistry, Charge, CostReport, StepCost};
use crate::counters::{ActiveBranches, RecorderCounters};
use crate::decisions::{Decision, DecisionCells, DecisionCount, DecisionKey};
use crate::engine::{CostPlace, EngineState, ShutdownReport, StoreKept, TraceStart};
use crate::health::{HealthRegistry, HealthReport};
use crate::id::IdSource;
use crate::metrics::catalog::BuiltIn;
use crate::metrics::{
    Family, Metric, MetricError, MetricFamily, MetricSource, PrimitiveMetrics, Registered, StepInstruments,
    StepStatistics,
};
use crate::model::{Name, Sampling, SpanStatus};
use crate::money::Usd;
use crate::pending::PendingRegistry;
use crate::receive::{ReceiveLimits, Receiver, SpanCodec};
use crate::record::ActiveTrace;
use crate::redaction::{Redaction, SharedRedactor};
use crate::sampling::{AdaptiveStats, SamplingError, SamplingInEffect, SamplingPolicy};
use crate::sink::SinkStatus;
use crate::slo::{Slo, SloError, SloStatus, SloTracker};

#[derive(Debug)]
pub(crate) struct Recorder {
    id: u64,
    clock: Clock,
    ids: IdSource,
    health: HealthRegistry,
    budgets: BudgetRegistry,
    store: OnceLock<StoreKept>,
    pending: Arc<PendingRegistry>,
    /// For logs, and for what is said without recording.
    redactor: SharedRedactor,
    updating: Mutex<InEffect>,
}

impl Recorder {
    pub(crate) fn off(clock: Clock, ids: IdSource) -> Arc<Self> {
        let (health, budgets, store, pending, redactor, updating) = Default::default();
        Arc::new(Self { id: next_engine_id(), clock, ids, health, budgets, store, pending, redactor, updating })
    }

    pub(crate) fn start(parts: Parts, _by_hand: bool) -> Result<Arc<Self>, std::io::Error> {
        Ok(Self::off(parts.clock, parts.ids))
    }

    #[inline]
    pub(crate) fn is_enabled(&self) -> bool {
        false
    }

    pub(crate) fn samples_at_head(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn engine_id(&self) -> u64 {
        self.id
    }

    #[inline]
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    #[inline]
    pub(crate) fn ids(&self) -> &IdSource {
        &self.ids
    }

    #[inline]
    pub(crate) fn start_trace(&self, _: Name, _: &TraceStart<'_>) -> ActiveTrace {
        ActiveTrace::off()
    }

    pub(crate) fn samples_by_correlation_id(&self) -> bool {
        false
    }

    pub(crate) fn receiver(&self, _codec: Box<dyn SpanCodec>, _limits: ReceiveLimits) -> Receiver {
        Receiver::default()
    }

    pub(crate) fn adaptive_stats(&self) -> Option<AdaptiveStats> {
        None
    }

    pub(crate) fn sampling(&self) -> SamplingInEffect {
        SamplingInEffect::Simple(Sampling::KeepNone)
    }

    pub(crate) fn state(&self) -> EngineState {
        EngineState::default()
    }

    pub(crate) fn rule_counts(&self) -> Vec<(String, u64)> {
        Vec::new()
    }

    #[cfg_attr(not(feature = "config"), allow(dead_code))]
    pub(crate) fn stop_keeping_traces(&self) {}

    #[cfg_attr(not(feature = "config"), allow(dead_code))]
    pub(crate) fn updating(&self) -> &Mutex<InEffect> {
        &self.updating
    }

    pub(crate) fn set_redaction(&self, redaction: &Redaction) {
        self.redactor.set(redaction);
    }

    #[inline]
    pub(crate) fn redactor(&self) -> &SharedRedactor {
        &self.redactor
    }

    pub(crate) fn set_sampling_policy(&self, policy: SamplingPolicy) -> Result<(), SamplingError> {
        policy.check()
    }

    pub(crate) fn instruments(&self, _: &Name, _: &Name, _: &Name) -> Option<Arc<StepInstruments>> {
        None
    }

    pub(crate) fn decision_cells(&self, _: &DecisionKey, _: &'static [&'static str]) -> Option<Arc<DecisionCells>> {
        None
    }

    pub(crate) fn decision_counts(&self) -> Vec<DecisionCount> {
        Vec::new()
    }

    pub(crate) fn tell(&self, _: &Decision<'_>) {}

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
        self.health.report(&self.redactor.current())
    }

    pub(crate) fn pending(&self) -> &Arc<PendingRegistry> {
        &self.pending
    }

    pub(crate) fn active_branches(&self, _: &Name) -> Option<Arc<ActiveBranches>> {
        None
    }

    pub(crate) fn step_labels(&self, _: u32) -> Option<[Name; 3]> {
        None
    }

    pub(crate) fn step_statistics(&self) -> Vec<StepStatistics> {
        Vec::new()
    }

    pub(crate) fn counters(&self) -> RecorderCounters {
        RecorderCounters::default()
    }

    pub(crate) fn sinks(&self) -> Vec<SinkStatus> {
        Vec::new()
    }

    pub(crate) fn register<I: Registered>(&self, metric: Metric) -> Result<Family<I>, MetricError> {
        metric.check(I::KIND)?;
        Ok(Family::new(None))
    }

    pub(crate) fn built_in<I: Registered>(&self, _: &'static BuiltIn) -> Family<I> {
        Family::new(None)
    }

    pub(crate) fn watch_metrics(&self, _: &Arc<dyn MetricSource>) {}

    pub(crate) fn collect_metrics(&self) -> Vec<MetricFamily> {
        Vec::new()
    }

    pub(crate) fn metrics(&self, _: &dyn Fn(&str) -> bool) -> Vec<PrimitiveMetrics> {
        Vec::new()
    }

    pub(crate) fn record_execution(&self, _: &str, _: &str, _: Duration, _: SpanStatus, _: Option<Usd>) {}

    pub(crate) fn record_cost(&self, _: &CostPlace<'_>, _: &Charge) {}

    pub(crate) fn cost_account(&self, _: &CostPlace<'_>) -> Option<Arc<StepCost>> {
        None
    }

    pub(crate) fn cost_report(&self) -> CostReport {
        CostReport::default()
    }

    /// A tracker to whom nobody tells anything.
    pub(crate) fn configure_slo(&self, subject: &Name, slo: Slo) -> Result<Arc<SloTracker>, SloError> {
        Ok(Arc::new(SloTracker::new(subject.clone(), slo)))
    }

    #[cfg_attr(not(feature = "config"), allow(dead_code))]
    pub(crate) fn reconfigure_slos(&self, _: &[(Name, Name)], _: Vec<(Name, Slo)>) -> Result<(), SloError> {
        Ok(())
    }

    pub(crate) fn slo(&self, _: &str, _: &str) -> Option<Arc<SloTracker>> {
        None
    }

    pub(crate) fn slo_statuses(&self) -> Vec<SloStatus> {
        Vec::new()
    }

    pub(crate) fn limiter(&self) -> Option<&LabelLimiter> {
        None
    }

    pub(crate) fn flush(&self, _: Duration) -> ShutdownReport {
        ShutdownReport { complete: true, ..ShutdownReport::default() }
    }

    pub(crate) fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let unfinished = self.pending.wait(deadline, &self.redactor);
        ShutdownReport { complete: unfinished.is_empty(), unfinished, ..ShutdownReport::default() }
    }
}
