//! Attributes as JSON that says what type each value is of.
//!
//! Text, truth values, numbers and lists are JSON's own; a double has a fraction or an exponent (`2.0`), a
//! whole number has none. What JSON cannot say is an object with one key that begins with `$`:
//!
//! | value | JSON |
//! |---|---|
//! | bytes | `{"$bytes": "3q0="}`, base64 |
//! | a double that is not finite | `{"$double": "NaN"}`, `"Infinity"` or `"-Infinity"` |
//! | a whole number beyond ±(2^53 - 1) | `{"$int": "9007199254740993"}` |
//! | a map whose first key begins with `$` | `{"$map": {...}}` |
//! | nothing | `null` |
//!
//! Of a key that occurs twice the last value is shown, in the place of the last.

use serde::ser::{Serialize, SerializeMap, Serializer};
use tta_telemetry::{Attribute, Value};

/// The largest whole number that every reader of JSON keeps.
const EXACT: u64 = (1 << 53) - 1;

/// Attributes, as an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [Attribute]);

/// One value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyValue<'a>(pub(crate) &'a Value);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut seen: std::collections::HashSet<&str> = std::collections::HashSet::new();
        let last: Vec<&Attribute> =
            self.0.iter().rev().filter(|attribute| seen.insert(attribute.key.as_str())).collect();
        for attribute in last.into_iter().rev() {
            map.serialize_entry(attribute.key.as_str(), &AnyValue(&attribute.value))?;
        }
        map.end()
    }
}

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::I64(value) if value.unsigned_abs() <= EXACT => serializer.serialize_i64(*value),
            Value::I64(value) => marked(serializer, "$int", &value.to_string()),
            Value::F64(value) if value.is_finite() => serializer.serialize_f64(*value),
            Value::F64(value) => marked(serializer, "$double", double(*value)),
            Value::Str(text) => serializer.serialize_str(text),
            Value::List(texts) => serializer.collect_seq(texts),
            Value::Bytes(bytes) => marked(serializer, "$bytes", &base64(bytes)),
            Value::Array(values) => serializer.collect_seq(values.iter().map(AnyValue)),
            Value::Map(entries) if entries.first().is_some_and(|entry| entry.key.as_str().starts_with('$')) => {
                marked(serializer, "$map", &Attributes(entries))
            }
            Value::Map(entries) => Attributes(entries).serialize(serializer),
            Value::Empty => serializer.serialize_unit(),
        }
    }
}

fn marked<S: Serializer, T: Serialize + ?Sized>(serializer: S, mark: &str, value: &T) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(mark, value)?;
    map.end()
}

/// A double that is not finite, in the words of Protocol Buffers' JSON.
pub(crate) fn double(value: f64) -> &'static str {
    match value {
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

/// By RFC 4648, with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let of = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = (of(0) << 16) | (of(1) << 8) | of(2);
        for (digit, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let value = DIGITS.get((bits >> shift) as usize & 63).copied().unwrap_or(b'=');
            text.push(char::from(if digit <= chunk.len() { value } else { b'=' }));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(key: &'static str, value: Value) -> Attribute {
        Attribute { key: key.into(), value }
    }

    #[test]
    fn every_type_is_told_apart_and_of_a_key_the_last_value_is_shown() {
        let attributes = [
            attribute("text", Value::Str("old".into())),
            attribute("int", Value::I64(-7)),
            attribute("double", Value::F64(2.0)),
            attribute("big", Value::I64(9_007_199_254_740_993)),
            attribute("least", Value::I64(i64::MIN)),
            attribute("nan", Value::F64(f64::NAN)),
            attribute("endless", Value::F64(f64::NEG_INFINITY)),
            attribute("raw", Value::Bytes(vec![0xde, 0xad])),
            attribute("list", Value::List(vec!["a".into()])),
            attribute("mixed", Value::Array(vec![Value::Bool(true), Value::Empty])),
            attribute("map", Value::Map(vec![attribute("k", Value::I64(1))])),
            attribute("dollar", Value::Map(vec![attribute("$int", Value::Str("x".into()))])),
            attribute("text", Value::Str("new".into())),
        ];
        let want = r#"{"int":-7,"double":2.0,"big":{"$int":"9007199254740993"},"#.to_owned()
            + r#""least":{"$int":"-9223372036854775808"},"nan":{"$double":"NaN"},"endless":{"$double":"-Infinity"},"#
            + r#""raw":{"$bytes":"3q0="},"list":["a"],"mixed":[true,null],"map":{"k":1},"#
            + r#""dollar":{"$map":{"$int":"x"}},"text":"new"}"#;
        assert_eq!(serde_json::to_string(&Attributes(&attributes)).unwrap(), want);
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, encoded) in cases {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xff, 0xff, 0xfe]), "///+");
    }
}
