//! Texts made to take long, for which time grows with the length and not with its square; and
//! secrets as others write them.

use tta_telemetry::{Redaction, RedactionCounts, Value};

use crate::support::{attribute, by_default, redactor};

#[test]
fn texts_made_to_take_long_are_redacted_in_the_time_of_their_length() {
    // In a debug build a quadratic pass over so much would take minutes.
    let redactor = redactor(Redaction::builder().scan_bytes(1 << 18));
    for piece in [
        "eyJ",
        "eyJeyJeyJeyJ.",
        "ey",
        "sk-",
        "sk-a",
        "-----BEGIN ",
        "-----BEGIN PRIVATE",
        "bearer ",
        "basic ",
        "://",
        "://a:b",
        "a@",
        "@",
        "token:",
        "token:a",
        "password=",
        "\"password\":\"",
        "= ",
        " =",
        "4",
        "4 ",
        "4111 ",
        "[",
        "[REDACTED]",
        "[HASH:",
        "password:null ",
        "\\",
        "%3D",
        "x:",
        "AIza",
        "token=[",
        "token:(\"",
        "password=a(\\",
        "ghp_",
        "--password ",
        "--password 'x",
        "--token \"",
        "--",
        "(\"password\", \"",
        "(\"password\",",
        "('password','\\",
        "<password>",
        "<password>a",
        "name=(",
        "name=password ",
        "\"key\":\"token\",",
        "a%40b",
        "%40",
        "bearer%20",
        "-----BEGIN%20PRIVATE%20KEY",
    ] {
        let text = piece.repeat((1 << 18) / piece.len());
        let once = redactor.redact_text(&text).into_owned();
        assert!(once.len() <= (1 << 18) * 4, "{piece}");
    }
}

#[test]
fn secrets_in_forms_that_others_use_are_found_and_what_is_around_them_stays() {
    let redactor = by_default();
    for (text, want) in [
        ("https://ada:hunter2@git.example/x.git", "https://ada:[REDACTED]/x.git"),
        ("GET /v1?token=abc&page=2 HTTP/1.1", "GET /v1?token=[REDACTED]&page=2 HTTP/1.1"),
        (r#"{"a":{"b":{"client_secret":"x y"}},"n":1}"#, r#"{"a":{"b":{"client_secret":"[REDACTED]"}},"n":1}"#),
        ("Authorization: Basic dXNlcjpwYXNz\nHost: x", "Authorization: [REDACTED]\nHost: x"),
        ("key AKIAIOSFODNN7EXAMPLE of ops", "key [REDACTED] of ops"),
        ("a -----BEGIN PRIVATE KEY-----MIIE-----END PRIVATE KEY----- b", "a [REDACTED] b"),
        ("curl -H 'X-Api-Key: abc' https://x", "curl -H 'X-Api-Key: [REDACTED]' https://x"),
        ("psql --host db --password hunter2", "psql --host db --password [REDACTED]"),
        ("to=ada%40example.com&x=1", "to=[REDACTED]&x=1"),
        ("headers [(\"authorization\", \"Digest a\")]", "headers [(\"authorization\", \"[REDACTED]\")]"),
        ("<login><password>a</password></login>", "<login><password>[REDACTED]</password></login>"),
        (r#"{"name":"Cookie","value":"a=1"}"#, r#"{"name":"Cookie","value":"[REDACTED]"}"#),
    ] {
        let once = redactor.redact_text(text);
        assert_eq!(once, want);
        assert_eq!(redactor.redact_text(&once), once, "again");
    }
}

#[test]
fn a_secret_that_goes_on_in_the_next_text_of_a_list_is_found() {
    let texts = |texts: &[&str]| Value::List(texts.iter().map(|text| (*text).to_owned()).collect());
    let redacted = |list: &[&str]| {
        let mut all = vec![attribute("process.command_args", texts(list))];
        by_default().redact_attributes(&mut all, &mut RedactionCounts::default());
        all.remove(0).value
    };
    assert_eq!(redacted(&["psql", "--password", "hunter2", "db"]), texts(&["psql", "--password", "[REDACTED]", "db"]));
    let pem = ["-----BEGIN PRIVATE KEY-----", "MIIEvQ", "AQAB==", "-----END PRIVATE KEY-----", "after"];
    assert_eq!(redacted(&pem), texts(&["[REDACTED]", "[REDACTED]", "[REDACTED]", "[REDACTED]", "after"]));
    assert_eq!(redacted(&["Bearer", "abc def"]), texts(&["Bearer", "[REDACTED]"]));
    let ordinary = ["login", "--user", "ada", "token", "created", "--max-tokens", "12"];
    assert_eq!(redacted(&ordinary), texts(&ordinary));
}
