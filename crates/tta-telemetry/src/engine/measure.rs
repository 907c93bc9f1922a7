//! The engine's numbers: reading them, and adding to them by hand.

use std::sync::Arc;
use std::time::Duration;

use super::{Telemetry, TelemetryBuilder};
use crate::cardinality::{CardinalityLimits, CardinalityStats, CardinalityWarning};
use crate::cost::{Charge, CostReport, StepCost};
use crate::limits::LimitError;
use crate::metrics::catalog::BuiltIn;
use crate::metrics::{
    Counter, Family, Gauge, HistogramRecorder, Metric, MetricError, MetricFamily, MetricSource, PrimitiveMetrics,
};
use crate::model::{Name, SpanStatus};
use crate::money::Usd;
use crate::slo::{Slo, SloError, SloStateStore, SloStatus, SloTracker};

/// Who spends: the labels of an amount. What is not said is the empty text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostPlace<'a> {
    /// The innermost named workflow.
    pub workflow: &'a str,
    /// The primitive.
    pub name: &'a str,
    /// What kind of primitive it is.
    pub kind: &'a str,
    /// What the money is for: `llm`, `search`.
    pub category: &'a str,
    /// The model that was called, if one was.
    pub model: &'a str,
    /// For whom.
    pub user: &'a str,
}

impl Telemetry {
    /// A counter of the program's own, with all its series. The same definition gives the same
    /// counter. See [`Metric`].
    ///
    /// ```
    /// use tta_telemetry::{Metric, Telemetry};
    /// let telemetry = Telemetry::builder().build()?;
    /// let orders = telemetry.counter(Metric::named("orders_total").help("Orders accepted.").labels(&["country"]))?;
    /// let peru = orders.with(&["pe"])?; // once
    /// peru.add(1); // often
    /// let refused = telemetry.counter(Metric::named("orders")).unwrap_err();
    /// assert!(refused.to_string().contains("a name that ends in `_total` for a counter"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A part of the definition that is not acceptable, a name that is taken by another metric, or
    /// more than 1,000 metrics.
    pub fn counter(&self, metric: Metric) -> Result<Family<Counter>, MetricError> {
        self.0.register(metric)
    }

    /// A gauge of the program's own, as [`Telemetry::counter`].
    ///
    /// # Errors
    /// As for a counter.
    pub fn gauge(&self, metric: Metric) -> Result<Family<Gauge>, MetricError> {
        self.0.register(metric)
    }

    /// A histogram of the program's own, as [`Telemetry::counter`].
    ///
    /// # Errors
    /// As for a counter.
    pub fn histogram(&self, metric: Metric) -> Result<Family<HistogramRecorder>, MetricError> {
        self.0.register(metric)
    }

    /// One of tta's own counters, for primitives that count.
    #[must_use]
    pub fn built_in_counter(&self, metric: &'static BuiltIn) -> Family<Counter> {
        self.0.built_in(metric)
    }

    /// One of tta's own histograms, for primitives that measure.
    #[must_use]
    pub fn built_in_histogram(&self, metric: &'static BuiltIn) -> Family<HistogramRecorder> {
        self.0.built_in(metric)
    }

    /// Asks a source in every reading of metrics, as long as it lives. Asking for it again does
    /// nothing; beyond 1,000 that live it is refused and counted.
    pub fn watch_metrics(&self, source: &Arc<dyn MetricSource>) {
        self.0.watch_metrics(source);
    }

    /// Every metric, read once: what a scrape is made of. Nothing when nothing is recorded.
    #[must_use]
    pub fn collect_metrics(&self) -> Vec<MetricFamily> {
        self.0.collect_metrics()
    }

    /// Everything that is known of the primitives and workflows of one name, from one reading;
    /// `None` when there is none of that name.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tta_telemetry::{SpanStatus, Telemetry, Usd};
    /// let telemetry = Telemetry::builder().build()?;
    /// let took = Duration::from_millis(120);
    /// telemetry.record_execution("import", "batch", took, SpanStatus::Ok, Some(Usd::from_micros(300)));
    /// # #[cfg(feature = "record")] {
    /// let import = telemetry.metrics("import").expect("it was recorded");
    /// assert_eq!((import.basic.total_executions, import.basic.success_rate), (1, Some(1.0)));
    /// assert_eq!(import.percentiles.minute.p99, Some(120_000_000));
    /// assert_eq!(import.cost.cost, Usd::from_micros(300));
    /// # }
    /// # Ok::<(), tta_telemetry::BuildError>(())
    /// ```
    #[must_use]
    pub fn metrics(&self, name: &str) -> Option<PrimitiveMetrics> {
        // As labels have it.
        let redacted = self.redactor().current().redact_name("primitive_name", name);
        let name = redacted.as_deref().unwrap_or(name);
        self.0.metrics(&|known| known == name).pop()
    }

    /// [`Telemetry::metrics`] of every name, by name.
    #[must_use]
    pub fn all_metrics(&self) -> Vec<PrimitiveMetrics> {
        self.0.metrics(&|_| true)
    }

