//! Secrets inside texts: what they look like.
//!
//! Every detector takes a text and adds the parts that are secret. Those that need no context err
//! on the side of finding too much: a masked word costs less than a leaked key.

mod addresses;
mod cards;
mod notations;
mod pairs;
mod tokens;

use std::ops::Range;

use super::prefilter::Hints;

pub(super) use cards::is_card_number;

/// Parts of a text that are secret, in any order; they may overlap.
pub(super) type Parts = Vec<Range<usize>>;

/// Everything that is built in. `hints` are those of the text; `is_secret_key` decides about
/// `key=value`.
pub(super) fn find(text: &str, hints: Hints, is_secret_key: impl Fn(&str) -> bool, parts: &mut Parts) {
    if hints.jwt() {
        tokens::jwts(text, parts);
    }
    if hints.pem() {
        tokens::private_keys(text, parts);
        notations::options(text, &is_secret_key, parts);
    }
    if hints.credentials() {
        tokens::bearers(text, parts);
        tokens::basics(text, parts);
    }
    if hints.api_key() {
        tokens::api_keys(text, parts);
    }
    if hints.at() {
        addresses::url_passwords(text, parts);
        addresses::emails(text, parts);
    }
    if hints.encoded_at() {
        addresses::encoded_emails(text, parts);
    }
    if hints.card() {
        cards::find(text, parts);
    }
    if hints.pairs() {
        notations::tuples(text, &is_secret_key, parts);
        notations::elements(text, &is_secret_key, parts);
        pairs::find(text, is_secret_key, parts);
    }
}

/// The byte at a place, or 0 beyond the ends: no detector looks for that.
fn at(text: &str, place: usize) -> u8 {
    text.as_bytes().get(place).copied().unwrap_or(0)
}

fn before(text: &str, place: usize) -> u8 {
    place.checked_sub(1).map_or(0, |place| at(text, place))
}

/// Where the run of bytes from `start` ends.
fn run_end(text: &str, start: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes().get(start..).unwrap_or_default();
    start + rest.iter().position(|byte| !is_part(*byte)).unwrap_or(rest.len())
}

/// Where the run of bytes up to `end` starts.
fn run_start(text: &str, end: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes().get(..end).unwrap_or_default();
    rest.iter().rposition(|byte| !is_part(*byte)).map_or(0, |place| place + 1)
}

/// Where a word is found, in either case; `word` is lower-case.
fn places_of<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let windows = text.as_bytes().windows(word.len()).enumerate();
    windows.filter(|(_, window)| window.eq_ignore_ascii_case(word.as_bytes())).map(|(place, _)| place)
}

fn has_digit(text: &str, part: &Range<usize>) -> bool {
    text.get(part.clone()).is_some_and(|part| part.bytes().any(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
pub(super) mod tests_support {
    /// The text with every part in brackets of its own.
    pub(in crate::redaction) fn marked(text: &str, find: impl Fn(&str, &mut super::Parts)) -> String {
        let mut parts = Vec::new();
        find(text, &mut parts);
        parts.sort_by_key(|part| std::cmp::Reverse(part.start));
        let mut marked = text.to_owned();
        for part in parts {
            marked.replace_range(part, "<>");
        }
        marked
    }
}
