//! What it says while it serves and when it has ended: changes of its configuration, and what was lost.

use serde_json::Value;

use crate::support::http::{ask, get};
use crate::support::otlp::{Span, request};
use crate::support::{Serve, Settings, until};

/// A configuration file with this share of ordinary traces.
fn share(rate: &str) -> String {
    format!("[tracing.sampling]\ndefault_rate = {rate}\n")
}

fn started_with(text: &str) -> Serve {
    let settings = Settings::new();
    std::fs::write(settings.file("tta.toml"), text).unwrap();
    settings.with(&["--config", "tta.toml"]).start()
}

fn rate(serve: &Serve) -> Value {
    get(&serve.main, "/health/sampling").json()["sampling_rate"].take()
}

/// Status and reason of a component.
fn told(serve: &Serve, component: &str) -> (String, String) {
    let body = get(&serve.main, "/health").json();
    let component = &body["details"]["components"][component];
    let word = |field: &str| component[field].as_str().unwrap_or_default().to_owned();
    (word("status"), word("reason"))
}

#[test]
fn on_sighup_the_file_is_read_again_and_one_that_is_wrong_changes_nothing() {
    let serve = started_with(&share("0.5"));
    assert_eq!(rate(&serve), 0.5);
    std::fs::write(serve.file("tta.toml"), share("0.25")).unwrap();
    serve.signal("-HUP");
    until("the new rate", || (rate(&serve) == 0.25).then_some(()));
    std::fs::write(serve.file("tta.toml"), share("7")).unwrap();
    serve.signal("-HUP");
    let reason = until("the wrong file in the health report", || {
        let (status, reason) = told(&serve, "config");
        (status == "degraded").then_some(reason)
    });
    assert!(reason.contains("tta.toml:2: `tracing.sampling.default_rate` is 7, accepted is a number"), "{reason}");
    assert_eq!(rate(&serve), 0.25);
    let (ended, _) = serve.end();
    let lines: Vec<&str> = ended.err.lines().collect();
    assert_eq!(lines[0], "configuration changed by reload: tracing.sampling.default_rate: 0.5 -> 0.25");
    assert!(lines[1].starts_with("configuration: unchanged, because it is wrong: 1 problem"), "{}", ended.err);
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn a_file_that_changes_is_read_again_without_being_told_to() {
    let serve = started_with(&share("0.5"));
    std::fs::write(serve.file("tta.toml"), share("0.125")).unwrap();
    until("the new rate", || (rate(&serve) == 0.125).then_some(()));
}

#[test]
fn a_patch_is_told_with_who_made_it_and_what_waits_for_a_restart() {
    let serve = Settings::new().start();
    let patch = br#"{"service_name":"shop","tracing":{"sampling":{"default_rate":0.1}}}"#;
    let kind = ["content-type: application/merge-patch+json"];
    let reply = ask(&serve.main, "PATCH", "/api/v1/config", &kind, patch).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let (ended, _) = serve.end();
    let first = ended.err.lines().next().unwrap();
    assert!(first.starts_with("configuration changed by anonymous: "), "{first}");
    for part in ["tracing.sampling.default_rate: 1.0 -> 0.1", "waiting for a restart: service_name"] {
        assert!(first.contains(part), "{first}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn traces_that_a_full_disk_does_not_take_are_told_by_health_and_at_the_end() {
    let serve = Settings::new().quick().with(&["--traces", "/dev/full"]).start();
    assert_eq!(serve.send(&request("shop", &[Span { trace_id: 0xa1, span_id: 1, parent: 0 }])).status, 200);
    // It can be asked for all the same.
    serve.trace(&format!("{:032x}", 0xa1), 1);
    let reason = until("the failure in the health report", || {
        let (status, reason) = told(&serve, "sink:trace_file");
        (status == "degraded").then_some(reason)
    });
    assert!(reason.contains("/dev/full") && reason.contains("No space left on device"), "{reason}");
    let (ended, _) = serve.end();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
    let lines: Vec<&str> = ended.err.lines().collect();
    assert!(lines.contains(&"trace-store: 1 traces, 1 spans"), "{}", ended.err);
    let last = lines.last().unwrap();
    let want = "trace_file: lost 0 traces to a full queue and 1 to failures, 0 not flushed; the last failure: ";
    assert!(last.starts_with(want) && last.contains("No space left on device"), "{}", ended.err);
}
