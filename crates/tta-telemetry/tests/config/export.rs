//! Fields of sending on: what is accepted, what fits together, which variables they have.

use serde_json::json;
use tta_telemetry::config::{Config, ConfigLayers, MetricsPushFormat, OtlpCompression, OtlpProtocol, Preset};

fn of_toml(text: &str) -> Result<Config, String> {
    ConfigLayers::new().toml("t.toml", text).build().map_err(|error| error.to_string())
}

#[test]
fn everything_can_be_said_in_a_file_and_goes_around_through_toml_and_json() {
    let config = of_toml(
        r#"
        async_export = false
        max_export_workers = 2
        tracing.export_interval_seconds = 5
        [otlp]
        endpoint = "https://collector:4318/in"
        traces_endpoint = "http://traces:4318/v1/traces"
        protocol = "grpc"
        compression = "gzip"
        timeout_seconds = 2.5
        retry_seconds = 0
        max_queue_bytes = 70000
        certificate_file = "ca.pem"
        client_certificate_file = "me.pem"
        client_key_file = "me.key"
        headers = { authorization = "env:COLLECTOR", x-tenant = "text:shop" }
        [metrics]
        push = "remote_write"
        push_endpoint = "http://prometheus:9090/api/v1/write"
        push_headers = { authorization = "file:token" }
        export_interval_seconds = 15
        batch_size = 500
        "#,
    )
    .unwrap();
    assert_eq!(
        (config.async_export, config.max_export_workers, config.tracing.export_interval_seconds),
        (false, 2, 5.0)
    );
    let otlp = &config.otlp;
    assert_eq!((otlp.protocol, otlp.compression), (OtlpProtocol::Grpc, OtlpCompression::Gzip));
    assert_eq!((otlp.timeout_seconds, otlp.retry_seconds, otlp.max_queue_bytes), (2.5, 0.0, 70_000));
    assert_eq!(otlp.headers["x-tenant"], "text:shop");
    assert_eq!(config.traces_target(), Some(("http://traces:4318/v1/traces", true)));
    assert_eq!(config.metrics_target(), Some(("http://prometheus:9090/api/v1/write", true)));
    assert_eq!((config.metrics.export_interval_seconds, config.metrics.batch_size), (15.0, 500));
    assert_eq!(of_toml(&config.to_toml()).unwrap(), config);
    assert_eq!(Preset::Development.config().patched("json", &config.to_json()).unwrap(), config);
}

#[test]
fn targets_are_the_collectors_unless_they_have_their_own() {
    let mut config = Preset::Production.config();
    assert_eq!((config.traces_target(), config.metrics_target()), (None, None));
    config.otlp.endpoint = "http://collector:4318".to_owned();
    assert_eq!(config.traces_target(), Some(("http://collector:4318", false)));
    assert_eq!(config.metrics_target(), None, "not asked for");
    config.metrics.push = MetricsPushFormat::Otlp;
    assert_eq!(config.metrics_target(), Some(("http://collector:4318", false)));
    config.metrics.push = MetricsPushFormat::RemoteWrite;
    assert_eq!(config.metrics_target(), None, "a collector is no Prometheus");
}

