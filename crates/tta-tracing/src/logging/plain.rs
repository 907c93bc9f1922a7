//! Lines for people.
//!
//! Owns the order of the parts, when a value is quoted, and the colours.

use std::io::Write;

use tracing_core::Level;

use super::json::{self, is_control};
use super::line::Line;
use super::time::rfc3339;

const RESET: &str = "\u{1b}[0m";
const DIM: &str = "\u{1b}[2m";

/// Puts the line together: when, how grave, where, what, the details, the ids.
pub(super) fn finish(line: &mut Line, level: Level, target: &str) {
    let mut out = std::mem::take(&mut line.out);
    let color = if line.color { color_of(level) } else { "" };
    let (dim, reset) = if line.color { (DIM, RESET) } else { ("", "") };
    out.extend_from_slice(dim.as_bytes());
    out.extend_from_slice(&rfc3339(line.unix_ns));
    let _ = write!(out, "{reset} {color}{:>5}{reset} {dim}", level.as_str());
    escaped(&mut out, target);
    let _ = write!(out, ":{reset}");
    if line.has_message {
        out.push(b' ');
        out.extend_from_slice(&line.message);
    }
    out.extend_from_slice(&line.fields);
    out.extend_from_slice(dim.as_bytes());
    if let Some(trace_id) = line.trace_id {
        let _ = write!(out, " trace_id={trace_id}");
    }
    if let Some(span_id) = line.span_id {
        let _ = write!(out, " span_id={span_id}");
    }
    if !line.correlation_id.is_empty() {
        out.extend_from_slice(b" correlation_id=");
        value(&mut out, &line.correlation_id, false);
    }
    if line.span_count > 0 {
        out.extend_from_slice(b" spans=");
        let names: Vec<&str> = line.span_names().collect();
        value(&mut out, &names.join(":"), false);
    }
    if line.is_truncated {
        out.extend_from_slice(b" truncated=true");
    }
    out.extend_from_slice(reset.as_bytes());
    out.push(b'\n');
    line.out = out;
}

fn color_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG => "\u{1b}[34m",
        Level::TRACE => "\u{1b}[35m",
    }
}

/// A blank, the key and an equals sign.
pub(super) fn key(out: &mut Vec<u8>, key: &str) {
    out.push(b' ');
    value(out, key, false);
    out.push(b'=');
}

/// Text that stays on its line.
pub(super) fn escaped(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        // A vector takes everything.
        let _ = if is_control(character) {
            write!(out, "{}", character.escape_default())
        } else {
            write!(out, "{character}")
        };
    }
}

/// A value: as it is where nobody can take it for more than one, else in quotes. Text that `Debug`
/// put in quotes stays as it is.
pub(super) fn value(out: &mut Vec<u8>, text: &str, is_formatted: bool) {
    let is_bare = |c: char| !c.is_whitespace() && !is_control(c) && !matches!(c, '"' | '=');
    let is_quoted = is_formatted && text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    if (!text.is_empty() && text.chars().all(is_bare)) || (is_quoted && !text.contains(is_control)) {
        out.extend_from_slice(text.as_bytes());
    } else {
        json::string(out, text);
    }
}
