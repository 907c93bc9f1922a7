//! What one engine counts exactly, of every run: steps, objectives, cost, and registered metrics.
//!
//! Owns putting them together: what a step is given when it meets the engine, what happens once a
//! second, and one reading of everything (`reading`). The pieces are in `metrics`, `slo`, `cost`
//! and `cardinality`.

mod decisions;
mod exemplars;
mod reading;

pub(crate) use reading::EngineReading;

use std::sync::Arc;
use std::time::Duration;

use crate::cardinality::{LabelLimiter, SeriesSet};
use crate::clock::Clock;
use crate::cost::{Charge, CostAccount, CostLedger, CostTotals, StepCost};
use crate::counters::ActiveBranches;
use crate::engine::{CostPlace, MeasuringSettings};
use crate::metrics::{Meter, PrimitiveMetrics, StepInstruments, StepRegistry, catalog};
use crate::model::{Name, SpanStatus};
use crate::money::Usd;
use crate::slo::{Slo, SloError, SloRegistry, SloTracker};

#[derive(Debug)]
pub(crate) struct Measuring {
    clock: Clock,
    pub(crate) steps: StepRegistry,
    pub(crate) slos: Arc<SloRegistry>,
    pub(crate) meter: Meter,
    ledger: CostLedger,
    /// By workflow, primitive, type and category, as the metrics have it.
    costs: SeriesSet<CostAccount>,
    /// Of parallel primitives, by name.
    branches: SeriesSet<ActiveBranches>,
    limiter: Arc<LabelLimiter>,
    /// What the process is, in `target_info`.
    resource: Vec<(Name, Name)>,
    /// Nothing is counted, and nobody is given anything to count with.
    pub(crate) is_off: bool,
}

impl Measuring {
    /// The settings must have been checked.
    pub(crate) fn new(clock: Clock, limiter: LabelLimiter, settings: MeasuringSettings) -> Self {
        Self {
            steps: StepRegistry::new(clock.clone(), &limiter, &settings.buckets),
            slos: Arc::new(SloRegistry::new(settings.slo_store)),
            meter: Meter::new(limiter.clone()),
            ledger: CostLedger::new(),
            costs: SeriesSet::new(&limiter, catalog::COST.name, catalog::COST.labels),
            branches: SeriesSet::new(&limiter, catalog::PARALLEL_BRANCHES.name, catalog::PARALLEL_BRANCHES.labels),
            limiter: Arc::new(limiter),
            resource: settings.resource,
            is_off: settings.is_off,
            clock,
        }
    }

    pub(crate) fn limiter(&self) -> &Arc<LabelLimiter> {
        &self.limiter
    }

    pub(crate) fn ledger(&self) -> &CostLedger {
        &self.ledger
    }

    pub(crate) fn step(&self, workflow: &str, name: &str, kind: &str) -> Arc<StepInstruments> {
        self.steps.resolve(workflow, name, kind, &self.slos)
    }

    fn now_unix_ns(&self) -> u64 {
        self.clock.unix_ns(self.clock.ticks())
    }

    /// What has to happen about once a second.
    pub(crate) fn housekeep(&self) {
        self.steps.fold();
        self.slos.advance(self.now_unix_ns());
    }

    /// Executions of steps so far: spans, all but a few.
    pub(crate) fn spans(&self) -> u64 {
        self.steps.all().iter().map(|(_, step)| step.finished()).fold(0, u64::wrapping_add)
    }

    /// Keeps what must survive.
    pub(crate) fn close(&self) {
        self.slos.save(self.now_unix_ns());
    }

    /// Subjects are names as labels have them, also in the file that states are kept in.
    fn slo_subject(&self, name: &str) -> Name {
        self.limiter.redactor().current().redacted_name("primitive_name", Name::from(name.to_owned()))
    }

    pub(crate) fn slo(&self, subject: &str, slo: &str) -> Option<Arc<SloTracker>> {
        self.slos.tracker(&self.slo_subject(subject), slo)
    }

