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
        "tta.toml:2: `environmnt` is not a field; did you mean `environment`?",
        "tta.toml:14: `metrics.buckets.fetch` is [1,1], accepted is 1 to 64 rising numbers of at least 0",
        "tta.toml:14: `metrics.buckets.parse` is \"many\", accepted is 1 to 64 rising numbers of at least 0",
        "tta.toml:13: `metrics.max_label_values` is 2.5, accepted is a whole number from 1 to 1000000",
        "tta.toml:3: `service_name` is \"\", accepted is a text of 1 to 200 bytes",
        "tta.toml:18: `slo.a.tagret` is not a field; did you mean `target`?",
        "tta.toml:16: `slo.a.target` is 1, accepted is a number above 0 and at most 0.999999999",
        "tta.toml:19: `slo.b.primitive` is missing, accepted is the name of a primitive or workflow",
        "tta.toml:5: `tracing.batch_size` is 0, accepted is a whole number from 1 to 1000000",
        "tta.toml:10: `tracing.sampling.always_sample_errors` is \"yes\", accepted is true or false",
        "tta.toml:11: `tracing.sampling.colour` is not a field",
        "tta.toml:7: `tracing.sampling.default_rate` is 1.5, accepted is a number from 0 to 1",
        "tta.toml:8: `tracing.sampling.hash` is \"sha1\", accepted is otel or md5",
        "tta.toml:9: `tracing.sampling.slow_threshold_ms` is -1, accepted is a number of at least 0",
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
            "tta.toml:2: `service_name` is \"\"",
            "tta.toml:4: `tracing.sampling.rules[0].name` is \"One\"",
            "tta.toml:6: `tracing.sampling.rules[0].action` is \"kep\"",
            r#"tta.toml:5: `tracing.sampling.rules[0].condition` is "workflow = \"a\"""#,
            "tta.toml:9: `tracing.sampling.rules[1].condition` is \"duration > 5 parsecs\"",
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
            "f:1: `tracing.sampling.adaptive_min_rate` is 0.5, accepted is at most `tracing.sampling.adaptive_max_rate`, \
             which is 0.2 (the preset production)"
        ]
    );
    assert_eq!(
        of("tracing.sampling.default_rate = 0.5"),
        [
            "f:1: `tracing.sampling.default_rate` is 0.5, accepted is at most `tracing.sampling.adaptive_max_rate`, which is \
             0.2 (the preset production), while `tracing.sampling.adaptive_enabled` is true (the preset production)"
        ]
    );
    assert_eq!(
        of("tracing.batch_size = 5000"),
        [
            "f:1: `tracing.batch_size` is 5000, accepted is at most `tracing.max_queue_size`, which is 2048 (the preset production)"
        ]
    );
}

