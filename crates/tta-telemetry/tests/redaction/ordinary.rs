//! What is no secret stays as it is: the attributes of a demo shop, and conventions.

use std::path::Path;

use tta_telemetry::{Attribute, RedactionCounts, Value};

use crate::support::{attribute, by_default, text};

/// Attributes as the semantic conventions have them, and texts that look like secrets to a hasty
/// reader.
const ORDINARY: &[(&str, &str)] = &[
    ("http.request.method", "GET"),
    ("url.full", "https://shop.example.com:8443/api/v1/items?page=2&sort=price%3Aasc#top"),
    ("url.path", "/users/550e8400-e29b-41d4-a716-446655440000/orders/20241030-0012"),
    ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"),
    ("db.query.text", "SELECT author, token_count FROM books WHERE id = ? AND key = 'isbn' -- by index"),
    ("db.statement", "INSERT INTO sessions (id, started) VALUES ($1, $2)"),
    ("exception.message", "unexpected token: end of file at line 3, column 12"),
    ("exception.stacktrace", "at app::auth::token::parse (src/auth/token.rs:12:5)\n  at main (src/main.rs:3)"),
    ("server.address", "10.0.0.1:5432"),
    ("network.peer.address", "2001:db8::8a2e:370:7334"),
    ("service.version", "1.2.3-rc.1+20241030120000"),
    ("gen_ai.request.model", "gpt-4o-2024-08-06"),
    ("gen_ai.usage.input_tokens", "1200"),
    ("gen_ai.response.id", "chatcmpl-9J3uoqFgNCoM8iLqZl7xV"),
    ("trace.id", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ("messaging.kafka.message.key", "order-4711"),
    ("container.image.name", "registry.example.com/team/app@sha256"),
    ("package", "react@18.2.0"),
    ("timestamp", "2024-10-30T12:34:56.789012345Z"),
    ("unix_ns", "1730291040218138154"),
    ("range", "1000000000000-1000000999999"),
    ("phone", "+49 170 1234567890"),
    ("prose", "the bearer of this basic example wrote: tokens are counted, cookies are eaten"),
    ("path", "C:\\Users\\app\\logs --level=info --retries=3"),
    ("feature_flag.key", "show-password-hint"),
    ("code.function", "sk-learn-style-pipeline"),
    ("usage", "usage: login [--token <token>] [--password-file FILE] --verbose"),
    ("sql", "INSERT INTO t (\"password\", \"email\", \"at\") VALUES ($1, $2, $3)"),
    ("schema", "{\"required\":[\"password\",\"email\"],\"name\":\"password\",\"type\":\"string\"}"),
    ("xml", "<token/><session></session><p>a secret</p>"),
    ("oauth", "invalid_token: The access token expired"),
    ("url.query", "q=50%25+off&signature=yes&design=1&time=12%3A40%40noon"),
    ("code.signature", "fn sign(key: &Key) -> Signature"),
    ("git", "git commit --amend --author=ada -- src/token.rs"),
    ("base64", "SGVsbG8gd29ybGQsIHRoaXMgaXMgZmluZQ=="),
    ("sha256", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
];

#[test]
fn ordinary_attributes_stay_as_they_are() {
    let mut attributes: Vec<_> = ORDINARY.iter().map(|(key, value)| attribute(key, text(value))).collect();
    attributes.extend([
        attribute("start_unix_ns", Value::I64(1_730_291_040_218_138_154)),
        attribute("order", Value::I64(4_111_111_111_111_112)),
        attribute("max_tokens", Value::I64(4_096)),
        attribute("ratio", Value::F64(0.25)),
        attribute("bytes", Value::F64(4e15 + 1.0)),
        attribute("cached", Value::Bool(true)),
        attribute("models", Value::List(vec!["small".to_owned(), String::new()])),
    ]);
    let (before, mut counts) = (attributes.clone(), RedactionCounts::default());
    by_default().redact_attributes(&mut attributes, &mut counts);
    assert_eq!(attributes, before);
    assert_eq!(counts, RedactionCounts::default());
}

/// The attributes of spans, events and resources of a file in OTLP JSON, without a JSON parser:
/// `{"key":"..","value":{"..Value":..}`. Escapes stay as they are written.
fn attributes_of(file: &str) -> Vec<Attribute> {
    let mut attributes = Vec::new();
    for part in file.split("{\"key\":\"").skip(1) {
        let (key, rest) = part.split_once("\",\"value\":{\"").unwrap();
        let (kind, value) = rest.split_once("\":").unwrap();
        let string = |from: &str| {
            let mut is_escaped = false;
            let end = from.find(|c| {
                let ends = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                ends
            });
            from[..end.unwrap()].to_owned()
        };
        let value = match kind {
            "stringValue" => text(&string(&value[1..])),
            "intValue" => Value::I64(string(&value[1..]).parse().unwrap()),
            "boolValue" => Value::Bool(value.starts_with("true")),
            "arrayValue" => Value::List(value.split("{\"stringValue\":\"").skip(1).map(string).collect()),
            other => panic!("{other} of {key}"),
        };
        attributes.push(attribute(key, value));
    }
    attributes
}

#[test]
fn the_attributes_of_a_demo_shop_stay_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/otel-demo-traces.jsonl");
    let Ok(file) = std::fs::read_to_string(path) else {
        println!("skipped: no demo traces beside the repository (shared/data/otel-demo-traces.jsonl)");
        return;
    };
    let attributes = attributes_of(&file);
    assert!(attributes.len() > 5_000, "{}", attributes.len());
    let redactor = by_default();
    let changed: Vec<_> = attributes
        .into_iter()
        .filter_map(|before| {
            let mut after = vec![before.clone()];
            redactor.redact_attributes(&mut after, &mut RedactionCounts::default());
            (after != [before.clone()]).then_some((before, after))
        })
        .collect();
    assert!(changed.is_empty(), "{} changed: {changed:#?}", changed.len());
}
