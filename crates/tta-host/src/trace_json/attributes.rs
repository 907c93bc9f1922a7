//! Attributes as a JSON object that keeps its order, and floats that JSON cannot write.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tta_telemetry::{Attribute, Value};

use super::wire::Text;

/// The one key of the object that stands for a float without a JSON number.
const FLOAT_KEY: &str = "float";
/// The one key of the object that stands for bytes, in hex digits.
const BYTES_KEY: &str = "bytes";
/// The one key of the object that stands for values under keys.
const MAP_KEY: &str = "map";
const NAN: &str = "NaN";
const INFINITY: &str = "Infinity";
const NEGATIVE_INFINITY: &str = "-Infinity";

/// The attributes of a span or an event, in order.
#[derive(Default)]
pub(super) struct Attributes<'a>(pub(super) Cow<'a, [Attribute]>);

/// A float attribute or rate.
#[derive(Clone, Copy)]
pub(super) struct Float(pub(super) f64);

struct ValueOut<'a>(&'a Value);

struct ValueIn(Value);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for attribute in self.0.iter() {
            map.serialize_entry(attribute.key.as_str(), &ValueOut(&attribute.value))?;
        }
        map.end()
    }
}

impl Serialize for ValueOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::I64(value) => serializer.serialize_i64(*value),
            Value::F64(value) => Float(*value).serialize(serializer),
            Value::Str(text) => serializer.serialize_str(text),
            Value::List(texts) => serializer.collect_seq(texts),
            Value::Bytes(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                tagged(serializer, BYTES_KEY, &hex)
            }
            Value::Array(values) => serializer.collect_seq(values.iter().map(ValueOut)),
            Value::Map(entries) => tagged(serializer, MAP_KEY, &Attributes(Cow::Borrowed(entries))),
            Value::Empty => serializer.serialize_unit(),
        }
    }
}

/// An object of one key, which says what its value stands for.
fn tagged<S: Serializer>(serializer: S, key: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self.0 {
            value if value.is_nan() => NAN,
            f64::INFINITY => INFINITY,
            f64::NEG_INFINITY => NEGATIVE_INFINITY,
            value => return serializer.serialize_f64(value),
        };
        tagged(serializer, FLOAT_KEY, &name)
    }
}

impl<'de> Deserialize<'de> for Attributes<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor).map(|attributes| Attributes(Cow::Owned(attributes)))
    }
}

impl<'de> Deserialize<'de> for ValueIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(ValueIn)
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FloatVisitor).map(Float)
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Vec<Attribute>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Attribute>, A::Error> {
        let mut attributes = Vec::new();
        while let Some((key, ValueIn(value))) = map.next_entry::<Text<'de>, ValueIn>()? {
            attributes.push(Attribute { key: key.into(), value });
        }
        Ok(attributes)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean, a number, a string, null, a list, or an object of `float`, `bytes` or `map`")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::I64(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        // Larger integers arrive as floats already; the ones between take the same way.
        Ok(i64::try_from(value).map_or(Value::F64(value as f64), Value::I64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::F64(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Empty)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(ValueIn(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::from_list(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Some(key) = map.next_key::<Text<'de>>()? else {
            return Err(A::Error::invalid_length(0, &self));
        };
        let value = match key.as_str() {
            FLOAT_KEY => float(map.next_value::<Text<'de>>()?.as_str()).map(Value::F64)?,
            BYTES_KEY => bytes(map.next_value::<Text<'de>>()?.as_str()).map(Value::Bytes)?,
            MAP_KEY => Value::Map(map.next_value::<Attributes<'de>>()?.0.into_owned()),
            other => return Err(A::Error::invalid_value(Unexpected::Str(other), &self)),
        };
        if map.next_key::<Text<'de>>()?.is_some() {
            return Err(A::Error::invalid_length(2, &self));
        }
        Ok(value)
    }
}

/// A float that JSON has no number for.
fn float<E: Error>(text: &str) -> Result<f64, E> {
    match text {
        NAN => Ok(f64::NAN),
        INFINITY => Ok(f64::INFINITY),
        NEGATIVE_INFINITY => Ok(f64::NEG_INFINITY),
        other => Err(E::invalid_value(Unexpected::Str(other), &FloatVisitor)),
    }
}

fn bytes<E: Error>(hex: &str) -> Result<Vec<u8>, E> {
    let refuse = || E::invalid_value(Unexpected::Str(hex), &"an even number of hex digits");
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| match pair {
        [high, low] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
        _ => None,
    };
    hex.as_bytes().chunks(2).map(|digits| pair(digits).ok_or_else(refuse)).collect()
}

struct FloatVisitor;

impl<'de> Visitor<'de> for FloatVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number or {{\"{FLOAT_KEY}\": \"{NAN}\", \"{INFINITY}\" or \"{NEGATIVE_INFINITY}\"}}")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<f64, A::Error> {
        let refuse = |text: &str| A::Error::invalid_value(Unexpected::Str(text), &FloatVisitor);
        let Some(key) = map.next_key::<Text<'de>>()? else {
            return Err(A::Error::invalid_length(0, &self));
        };
        if key.as_str() != FLOAT_KEY {
            return Err(refuse(key.as_str()));
        }
        let value = map.next_value::<Text<'de>>()?;
        if map.next_key::<Text<'de>>()?.is_some() {
            return Err(A::Error::invalid_length(2, &self));
        }
        float(value.as_str())
    }
}
