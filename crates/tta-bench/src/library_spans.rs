//! What a span of `tracing` in a library costs where nothing records it: a span with three
//! attributes that is entered and closed. Does not keep any.

use crate::case::Fate;
use crate::measurement::{Measurement, Plan};
use crate::peers::{
    Additions, FastraceCollector, OpenTelemetryPipeline, subscribe_fastrace, subscribe_opentelemetry,
    subscribe_registry, subscribe_tta,
};
use crate::row::{Family, Row, measure, measure_settling};
use crate::run::BURST_SPANS;
use crate::workload::Workload;
use fastrace::Span;
use fastrace::collector::SpanContext;
use opentelemetry_sdk::trace::Sampler;
use tta_primitives::Context;
use tta_telemetry::Telemetry;

/// The table of the spans that nothing records.
pub const LIBRARY_SPANS: Family = Family {
    name: "library-spans",
    title: "A span of `tracing` that nothing records, per span",
    about: "A library makes spans whoever uses it, also where nobody is interested. One span with \
        three attributes is entered and closed, outside of any other.",
    rows: ROWS,
};

const ROWS: &[Row] = &[
    Row::new("no subscriber", "what the macro costs by itself.", no_subscriber),
    Row::new("(registry)", "the registry below a layer that does nothing: the floor for all that follows.", registry),
    Row::new("tta-tracing, outside a run", "where spans belong to nothing that could be recorded.", outside_a_run),
    Row::new("tta-tracing, off", "in a run on an engine with `enabled(false)`.", in_a_run_that_is_off),
    Row::new("tracing-opentelemetry, off", "with the sampler `AlwaysOff`, at the layer's defaults.", always_off),
    Row::new(
        "tracing-opentelemetry, off, bare",
        "the same without the attributes that the layer adds by itself.",
        always_off_bare,
    ),
    Row::new("fastrace-tracing, not sampled", "below a local parent that is not sampled.", not_sampled),
    Row::new(
        "fastrace-tracing, no parent",
        "without a local parent: the bridge has no such state as unrecorded, and makes each span a \
            trace of its own, which is collected and reported.",
        no_local_parent,
    ),
];

fn spans(plan: &Plan) -> Measurement {
    let workload = Workload::new();
    measure(plan, BURST_SPANS, || enter_spans(&workload, BURST_SPANS))
}

fn enter_spans(workload: &Workload, count: u32) {
    for turn in 0..count {
        workload.enter_spans(turn, 1);
    }
}

fn no_subscriber(plan: &Plan) -> anyhow::Result<Measurement> {
    Ok(spans(plan))
}

fn registry(plan: &Plan) -> anyhow::Result<Measurement> {
    subscribe_registry()?;
    Ok(spans(plan))
}

fn outside_a_run(plan: &Plan) -> anyhow::Result<Measurement> {
    subscribe_tta()?;
    Ok(spans(plan))
}

fn in_a_run_that_is_off(plan: &Plan) -> anyhow::Result<Measurement> {
    subscribe_tta()?;
    let run = Context::on(Telemetry::builder().enabled(false).build()?).start_run("run", "bench");
    Ok(run.context().in_scope(|| spans(plan)))
}

fn always_off(plan: &Plan) -> anyhow::Result<Measurement> {
    without_samples(plan, Additions::Defaults)
}

fn always_off_bare(plan: &Plan) -> anyhow::Result<Measurement> {
    without_samples(plan, Additions::Nothing)
}

fn without_samples(plan: &Plan, additions: Additions) -> anyhow::Result<Measurement> {
    let pipeline = OpenTelemetryPipeline::start(Fate::Kept, Sampler::AlwaysOff);
    subscribe_opentelemetry(&pipeline, additions)?;
    Ok(spans(plan))
}

fn not_sampled(plan: &Plan) -> anyhow::Result<Measurement> {
    let collector = FastraceCollector::start(Fate::Kept);
    subscribe_fastrace(true)?;
    let workload = Workload::new();
    let burst = || {
        let root = Span::root("run", SpanContext::random().sampled(false));
        let _entered = root.set_local_parent();
        enter_spans(&workload, BURST_SPANS);
    };
    let measurement = measure_settling(plan, BURST_SPANS, burst, || collector.settle());
    Ok(Measurement { misplaced: collector.finish(), ..measurement })
}

fn no_local_parent(plan: &Plan) -> anyhow::Result<Measurement> {
    let collector = FastraceCollector::start(Fate::Kept);
    subscribe_fastrace(true)?;
    let workload = Workload::new();
    let burst = || enter_spans(&workload, BURST_SPANS);
    let measurement = measure_settling(plan, BURST_SPANS, burst, || collector.settle());
    let recorded = u64::from(BURST_SPANS) * u64::from(plan.bursts + plan.warm_up_bursts());
    Ok(Measurement { misplaced: collector.finish().abs_diff(recorded), ..measurement })
}
