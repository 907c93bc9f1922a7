//! Building an engine.

use std::collections::BTreeMap;
use std::time::Duration;

use super::store::StoreGiven;
use super::{BuildError, Telemetry};
use crate::cardinality::{CardinalityLimits, LabelLimiter};
use crate::clock::Clock;
use crate::cost::Budget;
#[cfg(feature = "config")]
use crate::cost::BudgetBuilder;
use crate::decisions::{DecisionObserver, Observers};
use crate::id::IdSource;
use crate::limits::Limits;
use crate::metrics::{Metric, Unit};
use crate::model::{Name, Sampling};
use crate::overhead::CpuTime;
use crate::recorder::{Parts, Recorder};
use crate::redaction::Redaction;
use crate::sampling::{HookList, SamplingPolicy};
use crate::sink::Sink;
use crate::slo::{Slo, SloStateStore};

/// What the builder says about measuring.
#[derive(Default)]
pub(crate) struct MeasuringSettings {
    /// Limits in seconds, for primitives of a name.
    pub(crate) buckets: BTreeMap<Name, Vec<f64>>,
    pub(crate) slo_store: Option<Box<dyn SloStateStore>>,
    /// Keys and values of `target_info`.
    pub(crate) resource: Vec<(Name, Name)>,
    /// Nothing is counted.
    pub(crate) is_off: bool,
}

/// Builds an engine. See [`Telemetry::builder`].
#[must_use]
pub struct TelemetryBuilder {
    pub(super) clock: Option<Clock>,
    pub(super) ids: IdSource,
    pub(super) limits: Limits,
    pub(super) sampling: Sampling,
    pub(super) policy: Option<SamplingPolicy>,
    pub(super) hooks: HookList,
    pub(super) redaction: Redaction,
    pub(super) objectives: Vec<(Name, Slo)>,
    pub(super) sinks: Vec<Box<dyn Sink>>,
    pub(super) store: Option<StoreGiven>,
    pub(super) observers: Observers,
    pub(super) cardinality: CardinalityLimits,
    pub(super) measuring: MeasuringSettings,
    pub(super) cpu_time: Option<Box<dyn CpuTime>>,
    pub(super) enabled: bool,
    pub(super) by_hand: bool,
    pub(super) export_wait: Option<Duration>,
    pub(super) budgets: Vec<Budget>,
    /// Those that the configuration names.
    #[cfg(feature = "config")]
    pub(crate) named_budgets: Vec<BudgetBuilder>,
    /// What `config` was given.
    #[cfg(feature = "config")]
    pub(crate) in_effect: crate::recorder::InEffect,
}

impl TelemetryBuilder {
    pub(super) fn new() -> Self {
        Self {
            clock: None,
            ids: IdSource::random(),
            limits: Limits::default(),
            sampling: Sampling::default(),
            policy: None,
            hooks: HookList::default(),
            redaction: Redaction::default(),
            objectives: Vec::new(),
            sinks: Vec::new(),
            store: None,
            observers: Observers::default(),
            cardinality: CardinalityLimits::default(),
            measuring: MeasuringSettings {
                resource: vec![(Name::from_static("service_name"), Name::from_static("tta"))],
                ..MeasuringSettings::default()
            },
            cpu_time: None,
            enabled: true,
            by_hand: false,
            export_wait: None,
            budgets: Vec::new(),
            #[cfg(feature = "config")]
            named_budgets: Vec::new(),
            #[cfg(feature = "config")]
            in_effect: None,
        }
    }

    /// The time source. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Where ids and random numbers come from. Default: random.
    pub fn ids(mut self, ids: IdSource) -> Self {
        self.ids = ids;
        self
    }

