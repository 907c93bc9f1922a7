//! How a record is laid out in words, and back.
//!
//! Owns the encoding of names, attributes and the five kinds of record. Records never leave the
//! process in this form: literals are stored as pointers.
//!
//! | record | words |
//! |---|---|
//! | span | header, span id, parent id, start, end, name (2), kind (2), counters, then the name's text unless it is a literal, then attributes |
//! | event | header, span id, ticks, name (2), then text and attributes |
//! | annotation | header, span id, then attributes |
//! | link | header, span id, trace id (2), linked span id, then attributes |
//! | handled | header, span id |
//!
//! The header holds `length:16 | record kind:8 | status:8 | handled:8`. An attribute is two words
//! (`key pointer`, `key length:16 | tag:8 | value length:32`) and its value: one word for numbers
//! and literals, otherwise the bytes, padded to whole words.

use std::borrow::Cow;

use super::inline::InlineWords;
use super::log::{KIND_SHIFT, MAX_RECORD_WORDS};
use crate::model::{Attribute, Name, NameRef, SpanStatus, Value, ValueRef};

pub(crate) const KIND_SPAN: u64 = 1;
pub(crate) const KIND_EVENT: u64 = 2;
pub(crate) const KIND_ANNOTATION: u64 = 3;
pub(crate) const KIND_LINK: u64 = 4;
pub(crate) const KIND_HANDLED: u64 = 5;
const STATUS_SHIFT: u32 = 24;
const HANDLED: u64 = 1 << 32;

pub(crate) const SPAN_HEAD_WORDS: usize = 10;

/// Keeps the largest record within the 16 bits of its length: one more value of the largest
/// `attribute_bytes` still fits.
const MAX_ATTRIBUTE_WORDS: usize = MAX_RECORD_WORDS / 2;

/// Bytes of a name that is not a literal; longer ones are cut at a character and counted as a
/// truncated attribute.
const MAX_NAME_BYTES: usize = 4 * 1024;

const TAG_BOOL: u64 = 1;
const TAG_I64: u64 = 2;
const TAG_F64: u64 = 3;
const TAG_STATIC: u64 = 4;
const TAG_TEXT: u64 = 5;
const TAG_LIST: u64 = 6;

/// A name that is not a literal is marked by this bit in its length word.
const TEXT_FOLLOWS: u64 = 1 << 63;

#[inline]
fn clip_name(text: &str) -> &str {
    if text.len() <= MAX_NAME_BYTES {
        return text;
    }
    text.get(..text.floor_char_boundary(MAX_NAME_BYTES)).unwrap_or_default()
}

/// The two words of a name.
#[inline]
pub(crate) fn name_words(name: NameRef<'_>) -> [u64; 2] {
    match name {
        NameRef::Static(text) => [text.as_ptr().expose_provenance() as u64, text.len() as u64],
        NameRef::Text(text) => [0, clip_name(text).len() as u64 | TEXT_FOLLOWS],
    }
}

/// The header of a record of `words` words.
pub(crate) const fn header(words: usize, kind: u64, status: SpanStatus, handled: bool) -> u64 {
    let status = match status {
        SpanStatus::Ok => 0,
        SpanStatus::Error => 1,
        SpanStatus::Cancelled => 2,
    };
    words as u64 | (kind << KIND_SHIFT) | (status << STATUS_SHIFT) | if handled { HANDLED } else { 0 }
}

pub(crate) const fn kind_of(header: u64) -> u64 {
    (header >> KIND_SHIFT) & 0xff
}

pub(crate) const fn status_of(header: u64) -> SpanStatus {
    match (header >> STATUS_SHIFT) & 0xff {
        0 => SpanStatus::Ok,
        1 => SpanStatus::Error,
        _ => SpanStatus::Cancelled,
    }
}

pub(crate) const fn handled_of(header: u64) -> bool {
    header & HANDLED != 0
}

/// Attributes being collected for one record, encoded as they arrive and bounded.
#[derive(Debug)]
pub(crate) struct Attributes {
    words: InlineWords,
    count: u16,
    dropped: u16,
    truncated: u16,
}

/// How much one record may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeLimits {
    pub(crate) count: u16,
    pub(crate) bytes: u32,
}

