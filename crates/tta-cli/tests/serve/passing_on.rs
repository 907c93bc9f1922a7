//! Passing on what is kept to the collector that the environment names: another `tta serve`.

use std::net::TcpListener;

use serde_json::json;

use crate::support::http::get;
use crate::support::otlp::{Span, request};
use crate::support::{Settings, until};

#[test]
fn what_is_kept_goes_on_to_the_collector_and_health_says_how() {
    let collector = Settings::new().quick().start();
    let url = format!("http://{}", collector.http);
    let relay = Settings::new().quick().env("OTEL_EXPORTER_OTLP_ENDPOINT", &url).start();
    assert_eq!(relay.send(&request("shop", &[Span { trace_id: 0xa1, span_id: 7, parent: 0 }])).status, 200);
    let id = format!("{:032x}", 0xa1);
    let [there, here] = [&collector, &relay].map(|serve| serve.trace(&id, 1));
    assert_eq!(there["spans"], here["spans"]);
    let full = get(&relay.main, "/health/full").json();
    let system = &full["system"];
    assert_eq!((&system["async_export_enabled"], &system["max_export_workers"]), (&json!(true), &json!(4)));
    let otlp = &full["health"]["details"]["components"]["otlp"];
    assert_eq!(otlp["status"], "healthy", "{otlp}");
    assert!(otlp["last_success"].is_string(), "{otlp}");
    let full = get(&collector.main, "/health/full").json();
    assert_eq!(full["system"]["async_export_enabled"], false, "it passes nothing on");
}

#[test]
fn a_collector_that_is_not_there_is_told_of_and_keeps_nothing_from_being_taken() {
    // A port that was free a moment ago, and that nobody listens at.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{nobody}");
    let settings = Settings::new().quick().with(&["--deadline", "1"]);
    let relay = settings.env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).start();
    for trace_id in [0xa1, 0xa2] {
        assert_eq!(relay.send(&request("shop", &[Span { trace_id, span_id: 7, parent: 0 }])).status, 200);
        relay.trace(&format!("{trace_id:032x}"), 1);
    }
    until("the collector in the health report", || {
        let body = get(&relay.main, "/health").json();
        (body["details"]["components"]["otlp"]["status"] == "degraded").then_some(())
    });
    let (ended, _) = relay.end();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
}
