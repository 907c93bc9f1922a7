//! Attributes on the way out.
//!
//! Owns `KeyValue` and `AnyValue`. Does not own which attributes a span has.

use tta_telemetry::{Attribute, Value};

use crate::wire::Writer;
use crate::wire::numbers::{any_value, key_value, list};

pub(super) fn write_attributes(writer: &mut Writer<'_>, field: u32, attributes: &[Attribute]) {
    for attribute in attributes {
        writer.message(field, |writer| write_key_value(writer, attribute));
    }
}

/// The same without those that a later one of the same key replaces: in our own records the last one
/// set wins, and keys that OTLP sees are unique.
pub(super) fn write_last_attributes(writer: &mut Writer<'_>, field: u32, attributes: &[Attribute]) {
    let mut rest = attributes;
    while let Some((attribute, later)) = rest.split_first() {
        rest = later;
        if !later.iter().any(|other| other.key == attribute.key) {
            writer.message(field, |writer| write_key_value(writer, attribute));
        }
    }
}

/// An attribute that says something about a record and is not in it.
pub(super) fn write_text(writer: &mut Writer<'_>, field: u32, key: &str, text: &str) {
    write_plain(writer, field, key, |writer| writer.bytes_always(any_value::STRING, text.as_bytes()));
}

pub(super) fn write_true(writer: &mut Writer<'_>, field: u32, key: &str) {
    write_plain(writer, field, key, |writer| writer.varint_always(any_value::BOOL, 1));
}

pub(super) fn write_count(writer: &mut Writer<'_>, field: u32, key: &str, count: u32) {
    write_plain(writer, field, key, |writer| writer.varint_always(any_value::INT, count.into()));
}

pub(super) fn write_number(writer: &mut Writer<'_>, field: u32, key: &str, number: f64) {
    write_plain(writer, field, key, |writer| writer.fixed64_always(any_value::DOUBLE, number.to_bits()));
}

fn write_plain(writer: &mut Writer<'_>, field: u32, key: &str, value: impl FnOnce(&mut Writer<'_>)) {
    writer.message(field, |writer| {
        writer.bytes(key_value::KEY, key.as_bytes());
        writer.message(key_value::VALUE, value);
    });
}

fn write_key_value(writer: &mut Writer<'_>, attribute: &Attribute) {
    writer.bytes(key_value::KEY, attribute.key.as_bytes());
    if attribute.value != Value::Empty {
        writer.message(key_value::VALUE, |writer| write_value(writer, &attribute.value));
    }
}

fn write_value(writer: &mut Writer<'_>, value: &Value) {
    match value {
        Value::Bool(value) => writer.varint_always(any_value::BOOL, u64::from(*value)),
        Value::I64(value) => writer.varint_always(any_value::INT, *value as u64),
        Value::F64(value) => writer.fixed64_always(any_value::DOUBLE, value.to_bits()),
        Value::Str(text) => writer.bytes_always(any_value::STRING, text.as_bytes()),
        Value::Bytes(bytes) => writer.bytes_always(any_value::BYTES, bytes),
        Value::List(texts) => writer.message(any_value::ARRAY, |writer| {
            for text in texts {
                let text = text.as_bytes();
                writer.message(list::VALUES, |writer| writer.bytes_always(any_value::STRING, text));
            }
        }),
        Value::Array(values) => writer.message(any_value::ARRAY, |writer| {
            for value in values {
                writer.message(list::VALUES, |writer| write_value(writer, value));
            }
        }),
        Value::Map(entries) => {
            writer.message(any_value::KVLIST, |writer| write_attributes(writer, list::VALUES, entries));
        }
        Value::Empty => {}
    }
}
