//! Out as text and in again.

use proptest::prelude::*;
use serde_json::{Value, json};
use tta_telemetry::config::{Config, ConfigLayers, Preset};

fn through_toml(config: &Config) -> Config {
    ConfigLayers::new().toml("again", &config.to_toml()).build().unwrap()
}

#[test]
fn every_preset_comes_back_from_toml_and_json_as_it_was() {
    for preset in Preset::ALL {
        let config = preset.config();
        assert_eq!(through_toml(&config), config);
        assert_eq!(config.patched("again", &config.to_json()).unwrap(), config);
    }
}

proptest! {
    #[test]
    fn any_configuration_comes_back_as_it_was(
        rate in 0.01_f64..=0.2, slow in 0.0_f64..9e8, labels in 1_u64..1_000_000, name in "[a-z \"'\\\\é]{1,20}",
        limits in prop::collection::btree_set(0_u32..1_000_000, 1..20), window in 0.001_f64..366.0,
    ) {
        let limits: Vec<f64> = limits.into_iter().map(f64::from).collect();
        let patch = json!({
            "service_name": name,
            "tracing": { "sampling": {
                "default_rate": rate, "slow_threshold_ms": slow,
                "rules": [{ "name": "some-rule", "condition": "span_count > 3", "action": "0.5" }],
                "workflows": { name.as_str(): { "always_sample_slow": false } },
            } },
            "metrics": { "max_label_values": labels, "buckets": { name.as_str(): limits } },
            "cost": { "budgets": { name.as_str(): { "limit_usd": slow + 1.0, "period": "every 60", "policy": "reject" } } },
            "redaction": {
                "mode": "hash", "scan_bytes": labels.clamp(64, 1_000_000), "allowed_keys": [name.replace(['*', '\'', '\\'], "x")],
                "rules": [{ "name": "some", "key": "patient.*", "mode": "drop" }, { "name": "more", "value_regex": "a+" }],
            },
            "slo": { name.as_str(): { "primitive": name, "target": 0.9, "window_days": window } },
        });
        let config = Preset::Production.config().patched("patch", &patch).unwrap();
        prop_assert_eq!(&through_toml(&config), &config);
        prop_assert_eq!(&Preset::Production.config().patched("again", &config.to_json()).unwrap(), &config);
    }

    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}") {
        let _ = ConfigLayers::new().toml("f", &text).environment([("TTA_X", text.as_str()), ("ENVIRONMENT", &text)]).build();
    }
}

/// The types and ranges that a schema allows at a path.
fn property<'s>(schema: &'s Value, path: &str) -> &'s Value {
    path.split('.').fold(schema, |schema, part| &schema["properties"][part])
}

#[test]
fn the_schema_has_every_field_with_its_range_and_refuses_others() {
    let schema = Config::schema();
    let rate = property(&schema, "tracing.sampling.default_rate");
    assert_eq!((&rate["minimum"], &rate["maximum"], &rate["default"]), (&json!(0.0), &json!(1.0), &json!(1.0)));
    assert_eq!(property(&schema, "environment")["enum"], json!(["development", "staging", "production"]));
    assert_eq!(property(&schema, "tracing")["additionalProperties"], json!(false));
    assert_eq!(property(&schema, "slo")["additionalProperties"]["required"], json!(["primitive"]));
    let mut fields = 0;
    check(&Preset::Production.config().to_json(), &schema, &mut fields);
    assert!(fields > 25, "{fields}");
}

/// Whether a value is what a schema says, as far as this schema goes.
fn check(value: &Value, schema: &Value, fields: &mut usize) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let inner = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
                check(value, inner.unwrap_or_else(|| panic!("{key} is not in the schema")), fields);
            }
        }
        other => {
            *fields += 1;
            let kind = schema["type"].as_str().unwrap();
            let fits = match kind {
                "boolean" => other.is_boolean(),
                "integer" => other.is_u64(),
                "number" => other.is_number(),
                "string" => other.is_string(),
                "array" => other.is_array(),
                _ => false,
            };
            assert!(fits, "{other} is no {kind}");
        }
    }
}

#[test]
fn the_reference_has_a_row_for_every_field() {
    let reference = Config::reference();
    assert!(
        reference
            .contains("| `tracing.sampling.default_rate` | a number from 0 to 1 | 1.0 | 0.2 | 0.05 | yes | The share")
    );
    assert!(reference.lines().count() > 30);
}
