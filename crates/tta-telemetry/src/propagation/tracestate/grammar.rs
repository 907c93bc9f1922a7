//! Which bytes are a key, a value and a member.
//!
//! Owns the grammar of one member. Does not own the rules on the list.

use super::super::text::trim_ows_start;

/// Bytes of a key, and of a value.
const MAX_BYTES: usize = 256;
/// Bytes before the `@` of a key that has one, and behind it (level 1, section 3.3.1.3.1).
const MAX_TENANT_BYTES: usize = 241;
const MAX_SYSTEM_BYTES: usize = 14;

/// What each byte may be part of: a sum of the classes below.
const CLASSES: [u8; 256] = classes();
const KEY: u8 = 1;
/// May begin a key.
const FIRST: u8 = 2;
const VALUE: u8 = 4;
/// The `@` between tenant and system.
const AT: u8 = 8;

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut rest = classes.as_mut_slice();
    let mut byte = 0_u8;
    while let [class, behind @ ..] = rest {
        *class = match byte {
            b'a'..=b'z' | b'0'..=b'9' => KEY | FIRST | VALUE,
            b'_' | b'-' | b'*' | b'/' => KEY | VALUE,
            b'@' => AT | VALUE,
            b',' | b'=' => 0,
            b' '..=b'~' => VALUE,
            _ => 0,
        };
        byte = byte.wrapping_add(1);
        rest = behind;
    }
    classes
}

#[inline]
fn class(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

/// A well-formed `key=value` in front of a list.
pub(super) struct Taken<'a> {
    pub(super) key: &'a [u8],
    /// `key=value` without white space around it.
    pub(super) member: &'a [u8],
    /// What is left behind the comma.
    pub(super) rest: &'a [u8],
}

/// Looks at every byte once, because reading this header is part of every call. `None` if the list
/// does not begin with a member, or something else than a comma or the end follows it.
#[inline]
pub(super) fn take_member(list: &[u8]) -> Option<Taken<'_>> {
    let mut seen = 0;
    let is_behind_key = |byte: &u8| {
        let class = class(*byte);
        seen |= class;
        class & (KEY | AT) == 0
    };
    let (key, rest) = list.split_at_checked(list.iter().position(is_behind_key)?)?;
    let value = rest.strip_prefix(b"=")?;
    let value_bytes = value.iter().position(|byte| class(*byte) & VALUE == 0).unwrap_or(value.len());
    let (mut member, rest) = list.split_at_checked(key.len() + 1 + value_bytes)?;
    while let [shorter @ .., b' '] = member {
        member = shorter;
    }
    let rest = match trim_ows_start(rest) {
        [b',', behind @ ..] => behind,
        [] => &[],
        _ => return None,
    };
    let is_key = if seen & AT == 0 { is_simple_key(key) } else { is_tenant_key(key) };
    let is_valid = is_key && (1..=MAX_BYTES).contains(&(member.len() - key.len()).saturating_sub(1));
    is_valid.then_some(Taken { key, member, rest })
}

pub(super) fn is_key(key: &[u8]) -> bool {
    let is_simple = key.iter().all(|byte| class(*byte) & KEY != 0);
    if is_simple { is_simple_key(key) } else { is_tenant_key(key) }
}

/// Printable, and the last byte not a space.
pub(super) fn is_value(value: &[u8]) -> bool {
    value.last().is_some_and(|last| *last != b' ')
        && value.len() <= MAX_BYTES
        && value.iter().all(|byte| class(*byte) & VALUE != 0)
}

/// Of bytes that are known to be those of a key, without `@`.
#[inline]
fn is_simple_key(key: &[u8]) -> bool {
    key.first().is_some_and(|byte| class(*byte) & FIRST != 0) && key.len() <= MAX_BYTES
}

/// `tenant@system`.
fn is_tenant_key(key: &[u8]) -> bool {
    let is_part = |part: &[u8], max_bytes: usize| {
        part.first().is_some_and(|byte| class(*byte) & FIRST != 0)
            && part.len() <= max_bytes
            && part.iter().all(|byte| class(*byte) & KEY != 0)
    };
    let mut parts = key.splitn(2, |byte| *byte == b'@');
    let (Some(tenant), Some(system)) = (parts.next(), parts.next()) else {
        return false;
    };
    is_part(tenant, MAX_TENANT_BYTES)
        && is_part(system, MAX_SYSTEM_BYTES)
        && system.first().is_some_and(u8::is_ascii_lowercase)
}
