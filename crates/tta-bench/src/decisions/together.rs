//! Recording and deciding, with everything that an engine does for a trace.

use crate::measurement::{Measurement, Plan};
use crate::row::measure_settling;
use crate::workload::{KEYS, Workload};
use std::time::Duration;
use tta_telemetry::sampling::{
    FinishedRun, Rate, RunStart, Sampler, SamplingPolicy, TraceEdit, TraceProcessor, Verdict,
};
use tta_telemetry::{
    MemorySink, Name, RuleAction, RuleName, Sampling, SamplingRule, Telemetry, TelemetryBuilder, ValueRef,
};

const SPANS_PER_TRACE: u32 = 10;
const TRACES: u32 = 1_000;
const SHARE: f64 = 0.05;
const PATIENCE: Duration = Duration::from_secs(60);
/// Traces that memory holds: more than one burst keeps.
const CAPACITY: usize = 1_000;

pub(super) fn keep_none(plan: &Plan) -> anyhow::Result<Measurement> {
    measured(plan, 0.0, Telemetry::builder().sampling(Sampling::KeepNone))
}

pub(super) fn policy(plan: &Plan) -> anyhow::Result<Measurement> {
    measured(plan, SHARE, Telemetry::builder().sampling_policy(share()?))
}

pub(super) fn rules(plan: &Plan) -> anyhow::Result<Measurement> {
    let rule = |number: u32| {
        let condition = format!("attr(\"step.kind\") == \"none-{number}\" or cost > ${}", number + 1);
        SamplingRule::new(&format!("rule-{number}"), RuleAction::Keep, Some(&condition))
    };
    let rules = (0..10).map(rule).collect::<Result<Vec<_>, _>>()?;
    measured(plan, SHARE, Telemetry::builder().sampling_policy(SamplingPolicy { rules, ..share()? }))
}

pub(super) fn hooks(plan: &Plan) -> anyhow::Result<Measurement> {
    let builder = Telemetry::builder().sampling_policy(share()?);
    measured(plan, SHARE, builder.sampler(Silent("silent".parse()?)).processor(Region))
}

fn share() -> anyhow::Result<SamplingPolicy> {
    Ok(SamplingPolicy { rate: Rate::new(SHARE)?, ..SamplingPolicy::default() })
}

/// Looks at what it is shown, and leaves it to chance.
struct Silent(RuleName);

impl Sampler for Silent {
    fn name(&self) -> RuleName {
        self.0
    }

    fn head(&self, workflow: &Name, _: &RunStart<'_>) -> Option<Rate> {
        (*workflow == "import").then_some(Rate::ONE)
    }

    fn tail(&self, run: &FinishedRun<'_>) -> Option<Verdict> {
        (run.spans > 1_000).then_some(Verdict::Keep)
    }
}

struct Region;

impl TraceProcessor for Region {
    fn name(&self) -> &str {
        "region"
    }

    fn process(&self, trace: &mut TraceEdit<'_>) {
        trace.set(0, "cloud.region", "eu-west-1");
    }
}

/// Records bursts of traces, and makes sure that as many are kept as should be.
fn measured(plan: &Plan, share: f64, builder: TelemetryBuilder) -> anyhow::Result<Measurement> {
    let memory = MemorySink::with_capacity(CAPACITY);
    let telemetry = builder.sink(memory.clone()).build()?;
    let workload = Workload::new();
    let measurement = measure_settling(
        plan,
        TRACES * SPANS_PER_TRACE,
        || (0..TRACES).for_each(|turn| record(&telemetry, &workload, turn)),
        || {
            let _ = telemetry.flush_blocking(PATIENCE);
            drop(memory.take());
        },
    );
    let counters = telemetry.counters();
    anyhow::ensure!(telemetry.shutdown_blocking(PATIENCE).complete, "the shutdown did not finish in time");
    if telemetry.is_enabled() {
        let traces = f64::from(TRACES * (plan.bursts + plan.warm_up_bursts()));
        let deviation = (traces * share * (1.0 - share)).sqrt();
        let (kept, expected) = (counters.traces_kept as f64, traces * share);
        anyhow::ensure!((kept - expected).abs() <= 6.0 * deviation, "{kept} traces were kept, {expected} expected");
        anyhow::ensure!(kept + counters.traces_dropped as f64 == traces, "not all were decided: {counters:?}");
    }
    Ok(measurement)
}

fn record(telemetry: &Telemetry, workload: &Workload, turn: u32) {
    let [attempt, kind, customer] = KEYS;
    let attributes = workload.attributes(turn);
    let mut root = telemetry.start_trace("workflow");
    root.set(attempt, attributes.attempt);
    root.set(kind, ValueRef::literal(attributes.kind));
    root.set(customer, attributes.customer);
    for step in 1..SPANS_PER_TRACE {
        let attributes = workload.attributes(step);
        let mut span = root.span("step", "lambda");
        span.set(attempt, attributes.attempt);
        span.set(kind, ValueRef::literal(attributes.kind));
        span.set(customer, attributes.customer);
        span.end();
    }
    root.end();
}
