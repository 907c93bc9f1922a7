//! Protobuf to JSON, along the same table of messages.
//!
//! Owns how each type is written in OTLP/JSON. Fields that the table does not know are left out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::messages::{Field, Kind, Message, REQUEST};
use crate::wire::{Fields, WireError, WireProblem};

/// Messages within each other: more than any that we write, and than any that was received.
const MOST_DEPTH: usize = 128;

/// A request in protobuf as OTLP/JSON. `TracesData`, which is the same message by another name, reads and
/// prints like one.
///
/// What has its default in protobuf is left out. Values that are deeper than 128 messages end there.
///
/// ```
/// use tta_otlp::print_json;
///
/// assert_eq!(print_json(&[])?, b"{}");
/// # Ok::<(), tta_otlp::WireProblem>(())
/// ```
///
/// # Errors
/// It is no such message.
pub fn print_json(request: &[u8]) -> Result<Vec<u8>, WireProblem> {
    let value = message(request, &REQUEST, 0).map_err(|error| error.problem)?;
    Ok(value.to_string().into_bytes())
}

fn message(bytes: &[u8], table: &'static Message, depth: usize) -> Result<Value, WireError> {
    let mut object = Map::new();
    if depth > MOST_DEPTH {
        return Ok(Value::Object(object));
    }
    let mut fields = Fields::new(bytes);
    while let Some(field) = fields.next()? {
        let Some(known) = table.fields.iter().find(|known| known.number == field.number) else { continue };
        let value = value(&field, known, depth)?;
        if matches!(known.kind, Kind::Repeated(_)) {
            let list = object.entry(known.name).or_insert_with(|| Value::Array(Vec::new()));
            if let Some(list) = list.as_array_mut() {
                list.push(value);
            }
        } else {
            object.insert(known.name.to_owned(), value);
        }
    }
    Ok(Value::Object(object))
}

fn value(field: &crate::wire::Field<'_>, known: &Field, depth: usize) -> Result<Value, WireError> {
    Ok(match known.kind {
        Kind::Message(table) | Kind::Repeated(table) => message(field.bytes()?, table, depth + 1)?,
        Kind::Text => Value::String(field.text()?.to_owned()),
        Kind::Bool => Value::Bool(field.varint()? != 0),
        Kind::Hex => Value::String(hex(field.bytes()?)),
        Kind::Base64 => Value::String(STANDARD.encode(field.bytes()?)),
        // 64-bit numbers are texts in protobuf's JSON.
        Kind::Int64 => Value::String((field.varint()? as i64).to_string()),
        Kind::Fixed64 => Value::String(field.fixed64()?.to_string()),
        Kind::Uint32 => Value::from(field.varint()? as u32),
        Kind::Fixed32 => Value::from(field.fixed32()?),
        Kind::Enum => Value::from(field.varint()? as i32),
        Kind::Double => double(f64::from_bits(field.fixed64()?)),
    })
}

/// What is no number has a name.
fn double(value: f64) -> Value {
    Number::from_f64(value).map_or_else(
        || {
            Value::from(if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            })
        },
        Value::Number,
    )
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::transcode;
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        let json = r#"{"resourceSpans":[{"resource":{"attributes":[
            {"key":"a","value":{"stringValue":"x\"y"}},{"key":"b","value":{"boolValue":false}},
            {"key":"c","value":{"intValue":"-9"}},{"key":"d","value":{"doubleValue":0.5}},
            {"key":"e","value":{"doubleValue":"-Infinity"}},{"key":"f","value":{"bytesValue":"AAH/"}},
            {"key":"g","value":{"arrayValue":{"values":[{"stringValue":"1"},{"kvlistValue":{"values":[]}}]}}}]},
          "scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7",
            "name":"checkout","kind":2,"flags":257,"startTimeUnixNano":"1000","droppedAttributesCount":3,
            "status":{"code":2,"message":"no"}}]}]}]}"#;
        let mut expected: Value = serde_json::from_str(json).unwrap();
        // An empty list leaves no trace in protobuf.
        *expected
            .pointer_mut("/resourceSpans/0/resource/attributes/6/value/arrayValue/values/1/kvlistValue")
            .unwrap() = Value::Object(Map::new());
        let printed = print_json(&transcode(json.as_bytes()).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&printed).unwrap(), expected);
    }
}
