//! The marks that stand where a secret was, and putting them there.

use std::ops::Range;

use regex::Regex;

use super::RedactionMode;
use super::hash::Hasher;

/// In the place of a masked secret.
pub(super) const MASK: &str = "[REDACTED]";
const HASH_START: &str = "[HASH:";
const HASH_DIGITS: usize = 16;

/// A part of a text that has to go, and how.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) part: Range<usize>,
    pub(super) mode: RedactionMode,
}

/// The mark for a secret.
pub(super) fn of(secret: &str, mode: RedactionMode, hasher: &Hasher) -> String {
    match mode {
        RedactionMode::Hash => format!("{HASH_START}{:016x}]", hasher.of(secret)),
        RedactionMode::Mask | RedactionMode::Drop => MASK.to_owned(),
    }
}

/// Whether the text is one mark and nothing else.
pub(super) fn is_mark(text: &str) -> bool {
    mark_length(text) == Some(text.len())
}

/// The length of the mark that the text starts with.
fn mark_length(text: &str) -> Option<usize> {
    if text.starts_with(MASK) {
        return Some(MASK.len());
    }
    let digits = text.strip_prefix(HASH_START)?;
    let is_hash = digits.bytes().take(HASH_DIGITS).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && digits.as_bytes().get(HASH_DIGITS) == Some(&b']');
    is_hash.then_some(HASH_START.len() + HASH_DIGITS + 1)
}

/// Where marks are, in order.
fn marks_in(text: &str) -> Vec<Range<usize>> {
    let mut marks: Vec<Range<usize>> = Vec::new();
    for (place, _) in text.match_indices('[') {
        if let Some(length) = text.get(place..).and_then(mark_length) {
            marks.push(place..place + length);
        }
    }
    marks
}

/// The longest prefix of at most so many bytes.
pub(super) fn prefix(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

/// What a rule of the user's finds: its group `secret`, or all it matches.
pub(super) fn of_rule(regex: &Regex, text: &str, mode: RedactionMode, found: &mut Vec<Found>) {
    let has_group = regex.capture_names().flatten().any(|name| name == "secret");
    if !has_group {
        let parts = regex.find_iter(text).map(|matched| matched.range()).filter(|part| !part.is_empty());
        found.extend(parts.map(|part| Found { part, mode }));
        return;
    }
    for captures in regex.captures_iter(text) {
        let part = captures.name("secret").map(|group| group.range()).filter(|part| !part.is_empty());
        found.extend(part.map(|part| Found { part, mode }));
    }
}

/// Puts marks in the places of what was found. The new text if anything changed, and whether
/// something was found that drops the attribute.
pub(super) fn replace(text: &str, mut found: Vec<Found>, hasher: &Hasher) -> (Option<String>, bool) {
    if found.is_empty() {
        return (None, false);
    }
    let marks = marks_in(text);
    // The first and the last mark that a part touches; marks do not overlap.
    let touched = |part: &Range<usize>| {
        let first = marks.partition_point(|mark| mark.end <= part.start);
        let end = marks.partition_point(|mark| mark.start < part.end);
        marks.get(first).zip(end.checked_sub(1).and_then(|last| marks.get(last))).filter(|_| first < end)
    };
    found.retain(|Found { part, .. }| {
        !touched(part).is_some_and(|(first, last)| first.start <= part.start && part.end <= last.end && first == last)
    });
    for Found { part, .. } in &mut found {
        // A mark that is touched goes as a whole, or half of it would stay as text.
        if let Some((first, last)) = touched(part) {
            *part = part.start.min(first.start)..part.end.max(last.end);
        }
    }
    found.sort_by_key(|one| (one.part.start, one.part.end));
    let mut merged: Vec<Found> = Vec::new();
    for one in found {
        match merged.last_mut().filter(|last| one.part.start < last.part.end) {
            Some(last) => {
                last.part.end = last.part.end.max(one.part.end);
                last.mode = stricter(last.mode, one.mode);
            }
            None => merged.push(one),
        }
    }
    if merged.is_empty() {
        return (None, false);
    }
    let mut new = String::with_capacity(text.len());
    let mut copied = 0;
    for Found { part, mode } in &merged {
        new.push_str(text.get(copied..part.start).unwrap_or(""));
        new.push_str(&of(text.get(part.clone()).unwrap_or(""), *mode, hasher));
        copied = part.end;
    }
    new.push_str(text.get(copied..).unwrap_or(""));
    (Some(new), merged.iter().any(|one| one.mode == RedactionMode::Drop))
}

/// Of two rules about the same part.
fn stricter(one: RedactionMode, other: RedactionMode) -> RedactionMode {
    match (one, other) {
        (RedactionMode::Drop, _) | (_, RedactionMode::Drop) => RedactionMode::Drop,
        (RedactionMode::Mask, _) | (_, RedactionMode::Mask) => RedactionMode::Mask,
        _ => RedactionMode::Hash,
    }
}
