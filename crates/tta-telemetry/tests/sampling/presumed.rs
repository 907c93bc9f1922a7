//! Trace ids of which nobody says that they are random.

use tta_telemetry::propagation::extract;
use tta_telemetry::sampling::{RemoteSampling, SamplingPolicy};
use tta_telemetry::{HealthStatus, Telemetry, TraceStart};

fn received(telemetry: &Telemetry, flags: &str, state: &str) {
    let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
    let context = extract(&[("traceparent", parent.as_str()), ("tracestate", state)]).trace.unwrap();
    let start = TraceStart {
        parent: Some((context.trace_id, context.span_id)),
        remote: Some(RemoteSampling::read(&context)),
        ..TraceStart::default()
    };
    telemetry.start_trace_with("serve", &start).end();
}

fn said(telemetry: &Telemetry) -> Option<String> {
    let report = telemetry.health();
    assert_eq!(report.status, HealthStatus::Healthy);
    report.components.into_iter().find(|component| component.name == *"sampler").unwrap().health.reason
}

#[test]
fn runs_whose_ids_are_taken_for_random_on_trust_are_counted_and_said_once() {
    let telemetry = Telemetry::builder().sampling_policy(SamplingPolicy::default()).by_hand().build().unwrap();
    telemetry.start_trace("own").end();
    received(&telemetry, "03", "");
    received(&telemetry, "02", "ot=th:c");
    received(&telemetry, "01", "ot=rv:ce929d0e0e4736");
    assert_eq!((telemetry.counters().randomness_presumed, said(&telemetry)), (0, None));
    received(&telemetry, "01", "");
    received(&telemetry, "00", "ot=th:c");
    assert_eq!(telemetry.counters().randomness_presumed, 2);
    let reason = said(&telemetry).unwrap();
    assert!(reason.starts_with("the trace ids of 2 runs are presumed random: "), "{reason}");
}

#[test]
fn where_nothing_is_left_to_chance_nothing_is_said() {
    let telemetry = Telemetry::builder().by_hand().build().unwrap();
    received(&telemetry, "01", "");
    assert_eq!((telemetry.counters().randomness_presumed, said(&telemetry)), (1, None));
}
