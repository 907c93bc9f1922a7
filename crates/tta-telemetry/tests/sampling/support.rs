//! An engine by hand with hooks, and hooks that do what a test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tta_telemetry::sampling::{
    FinishedRun, Rate, RunStart, Sampler, SamplingPolicy, TraceEdit, TraceProcessor, Verdict,
};
use tta_telemetry::{
    Clock, HealthStatus, IdSource, ManualClock, MemorySink, Name, RuleName, SpanStatus, Telemetry, TelemetryBuilder,
    Trace, TraceStart,
};

const LONG: Duration = Duration::from_secs(600);

pub(crate) struct Engine {
    pub(crate) telemetry: Telemetry,
    pub(crate) memory: MemorySink,
    pub(crate) hand: ManualClock,
}

pub(crate) fn engine(configure: impl FnOnce(TelemetryBuilder) -> TelemetryBuilder) -> Engine {
    let (clock, hand) = Clock::manual();
    let memory = MemorySink::with_capacity(100_000);
    let builder = Telemetry::builder().clock(clock).ids(IdSource::seeded(3)).sink(memory.clone()).by_hand();
    Engine { telemetry: configure(builder).build().unwrap(), memory, hand }
}

/// Ordinary traces at this rate; the tail as usual.
pub(crate) fn policy(rate: f64) -> SamplingPolicy {
    SamplingPolicy { rate: Rate::new(rate).unwrap(), ..SamplingPolicy::default() }
}

impl Engine {
    pub(crate) fn run(&self, workflow: &'static str) {
        self.run_with(workflow, &TraceStart::default(), SpanStatus::Ok, 1);
    }

    pub(crate) fn run_with(&self, workflow: &'static str, start: &TraceStart<'_>, status: SpanStatus, ms: u64) {
        let mut run = self.telemetry.start_trace_with(workflow, start);
        run.set("tenant", "acme");
        run.span("step", "lambda").end();
        run.set_status(status);
        self.hand.advance(Duration::from_millis(ms));
        run.end();
    }

    pub(crate) fn kept(&self) -> Vec<Arc<Trace>> {
        assert!(self.telemetry.flush_blocking(LONG).complete);
        self.memory.take()
    }

    /// Reasons of kept traces, and who decided.
    pub(crate) fn decided(&self) -> Vec<(String, &'static str)> {
        self.kept().iter().map(|trace| (trace.decision.reason.to_string(), trace.decision.sampler)).collect()
    }

    /// A metric of one series, or 0.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let families = self.telemetry.collect_metrics();
        let family = families.iter().find(|family| family.name == *name);
        family.and_then(|family| family.value(labels)).map_or(0.0, tta_telemetry::MetricValue::as_f64)
    }

    pub(crate) fn hooks_health(&self) -> (HealthStatus, String) {
        let report = self.telemetry.health();
        let health = report.component("hooks").unwrap();
        (health.status, health.reason.clone().unwrap_or_default())
    }
}

/// Who was asked what, in order.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

pub(crate) fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// A sampler that says what it is told to say.
pub(crate) struct Says {
    pub(crate) name: &'static str,
    pub(crate) log: Log,
    pub(crate) head: fn() -> Option<Rate>,
    pub(crate) tail: fn(&FinishedRun<'_>) -> Option<Verdict>,
}

pub(crate) fn says(name: &'static str) -> Says {
    Says { name, log: Log::default(), head: || None, tail: |_| None }
}

impl Sampler for Says {
    fn name(&self) -> RuleName {
        self.name.parse().unwrap()
    }

    fn head(&self, workflow: &Name, _: &RunStart<'_>) -> Option<Rate> {
        self.log.lock().unwrap().push(format!("{} head {workflow}", self.name));
        (self.head)()
    }

    fn tail(&self, run: &FinishedRun<'_>) -> Option<Verdict> {
        let keys: Vec<_> = run.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        let (name, ms) = (self.name, run.duration_ms);
        let seen = format!("{name} tail {} {:?} {ms} {} {keys:?}", run.workflow, run.class, run.spans);
        self.log.lock().unwrap().push(seen);
        (self.tail)(run)
    }
}

/// A processor that does what it is told to do.
pub(crate) struct Does {
    pub(crate) name: &'static str,
    pub(crate) log: Log,
    pub(crate) edit: fn(&mut TraceEdit<'_>),
}

pub(crate) fn does(name: &'static str, edit: fn(&mut TraceEdit<'_>)) -> Does {
    Does { name, log: Log::default(), edit }
}

impl TraceProcessor for Does {
    fn name(&self) -> &str {
        self.name
    }

    fn process(&self, trace: &mut TraceEdit<'_>) {
        self.log.lock().unwrap().push(self.name.to_owned());
        (self.edit)(trace);
    }
}