impl Attributes {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { words: InlineWords::new(), count: 0, dropped: 0, truncated: 0 }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        (self.count, self.dropped, self.truncated) = (0, 0, 0);
    }

    #[inline]
    pub(crate) fn words(&self) -> &[u64] {
        self.words.as_slice()
    }

    /// `count:16 | dropped:16 | truncated:16`, the counters word of a span.
    #[inline]
    pub(crate) fn counters(&self) -> u64 {
        u64::from(self.count) | (u64::from(self.dropped) << 16) | (u64::from(self.truncated) << 32)
    }

    pub(crate) const fn dropped(&self) -> u16 {
        self.dropped
    }

    pub(crate) const fn truncated(&self) -> u16 {
        self.truncated
    }

    /// Text in front of the attributes: the name, unless it is a literal.
    #[inline]
    pub(crate) fn push_name(&mut self, name: NameRef<'_>) {
        if let NameRef::Text(text) = name {
            let clipped = clip_name(text);
            self.truncated += u16::from(clipped.len() < text.len());
            self.words.push_bytes(clipped.as_bytes());
        }
    }

    /// Puts another name in the place of the one that was pushed first.
    pub(crate) fn replace_name(&mut self, old: NameRef<'_>, new: NameRef<'_>) {
        let old_words = match old {
            NameRef::Static(_) => 0,
            NameRef::Text(text) => clip_name(text).len().div_ceil(8),
        };
        let mut renamed = Self { words: InlineWords::new(), ..*self };
        renamed.push_name(new);
        for word in self.words.as_slice().get(old_words..).unwrap_or_default() {
            renamed.words.push([*word]);
        }
        *self = renamed;
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, key: &'static str, value: ValueRef<'_>, limits: AttributeLimits) {
        if self.count >= limits.count || self.words.heap_len() > MAX_ATTRIBUTE_WORDS {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.count += 1;
        match value {
            ValueRef::Bool(value) => self.push_word(key, TAG_BOOL, 0, u64::from(value)),
            ValueRef::I64(value) => self.push_word(key, TAG_I64, 0, value as u64),
            ValueRef::F64(value) => self.push_word(key, TAG_F64, 0, value.to_bits()),
            ValueRef::Static(text) => {
                let text = self.cut(text, limits.bytes as usize);
                self.push_word(key, TAG_STATIC, text.len(), text.as_ptr().expose_provenance() as u64);
            }
            ValueRef::Str(text) => {
                let text = self.cut(text, limits.bytes as usize);
                self.words.push(key_words(key, TAG_TEXT, text.len()));
                self.words.push_bytes(text.as_bytes());
            }
            ValueRef::List(texts) => self.push_list(key, texts, limits.bytes as usize),
        }
    }

    #[inline]
    fn push_word(&mut self, key: &'static str, tag: u64, length: usize, value: u64) {
        let [pointer, word] = key_words(key, tag, length);
        self.words.push([pointer, word, value]);
    }

    /// Each text is preceded by its length in four bytes; texts that do not fit are left out.
    fn push_list(&mut self, key: &'static str, texts: &[&str], limit: usize) {
        let mut bytes = Vec::new();
        for text in texts {
            let room = limit.saturating_sub(bytes.len());
            let part = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
            if room > 0 {
                bytes.extend_from_slice(&(part.len() as u32).to_ne_bytes());
                bytes.extend_from_slice(part.as_bytes());
            }
            if room == 0 || part.len() < text.len() {
                // One value was cut, however many texts it lost.
                self.truncated = self.truncated.saturating_add(1);
                break;
            }
        }
        self.words.push(key_words(key, TAG_LIST, bytes.len()));
        self.words.push_bytes(&bytes);
    }

    /// Cuts at a character boundary at or below the limit and counts the cut.
    #[inline]
    fn cut<'a>(&mut self, text: &'a str, limit: usize) -> &'a str {
        if text.len() <= limit {
            return text;
        }
        self.truncated = self.truncated.saturating_add(1);
        text.get(..text.floor_char_boundary(limit)).unwrap_or_default()
    }
}

#[inline]
fn key_words(key: &'static str, tag: u64, length: usize) -> [u64; 2] {
    let key = if key.len() > 0xffff { key.get(..key.floor_char_boundary(0xffff)).unwrap_or_default() } else { key };
    [key.as_ptr().expose_provenance() as u64, key.len() as u64 | (tag << 16) | ((length as u64) << 32)]
}

/// Reads a record's words front to back. Everything it returns was written by this module.
pub(crate) struct Reader<'a>(pub(crate) &'a [u64]);

