//! Attributes: checked without decoding them, and decoded within bounds.
//!
//! Owns `KeyValue` and `AnyValue` on the way in. Does not own which attributes mean something.

use std::borrow::Cow;
use std::sync::Arc;

use tta_telemetry::{Attribute, Name, Value};

use super::known::known_key;
use crate::OtlpLimits;
use crate::limits::cut;
use crate::wire::numbers::{any_value, key_value, list};
use crate::wire::{Fields, WireError};

/// What a value in a list counts at least against `attribute_bytes`: that many bytes it takes on the wire.
const LEAST_ELEMENT_BYTES: usize = 4;

/// The keys of those fields that are in almost every attribute, as they are written: number and wire type.
const KEY_BYTE: u8 = (key_value::KEY << 3 | 2) as u8;
const VALUE_BYTE: u8 = (key_value::VALUE << 3 | 2) as u8;
const STRING_BYTE: u8 = (any_value::STRING << 3 | 2) as u8;

/// A value as far as a head needs it.
#[derive(Clone, Copy, Default)]
pub(super) enum Plain<'a> {
    Text(&'a str),
    Number(f64),
    #[default]
    Other,
}

impl<'a> Plain<'a> {
    pub(super) fn text(self) -> Option<&'a str> {
        if let Plain::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn number(self) -> Option<f64> {
        if let Plain::Number(number) = self { Some(number) } else { None }
    }
}

/// Checks every byte of an attribute: its key and, where it is plain, its value. Lists and maps that lie
/// in more than `depth` others are not looked into.
#[inline]
pub(super) fn check_key_value<'a>(mut fields: Fields<'a>, depth: usize) -> Result<(&'a str, Plain<'a>), WireError> {
    // As almost all are written: a short key, then a short value, and nothing else.
    let mut short = fields;
    if let (Some(key), Some(value)) = (short.short(KEY_BYTE), short.short(VALUE_BYTE))
        && short.is_empty()
        && let Ok(key) = std::str::from_utf8(key)
    {
        return Ok((key, check_value(Fields::new(value), depth)?));
    }
    let (mut key, mut value) = ("", Plain::Other);
    while let Some(field) = fields.next()? {
        match field.number {
            key_value::KEY => key = field.text()?,
            key_value::VALUE => value = check_value(field.message()?, depth)?,
            _ => {}
        }
    }
    Ok((key, value))
}

#[inline]
fn check_value<'a>(mut fields: Fields<'a>, depth: usize) -> Result<Plain<'a>, WireError> {
    let mut short = fields;
    if let Some(text) = short.short(STRING_BYTE)
        && short.is_empty()
        && let Ok(text) = std::str::from_utf8(text)
    {
        return Ok(Plain::Text(text));
    }
    let mut plain = Plain::Other;
    while let Some(field) = fields.next()? {
        plain = match field.number {
            any_value::STRING => Plain::Text(field.text()?),
            any_value::BOOL => field.varint().map(|_| Plain::Other)?,
            any_value::INT => Plain::Number(field.varint()? as i64 as f64),
            any_value::DOUBLE => Plain::Number(f64::from_bits(field.fixed64()?)),
            any_value::ARRAY => {
                check_list(field.message()?, depth, |fields, depth| check_value(fields, depth).map(drop))?
            }
            any_value::KVLIST => {
                check_list(field.message()?, depth, |fields, depth| check_key_value(fields, depth).map(drop))?
            }
            any_value::BYTES => field.bytes().map(|_| Plain::Other)?,
            _ => continue,
        };
    }
    Ok(plain)
}

fn check_list<'a>(
    mut fields: Fields<'a>,
    depth: usize,
    check: impl Fn(Fields<'a>, usize) -> Result<(), WireError>,
) -> Result<Plain<'a>, WireError> {
    let Some(deeper) = depth.checked_sub(1) else { return Ok(Plain::Other) };
    while let Some(field) = fields.next()? {
        if field.number == list::VALUES {
            check(field.message()?, deeper)?;
        }
    }
    Ok(Plain::Other)
}

/// Decodes attributes and counts what is cut.
pub(super) struct Values<'l> {
    limits: &'l OtlpLimits,
    most_attributes: usize,
    /// Texts and values that were cut so far.
    pub(super) truncated: u32,
}

impl<'l> Values<'l> {
    pub(super) const fn new(limits: &'l OtlpLimits) -> Self {
        Self { limits, most_attributes: limits.attributes_per_span, truncated: 0 }
    }

    /// For somebody who may have no more attributes than there is room for.
    pub(super) fn within(limits: &'l OtlpLimits, room: usize) -> Self {
        Self { limits, most_attributes: limits.attributes_per_span.min(room), truncated: 0 }
    }

    /// How deep values may lie in each other.
    pub(super) const fn depth(&self) -> usize {
        self.limits.value_depth
    }

