//! The query API, asked by schemathesis whatever its description allows and does not allow.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::support::http::post;
use crate::support::otlp::{Span, request};
use crate::support::programs::{program, python};
use crate::support::{Serve, Settings};

/// The id of the W3C's own examples.
const EXAMPLE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The trace that the description has as its example, with all that a span can have.
fn send_the_example(serve: &Serve) {
    let attributes = json!([
        {"key": "text", "value": {"stringValue": "é"}},
        {"key": "big", "value": {"intValue": "9223372036854775807"}},
        {"key": "list", "value": {"arrayValue": {"values": [{"doubleValue": "NaN"}, {"bytesValue": "3q0="}, {}]}}},
        {"key": "map", "value": {"kvlistValue": {"values": [{"key": "$a", "value": {"boolValue": true}}]}}},
    ]);
    let (trace_id, time) = (EXAMPLE, "1700000000000000001");
    let span = json!({
        "traceId": trace_id, "spanId": "00f067aa0ba902b7", "name": "GET /", "kind": 2, "flags": 257,
        "traceState": "vendor=1", "startTimeUnixNano": time, "endTimeUnixNano": "1700000000000100001",
        "attributes": attributes, "status": {"code": 2, "message": "went wrong"}, "droppedEventsCount": 3,
        "events": [{"name": "exception", "timeUnixNano": time, "attributes": attributes}],
        "links": [{"traceId": "00000000000000000000000000000001", "spanId": "0000000000000002", "flags": 1}],
    });
    let scope = json!({"name": "library", "version": "1", "attributes": attributes});
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let scopes = json!([{"scope": scope, "schemaUrl": "https://example.org/1", "spans": [span]}]);
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}).to_string();
    let reply = post(&serve.http, "/v1/traces", &["content-type: application/json"], body.as_bytes());
    assert_eq!((reply.status, reply.text().as_str()), (200, "{}"));
    serve.trace(EXAMPLE, 1);
}

/// Sends a trace every now and then, so that the live stream has something to say.
fn keep_sending(serve: &Serve, is_done: &AtomicBool) {
    let mut trace_id = 1;
    while !is_done.load(Ordering::Relaxed) {
        let spans = [Span { trace_id, span_id: 1, parent: 0 }, Span { trace_id, span_id: 2, parent: 1 }];
        assert_eq!(serve.send(&request("shop", &spans)).status, 200);
        trace_id += 1;
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
}

#[test]
fn schemathesis_finds_nothing_wrong_with_the_query_api() {
    let Some(mut python) = python() else { return };
    let serve = Settings::new().quick().start();
    send_the_example(&serve);
    let url = format!("http://{}/api/v1/openapi.json", serve.main);
    let directory = tempfile::tempdir().unwrap();
    python.current_dir(directory.path()).args(["-m", "schemathesis.cli", "--no-color"]);
    python.arg("--config-file").arg(program("python/schemathesis.toml")).args(["run", &url]);
    python.args(["--checks", "all", "--phases", "examples,coverage,fuzzing", "--mode", "all"]);
    python.args(["--max-examples", "30", "--seed", "7", "--request-timeout", "30"]);
    let is_done = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        let sender = scope.spawn(|| keep_sending(&serve, &is_done));
        serve.trace(&format!("{:032x}", 1), 2);
        let output = python.output();
        is_done.store(true, Ordering::Relaxed);
        sender.join().unwrap();
        output.unwrap()
    });
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let examples = "Examples (in ";
    assert!(said.contains("Tested: 18") && said.contains(&format!("✅  {examples}")), "{said}");
}