    pub(crate) fn configure_slo(&self, subject: &Name, slo: Slo) -> Result<Arc<SloTracker>, SloError> {
        let subject = &self.slo_subject(subject);
        // A name that is watched keeps a label value of its own, if there is room.
        let _label = self.limiter.label("primitive_name", subject);
        self.slos.configure(subject, slo, self.now_unix_ns(), |name| self.steps_of(name))
    }

    /// Takes objectives away, by primitive and name, and sets those that are new or differ: all, or
    /// none.
    pub(crate) fn reconfigure_slos(&self, gone: &[(Name, Name)], wanted: Vec<(Name, Slo)>) -> Result<(), SloError> {
        let subjects: Vec<Name> = wanted.iter().map(|(subject, _)| subject.clone()).collect();
        self.slos.reconfigure(gone, wanted, self.now_unix_ns(), |name| self.steps_of(name))?;
        for subject in &subjects {
            let _label = self.limiter.label("primitive_name", subject);
        }
        Ok(())
    }

    fn steps_of(&self, name: &Name) -> Vec<Arc<StepInstruments>> {
        let of_name = |(labels, _): &(Arc<[Name]>, Arc<StepInstruments>)| labels.get(1) == Some(name);
        self.steps.all().into_iter().filter(of_name).map(|(_, step)| step).collect()
    }

    /// Enters an amount into the ledger and into the metrics of a step.
    pub(crate) fn record_cost(&self, place: &CostPlace<'_>, charge: &Charge) {
        self.cost_series(place).record(charge);
        let owned = |text: &str| Name::from(text.to_owned());
        let (category, workflow) = (owned(place.category), owned(place.workflow));
        self.ledger.account(category, workflow, owned(place.model), owned(place.user)).record(charge);
    }

    fn cost_series(&self, place: &CostPlace<'_>) -> Arc<CostAccount> {
        let keys = [place.workflow, place.name, place.kind, place.category];
        let make = || CostAccount::new(keys.map(|key| Name::from(key.to_owned())));
        // There are as many values as keys.
        self.costs.resolve(&keys, make).unwrap_or_else(|_| Arc::new(make()))
    }

    /// Where amounts of a place are entered, found once.
    pub(crate) fn cost_account(&self, place: &CostPlace<'_>) -> StepCost {
        let owned = |text: &str| Name::from(text.to_owned());
        let key = [place.category, place.workflow, place.model].map(owned);
        StepCost::new(self.cost_series(place), self.ledger.clone(), key, owned(place.user))
    }

    pub(crate) fn branches(&self, name: &str) -> Arc<ActiveBranches> {
        self.branches.resolve(&[name], ActiveBranches::default).unwrap_or_default()
    }

    /// Of all names.
    pub(crate) fn active_branches(&self) -> u64 {
        self.branches.read().iter().map(|(_, branches)| branches.get()).sum()
    }

    /// Counts work that is no primitive.
    pub(crate) fn record_execution(
        &self,
        name: &str,
        kind: &str,
        duration: Duration,
        outcome: SpanStatus,
        cost: Option<Usd>,
    ) {
        let step = self.step("", name, kind);
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        step.record(duration_ns, outcome, self.clock.ticks());
        if outcome == SpanStatus::Error {
            step.count_error("error");
        }
        if let Some(cost) = cost {
            let place = CostPlace { name, kind, category: kind, ..CostPlace::default() };
            self.record_cost(&place, &Charge::priced(cost));
        }
    }

    pub(crate) fn metrics(&self, wanted: impl Fn(&str) -> bool) -> Vec<PrimitiveMetrics> {
        let now_unix_ns = self.now_unix_ns();
        let costs = self.costs.read();
        let cost = |name: &str| {
            let mut totals = CostTotals::default();
            let of_name = costs.iter().filter(|(labels, _)| labels.get(1).is_some_and(|label| label == name));
            of_name.for_each(|(_, account)| totals.merge(&account.read()));
            totals
        };
        self.steps.metrics(wanted, |name| self.slos.statuses(name, now_unix_ns), cost)
    }

    pub(crate) fn measurements_refused(&self) -> u64 {
        self.meter.refused.not_finite.get() + self.meter.refused.out_of_range.get()
    }
}