impl Reader<'_> {
    pub(crate) fn word(&mut self) -> u64 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// The two name words; the text of a name that is not a literal is read by [`Reader::text`]
    /// later, in order.
    pub(crate) fn name(&mut self) -> NamePart {
        let (pointer, length) = (self.word(), self.word());
        if length & TEXT_FOLLOWS != 0 {
            return NamePart::Follows((length & !TEXT_FOLLOWS) as usize);
        }
        NamePart::Known(literal(pointer, length as usize))
    }

    pub(crate) fn finish_name(&mut self, part: NamePart) -> Name {
        match part {
            NamePart::Known(text) => Name::from_static(text),
            NamePart::Follows(length) => Name::from(String::from_utf8_lossy(&self.bytes(length)).into_owned()),
        }
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = Vec::with_capacity(length.div_ceil(8) * 8);
        for _ in 0..length.div_ceil(8) {
            bytes.extend_from_slice(&self.word().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }

    /// All attributes to the end of the record; a key set twice keeps its last value.
    pub(crate) fn attributes(&mut self, into: &mut Vec<Attribute>) {
        while !self.0.is_empty() {
            let (key_pointer, word) = (self.word(), self.word());
            let key = literal(key_pointer, (word & 0xffff) as usize);
            let length = (word >> 32) as usize;
            let value = match (word >> 16) & 0xff {
                TAG_BOOL => Value::Bool(self.word() != 0),
                TAG_I64 => Value::I64(self.word() as i64),
                TAG_F64 => Value::F64(f64::from_bits(self.word())),
                TAG_STATIC => Value::Str(Cow::Borrowed(literal(self.word(), length))),
                TAG_LIST => Value::List(split_list(&self.bytes(length))),
                _ => Value::Str(Cow::Owned(String::from_utf8_lossy(&self.bytes(length)).into_owned())),
            };
            match into.iter_mut().find(|attribute| attribute.key == *key) {
                Some(attribute) => attribute.value = value,
                None => into.push(Attribute { key: Name::from_static(key), value }),
            }
        }
    }
}

/// A name as far as its two words tell.
pub(crate) enum NamePart {
    Known(&'static str),
    Follows(usize),
}

fn split_list(mut bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = (u32::from_ne_bytes(*length) as usize).min(rest.len());
        let (text, rest) = rest.split_at(length);
        texts.push(String::from_utf8_lossy(text).into_owned());
        bytes = rest;
    }
    texts
}

/// The literal that [`name_words`] or [`Attributes`] stored.
fn literal(pointer: u64, length: usize) -> &'static str {
    if pointer == 0 {
        return "";
    }
    let start = std::ptr::with_exposed_provenance::<u8>(pointer as usize);
    // SAFETY: this module alone writes these words, from a `&'static str` whose provenance it
    // exposed; records are decoded only after their header was published, so the words are whole.
    // A shorter length comes from cutting at a character boundary.
    unsafe { std::str::from_utf8_unchecked(std::slice::from_raw_parts(start, length)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AttributeLimits = AttributeLimits { count: 8, bytes: 16 };

    fn round_trip(attributes: &Attributes) -> Vec<Attribute> {
        let mut out = Vec::new();
        Reader(attributes.words()).attributes(&mut out);
        out
    }

    #[test]
    fn every_kind_of_value_reads_back_as_it_was_set() {
        let mut attributes = Attributes::new();
        attributes.push("flag", ValueRef::Bool(true), LIMITS);
        attributes.push("count", ValueRef::I64(-3), LIMITS);
        attributes.push("ratio", ValueRef::F64(0.25), LIMITS);
        attributes.push("literal", ValueRef::Static("same"), LIMITS);
        attributes.push("text", ValueRef::Str("nine byte"), LIMITS);
        attributes.push("empty", ValueRef::Str(""), LIMITS);
        attributes.push("chain", ValueRef::List(&["a", "", "b"]), LIMITS);
        let values: Vec<_> = round_trip(&attributes).into_iter().map(|a| (a.key.to_string(), a.value)).collect();
        assert_eq!(
            values,
            [
                ("flag".to_owned(), Value::Bool(true)),
                ("count".to_owned(), Value::I64(-3)),
                ("ratio".to_owned(), Value::F64(0.25)),
                ("literal".to_owned(), Value::Str("same".into())),
                ("text".to_owned(), Value::Str("nine byte".into())),
                ("empty".to_owned(), Value::Str("".into())),
                ("chain".to_owned(), Value::List(vec!["a".into(), String::new(), "b".into()])),
            ]
        );
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_counted() {
        let mut attributes = Attributes::new();
        attributes.push("text", ValueRef::Str("fifteen bytes..é and more"), LIMITS);
        assert_eq!(attributes.truncated(), 1);
        assert_eq!(round_trip(&attributes)[0].value, Value::Str("fifteen bytes..".into()));
    }

    #[test]
    fn attributes_beyond_the_limit_are_dropped_and_counted() {
        let mut attributes = Attributes::new();
        for _ in 0..10 {
            attributes.push("same", ValueRef::I64(1), LIMITS);
        }
        assert_eq!(attributes.dropped(), 2);
        assert_eq!(round_trip(&attributes).len(), 1);
    }

    #[test]
    fn a_name_is_replaced_and_the_attributes_stay() {
        let long = "n".repeat(300);
        let names = [NameRef::Static("literal"), NameRef::Text("text"), NameRef::Text(&long), NameRef::Text("")];
        for (old, new) in names.iter().flat_map(|old| names.map(|new| (*old, new))) {
            let mut renamed = Attributes::new();
            renamed.push_name(old);
            renamed.push("key", ValueRef::Str("a value"), LIMITS);
            renamed.replace_name(old, new);
            let mut direct = Attributes::new();
            direct.push_name(new);
            direct.push("key", ValueRef::Str("a value"), LIMITS);
            assert_eq!(renamed.words(), direct.words(), "{old:?} to {new:?}");
            assert_eq!(renamed.counters(), direct.counters());
        }
    }

    #[test]
    fn the_last_value_of_a_key_wins() {
        let mut attributes = Attributes::new();
        attributes.push("key", ValueRef::I64(1), LIMITS);
        attributes.push("key", ValueRef::Str("two"), LIMITS);
        assert_eq!(round_trip(&attributes), [Attribute { key: "key".into(), value: Value::Str("two".into()) }]);
    }
}
