//! Patches over a base, what is shown of secrets, and updates that depend on what is in effect.

use serde_json::json;
use tta_telemetry::Telemetry;
use tta_telemetry::config::{Config, ConfigError, ConfigLayers, Preset, SHOWN_SECRET, Secret};

const SALT: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// What a file says.
fn base() -> Config {
    let text = format!(
        "environment = \"production\"\n[tracing.sampling]\ndefault_rate = 0.1\n[redaction]\nhash_salt = \"{SALT}\"\n\
         [slo.quick]\nprimitive = \"fetch\"\nlatency_threshold_ms = 200\n[metrics.buckets]\nfetch = [0.1, 1]\n"
    );
    ConfigLayers::new().toml("tta.toml", &text).build().unwrap()
}

#[test]
fn null_sets_fields_tables_entries_and_secrets_back_to_the_base() {
    let changes = json!({
        "tracing": { "sampling": { "default_rate": 0.2, "slow_threshold_ms": 7, "workflows": { "w": { "default_rate": 1 } } } },
        "redaction": { "hash_salt": "another salt of some length", "mode": "drop" },
        "slo": { "quick": { "target": 0.5, "latency_threshold_ms": 1 }, "new": { "primitive": "search", "latency_threshold_ms": 5 } },
        "metrics": { "buckets": { "fetch": [5], "search": [1] } }
    });
    let changed = base().patched("patch", &changes).unwrap();
    let patched = |patch| changed.patched_over(&base(), "patch", &patch).unwrap();
    let field = patched(json!({ "tracing": { "sampling": { "default_rate": null } } }));
    assert_eq!((field.tracing.sampling.default_rate, field.tracing.sampling.slow_threshold_ms), (0.1, 7.0));
    let secret = patched(json!({ "redaction": { "hash_salt": null } }));
    assert_eq!((secret.redaction.hash_salt, secret.redaction.mode), (Some(Secret::new(SALT)), changed.redaction.mode));
    let entries = json!({ "quick": { "latency_threshold_ms": null }, "new": { "latency_threshold_ms": null } });
    let slo = patched(json!({ "slo": entries })).slo;
    assert_eq!((slo["quick"].latency_threshold_ms, slo["quick"].target), (Some(200.0), 0.5));
    assert_eq!(slo["new"].latency_threshold_ms, None);
    let buckets = patched(json!({ "metrics": { "buckets": { "fetch": null, "search": null } } })).metrics.buckets;
    assert_eq!(buckets, base().metrics.buckets);
    assert_eq!(patched(json!({ "slo": null, "redaction": null, "metrics": null, "tracing": null })), base());
}

#[test]
fn what_is_shown_of_a_secret_stands_for_it_in_patches_and_nowhere_else() {
    let shown = base().to_masked_json();
    assert_eq!(shown["redaction"]["hash_salt"], SHOWN_SECRET);
    assert_eq!(Preset::Staging.config().to_masked_json()["redaction"]["hash_salt"], json!(null));
    assert_eq!(base().patched("patch", &shown).unwrap(), base());
    let text = format!("[redaction]\nhash_salt = \"{SHOWN_SECRET}\"\n");
    let error = ConfigLayers::new().toml("tta.toml", &text).build().unwrap_err();
    assert_eq!(error.problems[0].path, "redaction.hash_salt");
}

#[test]
fn updates_that_depend_on_what_is_in_effect_lose_none_of_each_other() {
    let telemetry = Telemetry::builder().config(&base()).unwrap().build().unwrap();
    let add = || {
        for _ in 0..50 {
            let made = telemetry.update_with(|in_effect| {
                let mut config = in_effect.unwrap().clone();
                config.metrics.max_label_values += 1;
                Ok::<_, ConfigError>(config)
            });
            let (update, in_effect) = made.unwrap();
            assert_eq!(update.changed[0].new, Some(json!(in_effect.metrics.max_label_values)));
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(add))));
    let before = base().metrics.max_label_values;
    assert_eq!(telemetry.config().unwrap().metrics.max_label_values, before + 200);
    let refused = telemetry.update_with(|in_effect| in_effect.unwrap().patched("patch", &json!({ "metrics": 5 })));
    assert_eq!(refused.unwrap_err().problems[0].path, "metrics");
    assert_eq!(telemetry.config().unwrap().metrics.max_label_values, before + 200);
}
