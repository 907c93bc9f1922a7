//! Secret keys and their values in notations without `=` and `:`: options of commands, pairs in
//! parentheses, elements of XML.

use super::pairs::value_end;
use super::{Parts, at, before, run_end, run_start};

/// After the name of an option these are prose: `--token is required`.
const PROSE: &[&str] =
    &["and", "flag", "for", "from", "is", "must", "needs", "not", "option", "or", "to", "was", "with"];

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`')
}

/// `--password hunter2`.
pub(super) fn options(text: &str, is_secret_key: impl Fn(&str) -> bool, parts: &mut Parts) {
    for (place, _) in text.match_indices("--") {
        if place > 0 && !ends_word(before(text, place)) {
            continue;
        }
        let end = run_end(text, place + 2, is_word);
        let start = run_end(text, end, |byte| byte == b' ');
        let key = text.get(place + 2..end).unwrap_or("");
        if start == end || key.is_empty() || at(text, start) == b'-' || !is_secret_key(key) {
            continue;
        }
        let part = match at(text, start) {
            quote @ (b'"' | b'\'') => start + 1..run_end(text, start + 1, |byte| byte != quote),
            _ => start..run_end(text, start, |byte| !ends_word(byte)),
        };
        let value = text.get(part.clone()).unwrap_or("");
        if !value.is_empty() && !PROSE.iter().any(|word| value.eq_ignore_ascii_case(word)) {
            parts.push(part);
        }
    }
}

/// `("password", "hunter2")`: two texts in parentheses, as programs print their pairs. Not longer
/// ones, which are lists of names as often.
pub(super) fn tuples(text: &str, is_secret_key: impl Fn(&str) -> bool, parts: &mut Parts) {
    let is_escape = |byte: u8| byte == b'\\';
    for (place, _) in text.match_indices(',') {
        let quote = before(text, place);
        if !matches!(quote, b'"' | b'\'') {
            continue;
        }
        let key_end = run_start(text, place - 1, is_escape);
        let key_start = run_start(text, key_end, is_word);
        let opening = run_start(text, key_start.saturating_sub(1), is_escape);
        let is_pair = before(text, key_start) == quote && before(text, opening) == b'(';
        if !is_pair || !text.get(key_start..key_end).is_some_and(&is_secret_key) {
            continue;
        }
        let value = run_end(text, place + 1, |byte| byte == b' ');
        let start = run_end(text, value, is_escape) + 1;
        if at(text, start - 1) != quote {
            continue;
        }
        let end = value_end(text, start, Some(quote), "");
        let closing = run_end(text, end, is_escape) + 1;
        if end > start && (at(text, closing) == b')' || closing > text.len()) {
            parts.push(start..end);
        }
    }
}

/// `<password>hunter2</password>`.
pub(super) fn elements(text: &str, is_secret_key: impl Fn(&str) -> bool, parts: &mut Parts) {
    for (place, _) in text.match_indices('>') {
        let key_start = run_start(text, place, |byte| is_word(byte) || byte == b':');
        if before(text, key_start) != b'<' || !text.get(key_start..place).is_some_and(&is_secret_key) {
            continue;
        }
        let end = run_end(text, place + 1, |byte| byte != b'<');
        let is_text = text.get(place + 1..end).is_some_and(|value| !value.trim().is_empty());
        if is_text && at(text, end + 1) == b'/' {
            parts.push(place + 1..end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::keys;
    use super::super::Hints;
    use super::super::tests_support::marked;
    use super::*;

    fn find(text: &str) -> String {
        marked(text, |text, parts| {
            options(text, keys::is_secret, parts);
            tuples(text, keys::is_secret, parts);
            elements(text, keys::is_secret, parts);
        })
    }

    #[test]
    fn values_are_found_without_a_sign_between() {
        for (text, want) in [
            ("psql --password hunter2 --host db", "psql --password <> --host db"),
            ("\"--api-key\" x --token 'a b'", "\"--api-key\" x --token '<>'"),
            ("[(\"authorization\", \"Digest x\")]", "[(\"authorization\", \"<>\")]"),
            (r#"[(\"x-api-key\", \"a b\"), (\"n\", \"1\")]"#, r#"[(\"x-api-key\", \"<>\"), (\"n\", \"1\")]"#),
            ("('password','ü')", "('password','<>')"),
            ("(\"password\", \"cut off", "(\"password\", \"<>"),
            ("<user>a</user><db:password> b c</db:password>", "<user>a</user><db:password><></db:password>"),
        ] {
            assert_eq!(find(text), want);
            let hints = Hints::of(text);
            assert!(hints.pem() || hints.pairs(), "{text}");
        }
    }

    #[test]
    fn usage_columns_and_placeholders_are_left_alone() {
        for text in [
            "--token is required",
            "--password --verbose",
            "a--password b",
            "--retries 3",
            "INSERT INTO t (\"token\", \"name\", \"at\") VALUES",
            "[\"password\", \"email\"]",
            "login <token> <host>",
            "<token>, then <",
            "--",
            "(\"password\",",
            ",",
            ">",
        ] {
            assert_eq!(find(text), text);
        }
    }
}
