//! Lines for programs: one JSON object each (RFC 8259), in UTF-8.
//!
//! Owns the names of the members and the escapes.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use tracing_core::Level;

use super::line::Line;
use super::time::rfc3339;

/// Puts the line together: first when, how grave, where and what, then the details, then the ids.
pub(super) fn finish(line: &mut Line, level: Level, target: &str) {
    let mut out = std::mem::take(&mut line.out);
    out.extend_from_slice(b"{\"timestamp\":\"");
    out.extend_from_slice(&rfc3339(line.unix_ns));
    out.extend_from_slice(b"\",\"level\":\"");
    out.extend_from_slice(level.as_str().as_bytes());
    out.extend_from_slice(b"\",\"target\":");
    string(&mut out, target);
    if line.has_message {
        out.extend_from_slice(b",\"message\":");
        out.extend_from_slice(&line.message);
    }
    if !line.fields.is_empty() {
        out.extend_from_slice(b",\"fields\":{");
        out.extend_from_slice(&line.fields);
        out.push(b'}');
    }
    if let Some(trace_id) = line.trace_id {
        member(&mut out, "trace_id", format_args!("\"{trace_id}\""));
    }
    if let Some(span_id) = line.span_id {
        member(&mut out, "span_id", format_args!("\"{span_id}\""));
    }
    if !line.correlation_id.is_empty() {
        out.extend_from_slice(b",\"correlation_id\":");
        string(&mut out, &line.correlation_id);
    }
    if line.span_count > 0 {
        out.extend_from_slice(b",\"spans\":[");
        for (at, name) in line.span_names().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            string(&mut out, name);
        }
        out.push(b']');
    }
    if line.is_truncated {
        out.extend_from_slice(b",\"truncated\":true");
    }
    out.extend_from_slice(b"}\n");
    line.out = out;
}

fn member(out: &mut Vec<u8>, key: &str, value: std::fmt::Arguments<'_>) {
    // A vector takes everything.
    let _ = io::Write::write_fmt(out, format_args!(",\"{key}\":{value}"));
}

/// A key and its colon, after a comma unless it is the first.
pub(super) fn key(out: &mut Vec<u8>, key: &str, is_first: bool) {
    if !is_first {
        out.push(b',');
    }
    string(out, key);
    out.push(b':');
}

/// A text in quotes.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    // A vector takes everything, and every text is one in JSON.
    let _ = text.serialize(&mut Serializer::with_formatter(out, NoControls));
}

/// Several texts.
pub(super) fn list(out: &mut Vec<u8>, texts: &[String]) {
    let _ = texts.serialize(&mut Serializer::with_formatter(out, NoControls));
}

/// Escapes more than JSON asks for: everything that a terminal or an editor takes for a command or
/// a line break.
struct NoControls;

impl Formatter for NoControls {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_control) {
            let (before, from) = rest.split_at(at);
            let mut characters = from.chars();
            CompactFormatter.write_string_fragment(writer, before)?;
            if let Some(control) = characters.next() {
                // All of them are in the Basic Multilingual Plane.
                write!(writer, "\\u{:04x}", u32::from(control))?;
            }
            rest = characters.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

/// Control characters, line separators, and marks that change the direction of writing.
pub(super) fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
