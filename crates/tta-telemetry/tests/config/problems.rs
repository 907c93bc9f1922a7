//! What is wrong is told all at once, with path, value, range and nearest name.

use serde_json::json;
use tta_telemetry::config::{ConfigLayers, Preset};

fn problems(layers: ConfigLayers) -> Vec<String> {
    layers.build().unwrap_err().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = r#"
environmnt = "production"
service_name = ""
[tracing]
batch_size = 0
[tracing.sampling]
default_rate = 1.5
hash = "sha1"
slow_threshold_ms = -1
always_sample_errors = "yes"
colour = "red"
[metrics]
max_label_values = 2.5
buckets = { fetch = [1, 1], parse = "many" }
[slo.a]
target = 1
primitive = "x"
tagret = 3
[slo.b]
target = 0.5
"#;
    let got = problems(ConfigLayers::new().toml("tta.toml", text).environment([
        ("TTA_TRACING__SAMPLING__DEFALT_RATE", "1"),
        ("TTA_METRICS__MAX_LABEL_VALUES", "many"),
        ("ENVIRONMENT", "prod"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
    ]));
    let want = [
        "environment: `OTEL_TRACES_SAMPLER` is jaeger_remote, accepted is always_on, always_off or traceidratio, each also with parentbased_ before it",
        "environment: `TTA_TRACING__SAMPLING__DEFALT_RATE` is not a field; did you mean `TTA_TRACING__SAMPLING__DEFAULT_RATE`?",
        "tta.toml: `environmnt` is not a field; did you mean `environment`?",
        "tta.toml: `metrics.buckets.fetch` is [1,1], accepted is 1 to 64 rising numbers of at least 0",
        "tta.toml: `metrics.buckets.parse` is \"many\", accepted is 1 to 64 rising numbers of at least 0",
        "tta.toml: `metrics.max_label_values` is 2.5, accepted is a whole number from 1 to 1000000",
        "tta.toml: `service_name` is \"\", accepted is a text of 1 to 200 bytes",
        "tta.toml: `slo.a.tagret` is not a field; did you mean `target`?",
        "tta.toml: `slo.a.target` is 1, accepted is a number above 0 and at most 0.999999999",
        "tta.toml: `slo.b.primitive` is null, accepted is the name of a primitive or workflow",
        "tta.toml: `tracing.batch_size` is 0, accepted is a whole number from 1 to 1000000",
        "tta.toml: `tracing.sampling.always_sample_errors` is \"yes\", accepted is true or false",
        "tta.toml: `tracing.sampling.colour` is not a field",
        "tta.toml: `tracing.sampling.default_rate` is 1.5, accepted is a number from 0 to 1",
        "tta.toml: `tracing.sampling.hash` is \"sha1\", accepted is otel or md5",
        "tta.toml: `tracing.sampling.slow_threshold_ms` is -1, accepted is a number of at least 0",
        "ENVIRONMENT: `environment` is \"prod\", accepted is development or staging or production",
        "TTA_METRICS__MAX_LABEL_VALUES: `metrics.max_label_values` is \"many\", accepted is a whole number from 1 to 1000000",
    ];
    let (mut got, mut want) = (got, want.map(str::to_owned).to_vec());
    got.sort();
    want.sort();
    assert_eq!(got, want);
}

/// Once the first rule's action hid all that was wrong with the others, and any other problem hid that.
#[test]
fn all_that_is_wrong_with_rules_is_told_at_once_with_its_file() {
    let text = r#"
service_name = ""
[[tracing.sampling.rules]]
name = "One"
condition = 'workflow = "a"'
action = "kep"
[[tracing.sampling.rules]]
name = "two"
condition = "duration > 5 parsecs"
action = "keep"
"#;
    let got = problems(ConfigLayers::new().toml("tta.toml", text));
    let beginnings = got.iter().map(|problem| problem.split(", accepted is ").next().unwrap()).collect::<Vec<_>>();
    assert_eq!(
        beginnings,
        [
            "tta.toml: `service_name` is \"\"",
            "tta.toml: `tracing.sampling.rules[0].name` is \"One\"",
            "tta.toml: `tracing.sampling.rules[0].action` is \"kep\"",
            r#"tta.toml: `tracing.sampling.rules[0].condition` is "workflow = \"a\"""#,
            "tta.toml: `tracing.sampling.rules[1].condition` is \"duration > 5 parsecs\"",
        ]
    );
    assert!(got[3].contains("a condition: line 1, column 10: found"), "{}", got[3]);
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    let of = |text: &str| problems(ConfigLayers::new().preset(Preset::Production).toml("f", text));
    assert_eq!(
        of("tracing.sampling.adaptive_min_rate = 0.5"),
        [
            "the whole: `tracing.sampling.adaptive_min_rate` is 0.5, accepted is at most `adaptive_max_rate`, which is 0.2"
        ]
    );
    assert_eq!(
        of("tracing.sampling.default_rate = 0.5"),
        [
            "the whole: `tracing.sampling.default_rate` is 0.5, accepted is from `adaptive_min_rate` to `adaptive_max_rate`, \
          0.01 to 0.2, while adaptive_enabled"
        ]
    );
    assert_eq!(
        of("tracing.batch_size = 5000"),
        ["the whole: `tracing.batch_size` is 5000, accepted is at most `max_queue_size`, which is 2048"]
    );
}

#[test]
fn text_that_is_no_toml_names_the_file_and_the_line() {
    let got = problems(ConfigLayers::new().toml("conf/tta.toml", "service_name = \"x\"\n\n[tracing\n"));
    assert_eq!(got.len(), 1);
    assert!(got[0].starts_with("conf/tta.toml: line 3: ") && got[0].ends_with("; accepted is TOML 1.0"), "{}", got[0]);
    let got = problems(ConfigLayers::new().toml("f", "tracing.sampling.default_rate = nan"));
    assert_eq!(got, ["f: `tracing.sampling.default_rate` is \"NaN\", accepted is a number from 0 to 1"]);
}

#[test]
fn hostile_patches_are_refused_and_change_nothing() {
    let config = Preset::Production.config();
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({ "tracing": deep });
    }
    let long = "x".repeat(100_000);
    for patch in [
        json!(7),
        json!([1]),
        json!({ "tracing": 7 }),
        deep,
        json!({ long.as_str(): 1 }),
        json!({ "service_name": long }),
    ] {
        let error = config.patched("patch", &patch).unwrap_err();
        assert!(error.to_string().len() < 1_000, "{error}");
    }
    let rules: Vec<_> = (0..101).map(|_| json!({})).collect();
    assert!(config.patched("patch", &json!({ "tracing": { "sampling": { "rules": rules } } })).is_err());
    let twice = json!([{ "name": "a", "condition": "handled", "action": "keep" }, { "name": "a", "condition": "handled", "action": "drop" }]);
    let error = config.patched("patch", &json!({ "tracing": { "sampling": { "rules": twice } } })).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("`tracing.sampling.rules[1].name` is \"a\", accepted is a name that no other rule has"),
        "{error}"
    );
}

#[test]
fn what_code_sets_is_checked_like_everything_else() {
    let got = problems(ConfigLayers::new().code(|config| config.tracing.sampling.default_rate = 7.0));
    assert_eq!(got, ["code: `tracing.sampling.default_rate` is 7.0, accepted is a number from 0 to 1"]);
}
