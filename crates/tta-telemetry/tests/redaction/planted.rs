//! Secrets of every class are planted in every place, and none is found again.

use proptest::prelude::*;
use tta_telemetry::{Attribute, Redaction, RedactionMode, Value};

use crate::support::{Place, attribute, by_default, printed, redactor, text, trace};

/// A secret: what must not be seen again, and the text that it is planted in.
#[derive(Clone, Debug)]
struct Planted {
    secret: String,
    text: String,
}

fn planted(secret: String) -> Planted {
    Planted { text: secret.clone(), secret }
}

fn with_check_digit(digits: &str) -> String {
    (0..10).map(|check| format!("{digits}{check}")).find(|number| passes_luhn(number)).unwrap()
}

/// Written down in another way than in the library.
fn passes_luhn(number: &str) -> bool {
    let digits: Vec<u32> = number.chars().rev().map(|c| c.to_digit(10).unwrap()).collect();
    let odd: u32 = digits.iter().step_by(2).sum();
    let even: u32 = digits.iter().skip(1).step_by(2).map(|digit| (digit * 2) / 10 + (digit * 2) % 10).sum();
    (odd + even).is_multiple_of(10)
}

fn card() -> impl Strategy<Value = Planted> {
    // Digits without the check digit, by network.
    let digits = "4[0-9]{14}|4[0-9]{11}|4[0-9]{17}|5[1-5][0-9]{13}|222[1-9][0-9]{11}|3[47][0-9]{12}|6011[0-9]{11}|62[0-9]{14,16}|35[3-8][0-9]{12}|36[0-9]{11}";
    (digits, prop::sample::select(vec!["", " ", "-"]), 2..7_usize).prop_map(|(digits, separator, group)| {
        let number = with_check_digit(&digits);
        let groups: Vec<String> =
            number.as_bytes().chunks(group).map(|part| String::from_utf8_lossy(part).into()).collect();
        planted(groups.join(separator))
    })
}

