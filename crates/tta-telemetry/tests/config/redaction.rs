//! Each field of redaction: what it changes in what sinks are given, and that the salt is shown nowhere.

use std::time::Duration;

use serde_json::{Value, json};
use tta_telemetry::config::{Config, ConfigLayers, Preset};
use tta_telemetry::{MemorySink, Telemetry};

const SALT: &str = "sixteen bytes or more";
const BEARER: &str = "Bearer abcdefghijklmnopqrstuvwxyz0123456789";

struct Engine(Telemetry, MemorySink, Config);

fn engine(toml: &str) -> Engine {
    let config = ConfigLayers::new().toml("test", toml).build().unwrap();
    let memory = MemorySink::new();
    let builder = Telemetry::builder().config(&config).unwrap().sink(memory.clone()).by_hand();
    Engine(builder.build().unwrap(), memory, config)
}

impl Engine {
    /// What a sink is given of an attribute.
    fn given(&self, key: &'static str, value: &str) -> Option<String> {
        let mut run = self.0.start_trace("login");
        run.set(key, value);
        run.end();
        assert!(self.0.flush_blocking(Duration::from_secs(60)).complete);
        let trace = self.1.take().remove(0);
        let attributes = &trace.root().unwrap().attributes;
        attributes.iter().find(|attribute| attribute.key == key).map(|attribute| attribute.value.to_string())
    }
}

