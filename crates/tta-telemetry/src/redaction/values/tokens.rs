//! Bearer tokens, basic credentials, JWTs, private keys and well-known forms of API keys.

use super::{Parts, at, before, has_digit, places_of, run_end};

/// An alphabet of base64url.
fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// RFC 6750's `b64token`, with padding.
fn is_token68(byte: u8) -> bool {
    is_base64url(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=')
}

/// JSON in base64url, a dot, and more: signed (three parts), encrypted (five) or cut off.
pub(super) fn jwts(text: &str, parts: &mut Parts) {
    let mut from = 0;
    while let Some(place) = text.get(from..).and_then(|rest| rest.find("ey")).map(|place| place + from) {
        if !matches!(at(text, place + 2), b'J' | b'A') {
            from = place + 2;
            continue;
        }
        let header_end = run_end(text, place, is_base64url);
        from = header_end;
        let is_followed = at(text, header_end) == b'.'
            && matches!(at(text, header_end + 1), b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z');
        if header_end - place >= 10 && is_followed {
            from = run_end(text, header_end, |byte| is_base64url(byte) || byte == b'.' || byte == b'=');
            let dots = text.get(..from).unwrap_or("").bytes().rev().take_while(|byte| *byte == b'.').count();
            parts.push(place..from - dots);
        }
    }
}

/// `bearer` and what follows, if that is no word of prose: `Bearer authentication failed`.
pub(super) fn bearers(text: &str, parts: &mut Parts) {
    for place in places_of(text, "bearer") {
        let start = match text.get(place + 6..place + 9) {
            // In a URL.
            Some("%20") => place + 9,
            _ => run_end(text, place + 6, |byte| matches!(byte, b' ' | b'\t')),
        };
        if start == place + 6 || before(text, place).is_ascii_alphanumeric() {
            continue;
        }
        let mut end = run_end(text, start, is_token68);
        while end > start && at(text, end - 1) == b'.' {
            end -= 1;
        }
        let token = text.get(start..end).unwrap_or("");
        let is_mixed = token.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
            || token.contains(['_', '.', '~', '+', '/', '=']);
        if token.len() >= 20 || token.len() >= 6 && (is_mixed || has_digit(text, &(start..end))) {
            parts.push(start..end);
        }
    }
}

/// `Basic` and base64 that decodes to something with a colon (RFC 7617).
pub(super) fn basics(text: &str, parts: &mut Parts) {
    for place in places_of(text, "basic") {
        let start = run_end(text, place + 5, |byte| matches!(byte, b' ' | b'\t'));
        let end = run_end(text, start, is_token68);
        let is_word = start > place + 5 && !before(text, place).is_ascii_alphanumeric();
        if is_word && text.get(start..end).is_some_and(decodes_to_credentials) {
            parts.push(start..end);
        }
    }
}

fn decodes_to_credentials(base64: &str) -> bool {
    let (mut bits, mut count, mut has_colon) = (0_u32, 0, false);
    for byte in base64.trim_end_matches('=').bytes() {
        let sextet = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = (bits << 6 | u32::from(sextet)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            let decoded = (bits >> count) as u8;
            has_colon |= decoded == b':';
            if decoded < b' ' || decoded == 0x7f {
                return false;
            }
        }
    }
    has_colon
}

/// PEM (RFC 7468), also with its lines joined or escaped, and also if its end was cut off.
pub(super) fn private_keys(text: &str, parts: &mut Parts) {
    const BEGIN: &str = "-----BEGIN";
    const END: &str = "-----END";
    let mut from = 0;
    while let Some(place) = text.get(from..).and_then(|rest| rest.find(BEGIN)).map(|place| place + from) {
        from = place + BEGIN.len();
        let rest = text.get(from..).unwrap_or("");
        // A label that is cut off could be one of a private key.
        let label = rest.split_once("-----").map_or(rest, |(label, _)| label);
        // Blanks may be encoded, as in a URL.
        if !["PRIVATE KEY", "PRIVATE%20KEY", "PRIVATE+KEY"].iter().any(|words| label.contains(words)) {
            continue;
        }
        let end = rest.find(END).map_or(text.len(), |end| {
            let label_start = from + end + END.len();
            let label = text.get(label_start..).unwrap_or("");
            label.find("-----").map_or(text.len(), |dashes| label_start + dashes + 5)
        });
        parts.push(place..end);
        from = end;
    }
}

/// The form of one provider's keys.
struct Form {
    prefix: &'static str,
    /// Characters after the prefix.
    least: usize,
    /// Without a digit it is a word: `sk-learn-...`.
    needs_digit: bool,
}

const fn form(prefix: &'static str, least: usize, needs_digit: bool) -> Form {
    Form { prefix, least, needs_digit }
}

const FORMS: &[Form] = &[
    form("sk-", 16, true),       // OpenAI, Anthropic and those who follow them
    form("sk_live_", 10, false), // Stripe
    form("sk_test_", 10, false),
    form("rk_live_", 10, false),
    form("AKIA", 16, false), // AWS, long-lived and temporary
    form("ASIA", 16, true),
    form("ghp_", 16, false), // GitHub
    form("gho_", 16, false),
    form("ghu_", 16, false),
    form("ghs_", 16, false),
    form("ghr_", 16, false),
    form("github_pat_", 20, false),
    form("xoxa-", 8, false), // Slack
    form("xoxb-", 8, false),
    form("xoxe-", 8, false),
    form("xoxo-", 8, false),
    form("xoxp-", 8, false),
    form("xoxr-", 8, false),
    form("xoxs-", 8, false),
    form("xapp-", 8, true),
    form("AIza", 30, false), // Google
    form("ya29.", 20, false),
    form("glpat-", 16, false), // GitLab
    form("hf_", 24, false),    // Hugging Face
    form("npm_", 24, false),
    form("SG.", 30, true),        // SendGrid
    form("dop_v1_", 32, true),    // DigitalOcean
    form("shpat_", 24, true),     // Shopify
    form("sq0csp-", 24, false),   // Square
    form("dckr_pat_", 20, false), // Docker
    form("gsk_", 32, true),       // Groq
];

/// Looks at every place where a word begins; a search for each form would cost more to set up than
/// most texts are long.
pub(super) fn api_keys(text: &str, parts: &mut Parts) {
    let bytes = text.as_bytes();
    // Of a run of bytes that is no key, no later part is one of the same form.
    let mut looked_at = [0; FORMS.len()];
    for (place, first) in bytes.iter().enumerate() {
        if before(text, place).is_ascii_alphanumeric()
            || !FIRST.get(usize::from(*first)).is_some_and(|is_first| *is_first)
        {
            continue;
        }
        let rest = bytes.get(place..).unwrap_or_default();
        for (form, looked_at) in FORMS.iter().zip(&mut looked_at) {
            if place < *looked_at || !form.starts_with(*first) || !rest.starts_with(form.prefix.as_bytes()) {
                continue;
            }
            let start = place + form.prefix.len();
            let end = run_end(text, start, |byte| is_base64url(byte) || form.prefix.ends_with('.') && byte == b'.');
            *looked_at = end;
            if end - start >= form.least && (!form.needs_digit || has_digit(text, &(start..end))) {
                parts.push(place..end);
            }
        }
    }
}

/// The bytes that forms begin with.
static FIRST: [bool; 256] = first_bytes();

// Evaluated when compiled, where an index out of bounds is an error of the build.
#[allow(clippy::indexing_slicing)]
const fn first_bytes() -> [bool; 256] {
    let mut first = [false; 256];
    let mut at = 0;
    while at < FORMS.len() {
        first[FORMS[at].prefix.as_bytes()[0] as usize] = true;
        at += 1;
    }
    first
}

impl Form {
    fn starts_with(&self, byte: u8) -> bool {
        self.prefix.as_bytes().first() == Some(&byte)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::marked;
    use super::*;

    #[test]
    fn jwts_are_found_whole_or_cut_off() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
        for (text, want) in [
            (format!("got {jwt}, why"), "got <>, why"),
            (format!("ü{jwt}ü"), "ü<>ü"),
            (jwt.chars().take(30).collect(), "<>"),
            ("eyJhbGciOiJSU0EtT0FFUCJ9..iv.text.tag.".to_owned(), "<>."),
            ("keyJar.open and eyJ.x".to_owned(), "keyJar.open and eyJ.x"),
            ("they.are eyAAA eyes".to_owned(), "they.are eyAAA eyes"),
        ] {
            assert_eq!(marked(&text, jwts), want);
        }
    }

    #[test]
    fn bearer_tokens_are_told_from_prose() {
        for (text, want) in [
            ("Authorization: Bearer mF_9.B5f-4.1JqM", "Authorization: Bearer <>"),
            ("BEARER   abcdefghijklmnopqrstuv.", "BEARER   <>."),
            ("bearer\tab12cd", "bearer\t<>"),
            ("auth=Bearer%20ab12cd&x", "auth=Bearer%20<>&x"),
            ("Bearer authentication failed", "Bearer authentication failed"),
            ("the bearer of bad news", "the bearer of bad news"),
            ("forbearer abc123", "forbearer abc123"),
        ] {
            assert_eq!(marked(text, bearers), want);
        }
    }

    #[test]
    fn basic_credentials_are_what_decodes_to_a_user_and_a_password() {
        for (text, want) in [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic <>"),
            ("basic dXNlcjpwdw", "basic <>"),
            ("Basic Authentication required", "Basic Authentication required"),
            ("a basic example", "a basic example"),
        ] {
            assert_eq!(marked(text, basics), want);
        }
    }

    #[test]
    fn private_keys_are_found_whatever_happened_to_their_lines() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----";
        let joined = key.replace('\n', "\\n");
        for (text, want) in [
            (format!("a {key} b"), "a <> b"),
            (format!("{{\"k\":\"{joined}\"}}"), "{\"k\":\"<>\"}"),
            ("x -----BEGIN PRIVATE KEY-----\nMIIE".to_owned(), "x <>"),
            ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQ\n-----END PGP PRIVATE KEY BLOCK-----.".to_owned(), "<>."),
            ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRI".to_owned(), "<>"),
            ("k=-----BEGIN%20PRIVATE%20KEY-----%0AMIIE%0A-----END%20PRIVATE%20KEY-----&x".to_owned(), "k=<>&x"),
            ("-----BEGIN CERTIFICATE-----\nMIIE".to_owned(), "-----BEGIN CERTIFICATE-----\nMIIE"),
        ] {
            assert_eq!(marked(&text, private_keys), want);
        }
    }

    #[test]
    fn api_keys_are_known_by_their_prefix_and_length() {
        for form in FORMS {
            let key = format!("{}{}1", form.prefix, "A".repeat(form.least - 1));
            assert_eq!(marked(&format!("use {key}."), api_keys).trim_end_matches('.'), "use <>");
            assert!(super::super::Hints::of(&key).api_key(), "{key}");
            let short = format!("{}{}", form.prefix, "A".repeat(form.least - 1));
            assert_eq!(marked(&short, api_keys), short);
        }
        for text in ["risk-assessment-framework-12", "sk-learn-pipeline-step-names", "task-0123456789abcdefgh"] {
            assert_eq!(marked(text, api_keys), text);
        }
    }
}
