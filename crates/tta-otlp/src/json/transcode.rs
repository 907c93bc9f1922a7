//! JSON to protobuf in one pass: what is read is written, nothing is built between.
//!
//! Owns the walk along the table of messages, and the path to what is wrong.

use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::JsonError;
use super::messages::{Field, Kind, Message, REQUEST};
use super::scalars::{self, Number};
use crate::wire::Writer;

/// The request in protobuf.
pub(crate) fn transcode(body: &[u8]) -> Result<Vec<u8>, JsonError> {
    // Protobuf takes about a third; growing twice is cheaper than holding too much.
    let mut state = State { out: Vec::with_capacity(body.len() / 4), path: Vec::with_capacity(16) };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = MessageSeed { state: &mut state, message: &REQUEST, accepted: "the object of a request" };
    match read.deserialize(&mut json).and_then(|()| json.end()) {
        Ok(()) => Ok(state.out),
        Err(error) => Err(state.describe(&error)),
    }
}

struct State {
    out: Vec<u8>,
    /// To what is being read; left as it is by an error.
    path: Vec<Step>,
}

enum Step {
    Key(&'static str),
    Index(usize),
}

impl State {
    fn describe(&self, error: &serde_json::Error) -> JsonError {
        let mut path = String::new();
        for step in &self.path {
            // Writing to a string does not fail.
            let _ = match step {
                Step::Key(key) if path.is_empty() => path.write_str(key),
                Step::Key(key) => write!(path, ".{key}"),
                Step::Index(index) => write!(path, "[{index}]"),
            };
        }
        if path.is_empty() {
            path.push_str("body");
        }
        let (line, column) = (error.line(), error.column());
        let message = error.to_string();
        let place = format!(" at line {line} column {column}");
        let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
        JsonError { path, message, line, column }
    }
}

/// Says what was found by its type only: it may be a secret.
#[cold]
fn refused<E: Error>(found: &str, accepted: &dyn fmt::Display) -> E {
    E::custom(format_args!("found {found}, expected {accepted}"))
}

/// An object, whose fields go into the message that is open.
struct MessageSeed<'s> {
    state: &'s mut State,
    message: &'static Message,
    accepted: &'static str,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What a visitor refuses, with words of its own instead of serde's, which repeat what was given.
macro_rules! refuse {
    ($($visit:ident($type:ty) => $found:literal),* $(,)?) => {
        $(fn $visit<E: Error>(self, _: $type) -> Result<(), E> {
            Err(refused($found, &self.accepted()))
        })*
    };
}

impl MessageSeed<'_> {
    fn accepted(&self) -> &'static str {
        self.accepted
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.accepted)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(KeySeed(self.message))? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.state.path.push(Step::Key(field.name));
            map.next_value_seed(FieldSeed { state: &mut *self.state, field })?;
            self.state.path.pop();
        }
        Ok(())
    }

    refuse! {
        visit_bool(bool) => "true or false", visit_u64(u64) => "a number", visit_i64(i64) => "a number",
        visit_f64(f64) => "a number", visit_str(&str) => "a text",
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(refused("null", &self.accepted))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(refused("a list", &self.accepted))
    }
}

/// A key: the field of that name, if the message has it.
struct KeySeed(&'static Message);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.fields.iter().find(|field| field.name == key))
    }
}

