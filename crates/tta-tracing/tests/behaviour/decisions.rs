//! What primitives decide, in logs.

use serde_json::json;
use tracing_subscriber::prelude::*;
use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{Jitter, Retry, step, workflow};
use tta_telemetry::Clock;
use tta_tracing::logging::{LogFormat, Logging};
use tta_tracing::{DECISION_TARGET, log_decisions};

use crate::logging::objects;
use crate::support::{Lines, find, only_trace};

/// Runs a step that fails `failures` times under a retry of one, with logs of decisions.
fn retried(failures: usize) -> (TestEngine, Vec<serde_json::Value>) {
    let lines = Lines::default();
    let logging = Logging::builder().format(LogFormat::Json).writer(lines.clone()).clock(Clock::manual().0).build();
    let subscriber = tracing_subscriber::registry().with(tta_tracing::layer()).with(logging.layer());
    let engine = TestEngine::with(|builder| builder.observer(log_decisions()));
    let retry = Retry::new().max_retries(1).jitter(Jitter::None).build().unwrap();
    let flow = workflow("flow", step(Mock::new("call").fails(failures, "no").returns(1)).retry(retry));
    tracing::subscriber::with_default(subscriber, || {
        let _ = engine.block_on(flow.run(1, &engine.context()));
    });
    let text = lines.text();
    let lines = if text.is_empty() { Vec::new() } else { objects(&text) };
    (engine, lines)
}

#[test]
fn a_decision_is_a_log_line_with_the_ids_of_its_step() {
    let (engine, lines) = retried(2);
    let trace = only_trace(&engine);
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["level"], &lines[0]["target"], &lines[0]["message"]),
        (&json!("WARN"), &json!(DECISION_TARGET), &json!("retry exhausted"))
    );
    assert_eq!(
        lines[0]["fields"],
        json!({
            "family": "retry",
            "outcome": "exhausted",
            "workflow": "flow",
            "primitive": "call",
            "details": "retry.attempts=2 retry.last_error=app",
        })
    );
    assert_eq!(lines[0]["trace_id"], json!(trace.trace_id.to_string()));
    assert_eq!(lines[0]["span_id"], json!(find(&trace, "call").span_id.to_string()));
}

#[test]
fn the_level_follows_the_severity_and_routine_is_not_logged() {
    let level = |failures| retried(failures).1.first().map(|line| line["level"].clone());
    assert_eq!(level(1), Some(json!("INFO")));
    assert_eq!(level(0), None);
}

#[test]
fn the_layer_does_not_record_a_decision_a_second_time() {
    let (engine, _) = retried(2);
    let trace = only_trace(&engine);
    assert!(trace.spans.iter().all(|span| span.events.is_empty()), "{trace:#?}");
}
