//! From text to words, numbers and signs, each with its place.

use super::error::RuleError;

/// Longest rule.
pub(super) const RULE_BYTES: usize = 4096;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Letters, digits, `_`, `.`, `-`; starts with a letter.
    Word(String),
    /// As written, with the letters that follow it: `-1.5`, `2s`.
    Number {
        text: String,
        unit: String,
    },
    /// What follows a dollar sign.
    Money(String),
    Text(String),
    Regex(String),
    /// A comparison, a bracket, a comma.
    Sign(&'static str),
    End,
}

/// A token and the bytes it was read from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Longer signs before those that they start with.
const SIGNS: [&str; 11] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ","];

/// Reads the tokens of `text` from a byte on.
pub(super) fn tokens(text: &str, from: usize) -> Result<Vec<Spanned>, RuleError> {
    if text.len() > RULE_BYTES {
        return Err(RuleError::at(text, 0, format!("{} bytes", text.len()), format!("at most {RULE_BYTES}")));
    }
    let mut tokens = Vec::new();
    let mut place = from;
    loop {
        let rest = text.get(place..).unwrap_or("");
        let start = place + (rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len());
        let rest = text.get(start..).unwrap_or("");
        let Some(first) = rest.chars().next() else {
            tokens.push(Spanned { token: Token::End, start, end: start });
            return Ok(tokens);
        };
        let (token, length) = token(text, start, rest, first)?;
        place = start + length;
        tokens.push(Spanned { token, start, end: place });
    }
}

fn token(text: &str, start: usize, rest: &str, first: char) -> Result<(Token, usize), RuleError> {
    if first.is_ascii_alphabetic() || first == '_' {
        let length = length_of(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        return Ok((Token::Word(part(rest, 0, length)), length));
    }
    if first.is_ascii_digit() || first == '-' {
        let sign = usize::from(first == '-');
        let digits = sign + decimal_length(part_of(rest, sign));
        if digits == sign {
            return Err(RuleError::at(text, start, "`-`", "a digit after it"));
        }
        let unit = length_of(part_of(rest, digits), |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '%'));
        let number = Token::Number { text: part(rest, 0, digits), unit: part(rest, digits, digits + unit) };
        return Ok((number, digits + unit));
    }
    match first {
        '$' => {
            let length = 1 + decimal_length(part_of(rest, 1));
            if length == 1 {
                return Err(RuleError::at(text, start, "`$`", "an amount after it, such as `$0.05`"));
            }
            Ok((Token::Money(part(rest, 1, length)), length))
        }
        '"' => quoted(text, start, rest),
        '/' => regex(text, start, rest),
        _ => {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            sign.map(|sign| (Token::Sign(sign), sign.len())).ok_or_else(|| unknown_sign(text, start, first))
        }
    }
}

fn unknown_sign(text: &str, start: usize, first: char) -> RuleError {
    let expected = match first {
        '=' => "`==`",
        '!' => "`!=`, or the word `not`",
        '&' => "the word `and`",
        '|' => "the word `or`",
        '\'' => "a text in double quotes",
        _ => "a word, a number, a text in quotes, a `/regex/`, a comparison or a bracket",
    };
    let shown = if first.is_control() { format!("{first:?}") } else { format!("`{first}`") };
    RuleError::at(text, start, shown, expected)
}

fn part_of(text: &str, from: usize) -> &str {
    text.get(from..).unwrap_or("")
}

fn part(text: &str, from: usize, to: usize) -> String {
    text.get(from..to).unwrap_or("").to_owned()
}

/// In bytes, of the characters at the start.
fn length_of(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.len() - text.trim_start_matches(is_part).len()
}

/// Digits, and a point with digits.
fn decimal_length(text: &str) -> usize {
    let digits = |text: &str| length_of(text, |c| c.is_ascii_digit());
    let whole = digits(text);
    let fraction = part_of(text, whole).strip_prefix('.').map_or(0, digits);
    if whole == 0 || fraction == 0 { whole } else { whole + 1 + fraction }
}

/// A text in double quotes, and how long it is with them.
fn quoted(text: &str, start: usize, rest: &str) -> Result<(Token, usize), RuleError> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Text(value), place + 1)),
            '\n' => break,
            '\\' => {
                let escape = part_of(rest, place + 1);
                let (meant, length) = escaped(escape).ok_or_else(|| {
                    let shown: String = escape.chars().take(1).filter(|c| !c.is_control()).collect();
                    let accepted = "`\\\"`, `\\\\`, `\\n`, `\\r`, `\\t` or `\\u{..}`";
                    RuleError::at(text, start + place, format!("`\\{shown}`"), accepted)
                })?;
                value.push(meant);
                // All of them are of one byte each.
                chars.nth(length - 1);
            }
            c => value.push(c),
        }
    }
    Err(RuleError::at(text, start, "a text that does not end", "a `\"` at its end, in the same line"))
}

/// What an escape means, and how long it is without its backslash.
fn escaped(escape: &str) -> Option<(char, usize)> {
    let simple = match escape.chars().next()? {
        c @ ('"' | '\\') => c,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        _ => {
            let (hex, _) = escape.strip_prefix("u{")?.split_once('}')?;
            let is_hex = (1..=6).contains(&hex.len()) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            let code = u32::from_str_radix(hex, 16).ok().filter(|_| is_hex)?;
            return char::from_u32(code).map(|c| (c, hex.len() + 3));
        }
    };
    Some((simple, 1))
}

/// A pattern between slashes, as it is between them; `\/` stays as it is, for it means `/`.
fn regex(text: &str, start: usize, rest: &str) -> Result<(Token, usize), RuleError> {
    let mut is_escaped = false;
    for (place, c) in rest.char_indices().skip(1) {
        match c {
            '\n' => break,
            '/' if !is_escaped => return Ok((Token::Regex(part(rest, 1, place)), place + 1)),
            c => is_escaped = c == '\\' && !is_escaped,
        }
    }
    Err(RuleError::at(text, start, "a pattern that does not end", "a `/` at its end, in the same line"))
}
