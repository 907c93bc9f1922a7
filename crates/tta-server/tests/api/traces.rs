//! Searching and reading traces.

use serde_json::json;
use tta_telemetry::store::TraceStore;
use tta_telemetry::{DecisionReason, SpanStatus, Trace};

use super::support::{LONG, Served, full, order, span, trace};

const ID: &str = "000000000000000000000000000000a1";

#[tokio::test]
async fn a_run_of_the_engine_is_found_and_read_with_its_spans_in_order() {
    let served = Served::start().await;
    let run = served.telemetry.start_trace("import");
    let mut step = run.span("parse", "lambda");
    step.set("rows", 3);
    step.set_status(SpanStatus::Error);
    step.end();
    run.end();
    assert!(served.telemetry.flush_blocking(LONG).complete);
    let found = served.json("/api/v1/traces?service=shop&operation=parse&tag=rows%3D3&status=error").await;
    let summary = &found["traces"][0];
    assert_eq!(
        (&found["next_cursor"], &summary["root_name"], &summary["spans"]),
        (&json!(null), &json!("import"), &json!(2))
    );
    assert_eq!(summary["services"], json!([{"name": "shop", "spans": 2, "errors": 1}]));
    let id = summary["trace_id"].as_str().unwrap();
    let one = served.json(&format!("/api/v1/traces/{id}")).await;
    assert_eq!((&one["trace_id"], &one["adjusted_count"]), (&json!(id), &json!(1.0)));
    let decision =
        json!({"keep": true, "rate": 1.0, "reason": "sampling_rate_one", "sampler": one["decision"]["sampler"]});
    assert_eq!(one["decision"], decision);
    let [root, parse] = [&one["spans"][0], &one["spans"][1]];
    assert_eq!(
        (&root["name"], &root["parent_span_id"], &root["service"]),
        (&json!("import"), &json!(null), &json!("shop"))
    );
    assert_eq!((&parse["parent_span_id"], &parse["attributes"]["rows"]), (&root["span_id"], &json!(3)));
    assert_eq!(parse["status"], json!({"outcome": "error", "code": "error", "message": ""}));
    assert_eq!(parse["resource"]["attributes"], json!({"service.name": "shop"}));
}

#[tokio::test]
async fn each_parameter_finds_what_it_says_and_nothing_else() {
    let served = Served::start().await;
    // Of two services, 1.5 s from its first second on, failed; and one span alone, a second from the fifth on.
    served.put(order(0xa1));
    let mut alone = trace(0xb2, vec![span(5, None, "alone")]);
    alone.decision.reason = DecisionReason::TailSlow;
    served.put(alone);
    for (query, want) in [
        ("", "b2 a1"),
        ("service=shop", "b2 a1"),
        ("service=stock", "a1"),
        ("operation=alone", "b2"),
        ("operation=alone&service=stock", ""),
        ("kind=server", "a1"),
        ("status=error", "a1"),
        ("tag=http.status_code%3D503", "a1"),
        ("tag=http.status_code%3D504", ""),
        ("tag=http.status_code%3D503&tag=ratio%3D0.5", "a1"),
        ("tag=http.status_code%3D503&tag=ratio%3D0.6", ""),
        ("tag=raw", "a1"),
        ("tag=cooked", ""),
        ("tag=host.cpus%3D4", "a1"),
        ("text=CART", "a1"),
        ("min_duration=1.2s", "a1"),
        ("max_duration=1.2s", "b2"),
        ("min_span_duration=1s&service=stock", ""),
        ("max_span_duration=600ms", "a1"),
        ("class=failed", "a1"),
        ("class=normal", "b2"),
        ("class=cancelled", ""),
        ("start=3000000000", "b2"),
        ("start=1970-01-01T00:00:03Z", "b2"),
        ("end=3000000000", "a1"),
        ("reason=probabilistic_hash", "a1"),
        ("reason=tail_slow", "b2"),
        ("limit=1", "b2"),
    ] {
        let found = served.json(&format!("/api/v1/traces?{query}")).await;
        let ids = found["traces"].as_array().unwrap().iter().map(|trace| trace["trace_id"].as_str().unwrap());
        let ids: Vec<&str> = ids.map(|id| id.trim_start_matches('0')).collect();
        assert_eq!(ids.join(" "), want, "{query}");
    }
}

