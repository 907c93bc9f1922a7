//! Which source wins.

use serde_json::json;
use tta_telemetry::config::{Config, ConfigLayers, Preset};
use tta_telemetry::sampling::SamplingHash;

const FILE: &str = r#"
environment = "staging"
service_name = "from the file"
[tracing.sampling]
default_rate = 0.3
hash = "md5"
[tracing.sampling.workflows.checkout]
default_rate = 0.9
slow_threshold_ms = 250
[[tracing.sampling.rules]]
name = "big-spender"
condition = "cost > $1"
action = "keep"
[metrics.buckets]
fetch = [0.1, 1, 10]
[slo.available]
primitive = "payments"
target = 0.999
"#;

#[test]
fn later_sources_win_over_earlier_ones() {
    let layers = || ConfigLayers::new().toml("tta.toml", FILE);
    let config = layers().build().unwrap();
    let sampling = &config.tracing.sampling;
    assert_eq!((config.environment, sampling.default_rate, sampling.hash), (Preset::Staging, 0.3, SamplingHash::Md5));
    assert!(sampling.adaptive_enabled, "as staging has it");
    assert_eq!(config.service_name, "from the file");

    let from_environment = [("SERVICE_NAME", "from the environment"), ("TTA_TRACING__SAMPLING__DEFAULT_RATE", "0.4")];
    let config = layers().environment(from_environment).build().unwrap();
    assert_eq!((config.service_name.as_str(), config.tracing.sampling.default_rate), ("from the environment", 0.4));

    let in_code = |config: &mut Config| config.tracing.sampling.default_rate = 0.5;
    let config = layers().environment(from_environment).code(in_code).build().unwrap();
    assert_eq!(config.tracing.sampling.default_rate, 0.5);
    let patched = config.patched("patch", &json!({ "tracing": { "sampling": { "default_rate": 0.6 } } })).unwrap();
    assert_eq!(patched.tracing.sampling.default_rate, 0.6);
}

#[test]
fn sections_have_entries_by_name() {
    let config = ConfigLayers::new().toml("tta.toml", FILE).build().unwrap();
    let checkout = config.tracing.sampling.workflows["checkout"];
    assert_eq!((checkout.default_rate, checkout.slow_threshold_ms), (Some(0.9), Some(250.0)));
    assert_eq!(checkout.always_sample_errors, None);
    assert_eq!(config.tracing.sampling.rules[0].name, "big-spender");
    assert_eq!(config.metrics.buckets["fetch"], [0.1, 1.0, 10.0]);
    let slo = &config.slo["available"];
    assert_eq!((slo.primitive.as_str(), slo.target, slo.window_days), ("payments", 0.999, 30.0));
}

#[test]
fn a_second_file_adds_to_the_first_and_the_preset_of_code_is_the_last_word() {
    let second = "[slo.available]\nlatency_threshold_ms = 100\n[slo.quick]\nprimitive = \"search\"\n";
    let config = ConfigLayers::new().toml("a", FILE).toml("b", second).preset(Preset::Development).build().unwrap();
    assert_eq!((config.slo["available"].target, config.slo["available"].latency_threshold_ms), (0.999, Some(100.0)));
    assert_eq!(config.slo["quick"].target, 0.99);
    assert_eq!((config.metrics.max_label_values, config.environment), (1_000, Preset::Staging));
}

#[test]
fn variables_of_the_original_and_of_opentelemetry_are_understood() {
    let of = |variables: &[(&str, &str)]| ConfigLayers::new().environment(variables.iter().copied()).build().unwrap();
    let config = of(&[("ENVIRONMENT", "production"), ("SERVICE_VERSION", "2.0"), ("ENABLE_OBSERVABILITY", "False")]);
    assert_eq!(
        (config.environment, config.service_version.as_str(), config.enabled),
        (Preset::Production, "2.0", false)
    );
    let attributes =
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,service.version=3,deployment.environment=staging,x=y");
    let config = of(&[attributes]);
    assert_eq!((config.service_name.as_str(), config.service_version.as_str()), ("shop", "3"));
    assert_eq!(config.environment, Preset::Staging);
    assert_eq!(of(&[attributes, ("OTEL_SERVICE_NAME", "till")]).service_name, "till");
    assert_eq!(of(&[("OTEL_SERVICE_NAME", "till"), ("SERVICE_NAME", "desk")]).service_name, "desk");
    assert_eq!(of(&[("SERVICE_NAME", "desk"), ("TTA_SERVICE_NAME", "shelf")]).service_name, "shelf");
    assert!(!of(&[("OTEL_SDK_DISABLED", "TRUE")]).enabled);
    assert!(of(&[("OTEL_SDK_DISABLED", "1")]).enabled, "only `true` is true there");
    let sampler = [("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")];
    let sampling = of(&[sampler[0], sampler[1], ("ENVIRONMENT", "production")]).tracing.sampling;
    assert_eq!((sampling.default_rate, sampling.adaptive_enabled), (0.25, false));
    assert_eq!(of(&[("OTEL_TRACES_SAMPLER", "always_off")]).tracing.sampling.default_rate, 0.0);
    let others = [("PATH", "/bin"), ("OTEL_LOGS_EXPORTER", "otlp"), ("TTA_CONFIG", "a.toml"), ("SERVICE_NAME", "")];
    assert_eq!(of(&others), Preset::Development.config());
}

#[test]
fn null_in_a_patch_sets_back_to_the_preset_and_removes_entries() {
    let config = ConfigLayers::new().toml("tta.toml", FILE).build().unwrap();
    let patch = json!({ "tracing": { "sampling": { "default_rate": null, "workflows": { "checkout": null } } }, "slo": { "available": null } });
    let patched = config.patched("patch", &patch).unwrap();
    assert_eq!(patched.tracing.sampling.default_rate, 0.2);
    assert!(patched.tracing.sampling.workflows.is_empty() && patched.slo.is_empty());
    assert_eq!(patched.metrics.buckets, config.metrics.buckets);
}

#[test]
fn what_needs_a_restart_is_known() {
    let config = Preset::Production.config();
    let patch =
        json!({ "service_name": "x", "tracing": { "sampling": { "default_rate": 0.1 }, "max_queue_size": 4_096 } });
    let patched = config.patched("patch", &patch).unwrap();
    assert_eq!(config.needing_restart(&patched), ["service_name", "tracing.max_queue_size"]);
}