/// Of every class, and so that chance does not make the secret part of something else.
fn secret_value() -> impl Strategy<Value = Planted> {
    let cased = prop::sample::select(vec!["Bearer", "bearer", "BEARER", "bEARer"]);
    let pem = prop::sample::select(vec!["RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "EC PRIVATE KEY"]);
    prop_oneof![
        (cased, "[A-Za-z0-9._~+/-]{20,60}[A-Za-z0-9]={0,2}")
            .prop_map(|(word, token)| Planted { text: format!("{word} {token}"), secret: token }),
        "eyJ[A-Za-z0-9_-]{10,40}\\.eyJ[A-Za-z0-9_-]{10,80}\\.[A-Za-z0-9_-]{20,50}[A-Za-z0-9]".prop_map(planted),
        card(),
        "[a-z]{3,8}[.+_]?[a-zA-Z0-9]{3,8}@[a-z0-9]{2,8}(\\.[a-z]{2,6}){1,2}".prop_map(planted),
        (pem, prop::collection::vec("[A-Za-z0-9+/]{64}", 1..4), prop::sample::select(vec!["\n", "\\n", " ", "\r\n"]))
            .prop_map(|(label, lines, end)| Planted {
                text: format!("-----BEGIN {label}-----{end}{}{end}-----END {label}-----", lines.join(end)),
                secret: lines.last().unwrap().clone(),
            }),
        "sk-(proj-|ant-)?[A-Za-z0-9]{20,40}7".prop_map(planted),
        "(AKIA|ASIA)[A-Z0-9]{15}7".prop_map(planted),
        "gh[pousr]_[A-Za-z0-9]{36}".prop_map(planted),
        "xox[abeoprs]-[0-9]{8,12}-[A-Za-z0-9]{10,24}".prop_map(planted),
        (
            "(https|postgres|redis|mongodb[+]srv)",
            "[a-z]{0,8}",
            "[A-Za-z0-9!$&*+,;=.~^%#-]{7,24}",
            "[a-z]{3,9}(:[0-9]{4})?"
        )
            .prop_map(|(scheme, user, password, host)| Planted {
                text: format!("{scheme}://{user}:x{password}@{host}/path?a=1"),
                secret: format!("x{password}"),
            }),
        ("(password|api_key|clientSecret|db[.]passwd|access-token)", 0..6_usize, "[A-Za-z0-9]{8,20}7").prop_map(
            |(key, notation, value)| {
                let text = match notation {
                    0 => format!("{key}={value}"),
                    1 => format!("\"{key}\": \"{value}\""),
                    2 => format!("{{\\\"{key}\\\":\\\"{value}\\\"}}"),
                    3 => format!("\"{key}\":[\"first\", \"{value}\"]"),
                    4 => format!("Login {{ {key}: Some(\"{value}\") }}"),
                    _ => format!("?a=b&{key}={value}&c=d"),
                };
                Planted { text, secret: value }
            }
        ),
    ]
}

/// In sentences and structures, with letters of all scripts beside it.
fn in_context() -> impl Strategy<Value = Planted> {
    let before =
        prop::sample::select(vec!["", "failed for ", "Ω≈ ", "{\"a\":\"", "x=(", "密码 ", "line\n\t", "«", "'", "🦀 "]);
    let after = prop::sample::select(vec!["", " and more", "\"}", ") ", ", ok?", " 密码", "\nnext", "»", "'", " 🦀"]);
    (before, secret_value(), after).prop_map(|(before, planted, after)| Planted {
        text: format!("{before}{}{after}", planted.text),
        secret: planted.secret,
    })
}

/// A value under a key that says it is secret, in either case.
fn under_secret_key() -> impl Strategy<Value = (Attribute, String)> {
    let keys = [
        "authorization",
        "http.request.header.authorization",
        "cookie",
        "http.response.header.set-cookie",
        "password",
        "db.passwd",
        "client_secret",
        "accessToken",
        "api_key",
        "x-api-key",
        "apikey",
        "private_key",
        "access_key",
        "session_id",
        "session",
        "aws.credentials",
        "user.passphrase",
    ];
    let key = (prop::sample::select(keys.to_vec()), 0..3_u8).prop_map(|(key, case)| match case {
        0 => key.to_owned(),
        1 => key.to_uppercase(),
        _ => key.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect::<Vec<_>>().join("_"),
    });
    let value = prop_oneof![
        "[a-zA-Z0-9é]{9,30}".prop_map(|secret| (text(&secret), secret)),
        (100_000_000..i64::MAX).prop_map(|number| (Value::I64(number), number.to_string())),
        "[a-z]{9,20}".prop_map(|secret| (Value::List(vec!["first".to_owned(), secret.clone()]), secret)),
    ];
    (key, value).prop_map(|(key, (value, secret))| (attribute(&key, value), secret))
}

fn in_value() -> impl Strategy<Value = (Attribute, String)> {
    let key = prop::sample::select(vec!["note", "error.message", "url.full", "gen_ai.prompt", "exception.stacktrace"]);
    let numbers = card().prop_filter_map("a number", |card| {
        let digits: String = card.secret.chars().filter(char::is_ascii_digit).collect();
        digits.parse::<i64>().ok().map(|number| (attribute("amount", Value::I64(number)), digits))
    });
    prop_oneof![
        8 => (key, in_context()).prop_map(|(key, planted)| (attribute(key, text(&planted.text)), planted.secret)),
        3 => in_context().prop_map(|planted| {
            let chain = vec!["step failed".to_owned(), planted.text, "connection refused".to_owned()];
            (attribute("error.chain", Value::List(chain)), planted.secret)
        }),
        1 => numbers,
    ]
}

fn plants() -> impl Strategy<Value = Vec<(Place, Attribute, String)>> {
    let place = prop::sample::select(vec![Place::Root, Place::Step, Place::Event, Place::Link]);
    let plant = prop_oneof![under_secret_key(), in_value()];
    let in_attribute = (place, plant).prop_map(|(place, (attribute, secret))| (place, attribute, secret));
    let names = prop::sample::select(vec![Place::EventName, Place::SpanName]);
    let in_name = (names, in_context())
        .prop_map(|(place, planted)| (place, attribute("name", text(&planted.text)), planted.secret));
    prop::collection::vec(prop_oneof![4 => in_attribute, 1 => in_name], 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_planted_secret_is_left_in_any_mode(plants in plants(), mode in 0..3_usize) {
        let mode = [RedactionMode::Mask, RedactionMode::Hash, RedactionMode::Drop][mode];
        let redactor = redactor(Redaction::builder().mode(mode));
        let mut redacted = trace(plants.iter().map(|(place, attribute, _)| (*place, attribute.clone())).collect());
        let counts = redactor.redact(&mut redacted);
        let seen = printed(&redacted);
        for (place, attribute, secret) in &plants {
            prop_assert!(!seen.contains(secret.as_str()), "{secret} of {attribute:?} at {place:?} in\n{redacted:#?}");
        }
        prop_assert_eq!(counts.total() as usize, plants.len());
        let attributes = plants.iter().filter(|(place, ..)| !matches!(place, Place::EventName | Place::SpanName)).count();
        prop_assert_eq!(counts.dropped as usize, if mode == RedactionMode::Drop { attributes } else { 0 });
        let once = redacted.clone();
        redactor.redact(&mut redacted);
        prop_assert_eq!(redacted, once, "redacting twice changes nothing");
    }

    #[test]
    fn no_planted_secret_is_left_in_a_line_of_a_log(planted in in_context(), mode in 0..3_usize) {
        let mode = [RedactionMode::Mask, RedactionMode::Hash, RedactionMode::Drop][mode];
        let redactor = redactor(Redaction::builder().mode(mode));
        let line = redactor.redact_text(&planted.text).into_owned();
        prop_assert!(!line.contains(&planted.secret), "{}", line);
        prop_assert_eq!(redactor.redact_text(&line), line.as_str());
    }

    #[test]
    fn any_text_can_be_redacted_and_redacted_again(line in "\\PC{0,60}|[a-z@:/=\"\\[\\]\\\\ 0-9-]{0,80}") {
        let redactor = by_default();
        let once = redactor.redact_text(&line).into_owned();
        prop_assert_eq!(redactor.redact_text(&once), once.as_str());
    }

    #[test]
    fn rules_of_any_pattern_come_to_an_end(line in "[A-Z\\[\\]:0-9 a]{0,60}", pattern in "[A-Z\\[\\]0-9]{1,3}[*+?]?|\\[[A-Z]+|[A-Z]+\\]|.{1,3}") {
        let rule = tta_telemetry::RedactionRule::value_regex("r", pattern);
        let Ok(redaction) = Redaction::builder().rule(rule).mode(RedactionMode::Hash).build() else { return Ok(()) };
        let redactor = tta_telemetry::Redactor::new(&redaction, [0; 32]);
        let once = redactor.redact_text(&line).into_owned();
        prop_assert_eq!(redactor.redact_text(&once), once.as_str());
    }
}