#[test]
fn text_that_is_no_toml_names_the_file_and_the_line() {
    let got = problems(ConfigLayers::new().toml("conf/tta.toml", "service_name = \"x\"\n\n[tracing\n"));
    assert_eq!(got.len(), 1);
    assert!(got[0].starts_with("conf/tta.toml:3: ") && got[0].ends_with("; accepted is TOML 1.0"), "{}", got[0]);
    let got = problems(ConfigLayers::new().toml("f", "tracing.sampling.default_rate = nan"));
    assert_eq!(got, ["f:1: `tracing.sampling.default_rate` is \"NaN\", accepted is a number from 0 to 1"]);
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

#[test]
fn whatever_contradicts_or_does_not_build_is_told_beside_all_else_by_who_said_it() {
    let text = r#"
metrics.max_label_values = 0
[tracing]
batch_size = 5000
[tracing.sampling]
adaptive_min_rate = 0.3
[slo.quick]
primitive = "fetch"
latency_threshold_ms = 0.0000001
[slo.steady]
primitive = "fetch"
target = 0.9999999999
[cost.budgets.llm]
limit_usd = 1e-12
period = "week"
[cost.budgets.search]
limit_usd = 1
period = "every 0"
[redaction]
allowed_keys = ["fine", ""]
[[redaction.rules]]
name = "open"
value_regex = "a(b"
[[redaction.rules]]
name = "open"
key_regex = "[c"
"#;
    let layers = ConfigLayers::new().toml("tta.toml", "environment = \"production\"").toml("more.toml", text);
    let got = problems(layers.environment([("TTA_TRACING__SAMPLING__ADAPTIVE_MAX_RATE", "0.25")]));
    let beginnings: Vec<&str> = got.iter().map(|problem| problem.split(", accepted is ").next().unwrap()).collect();
    let want = [
        "more.toml:14: `cost.budgets.llm.limit_usd` is 0.000000000001",
        "more.toml:15: `cost.budgets.llm.period` is `week`",
        "more.toml:18: `cost.budgets.search.period` is `every 0`",
        "more.toml:2: `metrics.max_label_values` is 0",
        "more.toml:20: `redaction.allowed_keys[1]` is ``",
        "more.toml:21: `redaction.rules[0]` is `a(b`",
        "more.toml:25: `redaction.rules[1].name` is \"open\"",
        "more.toml:24: `redaction.rules[1]` is `[c`",
        "more.toml:4: `tracing.batch_size` is 5000",
        "more.toml:6: `tracing.sampling.adaptive_min_rate` is 0.3",
        "more.toml:9: `slo.quick.latency_threshold_ms` is 0ns",
        "more.toml:12: `slo.steady.target` is 0.9999999999",
    ];
    let mut sorted = [beginnings.clone(), want.to_vec()];
    sorted.iter_mut().for_each(|list| list.sort_unstable());
    assert_eq!(sorted[0], sorted[1]);
    let least = got.iter().find(|problem| problem.contains("adaptive_min_rate`")).unwrap();
    let accepted = "`tracing.sampling.adaptive_max_rate`, which is 0.25 (TTA_TRACING__SAMPLING__ADAPTIVE_MAX_RATE)";
    assert!(least.ends_with(&format!("accepted is at most {accepted}")), "{least}");
}

#[test]
fn of_two_fields_that_contradict_each_other_the_one_that_was_set_is_blamed() {
    let of = |toml: &str, variable: &str, value: &str| {
        let layers = ConfigLayers::new().preset(Preset::Production).toml("f", toml);
        problems(layers.environment([(variable, value)])).pop().unwrap()
    };
    let queue = of("", "TTA_TRACING__MAX_QUEUE_SIZE", "100");
    let want = "TTA_TRACING__MAX_QUEUE_SIZE: `tracing.max_queue_size` is 100, accepted is at least `tracing.batch_size`, \
                which is 512 (the preset production)";
    assert_eq!(queue, want);
    let both = of("\ntracing.max_queue_size = 100", "TTA_TRACING__BATCH_SIZE", "200");
    let want = "TTA_TRACING__BATCH_SIZE: `tracing.batch_size` is 200, accepted is at most `tracing.max_queue_size`, \
                which is 100 (f:2)";
    assert_eq!(both, want);
    let code = ConfigLayers::new().code(|config| config.tracing.max_queue_size = 9);
    assert!(problems(code)[0].starts_with("code: `tracing.max_queue_size` is 9, accepted is at least"));
    let patch = json!({ "tracing": { "batch_size": 9_000 } });
    let patched = Preset::Production.config().patched("patch", &patch).unwrap_err();
    let want = "`tracing.batch_size` is 9000, accepted is at most `tracing.max_queue_size`, which is 2048 (in effect)";
    assert_eq!(patched.problems[0].to_string(), format!("patch: {want}"));
}

#[test]
fn nothing_is_said_of_a_contradiction_with_a_value_that_is_not_known() {
    // The greatest rate is wrong, misspelt, of a preset that is none, or in a file that does not read.
    let rate = "tracing.sampling.default_rate = 0.5\n";
    for wrong in [
        "environment = \"production\"\ntracing.sampling.adaptive_max_rate = 7",
        "environment = \"production\"\ntracing.sampling.adaptiv_max_rate = 0.9",
        "environment = \"prod\"\ntracing.sampling.adaptive_enabled = true\ntracing.sampling.adaptive_max_rate = 0.2",
        "environment = \"production\"\n[",
    ] {
        let layers = ConfigLayers::new().preset(Preset::Production).toml("a", rate).toml("b", wrong);
        let got = problems(layers);
        assert_eq!(got.len(), if wrong.contains("\"prod\"") { 2 } else { 1 }, "{got:#?}");
        assert!(got[0].starts_with("b:"), "{got:?}");
    }
}

#[test]
fn names_on_another_level_are_told_where_they_are() {
    for (text, want) in [
        ("preset = \"production\"", "`preset` is not a field; did you mean `environment`?"),
        ("default_rate = 0.5", "`default_rate` is not a field; did you mean `tracing.sampling.default_rate`?"),
        ("sampling.default_rate = 1", "`sampling` is not a field; did you mean `tracing.sampling`?"),
        (
            "tracing.default_rate = 1",
            "`tracing.default_rate` is not a field; did you mean `tracing.sampling.default_rate`?",
        ),
        (
            "\"tracing.sampling.default_rate\" = 1",
            "`\"tracing.sampling.default_rate\"` is not a field; did you mean `tracing.sampling.default_rate`?",
        ),
        (
            "[tracing]\n\"sampling.hash\" = \"md5\"",
            "`tracing.\"sampling.hash\"` is not a field; did you mean `tracing.sampling.hash`?",
        ),
        ("defautl_rate = 1", "`defautl_rate` is not a field; did you mean `tracing.sampling.default_rate`?"),
        ("logging.log_level = \"warn\"", "`logging.log_level` is not a field; did you mean `logging.level`?"),
        ("colour = 1", "`colour` is not a field"),
    ] {
        let got = problems(ConfigLayers::new().toml("f", text));
        assert_eq!(got.len(), 1, "{got:?}");
        assert!(got[0].ends_with(want), "{got:?}, not {want}");
    }
}

#[test]
fn variables_that_are_none_are_all_told_with_what_was_meant_and_never_with_their_values() {
    let got = problems(ConfigLayers::new().environment([
        ("TTA_SERVICE_NAEM", "hunter2"),
        ("tta_service_name", "hunter2"),
        ("TTA_DEFAULT_RATE", "hunter2"),
        ("TTA_SAMPLING__DEFAULT_RATE", "hunter2"),
        ("TTA_CONFG", "hunter2"),
        ("TTA_XYZZY", "hunter2"),
        ("TTA_TRACING__SAMPLING__RULES", "[hunter2]"),
        ("TTA_SERVER__TOKENS__READ", "hunter2"),
        ("TTA_TRACING__SAMPLING", "{hunter2}"),
        ("OTHER", "hunter2"),
    ]));
    let want = [
        "`TTA_SERVICE_NAEM` is not a field; did you mean `TTA_SERVICE_NAME`?",
        "`tta_service_name` is not a field; did you mean `TTA_SERVICE_NAME`?",
        "`TTA_DEFAULT_RATE` is not a field; did you mean `TTA_TRACING__SAMPLING__DEFAULT_RATE`?",
        "`TTA_SAMPLING__DEFAULT_RATE` is not a field; did you mean `TTA_TRACING__SAMPLING__DEFAULT_RATE`?",
        "`TTA_CONFG` is not a field; did you mean `TTA_CONFIG`?",
        "`TTA_XYZZY` is not a field",
        "`TTA_TRACING__SAMPLING__RULES` is a variable for `tracing.sampling.rules`, accepted is `tracing.sampling.rules` \
         in a file (`TTA_CONFIG` names it): it is a table or a list, and variables set single values",
        "`TTA_SERVER__TOKENS__READ` is a variable for `server.tokens`, accepted is `server.tokens` in a file \
         (`TTA_CONFIG` names it): it is a table or a list, and variables set single values",
        "`TTA_TRACING__SAMPLING` is a variable for all of `tracing.sampling`, accepted is one variable for each field of \
         it, as TTA_TRACING__SAMPLING__...",
    ];
    assert_eq!(got, want.map(|problem| format!("environment: {problem}")));
}

#[test]
fn a_rate_may_be_a_number_and_comes_back_as_it_was() {
    let of = |action: &str| {
        let rule = format!("[[tracing.sampling.rules]]\nname = \"a\"\ncondition = \"handled\"\naction = {action}\n");
        ConfigLayers::new().toml("f", &rule).build()
    };
    for (action, want) in [("0.5", "0.5"), ("1", "1"), ("0", "0"), ("1e-300", "1e-300"), ("\"0.25\"", "0.25")] {
        let config = of(action).unwrap();
        assert_eq!(config.tracing.sampling.rules[0].action, want);
        assert_eq!(ConfigLayers::new().toml("again", &config.to_toml()).build().unwrap(), config);
        assert!(config.sampling_policy().is_ok());
    }
    for action in ["1.5", "-0.1", "nan", "true", "[0.5]", "\"most\""] {
        let got = of(action).unwrap_err().problems;
        let path = "tracing.sampling.rules[0].action";
        assert_eq!(got.len(), 1, "{got:?}");
        assert_eq!((got[0].path.as_str(), got[0].accepted.as_str()), (path, "keep, drop or a rate from 0 to 1"));
        assert_eq!(got[0].source, "f:4");
    }
}
