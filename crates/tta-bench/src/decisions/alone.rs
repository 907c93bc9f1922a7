//! Decisions, readings of settings and redaction, each by itself.

use crate::measurement::{Measurement, Plan};
use crate::row::{BURST_OPERATIONS, measure};
use std::hint::black_box;
use tta_telemetry::sampling::{FinishedTrace, HeadSampler, Rate, RunStart, SamplingHash, SamplingPolicy, TailPolicy};
use tta_telemetry::{
    Attribute, IdSource, Name, Redaction, RedactionCounts, Redactor, Telemetry, TraceClass, TraceId, Value,
};

/// Different traces that are decided about in turn.
const TRACES: usize = 1_000;

fn decided(plan: &Plan, hash: SamplingHash, class: TraceClass) -> anyhow::Result<Measurement> {
    let (head, tail) = (HeadSampler::new(hash, Rate::new(0.05)?), TailPolicy::default());
    let ids = IdSource::seeded(1);
    let traces: Vec<TraceId> = (0..TRACES).map(|_| ids.trace_id()).collect();
    let decide = |trace_id: TraceId| {
        let head = head.decide(&RunStart::root(trace_id));
        tail.decide(&FinishedTrace::new(class, 3_000_000, head), None)
    };
    let kept = traces.iter().filter(|trace_id| decide(**trace_id).decision.keep).count();
    let expected = if class == TraceClass::Failed { TRACES..=TRACES } else { 25..=75 };
    anyhow::ensure!(expected.contains(&kept), "{kept} of {TRACES} were kept");
    Ok(measure(plan, BURST_OPERATIONS, || {
        for trace_id in traces.iter().cycle().take(BURST_OPERATIONS as usize) {
            black_box(decide(black_box(*trace_id)));
        }
    }))
}

pub(super) fn ordinary(plan: &Plan) -> anyhow::Result<Measurement> {
    decided(plan, SamplingHash::Otel, TraceClass::Normal)
}

pub(super) fn failed(plan: &Plan) -> anyhow::Result<Measurement> {
    decided(plan, SamplingHash::Otel, TraceClass::Failed)
}

pub(super) fn by_md5(plan: &Plan) -> anyhow::Result<Measurement> {
    decided(plan, SamplingHash::Md5, TraceClass::Normal)
}

fn engine() -> anyhow::Result<Telemetry> {
    let policy = SamplingPolicy { rate: Rate::new(0.05)?, ..SamplingPolicy::default() };
    Ok(Telemetry::builder().sampling_policy(policy).by_hand().build()?)
}

pub(super) fn configuration(plan: &Plan) -> anyhow::Result<Measurement> {
    let telemetry = engine()?;
    anyhow::ensure!(!telemetry.samples_by_correlation_id(), "the policy takes the trace id");
    Ok(measure(plan, BURST_OPERATIONS, || {
        for _ in 0..BURST_OPERATIONS {
            black_box(black_box(&telemetry).samples_by_correlation_id());
        }
    }))
}

pub(super) fn head_of_a_run(plan: &Plan) -> anyhow::Result<Measurement> {
    let telemetry = engine()?;
    let run = telemetry.start_trace("workflow");
    let handle = run.handle();
    anyhow::ensure!(handle.head().is_some() == telemetry.is_enabled(), "the policy has decided");
    Ok(measure(plan, BURST_OPERATIONS, || {
        for _ in 0..BURST_OPERATIONS {
            black_box(black_box(&handle).head());
        }
    }))
}

fn attributes() -> Vec<Attribute> {
    let text = |key, value: &'static str| (key, Value::Str(value.into()));
    let pairs = [
        text("http.method", "GET"),
        text("http.target", "/api/products/1YMWWN1N4O"),
        text("http.flavor", "1.1"),
        text("http.host", "frontend-proxy:8080"),
        text("rpc.service", "oteldemo.ProductCatalogService"),
        text("rpc.system", "grpc"),
        text("peer.address", "172.25.0.20:8080"),
        text("component", "proxy"),
        text("tenant", "acme"),
        text("app.product.id", "1YMWWN1N4O"),
        text("net.peer.name", "productcatalogservice"),
        text("user_agent", "python-requests/2.31.0"),
        ("http.status_code", Value::I64(200)),
        ("net.peer.port", Value::I64(53_866)),
        ("rows", Value::I64(3)),
        ("cached", Value::Bool(true)),
    ];
    pairs.into_iter().map(|(key, value)| Attribute { key: Name::from_static(key), value }).collect()
}

pub(super) fn redaction(plan: &Plan) -> anyhow::Result<Measurement> {
    let redactor = Redactor::new(&Redaction::default(), [0; 32]);
    let (mut attributes, mut counts) = (attributes(), RedactionCounts::default());
    let passes = BURST_OPERATIONS / attributes.len() as u32;
    let operations = passes * attributes.len() as u32;
    let measurement = measure(plan, operations, || {
        for _ in 0..passes {
            redactor.redact_attributes(black_box(&mut attributes), &mut counts);
        }
    });
    anyhow::ensure!(counts.total() == 0, "none of them is a secret: {counts:?}");
    Ok(measurement)
}