    /// A name or a message: not an attribute, and held to the same bound.
    pub(super) fn text<'a>(&mut self, text: &'a str) -> &'a str {
        let short = cut(text, self.limits.attribute_bytes);
        self.truncated += u32::from(short.len() < text.len());
        short
    }

    pub(super) fn name(&mut self, text: &str) -> Name {
        Name::from(Arc::<str>::from(self.text(text)))
    }

    /// Adds an attribute to the others, or to those that are dropped.
    pub(super) fn attribute(
        &mut self,
        fields: Fields<'_>,
        to: &mut Vec<Attribute>,
        dropped: &mut u32,
    ) -> Result<(), WireError> {
        if to.len() >= self.most_attributes {
            *dropped = dropped.saturating_add(1);
            return Ok(());
        }
        let mut budget = Budget { room: self.limits.attribute_bytes, is_cut: false };
        to.push(budget.key_value(fields, self.limits.value_depth, false)?);
        self.truncated += u32::from(budget.is_cut);
        Ok(())
    }
}

/// The bytes that are left for one attribute.
struct Budget {
    room: usize,
    is_cut: bool,
}

impl Budget {
    fn take<'a>(&mut self, text: &'a str) -> &'a str {
        let short = cut(text, self.room);
        self.room -= short.len();
        self.is_cut |= short.len() < text.len();
        short
    }

    fn key(&mut self, key: &str, is_entry: bool) -> Name {
        let key = if is_entry {
            self.take(key)
        } else {
            let short = cut(key, self.room);
            self.is_cut |= short.len() < key.len();
            short
        };
        known_key(key).map_or_else(|| Name::from(Arc::<str>::from(key)), Name::from_static)
    }

    /// The key of an attribute has a bound of its own; that of an entry takes from its attribute's, before
    /// the entry's value does: a value that is cut is worth more than one under half a key.
    fn key_value(&mut self, fields: Fields<'_>, depth: usize, is_entry: bool) -> Result<Attribute, WireError> {
        let mut short = fields;
        if let (Some(key), Some(value)) = (short.short(KEY_BYTE), short.short(VALUE_BYTE))
            && short.is_empty()
            && let Ok(key) = std::str::from_utf8(key)
        {
            let key = self.key(key, is_entry);
            return Ok(Attribute { key, value: self.value(Fields::new(value), depth, Value::Empty)? });
        }
        let mut key = "";
        let mut keys = fields;
        while let Some(field) = keys.next()? {
            if field.number == key_value::KEY {
                key = field.text()?;
            }
        }
        let key = self.key(key, is_entry);
        let mut value = Value::Empty;
        let mut values = fields;
        while let Some(field) = values.next()? {
            if field.number == key_value::VALUE {
                value = self.value(field.message()?, depth, value)?;
            }
        }
        Ok(Attribute { key, value })
    }

    /// A value that is written in several pieces is put together, as Protocol Buffers have it: a list
    /// grows, anything else is replaced.
    fn value(&mut self, mut fields: Fields<'_>, depth: usize, so_far: Value) -> Result<Value, WireError> {
        let mut value = so_far;
        while let Some(field) = fields.next()? {
            value = match field.number {
                any_value::STRING => Value::Str(Cow::Owned(self.take(field.text()?).to_owned())),
                any_value::BOOL => Value::Bool(field.varint()? != 0),
                any_value::INT => Value::I64(field.varint()? as i64),
                any_value::DOUBLE => Value::F64(f64::from_bits(field.fixed64()?)),
                any_value::BYTES => {
                    let bytes = field.bytes()?;
                    let short = bytes.get(..self.room).unwrap_or(bytes);
                    self.room -= short.len();
                    self.is_cut |= short.len() < bytes.len();
                    Value::Bytes(short.to_vec())
                }
                any_value::ARRAY => {
                    let items = match value {
                        Value::Array(items) => items,
                        Value::List(texts) => texts.into_iter().map(|text| Value::Str(text.into())).collect(),
                        _ => Vec::new(),
                    };
                    let read = |budget: &mut Self, fields: Fields<'_>, depth| budget.value(fields, depth, Value::Empty);
                    self.list(field.message()?, depth, items, read)?.map_or(Value::Empty, Value::from_list)
                }
                any_value::KVLIST => {
                    let entries = if let Value::Map(entries) = value { entries } else { Vec::new() };
                    let read = |budget: &mut Self, fields: Fields<'_>, depth| budget.key_value(fields, depth, true);
                    self.list(field.message()?, depth, entries, read)?.map_or(Value::Empty, Value::Map)
                }
                _ => continue,
            };
        }
        Ok(value)
    }

    /// `None` for one that lies too deep.
    fn list<T>(
        &mut self,
        mut fields: Fields<'_>,
        depth: usize,
        mut items: Vec<T>,
        read: impl Fn(&mut Self, Fields<'_>, usize) -> Result<T, WireError>,
    ) -> Result<Option<Vec<T>>, WireError> {
        let Some(deeper) = depth.checked_sub(1) else {
            self.is_cut = true;
            return Ok(None);
        };
        while let Some(field) = fields.next()? {
            if field.number != list::VALUES {
                continue;
            }
            let message = field.message()?;
            let Some(room) = self.room.checked_sub(LEAST_ELEMENT_BYTES) else {
                self.is_cut = true;
                break;
            };
            self.room = room;
            items.push(read(self, message, deeper)?);
        }
        Ok(Some(items))
    }
}
