//! `key=value`, `"key": "value"` and headers inside texts, where the key looks like that of a
//! secret.

use std::ops::Range;

use super::{Parts, at, before, has_digit, run_end, run_start};

/// Words that stand where a secret would, and are none.
const NO_SECRETS: &[&str] = &["null", "none", "nil", "true", "false", "undefined", "empty", "invalid", "missing"];
/// After a colon in prose these are followed by prose as often: `unexpected token: end of file`.
const PROSE: &[&str] = &["token", "session", "secret", "secrets", "credential", "credentials"];
/// No word of prose has so many bytes.
const LONGER_THAN_WORDS: usize = 40;
/// What makes one of the words above part of a header or a variable, which prose does not mention.
const NO_PROSE: &[&str] = &["x-", "access", "api", "auth", "refresh"];
/// Where the name of a thing is that has its value beside it: lists of headers, settings in XML.
const NAMES: &[&str] = &["header", "key", "name"];
const VALUES: &[&str] = &["value", "val"];
/// Headers whose value is the rest of the line.
const WHOLE_LINE: &[&str] = &["authorization", "authorisation", "cookie", "cookies"];

pub(super) fn find(text: &str, is_secret_key: impl Fn(&str) -> bool, parts: &mut Parts) {
    let mut covered = 0;
    // `"name": "password"` says what the next `"value"` is.
    let mut names_value = false;
    for (place, separator) in text.bytes().enumerate() {
        if !matches!(separator, b'=' | b':' | b'%') || place < covered {
            continue;
        }
        let Some((key, is_quoted)) = key_before(text, place) else { continue };
        let Some((separator, start)) = separator_at(text, place) else { continue };
        let (start, quote) = value_start(text, start);
        let is_bare = separator == b':' && !is_quoted && quote.is_none();
        // A place in a file: `src/token.rs:12`.
        let key = if is_bare { key.rsplit('.').next().unwrap_or(key) } else { key };
        // `pwd=x` of a connection string, but not `PWD=/app` of an environment.
        let is_password = key.eq_ignore_ascii_case("pwd") && !matches!(at(text, start), b'/' | b'~' | b'.');
        let is_named = std::mem::take(&mut names_value) && is_one_of(key, VALUES);
        if !is_named && !is_secret_key(if is_password { "password" } else { key }) {
            if is_one_of(key, NAMES) {
                // A word, so that each is looked at once.
                let named = start..run_end(text, start, |byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
                });
                names_value = text.get(named).is_some_and(&is_secret_key);
            }
            continue;
        }
        let part = start..value_end(text, start, quote, key);
        if is_secret(text, &part, key, is_bare) {
            covered = part.end;
            parts.push(part);
        }
    }
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The word before a separator, and whether it is in quotes.
fn key_before(text: &str, place: usize) -> Option<(&str, bool)> {
    let end = run_start(text, place, |byte| matches!(byte, b' ' | b'"' | b'\'' | b'\\' | b']'));
    let start = run_start(text, end, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    // The two digits of a character that is encoded in a URL are no part of the word.
    let start = if before(text, start) == b'%' { start + 2 } else { start };
    let is_quoted = text.get(end..place).is_some_and(|between| between.contains(['"', '\'']));
    text.get(start..end).filter(|key| !key.is_empty()).map(|key| (key, is_quoted))
}

/// Which separator is here, and where it ends: `=`, `:`, `=>`, or one of them encoded in a URL.
fn separator_at(text: &str, place: usize) -> Option<(u8, usize)> {
    let next = at(text, place + 1);
    match at(text, place) {
        b'=' if next == b'>' => Some((b'=', place + 2)),
        // A comparison.
        b'=' if next == b'=' => None,
        b'=' => Some((b'=', place + 1)),
        // A path of modules, or a URL.
        b':' if next == b':' || before(text, place) == b':' => None,
        b':' if next == b'/' && at(text, place + 2) == b'/' => None,
        b':' if next == b'=' => Some((b'=', place + 2)),
        b':' => Some((b':', place + 1)),
        b'%' => match text.get(place + 1..place + 3) {
            Some("3D" | "3d") => Some((b'=', place + 3)),
            Some("3A" | "3a") => Some((b':', place + 3)),
            _ => None,
        },
        _ => None,
    }
}

/// Where the value starts, and the quote that it is in.
fn value_start(text: &str, from: usize) -> (usize, Option<u8>) {
    let start = run_end(text, from, |byte| byte == b' ');
    let start = run_end(text, start, |byte| byte == b'\\');
    match at(text, start) {
        quote @ (b'"' | b'\'') => (start + 1, Some(quote)),
        _ => (start, None),
    }
}

pub(super) fn value_end(text: &str, start: usize, quote: Option<u8>, key: &str) -> usize {
    let Some(quote) = quote else {
        let last = key.rsplit(['.', '-', '_']).next().unwrap_or(key);
        if WHOLE_LINE.iter().any(|name| last.eq_ignore_ascii_case(name)) {
            return run_end(text, start, |byte| !matches!(byte, b'\n' | b'\r' | b'"' | b'\''));
        }
        return bare_end(text, start);
    };
    // An escaped quote belongs to the value, unless the opening one was escaped itself.
    let is_nested = start >= 2 && at(text, start - 2) == b'\\';
    let mut end = start;
    while end < text.len() {
        match at(text, end) {
            b'\\' if is_nested && at(text, end + 1) == quote => break,
            b'\\' => end += 2,
            byte if byte == quote => break,
            _ => end += 1,
        }
    }
    // Two were skipped at the end, perhaps into a character.
    (end.min(text.len())..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len())
}

/// Without quotes of its own: a word, or all that its brackets hold, as `["a", "b"]` and
/// `Some("a")` do.
fn bare_end(text: &str, start: usize) -> usize {
    let (mut depth, mut place) = (0_usize, start);
    while place < text.len() {
        match at(text, place) {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return place,
            b')' | b']' | b'}' => depth -= 1,
            // A bracket in quotes closes nothing.
            b'"' if depth > 0 => place = quote_end(text, place + 1),
            b'"' | b'\'' | b'&' | b';' | b',' | b'<' | b'>' if depth == 0 => return place,
            byte if depth == 0 && byte.is_ascii_whitespace() => return place,
            _ => {}
        }
        place += 1;
    }
    text.len()
}

/// The next quote without a backslash before it.
fn quote_end(text: &str, start: usize) -> usize {
    let mut place = start;
    while place < text.len() && at(text, place) != b'"' {
        place += if at(text, place) == b'\\' { 2 } else { 1 };
    }
    place
}

fn is_secret(text: &str, part: &Range<usize>, key: &str, is_bare: bool) -> bool {
    let value = text.get(part.clone()).unwrap_or("");
    if value.is_empty() || is_one_of(value, NO_SECRETS) {
        return false;
    }
    let last = key.rsplit(['.', '-', '_']).next().unwrap_or(key);
    let could_be_prose = is_bare && is_one_of(last, PROSE) && {
        let key = key.to_ascii_lowercase();
        !NO_PROSE.iter().any(|part| key.contains(part))
    };
    !could_be_prose || value.len() >= LONGER_THAN_WORDS || value.len() >= 6 && has_digit(text, part)
}

#[cfg(test)]
mod tests {
    use super::super::super::keys;
    use super::super::Hints;
    use super::super::tests_support::marked;

    fn find(text: &str) -> String {
        marked(text, |text, parts| super::find(text, keys::is_secret, parts))
    }

    #[test]
    fn values_of_secret_keys_are_found_in_every_notation() {
        for (text, want) in [
            ("password=hunter2", "password=<>"),
            ("/login?user=ada&api_key=abc&x=1", "/login?user=ada&api_key=<>&x=1"),
            ("user[password]=x y", "user[password]=<> y"),
            ("next=%2Fa%3Ftoken%3Dabc", "next=%2Fa%3Ftoken%3D<>"),
            ("password = hunter2", "password = <>"),
            ("pwd.x := y or password := y", "pwd.x := <> or password := <>"),
            (r#"{"password": "a b", "n": 1}"#, r#"{"password": "<>", "n": 1}"#),
            (r#"{"token":12}"#, r#"{"token":<>}"#),
            (r#"{\"password\":\"a b\"}"#, r#"{\"password\":\"<>\"}"#),
            (r#"{"secret":"a\"b"}"#, r#"{"secret":"<>"}"#),
            ("{'dbPassword': 'x'}", "{'dbPassword': '<>'}"),
            ("\"client_secret\"=>\"x\"", "\"client_secret\"=>\"<>\""),
            ("Authorization: Digest a=1, b=2\nHost: x", "Authorization: <>\nHost: x"),
            ("Cookie: sid=1; theme=dark", "Cookie: <>"),
            ("password: swordfish", "password: <>"),
            ("token: abc123", "token: <>"),
            ("db.password: x", "db.password: <>"),
            ("Server=db;User=sa;Password=x;", "Server=db;User=sa;Password=<>;"),
            ("secret=\"ü", "secret=\"<>"),
            ("secret=\"\\ü\"", "secret=\"<>\""),
            (r#"{"X-Api-Key":["a","b]"],"n":[1]}"#, r#"{"X-Api-Key":<>,"n":[1]}"#),
            (r#"User { password: Some("a b"), id: 1 }"#, "User { password: <>, id: 1 }"),
            (r#""credentials":{"user":"a","pass":"b"} x"#, r#""credentials":<> x"#),
            ("Uid=sa;Pwd=x;", "Uid=sa;Pwd=<>;"),
            ("f(token=a) b", "f(token=<>) b"),
            ("中password=ü中", "中password=<>"),
            ("X-Auth-Token: abc", "X-Auth-Token: <>"),
            (
                r#"[{"name":"Cookie","value":"a=b"},{"name":"n","value":"1"}]"#,
                r#"[{"name":"Cookie","value":"<>"},{"name":"n","value":"1"}]"#,
            ),
            (r#"<add key="password" value="hunter2"/>"#, r#"<add key="password" value="<>"/>"#),
            ("GET /b/k?X-Amz-Signature=0a1b&x=2", "GET /b/k?X-Amz-Signature=<>&x=2"),
            ("https://a.blob/c?sv=2020&sig=ab%3D&se=1", "https://a.blob/c?sv=2020&sig=<>&se=1"),
        ] {
            assert_eq!(find(text), want);
            assert!(Hints::of(text).pairs(), "{text}");
        }
    }

    #[test]
    fn prose_code_and_ordinary_keys_are_left_alone() {
        for text in [
            "unexpected token: end of file",
            "invalid token: missing",
            "token == null",
            "secret::Kind",
            "token://x",
            "password=",
            "password: null",
            "max_tokens=100",
            "author=ada",
            "a=b&c=d",
            "session: closed",
            "PWD=/app/src",
            "at src/auth/token.rs:12:5",
            "key=value",
            r#"{"name":"password","required":true,"value":"x"}"#,
            "signature=fn(u32) -> u32",
            "invalid_token: The access token expired",
        ] {
            assert_eq!(find(text), text);
        }
    }
}
