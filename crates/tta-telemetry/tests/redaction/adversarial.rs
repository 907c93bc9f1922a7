//! Texts made to take long: time grows with the length, not with its square.

use tta_telemetry::Redaction;

use crate::support::redactor;

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
    ] {
        let text = piece.repeat((1 << 18) / piece.len());
        let once = redactor.redact_text(&text).into_owned();
        assert!(once.len() <= (1 << 18) * 4, "{piece}");
    }
}
