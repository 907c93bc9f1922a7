//! Attribute values, as recorded and as read back.

use std::borrow::Cow;
use std::fmt;

use super::Name;

/// A recorded attribute value.
///
/// The OpenTelemetry attribute types that workflows need; integers are `i64` as there.
///
/// A value equals its copy: numbers are equal as numbers, and what is not a number (NaN) equals the one of
/// the same bits.
#[derive(Clone, Debug)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// Text, at most the engine's `attribute_bytes`.
    Str(Cow<'static, str>),
    /// Several texts, in order (an error chain).
    List(Vec<String>),
    /// Bytes. Only received attributes are this or one of the following.
    Bytes(Vec<u8>),
    /// Several values, not all of them texts, in order.
    Array(Vec<Value>),
    /// Values under keys, in order.
    Map(Vec<Attribute>),
    /// Nothing: the key is there, and has no value.
    Empty,
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::I64(one), Value::I64(other)) => one == other,
            (Value::F64(one), Value::F64(other)) => one == other || one.to_bits() == other.to_bits(),
            (Value::Str(one), Value::Str(other)) => one == other,
            (Value::List(one), Value::List(other)) => one == other,
            (Value::Bytes(one), Value::Bytes(other)) => one == other,
            (Value::Array(one), Value::Array(other)) => one == other,
            (Value::Map(one), Value::Map(other)) => one == other,
            (Value::Empty, Value::Empty) => true,
            _ => false,
        }
    }
}

/// One key and its value. Keys are unique within a span; the last one set wins.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// The attribute's name, in OpenTelemetry's dotted form where a convention exists.
    pub key: Name,
    /// Its value.
    pub value: Value,
}

impl Attribute {
    /// Approximate memory it holds. A key counts as if it were short or a literal: most are.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.value.held_bytes()
    }
}

/// An attribute value as given to the recorder, borrowed until it is copied into the record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// True or false.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A floating-point number.
    F64(f64),
    /// A literal; recorded by reference. See [`ValueRef::literal`].
    Static(&'static str),
    /// Text; copied, and cut at the engine's `attribute_bytes`.
    Str(&'a str),
    /// Several texts; copied, and cut together at the engine's `attribute_bytes`.
    List(&'a [&'a str]),
}

impl ValueRef<'_> {
    /// A string literal: recorded as a pointer, so its length costs nothing.
    #[must_use]
    pub const fn literal(text: &'static str) -> Self {
        ValueRef::Static(text)
    }

    /// The owned form.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            ValueRef::Bool(value) => Value::Bool(value),
            ValueRef::I64(value) => Value::I64(value),
            ValueRef::F64(value) => Value::F64(value),
            ValueRef::Static(text) => Value::Str(Cow::Borrowed(text)),
            ValueRef::Str(text) => Value::Str(Cow::Owned(text.to_owned())),
            ValueRef::List(texts) => Value::List(texts.iter().map(|text| (*text).to_owned()).collect()),
        }
    }
}

impl Value {
    /// Approximate memory it holds beyond its own size.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match self {
            Value::Str(text) => text.len(),
            Value::List(texts) => texts.iter().map(|text| text.len() + size_of::<String>()).sum(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Array(values) => values.iter().map(|value| value.held_bytes() + size_of::<Self>()).sum(),
            Value::Map(entries) => entries.iter().map(Attribute::size_bytes).sum(),
            Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::Empty => 0,
        }
    }

    /// Several values, in order: the form for texts alone, or the one for others.
    #[must_use]
    pub fn from_list(values: Vec<Self>) -> Self {
        if !values.iter().all(|value| matches!(value, Value::Str(_))) {
            return Value::Array(values);
        }
        let text = |value| if let Value::Str(text) = value { Some(text.into_owned()) } else { None };
        Value::List(values.into_iter().filter_map(text).collect())
    }

    /// The text, if this is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if this is one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::I64(value) => Some(*value),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::I64(value) => write!(f, "{value}"),
            Value::F64(value) => write!(f, "{value}"),
            Value::Str(text) => f.write_str(text),
            Value::List(texts) => f.write_str(&texts.join(" <- ")),
            Value::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Value::Array(values) => list(f, "[", values.iter().map(|value| (None, value)), "]"),
            Value::Map(entries) => list(f, "{", entries.iter().map(|entry| (Some(&entry.key), &entry.value)), "}"),
            Value::Empty => Ok(()),
        }
    }
}

/// Values, and their keys where they have some, between brackets.
fn list<'v>(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    values: impl Iterator<Item = (Option<&'v Name>, &'v Value)>,
    close: &str,
) -> fmt::Result {
    f.write_str(open)?;
    for (index, (key, value)) in values.enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        if let Some(key) = key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{value}")?;
    }
    f.write_str(close)
}

macro_rules! value_from {
    ($($from:ty => $variant:ident as $to:ty),* $(,)?) => {
        $(impl From<$from> for ValueRef<'_> {
            #[inline]
            fn from(value: $from) -> Self {
                ValueRef::$variant(<$to>::from(value))
            }
        })*
    };
}

value_from! {
    bool => Bool as bool,
    i8 => I64 as i64, i16 => I64 as i64, i32 => I64 as i64, i64 => I64 as i64,
    u8 => I64 as i64, u16 => I64 as i64, u32 => I64 as i64,
    f32 => F64 as f64, f64 => F64 as f64,
}

// Counts beyond i64::MAX do not occur; saturating keeps the conversion total.
impl From<u64> for ValueRef<'_> {
    #[inline]
    fn from(value: u64) -> Self {
        ValueRef::I64(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for ValueRef<'_> {
    #[inline]
    fn from(value: usize) -> Self {
        ValueRef::I64(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl<'a> From<&'a str> for ValueRef<'a> {
    #[inline]
    fn from(value: &'a str) -> Self {
        ValueRef::Str(value)
    }
}

impl<'a> From<&'a String> for ValueRef<'a> {
    #[inline]
    fn from(value: &'a String) -> Self {
        ValueRef::Str(value)
    }
}

impl<'a> From<&'a Name> for ValueRef<'a> {
    #[inline]
    fn from(value: &'a Name) -> Self {
        match value.as_ref() {
            super::NameRef::Static(text) => ValueRef::Static(text),
            super::NameRef::Text(text) => ValueRef::Str(text),
        }
    }
}