    /// The engine's bounds. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Which traces are kept. Default: all.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        // The last that was said counts.
        self.policy = None;
        self
    }

    /// Which traces are kept, in full, in place of [`sampling`](Self::sampling): by chance, by how
    /// they ended, by workflow, and how many at most. Default: none.
    pub fn sampling_policy(mut self, policy: SamplingPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// What is taken out of kept traces before any sink has them, and out of labels, reports,
    /// decisions and logs. Default: everything that [`Redaction::default`] knows.
    pub fn redaction(mut self, redaction: Redaction) -> Self {
        self.redaction = redaction;
        self
    }

    /// Adds a destination of kept traces. Default: none.
    pub fn sink(mut self, sink: impl Sink) -> Self {
        self.sinks.push(Box::new(sink));
        self
    }

    /// Adds someone who is told of every decision that is not routine. Default: none.
    pub fn observer(mut self, observer: impl DecisionObserver) -> Self {
        self.observers.add(observer);
        self
    }

    /// Whether anything is recorded. Default: true. When off, ids still propagate.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    #[cfg(feature = "config")]
    pub(crate) fn objectives(&mut self, objectives: Vec<(Name, Slo)>) {
        self.objectives = objectives;
    }

    /// Measures what telemetry costs the process (`telemetry_overhead_ratio`), which an adaptive rate
    /// follows. Default: not measured.
    pub fn cpu_time(mut self, cpu_time: impl CpuTime) -> Self {
        self.cpu_time = Some(Box::new(cpu_time));
        self
    }

    /// Gives the engine a budget, which steps find by its name ([`Telemetry::budget`]). It takes the
    /// place of one of that name from the configuration. Default: none.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budgets.push(budget);
        self
    }

    /// Whether anything is counted. Default: true. When off, traces are recorded and sampled as ever,
    /// but there are no series beside `telemetry_up` and `target_info`, no statistics of steps, no
    /// cost report, and nothing that objectives are judged by.
    pub fn metrics_enabled(mut self, enabled: bool) -> Self {
        self.measuring.is_off = !enabled;
        self
    }

    /// Lets a run that may be kept end only when the sinks have its trace, or `limit` later: for programs that
    /// are stopped between two runs, as functions in the cloud are. Default: nothing waits for a sink.
    ///
    /// The thread on which the run ends is blocked meanwhile, so no sink may need that thread. A run whose
    /// trace is dropped waits for nobody.
    pub fn wait_for_export(mut self, limit: Duration) -> Self {
        self.export_wait = Some(limit);
        self
    }

    /// Starts no threads: nothing happens in the background, and `flush` does all of it on the
    /// calling thread. For tests that must be deterministic.
    pub fn by_hand(mut self) -> Self {
        self.by_hand = true;
        self
    }

    /// Builds the engine and starts its threads.
    ///
    /// # Errors
    /// A limit outside its range, too many hooks, or a thread that the operating system refuses.
    pub fn build(mut self) -> Result<Telemetry, BuildError> {
        self.limits.check()?;
        self.check_hooks()?;
        let policy = self.take_policy();
        for (name, limits) in &self.measuring.buckets {
            Metric::named("primitive_duration_seconds")
                .unit(Unit::Seconds)
                .buckets(limits)
                .check_buckets()
                .map_err(|error| BuildError::Buckets(name.clone(), error))?;
        }
        let limiter = LabelLimiter::new(self.cardinality)?;
        let clock = self.clock.unwrap_or_else(Clock::system);
        let is_recording = self.enabled;
        let store = self.store.take().map(|given| {
            self.sinks.push(given.sink);
            given.kept
        });
        let telemetry = if is_recording {
            let parts = Parts {
                clock,
                ids: self.ids,
                limits: self.limits,
                sampling: self.sampling,
                sinks: self.sinks,
                observers: self.observers,
                hooks: self.hooks,
                limiter,
                measuring: self.measuring,
                cpu_time: self.cpu_time,
                export_wait: self.export_wait,
            };
            Recorder::start(parts, self.by_hand).map(Telemetry).map_err(BuildError::Thread)?
        } else {
            Telemetry(Recorder::off(clock, self.ids))
        };
        #[cfg(feature = "config")]
        {
            *telemetry.updating() = self.in_effect;
            telemetry.set_budgets(self.named_budgets)?;
        }
        store.into_iter().for_each(|store| telemetry.keep_store(store));
        self.budgets.into_iter().for_each(|budget| telemetry.add_budget(budget));
        telemetry.set_redaction(&self.redaction);
        if !is_recording {
            return Ok(telemetry);
        }
        if let Some(policy) = policy {
            telemetry.set_sampling_policy(policy)?;
        }
        for (name, slo) in self.objectives {
            telemetry.configure_slo(name, slo)?;
        }
        Ok(telemetry)
    }
}