fn given(toml: &str, key: &'static str, value: &str) -> Option<String> {
    engine(toml).given(key, value)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn what_is_built_in_can_be_switched_off_as_a_whole_and_in_halves() {
    assert_eq!(given("", "password", "hunter2"), some("[REDACTED]"));
    assert_eq!(given("redaction.enabled = false", "password", "hunter2"), some("hunter2"));
    assert_eq!(given("redaction.secret_keys = false", "password", "hunter2"), some("hunter2"));
    assert!(!given("", "note", BEARER).unwrap().contains("abcdef"));
    assert_eq!(given("redaction.secret_values = false", "note", BEARER), some(BEARER));
}

#[test]
fn the_mode_and_the_salt_are_as_configured() {
    assert_eq!(given("redaction.mode = \"drop\"", "password", "hunter2"), None);
    let text = format!("[redaction]\nmode = \"hash\"\nhash_salt = \"{SALT}\"\n");
    let hashed = given(&text, "password", "hunter2").unwrap();
    assert!(hashed.starts_with("[HASH:"), "{hashed}");
    assert_eq!(given(&text, "password", "hunter2"), some(&hashed), "all engines of a salt agree");
    assert_ne!(given("redaction.mode = \"hash\"", "password", "hunter2"), some(&hashed));
}

#[test]
fn rules_exceptions_and_how_much_is_looked_at_are_as_configured() {
    let text = r#"
[redaction]
scan_bytes = 64
allowed_keys = ["session.*_token"]
[[redaction.rules]]
name = "patients"
key = "patient.*"
mode = "drop"
[[redaction.rules]]
name = "badges"
key_regex = "^badge"
[[redaction.rules]]
name = "employees"
value_regex = 'E-\d{6}'
"#;
    let engine = engine(text);
    assert_eq!(engine.given("patient.name", "Ada"), None);
    assert_eq!(engine.given("badge_no", "17"), some("[REDACTED]"));
    assert_eq!(engine.given("note", "of E-123456 today"), some("of [REDACTED] today"));
    assert_eq!(engine.given("session.csrf_token", "shown"), some("shown"));
    let long = "E-123456 ".repeat(20);
    assert!(
        engine.given("note", &long).unwrap().len() < given("redaction.scan_bytes = 1024", "note", &long).unwrap().len()
    );
}

#[test]
fn an_update_is_seen_by_the_next_trace_and_an_invalid_one_changes_nothing() {
    let engine = engine("");
    let patched = |patch: &Value| engine.2.patched("patch", &json!({ "redaction": patch }));
    assert_eq!(engine.given("password", "hunter2"), some("[REDACTED]"));
    let off = patched(&json!({ "secret_keys": false })).unwrap();
    assert_eq!(engine.0.update(&engine.2, &off).unwrap().needs_restart, [""; 0]);
    assert_eq!(engine.given("password", "hunter2"), some("hunter2"));
    let mut wrong = engine.2.clone();
    wrong.redaction.allowed_keys = vec!["a".repeat(10_000)];
    assert!(engine.0.update(&engine.2, &wrong).is_err());
    assert_eq!(engine.given("password", "hunter2"), some("hunter2"));
    engine.0.update(&engine.2, &patched(&json!({ "rules": [{ "name": "n", "key": "note" }] })).unwrap()).unwrap();
    assert_eq!(engine.given("note", "x"), some("[REDACTED]"));
    assert_eq!(engine.given("password", "hunter2"), some("[REDACTED]"));
}

#[test]
fn rules_that_cannot_be_point_at_the_place() {
    let refused = |rules: Value| {
        let patch = json!({ "redaction": { "rules": rules } });
        Preset::Development.config().patched("patch", &patch).unwrap_err().to_string()
    };
    for (rules, want) in [
        (
            json!([{ "name": "open", "value_regex": "a(b" }]),
            "`redaction.rules[0]` is `a(b`, accepted is a pattern; at character 2: unclosed",
        ),
        (json!([{ "name": "none" }]), "accepted is one of key, key_regex and value_regex"),
        (json!([{ "name": "two", "key": "a", "key_regex": "b" }]), "accepted is one of key, key_regex and value_regex"),
        (json!([{ "name": "a", "key": "a" }, { "name": "a", "key": "b" }]), "a name that no other rule has"),
        (json!([{ "name": "a", "key": "a", "mode": "burn" }]), "mode` is \"burn\", accepted is mask or hash or drop"),
        (json!("x"), "a list of at most 64 tables"),
    ] {
        let error = refused(rules);
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn the_salt_is_in_no_text_whatever_is_wrong_and_told_of_when_it_changes() {
    let read = |toml: &str| ConfigLayers::new().toml("test", toml).build();
    let config = read(&format!("redaction.hash_salt = \"{SALT}\"")).unwrap();
    assert_eq!(config.redaction.hash_salt.as_ref().unwrap().reveal(), SALT);
    let mut texts = vec![config.to_toml(), config.to_json().to_string(), format!("{config:?}"), Config::reference()];
    texts.push(Config::schema().to_string());
    let variable = ConfigLayers::new().environment([("TTA_REDACTION__HASH_SALT", SALT)]).build().unwrap();
    assert_eq!(variable.redaction.hash_salt, config.redaction.hash_salt);
    for wrong in ["\"too short\"", "[\"in a list\"]", "{ in = \"a table\" }", "7"] {
        let error = read(&format!("redaction.hash_salt = {wrong}")).unwrap_err().to_string();
        assert!(error.contains("accepted is a secret text of 16 to 256 bytes"), "{error}");
        assert!(!error.contains(wrong.trim_matches('"')) || wrong == "7", "{error}");
        texts.push(error);
    }
    let mut long = config.clone();
    long.redaction.hash_salt = Some(tta_telemetry::config::Secret::new(&SALT.repeat(100)));
    let engine = engine("");
    texts.push(engine.0.update(&engine.2, &long).unwrap_err().to_string());
    let update = engine.0.update(&engine.2, &config).unwrap();
    assert_eq!(update.changed[0].to_string(), "redaction.hash_salt: nothing -> \"(a secret)\"");
    texts.push(format!("{update:?} {:?}", engine.0.config()));
    assert!(texts.iter().all(|text| !text.contains(SALT)), "{texts:?}");
    // A patch that says nothing of it keeps it; one that says there is none takes it away.
    assert_eq!(config.patched("again", &config.to_json()).unwrap(), config);
    let none = config.patched("patch", &json!({ "redaction": { "hash_salt": null } })).unwrap();
    assert!(none.redaction.hash_salt.is_none());
}
