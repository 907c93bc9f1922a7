//! No line holds a secret, whichever way it came into it.

use std::fmt;

use serde_json::{Value, json};
use tracing::{error, info};
use tracing_subscriber::prelude::*;
use tta_primitives::Context;
use tta_telemetry::{Redaction, RedactionMode, RedactionRule, Telemetry};
use tta_tracing::logging::{LogFormat, Logging};

use super::logging::{logged, objects};
use crate::support::Lines;

#[derive(Debug)]
struct Refused(Option<Box<Refused>>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("login with password=hunter2 refused")
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

fn everything() {
    let failure = Refused(Some(Box::new(Refused(None))));
    error!(
        failure = &failure as &(dyn std::error::Error + 'static),
        user = "ada@example.com",
        debug = ?Some("ada@example.com"),
        card = 4_111_111_111_111_111_i64,
        unsigned = 4_111_111_111_111_111_u64,
        float = 4_111_111_111_111_111.0,
        large = 4_111_111_111_111_111_u128,
        api_key = 12,
        password = true,
        tokens = 12,
        rows = 3_u64,
        "sent Bearer abcdef0123456789 to {}",
        "ada@example.com"
    );
}

#[test]
fn messages_and_fields_hold_no_secrets_and_numbers_that_are_none_stay_numbers() {
    let line = objects(&logged(LogFormat::Json, everything)).remove(0);
    assert_eq!(line["message"], "sent Bearer [REDACTED] to [REDACTED]");
    let want = json!({
        "failure": "login with password=[REDACTED] refused",
        "failure.chain": ["login with password=[REDACTED] refused"],
        "user": "[REDACTED]",
        "debug": "Some(\"[REDACTED]\")",
        "card": "[REDACTED]",
        "unsigned": "[REDACTED]",
        "float": "[REDACTED]",
        "large": "[REDACTED]",
        "api_key": "[REDACTED]",
        "password": "[REDACTED]",
        "tokens": 12,
        "rows": 3,
    });
    assert_eq!(line["fields"], want);
    let text = logged(LogFormat::Text, everything);
    for secret in ["hunter2", "ada@", "4111", "abcdef", "api_key=12", "password=true"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains(" tokens=12 rows=3"), "{text}");
}

/// Lines of an engine's run and of no run, by their message.
fn in_and_outside_a_run(redaction: Redaction) -> (Value, Value) {
    let telemetry = Telemetry::builder().redaction(redaction).build().unwrap();
    let cx = Context::builder().telemetry(telemetry).correlation_id("ada@example.com").build().unwrap();
    let run = cx.start_run("run", "test");
    let lines = Lines::default();
    let logging = Logging::builder().format(LogFormat::Json).writer(lines.clone()).build();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(logging.layer()), || {
        let log = || info!(employee = "E-1234", mail = "ada@example.com", "E-1234 <ada@example.com>");
        run.context().in_scope(log);
        log();
    });
    let mut lines = objects(&lines.text());
    (lines.remove(0), lines.remove(0))
}

#[test]
fn a_line_follows_the_settings_of_its_run_and_outside_those_of_the_process() {
    let rule = RedactionRule::value_regex("employees", r"\bE-\d{4}\b");
    let by_rule = Redaction::builder().rule(rule).build().unwrap();
    let (inside, outside) = in_and_outside_a_run(by_rule);
    assert_eq!(inside["message"], "[REDACTED] <[REDACTED]>");
    assert_eq!(inside["fields"], json!({ "employee": "[REDACTED]", "mail": "[REDACTED]" }));
    assert_eq!(inside["correlation_id"], "[REDACTED]");
    // No engine is installed here, so by default.
    assert_eq!(outside["message"], "E-1234 <[REDACTED]>");
    assert_eq!(outside["fields"], json!({ "employee": "E-1234", "mail": "[REDACTED]" }));

    let (inside, outside) = in_and_outside_a_run(Redaction::builder().enabled(false).build().unwrap());
    assert_eq!(
        (&inside["fields"]["mail"], &inside["message"]),
        (&json!("ada@example.com"), &json!("E-1234 <ada@example.com>"))
    );
    assert_eq!(inside["correlation_id"], "ada@example.com");
    assert_eq!(outside["fields"]["mail"], "[REDACTED]");

    let (inside, _) = in_and_outside_a_run(Redaction::builder().mode(RedactionMode::Drop).build().unwrap());
    assert_eq!(
        (&inside["fields"], &inside["message"]),
        (&json!({ "employee": "E-1234" }), &json!("E-1234 <[REDACTED]>"))
    );
}

#[test]
fn a_disabled_engine_redacts_by_its_settings_too() {
    let off = Telemetry::builder().enabled(false).redaction(Redaction::builder().enabled(false).build().unwrap());
    let off = off.build().unwrap();
    assert_eq!(off.redactor().current().redact_text("pin of ada@example.com"), "pin of ada@example.com");
    let by_default = Telemetry::builder().enabled(false).build().unwrap();
    assert_eq!(by_default.redactor().current().redact_text("pin of ada@example.com"), "pin of [REDACTED]");
}
