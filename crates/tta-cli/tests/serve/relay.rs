//! Passing on: what one keeps, another takes, by what a file says.

use std::net::TcpListener;

use crate::support::http::get;
use crate::support::otlp::{Span, request};
use crate::support::{Settings, until};

fn relay(toml: &str) -> Settings {
    let settings = Settings::new().quick();
    std::fs::write(settings.file("tta.toml"), toml).unwrap();
    settings.with(&["--config", "tta.toml"])
}

fn full_health(main: &str) -> serde_json::Value {
    let reply = get(main, "/health/full");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[test]
fn what_is_kept_goes_to_the_collector_of_the_file_at_the_end_at_the_latest() {
    for (protocol, id) in [("http/protobuf", 0xb1_u128), ("grpc", 0xb2)] {
        let collector = Settings::new().quick().start();
        let to = if protocol == "grpc" { &collector.grpc } else { &collector.http };
        let serve = relay(&format!(
            "max_export_workers = 3\n[tracing]\nexport_interval_seconds = 3600\n\
             [otlp]\nendpoint = \"http://{to}\"\nprotocol = \"{protocol}\"\nretry_seconds = 0\n\
             [metrics]\npush = \"otlp\"\npush_endpoint = \"http://127.0.0.1:1/v1/metrics\"\nexport_interval_seconds = 3600\n"
        ))
        .start();
        let system = &full_health(&serve.main)["system"];
        assert_eq!((&system["async_export_enabled"], &system["max_export_workers"]), (&true.into(), &3.into()));
        assert_eq!(get(&serve.main, "/health/metrics").json()["export_interval_seconds"], 3600.0);
        let sent = serve.send(&request("shop", &[Span { trace_id: id, span_id: 1, parent: 0 }]));
        assert_eq!(sent.status, 200);
        serve.trace(&format!("{id:032x}"), 1);
        assert_eq!(get(&collector.main, &format!("/api/v1/traces/{id:032x}")).status, 404, "it waits for others");
        let (ended, _) = serve.end();
        // Nobody takes the metrics.
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.err.contains("otlp: 1 spans sent\n"), "{}", ended.err);
        assert!(ended.err.contains("the last metrics were not pushed"), "{}", ended.err);
        collector.trace(&format!("{id:032x}"), 1);
    }
}

#[test]
fn a_collector_that_is_away_is_degraded_health_and_said_at_the_end() {
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let serve =
        relay(&format!("[tracing]\nbatch_size = 1\n[otlp]\nendpoint = \"http://{away}\"\nretry_seconds = 0\n")).start();
    serve.send(&request("shop", &[Span { trace_id: 0xb3, span_id: 1, parent: 0 }]));
    let otlp = until("a degraded exporter", || {
        let otlp = full_health(&serve.main)["health"]["details"]["components"]["otlp"].clone();
        (otlp["status"] == "degraded").then_some(otlp)
    });
    assert!(otlp["reason"].as_str().unwrap().contains("refused"), "{otlp}");
    let page = get(&serve.metrics, "/metrics").text();
    for line in [
        "telemetry_dropped_total{what=\"sent_spans\",cause=\"retries_exhausted\"} 1",
        "telemetry_sent_total{sink=\"otlp\"} 0",
        "telemetry_sending{sink=\"otlp\"} 0",
    ] {
        assert!(page.lines().any(|known| known == line), "{line} is not in\n{page}");
    }
    let (ended, _) = serve.end();
    assert!(ended.err.contains("otlp is degraded: "), "who reads the log alone: {}", ended.err);
    assert_eq!(ended.status.code(), Some(1));
    let said = "otlp: 0 spans sent, 1 lost (retries exhausted); the last failure: ";
    assert!(ended.err.contains(said) && !ended.err.contains("was flushed"), "{}", ended.err);
}

#[test]
fn the_end_takes_no_longer_than_it_may_when_nobody_takes_anything() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let toml = format!("[otlp]\nendpoint = \"{url}\"\n[metrics]\npush = \"otlp\"\n");
    let serve = relay(&toml).with(&["--deadline", "1"]).start();
    serve.send(&request("shop", &[Span { trace_id: 0xb6, span_id: 1, parent: 0 }]));
    serve.trace(&format!("{:032x}", 0xb6), 1);
    let (ended, _) = serve.end();
    assert_eq!(ended.status.code(), Some(1));
    for said in ["otlp: 0 spans sent, 1 lost (", "the last metrics were not pushed"] {
        assert!(ended.err.contains(said), "{said} is not in {}", ended.err);
    }
}

#[test]
fn headers_that_cannot_be_fetched_keep_it_from_starting_and_show_no_secret() {
    let ended =
        relay("[otlp]\nendpoint = \"http://127.0.0.1:1\"\nheaders = { authorization = \"env:NOT_SET\" }\n").fails();
    assert_eq!(ended.status.code(), Some(2));
    assert!(
        ended
            .err
            .starts_with("error: cannot serve: `otlp.headers.authorization` is the variable NOT_SET, which is not set"),
        "{}",
        ended.err
    );
    let ended = relay("[otlp]\nheaders = { authorization = \"Bearer hunter2\" }\n").fails();
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        ended.err.contains("tta.toml:2: `otlp.headers.authorization`") && !ended.err.contains("hunter2"),
        "{}",
        ended.err
    );
}

#[test]
fn nothing_is_sent_on_to_itself() {
    // Taken and given back, so that it is free: the only way to know one's port before.
    let own = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let toml = format!("[tracing]\nbatch_size = 1\n[otlp]\nendpoint = \"http://localhost:{}\"\n", own.port());
    let serve = relay(&toml).with(&["--otlp-http-address", &own.to_string()]).start();
    serve.send(&request("shop", &[Span { trace_id: 0xb4, span_id: 1, parent: 0 }]));
    serve.trace(&format!("{:032x}", 0xb4), 1);
    assert!(full_health(&serve.main)["health"]["details"]["components"]["otlp"].is_null());
    let (ended, _) = serve.end();
    assert_eq!(ended.status.code(), Some(0));
    let warning = format!("nothing is sent on to http://localhost:{}: that is this server itself", own.port());
    assert!(ended.err.contains(&warning), "{}", ended.err);
}

#[test]
fn what_could_not_be_sent_within_the_deadline_is_said() {
    // Takes connections, and answers nobody.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let toml = format!("[tracing]\nbatch_size = 1\n[otlp]\nendpoint = \"http://{}\"\n", silent.local_addr().unwrap());
    let serve = relay(&toml).with(&["--deadline", "1"]).start();
    serve.send(&request("shop", &[Span { trace_id: 0xb5, span_id: 1, parent: 0 }]));
    serve.trace(&format!("{:032x}", 0xb5), 1);
    let (ended, _) = serve.end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.err.contains("otlp: 0 spans sent, 1 lost ("), "{}", ended.err);
}
