//! E-mail addresses, and passwords in URLs.

use super::{Parts, at, run_end, run_start};

/// How far the `@` of a password in a URL may be.
const LONGEST_USER: usize = 2048;

/// Unquoted local parts as people have them; letters of every script (RFC 6531).
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'.' | b'-')
}

/// What can stand in a text that is no URL: ends one.
fn ends_url(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`' | b'|' | 0)
}

/// A name, `@`, and a domain whose last label is no number.
pub(super) fn emails(text: &str, parts: &mut Parts) {
    emails_at(text, "@", parts);
}

/// The same in a URL: `ada%40example.com`.
pub(super) fn encoded_emails(text: &str, parts: &mut Parts) {
    emails_at(text, "%40", parts);
}

fn emails_at(text: &str, sign: &str, parts: &mut Parts) {
    // A name does not reach over the sign before it, so that each byte is looked at once.
    let mut after_last = 0;
    for (place, _) in text.match_indices(sign) {
        let between = text.get(after_last..place).unwrap_or("");
        let start = after_last + run_start(between, between.len(), is_local);
        let domain_start = place + sign.len();
        after_last = domain_start;
        let mut end = run_end(text, domain_start, is_domain);
        while end > domain_start && matches!(at(text, end - 1), b'.' | b'-') {
            end -= 1;
        }
        let domain = text.get(domain_start..end).unwrap_or("");
        let is_name = |label: &str| label.len() >= 2 && !label.bytes().any(|byte| byte.is_ascii_digit());
        let is_punycode = |label: &str| label.starts_with("xn--");
        let last = domain.rsplit_once('.').map(|(rest, last)| !rest.is_empty() && (is_name(last) || is_punycode(last)));
        if start < place && last == Some(true) {
            parts.push(start..end);
        }
    }
}

/// `scheme://user:password@host`: what is between the colon and the at sign. A password with a
/// slash in it, which should have been encoded, is found too.
pub(super) fn url_passwords(text: &str, parts: &mut Parts) {
    for (place, _) in text.match_indices("://") {
        let start = place + 3;
        let seen = super::super::marks::prefix(text, start.saturating_add(LONGEST_USER));
        let end = run_end(seen, start, |byte| !ends_url(byte));
        let authority_end = run_end(seen, start, |byte| !ends_url(byte) && !matches!(byte, b'/' | b'?' | b'#'));
        let url = text.get(..end).unwrap_or("");
        let authority = text.get(start..authority_end).unwrap_or("");
        let Some(colon) =
            authority.find([':', '[']).map(|colon| start + colon).filter(|colon| at(text, *colon) == b':')
        else {
            continue;
        };
        let sign = match authority.rfind('@') {
            Some(sign) => Some(start + sign),
            None => {
                // A port is no password.
                let port_end = run_end(text, colon + 1, |byte| byte.is_ascii_digit());
                if port_end == authority_end {
                    None
                } else {
                    url.get(colon..).and_then(|rest| rest.rfind('@')).map(|sign| colon + sign)
                }
            }
        };
        if let Some(sign) = sign.filter(|sign| *sign > colon + 1) {
            parts.push(colon + 1..sign);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::marked;
    use super::*;

    #[test]
    fn addresses_are_found_in_sentences() {
        for (text, want) in [
            ("ada@example.com", "<>"),
            ("mail <Ada.Lovelace+x@mail.example.co.uk>.", "mail <<>>."),
            ("to=a_b%c-d@x.io;", "to=<>;"),
            ("from jürgen@müller.de.", "from <>."),
            ("a@b.xn--p1ai", "<>"),
            ("a@x.com, b@y.org", "<>, <>"),
        ] {
            assert_eq!(marked(text, emails), want);
        }
        assert_eq!(marked("?to=ada%40example.com&x=a%40b", encoded_emails), "?to=<>&x=a%40b");
    }

    #[test]
    fn at_signs_of_other_things_are_left_alone() {
        for text in ["react@18.2.0", "user@localhost", "@decorator.name", "a @ b.com", "x@", "@", "a@.com", "a@b.c"] {
            assert_eq!(marked(text, emails), text);
        }
    }

    #[test]
    fn passwords_in_urls_are_found_without_what_is_around_them() {
        for (text, want) in [
            ("postgres://app:s3cr3t@db:5432/x", "postgres://app:<>@db:5432/x"),
            ("redis://:pw@host", "redis://:<>@host"),
            ("http://u:p@ss@host/a@b", "http://u:<>@host/a@b"),
            ("amqp://u:a/b#c@host x@y", "amqp://u:<>@host x@y"),
            ("\"mongodb+srv://u:p@h\"", "\"mongodb+srv://u:<>@h\""),
            ("http://host:8080/a:b@c", "http://host:8080/a:b@c"),
            ("http://[::1]:80/x@y", "http://[::1]:80/x@y"),
            ("http://host/a@b", "http://host/a@b"),
            ("http://u:@host", "http://u:@host"),
        ] {
            assert_eq!(marked(text, url_passwords), want);
        }
    }
}