#[test]
fn opentelemetrys_variables_are_fields() {
    let config = ConfigLayers::new()
        .toml("t.toml", "[otlp]\nendpoint = \"http://file:4318\"\ncompression = \"zstd\"\n")
        .environment([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://variable:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", ""),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://metrics:4318/in"),
            ("OTEL_BSP_SCHEDULE_DELAY", "200"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "4096"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1000"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "30000"),
            ("OTEL_METRICS_EXPORTER", "prometheus, otlp"),
            ("TTA_OTLP__TIMEOUT_SECONDS", "3"),
        ])
        .build()
        .unwrap();
    assert_eq!(config.traces_target(), Some(("http://variable:4317", false)));
    assert_eq!(config.metrics_target(), Some(("http://metrics:4318/in", true)));
    assert_eq!((config.otlp.protocol, config.otlp.compression), (OtlpProtocol::Grpc, OtlpCompression::Zstd));
    assert_eq!((config.otlp.timeout_seconds, config.otlp.certificate_file.as_str()), (3.0, "ca.pem"));
    assert_eq!((config.tracing.export_interval_seconds, config.metrics.export_interval_seconds), (1.0, 30.0));
    assert_eq!((config.tracing.max_queue_size, config.tracing.batch_size), (4_096, 1_000));
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_no_secret() {
    let error = of_toml(
        r#"
        max_export_workers = 33
        [tracing]
        export_interval_seconds = 0.5
        [otlp]
        endpoint = "collector:4317"
        traces_endpoint = "https://me:hunter2@collector"
        protocol = "udp"
        headers = { authorization = "Bearer hunter2", "a b" = "text:x" }
        client_key_file = "me.key"
        [metrics]
        push_headers = "hunter2"
        "#,
    )
    .unwrap_err();
    let url = "an http:// or https:// URL, without user and password (they go in a header), or off";
    let source = "`env:NAME`, `file:PATH`, or `text:VALUE` for what is no secret";
    for told in [
        "t.toml:2: `max_export_workers` is 33, accepted is a whole number from 1 to 32".to_owned(),
        "t.toml:4: `tracing.export_interval_seconds` is 0.5, accepted is a number from 1 to 86400".to_owned(),
        format!("t.toml:6: `otlp.endpoint` is \"collector:4317\", accepted is {url}"),
        format!("t.toml:7: `otlp.traces_endpoint` is a URL with an `@`, accepted is {url}"),
        "t.toml:8: `otlp.protocol` is \"udp\", accepted is grpc or http/protobuf or http/json".to_owned(),
        format!("t.toml:9: `otlp.headers.authorization` is something else (not shown), accepted is {source}"),
        "`otlp.headers.a b` is something else (not shown), accepted is a name of HTTP".to_owned(),
        "`otlp.client_key_file` is \"me.key\", accepted is off, while `otlp.client_certificate_file` is".to_owned(),
        "`metrics.push_headers` is something else (not shown)".to_owned(),
    ] {
        assert!(error.contains(&told), "{told}\nis not in\n{error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn pushing_to_nowhere_is_wrong() {
    let error = of_toml("[metrics]\npush = \"otlp\"\n").unwrap_err();
    assert!(error.contains("t.toml:2: `metrics.push` is \"otlp\", accepted is off, while neither"), "{error}");
    let error = of_toml("[otlp]\nendpoint = \"http://c:4318\"\n[metrics]\npush = \"remote_write\"\n").unwrap_err();
    assert!(error.contains("t.toml:4: `metrics.push` is \"remote_write\", accepted is off or otlp, while"), "{error}");
    // Where the place itself is wrong, that is all there is to say.
    let error = of_toml("[metrics]\npush = \"otlp\"\npush_endpoint = \"here\"\n").unwrap_err();
    assert!(error.starts_with("1 problem"), "{error}");
}

#[test]
fn a_patch_takes_headers_away_one_by_one() {
    let config = of_toml("[otlp.headers]\na = \"text:1\"\nb = \"text:2\"\n").unwrap();
    let patched = config.patched("patch", &json!({ "otlp": { "headers": { "a": null, "c": "text:3" } } })).unwrap();
    let names: Vec<&String> = patched.otlp.headers.keys().collect();
    assert_eq!(names, ["b", "c"]);
    let all = config.patched("patch", &json!({ "otlp": { "headers": null } })).unwrap();
    assert!(all.otlp.headers.is_empty());
    assert_eq!(config.needing_restart(&patched), ["otlp.headers"]);
}

#[test]
fn what_is_sent_on_waits_for_a_restart() {
    let config = of_toml("").unwrap();
    let patch =
        json!({ "async_export": false, "otlp": { "endpoint": "http://c:4318" }, "metrics": { "batch_size": 7 } });
    let mut waiting = config.needing_restart(&config.patched("patch", &patch).unwrap());
    waiting.sort_unstable();
    assert_eq!(waiting, ["async_export", "metrics.batch_size", "otlp.endpoint"]);
}
