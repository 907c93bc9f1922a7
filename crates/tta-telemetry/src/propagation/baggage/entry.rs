//! One entry of a baggage: its grammar and its encoding.
//!
//! Owns what a key, a value and a property may consist of (W3C Baggage, section 3.3.1) and how a
//! value is percent-encoded. Does not own bounds.

use super::super::text::trim_ows;

/// `key=value` or `key=value;property;...`, kept as it is sent.
///
/// What was received is not encoded anew: that could make it longer than the header may be.
#[derive(Clone)]
pub(super) struct Entry {
    encoded: Box<str>,
    key_bytes: usize,
    value_bytes: usize,
    /// Only when it differs from the encoded value.
    decoded: Option<Box<str>>,
}

impl Entry {
    /// `None` if the key is not a token.
    pub(super) fn new(key: &str, value: &str) -> Option<Self> {
        if !is_token(key.as_bytes()) {
            return None;
        }
        let mut encoded = String::with_capacity(key.len() + 1 + value.len());
        encoded.push_str(key);
        encoded.push('=');
        encode(value, &mut encoded);
        let value_bytes = encoded.len() - key.len() - 1;
        let decoded = (value_bytes != value.len()).then(|| value.into());
        Some(Self { encoded: encoded.into(), key_bytes: key.len(), value_bytes, decoded })
    }

    /// One member of a header, without white space around it. `None` if it breaks the grammar.
    pub(super) fn parse(member: &[u8]) -> Option<Self> {
        let mut parts = member.split(|byte| *byte == b';').map(trim_ows);
        let (key, value) = split_pair(parts.next()?)?;
        let value = value?;
        let mut encoded = String::with_capacity(member.len());
        push_ascii(&mut encoded, &[key, b"=", value])?;
        // A semicolon with nothing behind it is no property; others send it, so it is skipped.
        for property in parts.filter(|part| !part.is_empty()) {
            match split_pair(property)? {
                (key, None) => push_ascii(&mut encoded, &[b";", key])?,
                (key, Some(value)) => push_ascii(&mut encoded, &[b";", key, b"=", value])?,
            }
        }
        let decoded = decode(value).map(Into::into);
        Some(Self { encoded: encoded.into(), key_bytes: key.len(), value_bytes: value.len(), decoded })
    }

    pub(super) fn key(&self) -> &str {
        self.encoded.get(..self.key_bytes).unwrap_or_default()
    }

    pub(super) fn value(&self) -> &str {
        self.decoded.as_deref().unwrap_or_else(|| self.behind_key().get(..self.value_bytes).unwrap_or_default())
    }

    /// Without the first semicolon.
    pub(super) fn properties(&self) -> &str {
        self.behind_key().get(self.value_bytes + 1..).unwrap_or_default()
    }

    /// As it is sent.
    pub(super) fn encoded(&self) -> &str {
        &self.encoded
    }

    fn behind_key(&self) -> &str {
        self.encoded.get(self.key_bytes + 1..).unwrap_or_default()
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.key(), self.value(), self.properties()) == (other.key(), other.value(), other.properties())
    }
}

/// `key`, or `key=value` with optional white space around the `=`. `None` if either is malformed.
fn split_pair(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let mut parts = text.splitn(2, |byte| *byte == b'=').map(trim_ows);
    let (key, value) = (parts.next()?, parts.next());
    let is_valid = is_token(key) && value.is_none_or(|value| value.iter().copied().all(is_baggage_octet));
    is_valid.then_some((key, value))
}

/// Pieces that were checked to be ASCII.
fn push_ascii(text: &mut String, pieces: &[&[u8]]) -> Option<()> {
    for piece in pieces {
        text.push_str(std::str::from_utf8(piece).ok()?);
    }
    Some(())
}

/// `token` of RFC 9110, section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    let is_token_character = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_token_character)
}

/// Printable ASCII without space, quotation mark, comma, semicolon and backslash.
fn is_baggage_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// Percent-encodes what a value cannot hold, and the percent sign.
fn encode(value: &str, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        // The plus sign is allowed, but decoders made for HTML forms read it as a space.
        if is_baggage_octet(byte) && !matches!(byte, b'%' | b'+') {
            text.push(char::from(byte));
            continue;
        }
        text.push('%');
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(DIGITS.get(usize::from(nibble)).copied().map_or('0', char::from));
        }
    }
}

/// The percent-decoded value, with U+FFFD for what is not UTF-8 then. A percent sign without two
/// hexadecimal digits behind it stands for itself. `None` when nothing is encoded.
fn decode(value: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = value;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let (plain, escaped) = rest.split_at_checked(at)?;
        bytes.extend_from_slice(plain);
        (rest, _) = match escaped {
            [_, high, low, behind @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (behind, bytes.push(digit(*high) << 4 | digit(*low)))
            }
            [percent, behind @ ..] => (behind, bytes.push(*percent)),
            [] => (escaped, ()),
        };
    }
    if rest.len() == value.len() {
        return None;
    }
    bytes.extend_from_slice(rest);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of a digit that was checked to be one.
fn digit(byte: u8) -> u8 {
    char::from(byte).to_digit(16).map_or(0, |value| value as u8)
}
