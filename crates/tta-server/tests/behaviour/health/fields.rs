//! What the replies hold, against the live state of the engine.

use std::time::Duration;

use serde_json::{Value, json};
use tta_server::{ExportInfo, HealthApi, StorageStatus};
use tta_telemetry::config::{Config, Preset};
use tta_telemetry::{Clock, SpanStatus, Telemetry};

use super::support::{Lab, get, keys, serve};

fn production() -> Config {
    let mut config = Preset::Production.config();
    config.service_name = "checkout".to_owned();
    config.service_version = "1.2.3".to_owned();
    config
}

#[tokio::test]
async fn a_healthy_engine_says_what_it_is() {
    let lab = Lab::configured(&production()).await;
    for name in ["a", "b", "a"] {
        lab.telemetry.record_execution(name, "task", Duration::from_millis(1), SpanStatus::Ok, None);
    }
    lab.time.advance(Duration::from_millis(90_500));
    let (code, body) = lab.get("/health").await;
    assert_eq!((code, keys(&body)), (200, vec!["details", "message", "status", "timestamp"]));
    assert_eq!(
        (&body["status"], &body["message"]),
        (&json!("healthy"), &json!("All observability systems operational"))
    );
    let details = &body["details"];
    assert_eq!(
        keys(details),
        [
            "components",
            "config_loaded",
            "environment",
            "issues_count",
            "metrics_collector",
            "readiness",
            "tracing_available",
            "unique_primitives",
            "unregistered_components",
            "uptime_seconds"
        ]
    );
    assert_eq!((&details["config_loaded"], &details["environment"]), (&json!(true), &json!("production")));
    assert_eq!((&details["metrics_collector"], &details["tracing_available"]), (&json!("available"), &json!(true)));
    assert_eq!((&details["unique_primitives"], &details["issues_count"]), (&json!(2), &json!(0)));
    assert_eq!(details["uptime_seconds"], json!(90.5));
    assert_eq!(
        keys(&details["components"]),
        ["cardinality", "clock", "receiver", "recorder", "sampler", "sink:switch"]
    );
    let recorder = &details["components"]["recorder"];
    let want = json!({ "name": "recorder", "status": "healthy", "reason": null, "since": null, "last_success": null });
    assert_eq!(recorder, &want);
    let timestamp = body["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 30 && timestamp.ends_with('Z'), "{timestamp}");
}

#[tokio::test]
async fn sampling_is_as_it_is_now_not_as_it_was_configured() {
    let lab = Lab::configured(&production()).await;
    let (_, sampling) = lab.get("/health/sampling").await;
    for (field, want) in [
        ("enabled", json!(true)),
        ("sampling_rate", json!(0.05)),
        ("configured_rate", json!(0.05)),
        ("always_sample_errors", json!(true)),
        ("always_sample_slow", json!(true)),
        ("slow_threshold_ms", json!(1_000.0)),
        ("adaptive_enabled", json!(true)),
        ("adaptive_min_rate", json!(0.01)),
        ("adaptive_max_rate", json!(0.2)),
        ("adaptive_target_overhead", json!(0.02)),
        ("measured_overhead", Value::Null),
    ] {
        assert_eq!(sampling[field], want, "{field}");
    }
    assert_eq!(sampling["adaptive_stats"]["current_rate"], 0.05);
    let mut changed = production();
    (changed.tracing.sampling.default_rate, changed.tracing.sampling.adaptive_enabled) = (0.5, false);
    lab.telemetry.update(&production(), &changed).unwrap();
    let (_, sampling) = lab.get("/health/sampling").await;
    let rates = (&sampling["sampling_rate"], &sampling["configured_rate"], &sampling["adaptive_stats"]);
    assert_eq!(rates, (&json!(0.5), &json!(0.5), &Value::Null));
    let failed = lab.telemetry.start_trace("page");
    failed.end();
    lab.after(1);
    let (_, sampling) = lab.get("/health/sampling").await;
    let decided = sampling["traces_kept"].as_u64().unwrap() + sampling["traces_dropped"].as_u64().unwrap();
    assert_eq!(decided, 1);
    changed.tracing.enabled = false;
    lab.telemetry.update(&production(), &changed).unwrap();
    let (_, sampling) = lab.get("/health/sampling").await;
    assert_eq!((&sampling["enabled"], &sampling["sampling_rate"]), (&json!(false), &json!(0.0)));
    assert_eq!(lab.get("/health").await.1["details"]["tracing_available"], false);
}

#[tokio::test]
async fn everything_that_ran_is_counted_however_it_ended_and_whether_it_was_kept() {
    let mut config = production();
    (config.tracing.sampling.default_rate, config.tracing.sampling.adaptive_enabled) = (0.0, false);
    let lab = Lab::configured(&config).await;
    let execute = |name, status| {
        lab.telemetry.record_execution(name, "task", Duration::from_millis(1), status, None);
    };
    execute("a", SpanStatus::Ok);
    execute("a", SpanStatus::Error);
    execute("b", SpanStatus::Cancelled);
    execute("b", SpanStatus::Error);
    for status in [SpanStatus::Ok, SpanStatus::Ok, SpanStatus::Error] {
        let mut run = lab.telemetry.start_trace("page");
        run.set_status(status);
        run.end();
    }
    lab.after(1);
    let (_, metrics) = lab.get("/health/metrics").await;
    let counts = [&metrics["total_primitives"], &metrics["total_executions"], &metrics["total_errors"]];
    assert_eq!(counts, [&json!(2), &json!(4), &json!(2)]);
    assert_eq!(metrics["export_interval_seconds"], Value::Null);
    // `a`, `b` and `task`.
    assert!(metrics["cardinality"]["total_labels"].as_u64().unwrap() >= 3, "{metrics}");
    assert_eq!(metrics["cardinality"]["total_labels"], lab.telemetry.cardinality().total_labels);
    let (_, sampling) = lab.get("/health/sampling").await;
    assert_eq!((&sampling["traces_kept"], &sampling["traces_dropped"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn the_full_reply_is_made_of_the_others() {
    let telemetry = Telemetry::builder().config(&production()).unwrap().build().unwrap();
    let status = || StorageStatus {
        kind: "memory",
        bytes: 1_000,
        capacity_bytes: Some(64 << 20),
        traces: 7,
        evicted_traces: 2,
        oldest_unix_ns: Some(1_000_000_000),
        newest_unix_ns: Some(2_000_000_000),
        ..StorageStatus::default()
    };
    let export = ExportInfo { async_export_enabled: true, max_export_workers: 4, export_interval_seconds: Some(15.0) };
    let api = HealthApi::builder(&telemetry).storage(status).export(export).build();
    let server = serve(&api).await;
    let (_, full) = get(&server, "/health/full").await;
    assert_eq!(keys(&full), ["health", "metrics", "sampling", "storage", "system"]);
    let storage = json!({
        "kind": "memory", "trace_ttl_days": null, "metric_ttl_days": null, "compression_enabled": false,
        "compression_level": null, "bytes": 1_000, "capacity_bytes": 67_108_864, "traces": 7, "evicted_traces": 2,
        "segments": null, "oldest": "1970-01-01T00:00:01.000000000Z", "newest": "1970-01-01T00:00:02.000000000Z",
        "free_disk_bytes": null, "wal_lag_bytes": null
    });
    assert_eq!(full["storage"], storage);
    for part in ["sampling", "metrics", "storage"] {
        assert_eq!(full[part], get(&server, &format!("/health/{part}")).await.1, "{part}");
    }
    let system = &full["system"];
    assert_eq!(
        keys(system),
        [
            "async_export_enabled",
            "environment",
            "max_export_workers",
            "service_name",
            "service_version",
            "uptime_seconds"
        ]
    );
    assert_eq!((&system["service_name"], &system["service_version"]), (&json!("checkout"), &json!("1.2.3")));
    assert_eq!((&system["max_export_workers"], &full["metrics"]["export_interval_seconds"]), (&json!(4), &json!(15.0)));
    assert_eq!(full["health"]["status"], "healthy");
}

#[tokio::test]
async fn an_engine_that_records_nothing_is_healthy_and_says_so() {
    for telemetry in [
        Telemetry::disabled(),
        Telemetry::builder().clock(Clock::manual().0).enabled(false).build().unwrap(),
        Telemetry::builder().metrics_enabled(false).build().unwrap(),
    ] {
        let server = serve(&HealthApi::builder(&telemetry).build()).await;
        let (code, body) = get(&server, "/health").await;
        assert_eq!((code, &body["status"], &body["details"]["config_loaded"]), (200, &json!("healthy"), &json!(false)));
        assert_eq!(body["details"]["metrics_collector"], "disabled");
        assert_eq!(body["details"]["tracing_available"], telemetry.is_enabled());
        let message =
            if telemetry.is_enabled() { "All observability systems operational" } else { "Observability is disabled" };
        assert_eq!(body["message"], message);
        assert_eq!(get(&server, "/health/metrics").await.1["enabled"], false);
        assert_eq!(get(&server, "/health/full").await.1["storage"]["kind"], "none");
    }
}