/// The value of a field, written with its number.
struct FieldSeed<'s> {
    state: &'s mut State,
    field: &'static Field,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl FieldSeed<'_> {
    const fn accepted(&self) -> &'static str {
        match self.field.kind {
            Kind::Message(_) => "an object",
            Kind::Repeated(_) => "a list of objects",
            Kind::Text => "a text",
            Kind::Bool => "true or false",
            Kind::Hex => "a text of hexadecimal digits, two for each byte",
            Kind::Base64 => "a text of bytes in base64",
            Kind::Int64 => "a whole number of 64 bits with sign, or a text that holds one",
            Kind::Uint32 | Kind::Fixed32 => "a whole number from 0 to 4294967295",
            Kind::Fixed64 => "a whole number of 64 bits, or a text that holds one",
            Kind::Double => "a number, or a text that holds one, `NaN`, `Infinity` or `-Infinity`",
            Kind::Enum => "the number of an enumeration's value (its name is not accepted in OTLP/JSON)",
        }
    }

    fn number<E: Error>(self, number: Number<'_>) -> Result<(), E> {
        let at = self.field.number;
        let mut writer = Writer::new(&mut self.state.out);
        // Explicit, also where it is the default: of an `AnyValue`'s fields the one that is there counts.
        let written = match self.field.kind {
            Kind::Int64 => number.signed().map(|value| writer.varint_always(at, value as u64)),
            Kind::Uint32 => number
                .unsigned()
                .and_then(|value| u32::try_from(value).ok())
                .map(|value| writer.varint(at, value.into())),
            Kind::Fixed32 => {
                number.unsigned().and_then(|value| u32::try_from(value).ok()).map(|value| writer.fixed32(at, value))
            }
            Kind::Fixed64 => number.unsigned().map(|value| writer.fixed64_always(at, value)),
            Kind::Double => number.double().map(|value| writer.fixed64_always(at, value.to_bits())),
            Kind::Enum if !matches!(number, Number::Text(_)) => {
                let value = number.signed().and_then(|value| i32::try_from(value).ok());
                value.map(|value| writer.varint_always(at, i64::from(value) as u64))
            }
            _ => None,
        };
        let found = if matches!(number, Number::Text(_)) { "a text" } else { "a number" };
        written.ok_or_else(|| refused(found, &self.accepted()))
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.accepted())
    }

    /// As if it was not there (protobuf's mapping to JSON).
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        if !matches!(self.field.kind, Kind::Bool) {
            return Err(refused("true or false", &self.accepted()));
        }
        Writer::new(&mut self.state.out).varint_always(self.field.number, u64::from(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(Number::Positive(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(Number::Negative(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.number(Number::Float(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let at = self.field.number;
        match self.field.kind {
            Kind::Text => Writer::new(&mut self.state.out).bytes_always(at, text.as_bytes()),
            Kind::Hex => {
                let open = Writer::new(&mut self.state.out).open(at);
                scalars::hex(text, &mut self.state.out).ok_or_else(|| refused("another text", &self.accepted()))?;
                Writer::new(&mut self.state.out).close(open);
            }
            Kind::Base64 => {
                let bytes = scalars::base64(text).ok_or_else(|| refused("another text", &self.accepted()))?;
                Writer::new(&mut self.state.out).bytes_always(at, &bytes);
            }
            _ => return self.number(Number::Text(text)),
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let Kind::Message(message) = self.field.kind else {
            return Err(refused("an object", &self.accepted()));
        };
        let accepted = self.accepted();
        let open = Writer::new(&mut self.state.out).open(self.field.number);
        MessageSeed { state: &mut *self.state, message, accepted }.visit_map(map)?;
        Writer::new(&mut self.state.out).close(open);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Kind::Repeated(message) = self.field.kind else {
            return Err(refused("a list", &self.accepted()));
        };
        for index in 0.. {
            self.state.path.push(Step::Index(index));
            let item = ItemSeed { state: &mut *self.state, message, number: self.field.number };
            let is_there = items.next_element_seed(item)?.is_some();
            self.state.path.pop();
            if !is_there {
                break;
            }
        }
        Ok(())
    }
}

/// One object of a list.
struct ItemSeed<'s> {
    state: &'s mut State,
    message: &'static Message,
    number: u32,
}

impl<'de> DeserializeSeed<'de> for ItemSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let open = Writer::new(&mut self.state.out).open(self.number);
        MessageSeed { state: &mut *self.state, message: self.message, accepted: "an object" }
            .deserialize(deserializer)?;
        Writer::new(&mut self.state.out).close(open);
        Ok(())
    }
}