    /// Counts an execution of something that is no primitive, with its cost if it has one, under
    /// its type as a category.
    pub fn record_execution(&self, name: &str, kind: &str, duration: Duration, outcome: SpanStatus, cost: Option<Usd>) {
        self.0.record_execution(name, kind, duration, outcome, cost);
    }

    /// Enters an amount: into the [report](Telemetry::cost_report) by category, workflow, model and
    /// user, and into the metrics by workflow, primitive, type and category. Takes some hundred
    /// nanoseconds.
    pub fn record_cost(&self, place: &CostPlace<'_>, charge: &Charge) {
        self.0.record_cost(place, charge);
    }

    /// Where amounts of one place are entered, found once: for primitives, whose executions must
    /// not wait for [`record_cost`](Telemetry::record_cost). `None` when nothing is recorded.
    #[must_use]
    pub fn cost_account(&self, place: &CostPlace<'_>) -> Option<Arc<StepCost>> {
        self.0.cost_account(place)
    }

    /// What was spent and saved, by category, workflow, model and user.
    #[must_use]
    pub fn cost_report(&self) -> CostReport {
        self.0.cost_report()
    }

    /// Sets an objective for the primitives and workflows of a name, those that exist and those to
    /// come, which are counted together. One that is called the same is replaced, and keeps what was
    /// counted if it has the same latency threshold and window. At most 8 for a name, and 256 names.
    ///
    /// The tracker that is returned gives the [status](SloTracker::status), and
    /// [calls back](SloTracker::on_budget_below) when the error budget runs low.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tta_telemetry::{Slo, SpanStatus, Telemetry};
    /// let telemetry = Telemetry::builder().build()?;
    /// let quick = Slo::named("quick").target(0.9).latency_threshold(Duration::from_millis(100)).build()?;
    /// telemetry.configure_slo("import", quick)?;
    /// for ms in [20, 40, 800, 30] {
    ///     telemetry.record_execution("import", "batch", Duration::from_millis(ms), SpanStatus::Ok, None);
    /// }
    /// # #[cfg(feature = "record")]
    /// assert_eq!(telemetry.slo_statuses()[0].compliance, 0.75);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// More objectives or names than there may be.
    pub fn configure_slo(&self, name: impl Into<Name>, slo: Slo) -> Result<Arc<SloTracker>, SloError> {
        self.0.configure_slo(&name.into(), slo)
    }

    /// The objective of this name of a primitive or workflow.
    #[must_use]
    pub fn slo(&self, name: &str, slo: &str) -> Option<Arc<SloTracker>> {
        self.0.slo(name, slo)
    }

    /// How every objective stands.
    #[must_use]
    pub fn slo_statuses(&self) -> Vec<SloStatus> {
        self.0.slo_statuses()
    }

    /// How many values labels have, and how many were beyond their limit.
    #[must_use]
    pub fn cardinality(&self) -> CardinalityStats {
        self.0.limiter().map(|limiter| limiter.stats()).unwrap_or_default()
    }

    /// Labels and metrics at 80 % of their limit or above.
    #[must_use]
    pub fn cardinality_warnings(&self) -> Vec<CardinalityWarning> {
        self.0.limiter().map(|limiter| limiter.warnings()).unwrap_or_default()
    }

    /// Other limits of labels and series from now on; what is known stays known.
    ///
    /// # Errors
    /// The first limit that is outside its range; nothing is changed then.
    pub fn set_cardinality_limits(&self, limits: CardinalityLimits) -> Result<(), LimitError> {
        limits.check()?;
        self.0.limiter().map_or(Ok(()), |limiter| limiter.set_limits(limits))
    }
}

impl TelemetryBuilder {
    /// The bounds of labels and series. Default: [`CardinalityLimits::default`].
    pub fn cardinality(mut self, limits: CardinalityLimits) -> Self {
        self.cardinality = limits;
        self
    }

    /// The upper limits in seconds of the duration buckets of primitives of this name. Default:
    /// 1, 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10, 30, 60 s.
    pub fn duration_buckets(mut self, name: impl Into<Name>, limits: &[f64]) -> Self {
        self.measuring.buckets.insert(name.into(), limits.to_vec());
        self
    }

    /// Where the states of objectives survive a restart: loaded when the engine is built, saved
    /// once a minute and at shutdown. Default: nowhere.
    pub fn slo_state(mut self, store: impl SloStateStore) -> Self {
        self.measuring.slo_store = Some(Box::new(store));
        self
    }

    /// What the process is, in `target_info`. Default: `tta` and no version.
    pub fn service(mut self, name: impl Into<Name>, version: impl Into<Name>) -> Self {
        self.resource("service_name", name.into());
        self.resource("service_version", version.into());
        self
    }

    fn resource(&mut self, key: &'static str, value: Name) {
        let resource = &mut self.measuring.resource;
        resource.retain(|(known, _)| known != key);
        resource.push((Name::from_static(key), value));
    }
}
