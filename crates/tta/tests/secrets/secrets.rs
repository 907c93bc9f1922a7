//! Secrets of every kind that redaction knows by itself.

use proptest::prelude::*;

/// What must not be seen, and the text that a program puts it in.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) secret: String,
    pub(crate) text: String,
}

impl Secret {
    pub(crate) fn is_in(&self, output: &str) -> bool {
        output.contains(&self.secret)
    }
}

fn whole(secret: String) -> Secret {
    Secret { text: secret.clone(), secret }
}

/// Written down in another way than in the library.
fn passes_luhn(number: &str) -> bool {
    let digits: Vec<u32> = number.chars().rev().map(|c| c.to_digit(10).unwrap()).collect();
    let odd: u32 = digits.iter().step_by(2).sum();
    let even: u32 = digits.iter().skip(1).step_by(2).map(|digit| (digit * 2) / 10 + (digit * 2) % 10).sum();
    (odd + even).is_multiple_of(10)
}

fn card() -> impl Strategy<Value = Secret> {
    "4[0-9]{14}|5[1-5][0-9]{13}|3[47][0-9]{12}".prop_map(|digits| {
        whole((0..10).map(|check| format!("{digits}{check}")).find(|number| passes_luhn(number)).unwrap())
    })
}

fn private_key() -> impl Strategy<Value = Secret> {
    let label = prop::sample::select(vec!["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY"]);
    let end = prop::sample::select(vec!["\n", " "]);
    (label, "[A-Za-z0-9]{64}", end).prop_map(|(label, line, end)| Secret {
        text: format!("-----BEGIN {label}-----{end}{line}{end}-----END {label}-----"),
        secret: line,
    })
}

fn pair() -> impl Strategy<Value = Secret> {
    let key = prop::sample::select(vec!["password", "api_key", "client_secret", "db.passwd", "access_token"]);
    (key, "[A-Za-z0-9]{10,20}7", 0..4_u8).prop_map(|(key, secret, notation)| Secret {
        text: match notation {
            0 => format!("{key}={secret}"),
            1 => format!("{{'outer':{{'{key}':'{secret}'}}}}"),
            2 => format!("/callback?state=1&{key}={secret}&x=2"),
            _ => format!("{key}: {secret}"),
        },
        secret,
    })
}

/// Any secret, perhaps in a sentence.
pub(crate) fn secret() -> impl Strategy<Value = Secret> {
    let any = prop_oneof![
        "[A-Za-z0-9]{24,40}7".prop_map(|secret| Secret { text: format!("Bearer {secret}"), secret }),
        "eyJ[A-Za-z0-9]{12,30}\\.eyJ[A-Za-z0-9]{10,40}\\.[A-Za-z0-9]{20,40}".prop_map(whole),
        card(),
        private_key(),
        "[a-z]{5,8}[0-9]{4}@[a-z]{4,8}\\.(com|org|io)".prop_map(whole),
        pair(),
        "(AKIA[A-Z0-9]{15}7|ghp_[A-Za-z0-9]{36}|xoxb-[0-9]{10}-[A-Za-z0-9]{12}|sk-[A-Za-z0-9]{24}7)".prop_map(whole),
        "[A-Za-z0-9]{12,20}".prop_map(|secret| Secret { text: format!("postgres://app:{secret}@db:5432/x"), secret }),
    ];
    let before = prop::sample::select(vec!["", "failed for ", "Ω≈ "]);
    let after = prop::sample::select(vec!["", " and more", ", ok?"]);
    (before, any, after)
        .prop_map(|(before, Secret { secret, text }, after)| Secret { text: format!("{before}{text}{after}"), secret })
}