#[tokio::test]
async fn everything_that_another_process_sent_is_found_again() {
    let served = Served::start().await;
    served.put(Trace { incomplete: true, ..order(0xa1) });
    let one = served.json(&format!("/api/v1/traces/{ID}")).await;
    assert_eq!(
        (&one["class"], &one["incomplete"], &one["adjusted_count"]),
        (&json!("failed"), &json!(true), &json!(4.0))
    );
    let want = json!({
        "span_id": "0000000000000002",
        "parent_span_id": "0000000000000001",
        "name": "GET /cart",
        "service": "stock",
        "kind": "server",
        "start_unix_ns": "2000000001",
        "start_time": "1970-01-01T00:00:02.000000001Z",
        "duration_ns": 500_000_000,
        "status": {"outcome": "error", "code": "error", "message": "no \"stock\""},
        "attributes": {
            "http.route": "/cart/{id}", "http.status_code": 503, "big": {"$int": "9223372036854775807"},
            "ratio": 0.5, "nan": {"$double": "NaN"}, "raw": {"$bytes": "3q0="}, "tags": ["a", "b"],
            "mixed": [1, true], "map": {"k": "v"}, "empty": null
        },
        "events": [{
            "name": "exception", "unix_ns": "2000000005", "time": "1970-01-01T00:00:02.000000005Z",
            "attributes": {"exception.type": "OutOfStock"}, "dropped_attributes": 8
        }],
        "links": [{
            "trace_id": "0000000000000000000000000000feed", "span_id": "000000000000beef",
            "attributes": {"why": "retry"}, "dropped_attributes": 7, "trace_state": "a=b", "flags": 1
        }],
        "resource": {
            "attributes": {"service.name": "stock", "host.cpus": 4}, "dropped_attributes": 5,
            "schema_url": "https://example.org/resource"
        },
        "scope": {
            "name": "lib", "version": "1.2", "attributes": {"build": "abc"}, "dropped_attributes": 6,
            "schema_url": "https://example.org/scope"
        },
        "trace_state": "ot=th:8,x=y",
        "flags": 257,
        "handled": false,
        "dropped": {"attributes": 1, "truncated_attributes": 2, "events": 3, "links": 4}
    });
    assert_eq!(one["spans"][1], want);
}

#[tokio::test]
async fn pages_are_followed_by_their_cursors_while_traces_come() {
    let served = Served::start().await;
    (1..=5).for_each(|number| served.put(order(number)));
    let mut path = "/api/v1/traces?limit=2".to_owned();
    let mut shown = Vec::new();
    loop {
        let page = served.json(&path).await;
        let ids = page["traces"].as_array().unwrap().iter();
        shown.extend(ids.map(|trace| u128::from_str_radix(trace["trace_id"].as_str().unwrap(), 16).unwrap()));
        served.put(order(100 + shown.len() as u128));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/traces?limit=2&cursor={cursor}");
    }
    assert_eq!(shown, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn what_was_not_kept_is_a_404_and_what_is_no_id_a_400() {
    let served = Served::start().await;
    let said = format!("trace {ID} is not stored: it was not kept, has given way to later ones, or never was");
    assert_eq!(served.problem(&format!("/api/v1/traces/{ID}")).await, (404, said));
    let digits = "expected 32 lower-case hexadecimal digits, not all zero";
    for wrong in ["1", "zz", "000000000000000000000000000000A1", "00000000000000000000000000000000", "%zz", "%00"] {
        let (status, detail) = served.problem(&format!("/api/v1/traces/{wrong}")).await;
        assert!(status == 400 && detail.ends_with(digits), "{status} {detail}");
    }
    assert_eq!(served.problem("/api/v1/traces/%ff").await, (400, "the path is not UTF-8".to_owned()));
}

#[tokio::test]
async fn services_that_call_one_another_and_primitives_are_the_graph() {
    let served = Served::start().await;
    served.put(order(1));
    served.put(order(2));
    served.put(trace(3, vec![span(1, None, "alone"), full(5, 99, "orphan")]));
    let connections = served.telemetry.built_in_counter(&tta_telemetry::catalog::CONNECTIONS);
    connections.with(&["order", "check", "pay"]).unwrap().add(3);
    let graph = served.json("/api/v1/graph").await;
    let want = json!({
        "primitives": [{"workflow": "order", "source": "check", "target": "pay", "count": 3}],
        "services": [{"source": "shop", "target": "stock", "calls": 2, "errors": 2}],
        "traces": 3
    });
    assert_eq!(graph, want);
    assert_eq!(served.json("/api/v1/graph?limit=2").await["services"][0]["calls"], 1);
    assert_eq!(served.store.status().traces, 3);
}
