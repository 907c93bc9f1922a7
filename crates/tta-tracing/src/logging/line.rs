//! One event on its way to a line: its parts, collected before they are put together.
//!
//! Owns the bounds of a line. How parts are written is up to the format.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Debug};
use std::io::Write as _;

use tracing_core::Metadata;
use tracing_core::field::{Field, Visit};
use tta_telemetry::{SpanId, TraceId};

use super::config::LogFormat;
use super::{json, plain};
use crate::text;

/// Bytes of a line, with its line break.
pub(super) const MAX_LINE_BYTES: usize = 64 * 1024;

/// Bytes of the parts, as they are written. Together with a target, ids and names of spans they
/// stay below [`MAX_LINE_BYTES`].
const MAX_MESSAGE_BYTES: usize = 24 * 1024;
const MAX_FIELDS_BYTES: usize = 32 * 1024;
const MAX_TARGET_BYTES: usize = 512;
const MAX_CORRELATION_BYTES: usize = 512;

/// Names of the innermost spans, and the bytes of each.
pub(super) const MAX_SPANS: usize = 16;
const MAX_SPAN_BYTES: usize = 256;

/// A buffer that has grown larger is not kept.
const MAX_KEPT_BYTES: usize = 16 * 1024;

/// What stands in the place of text that was cut.
pub(super) const ELLIPSIS: &str = "…";

/// The parts of a line.
#[derive(Default)]
pub(super) struct Line {
    pub(super) format: LogFormat,
    pub(super) color: bool,
    pub(super) unix_ns: u64,
    /// Fields of a record of the `log` crate are put where they belong.
    is_log: bool,
    pub(super) log_target: String,
    pub(super) has_message: bool,
    /// As written by the format.
    pub(super) message: Vec<u8>,
    pub(super) fields: Vec<u8>,
    pub(super) trace_id: Option<TraceId>,
    pub(super) span_id: Option<SpanId>,
    /// Without escapes.
    pub(super) correlation_id: String,
    /// Innermost first.
    pub(super) spans: [&'static str; MAX_SPANS],
    pub(super) span_count: usize,
    pub(super) is_truncated: bool,
    pub(super) out: Vec<u8>,
    scratch: String,
}

thread_local! {
    // Taken out while it is in use: formatting runs code of users, which may log.
    static LINE: Cell<Option<Box<Line>>> = const { Cell::new(None) };
}

/// Calls `f` with an empty line.
pub(super) fn with_line<R>(format: LogFormat, color: bool, f: impl FnOnce(&mut Line) -> R) -> R {
    let mut line = LINE.try_with(Cell::take).ok().flatten().unwrap_or_default();
    line.clear();
    (line.format, line.color) = (format, color);
    let result = f(&mut line);
    let kept = [line.message.capacity(), line.fields.capacity(), line.out.capacity(), line.scratch.capacity()];
    if kept.into_iter().all(|bytes| bytes <= MAX_KEPT_BYTES) {
        let _ = LINE.try_with(|place| place.set(Some(line)));
    }
    result
}

impl Line {
    fn clear(&mut self) {
        self.log_target.clear();
        self.message.clear();
        self.fields.clear();
        self.correlation_id.clear();
        self.out.clear();
        (self.trace_id, self.span_id, self.span_count) = (None, None, 0);
        (self.has_message, self.is_truncated) = (false, false);
    }

    pub(super) fn set_correlation_id(&mut self, id: &impl fmt::Display) {
        self.is_truncated |= text::append(&mut self.correlation_id, format_args!("{id}"), MAX_CORRELATION_BYTES);
    }

    pub(super) fn add_span(&mut self, name: &'static str) {
        if let Some(place) = self.spans.get_mut(self.span_count) {
            *place = text::clipped(name, MAX_SPAN_BYTES);
            self.span_count += 1;
        }
    }

    /// The names of the spans, outermost first.
    pub(super) fn span_names(&self) -> impl Iterator<Item = &'static str> {
        self.spans.iter().take(self.span_count).rev().copied()
    }

    /// Puts the line together and returns it, with its line break.
    pub(super) fn finish(&mut self, metadata: &Metadata<'_>) -> &[u8] {
        let target = if self.log_target.is_empty() { metadata.target() } else { &self.log_target };
        let target = text::clipped(target, MAX_TARGET_BYTES).to_owned();
        match self.format {
            LogFormat::Json => json::finish(self, *metadata.level(), &target),
            LogFormat::Text => plain::finish(self, *metadata.level(), &target),
        }
        &self.out
    }

    /// The fields of an event.
    pub(super) fn visitor(&mut self, metadata: &Metadata<'_>) -> impl Visit {
        self.is_log = metadata.target() == "log";
        Visitor(self)
    }

    fn message(&mut self, message: &str) {
        self.has_message = true;
        self.message.clear();
        let format = self.format;
        let write = |out: &mut Vec<u8>, text: &str| match format {
            LogFormat::Json => json::string(out, text),
            LogFormat::Text => plain::escaped(out, text),
        };
        self.is_truncated |= fit(&mut self.message, message, MAX_MESSAGE_BYTES, write);
    }

    /// Writes a field by `write`, which is given the room that is left for it and tells whether it
    /// had to cut. A field that does not fit is left out.
    fn field(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>, usize) -> bool) {
        let start = self.fields.len();
        match self.format {
            LogFormat::Json => json::key(&mut self.fields, key, start == 0),
            LogFormat::Text => plain::key(&mut self.fields, key),
        }
        let room = MAX_FIELDS_BYTES.saturating_sub(self.fields.len());
        let is_cut = room == 0 || write(&mut self.fields, room);
        self.is_truncated |= is_cut;
        if self.fields.len() > MAX_FIELDS_BYTES {
            self.is_truncated = true;
            self.fields.truncate(start);
        }
    }

    fn text_field(&mut self, key: &str, value: &str, is_formatted: bool) {
        let format = self.format;
        self.field(key, |out, room| {
            fit(out, value, room, |out, text| match format {
                LogFormat::Json => json::string(out, text),
                LogFormat::Text => plain::value(out, text, is_formatted),
            })
        });
    }

    fn formatted_field(&mut self, key: &str, value: fmt::Arguments<'_>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.is_truncated |= text::append(&mut scratch, value, MAX_LINE_BYTES);
        if key == "message" {
            self.message(&scratch);
        } else {
            self.text_field(key, &scratch, true);
        }
        self.scratch = scratch;
    }

    /// A number or a truth value, which read the same in every format.
    fn plain_field(&mut self, key: &str, value: impl fmt::Display) {
        self.field(key, |out, _| {
            let _ = write!(out, "{value}");
            false
        });
    }

    /// Whether a field was only there to describe a record of the `log` crate.
    fn is_of_log(&mut self, key: &str, value: Option<&str>) -> bool {
        if !self.is_log || !key.starts_with("log.") {
            return false;
        }
        if let ("log.target", Some(target)) = (key, value) {
            text::push_clipped(&mut self.log_target, target, MAX_TARGET_BYTES);
        }
        true
    }
}

/// Writes a text by `write` so that it takes at most `limit_bytes`, escapes included; text that was
/// cut ends in an ellipsis. Returns whether it was.
fn fit(out: &mut Vec<u8>, text: &str, limit_bytes: usize, write: impl Fn(&mut Vec<u8>, &str)) -> bool {
    let start = out.len();
    write(out, text);
    let mut used = out.len() - start;
    if used <= limit_bytes {
        return false;
    }
    let mut kept = text.len();
    while used > limit_bytes && kept > 0 {
        // As much as would fit if what is cut had as many escapes as the rest.
        let fitting = limit_bytes.saturating_sub(ELLIPSIS.len()) as u64 * kept as u64 / used as u64;
        kept = (fitting as usize).min(kept - 1);
        out.truncate(start);
        write(out, &[text::clipped(text, kept), ELLIPSIS].concat());
        used = out.len() - start;
    }
    true
}

/// Takes an event's fields.
struct Visitor<'a>(&'a mut Line);

impl Visit for Visitor<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.plain_field(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if !self.0.is_of_log(field.name(), None) {
            self.0.plain_field(field.name(), value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if !self.0.is_of_log(field.name(), None) {
            self.0.plain_field(field.name(), value);
        }
    }

    // Few readers of JSON know numbers of this size.
    fn record_i128(&mut self, field: &Field, value: i128) {
        self.0.formatted_field(field.name(), format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.0.formatted_field(field.name(), format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no numbers that are not finite.
        if value.is_finite() {
            self.0.plain_field(field.name(), format_args!("{value:?}"));
        } else {
            self.0.text_field(field.name(), &value.to_string(), true);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.0.message(value),
            key if self.0.is_of_log(key, Some(value)) => {}
            key => self.0.text_field(key, value, false),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.0.formatted_field(field.name(), format_args!("{value}"));
        let causes = text::causes(value, MAX_MESSAGE_BYTES);
        if !causes.is_empty() {
            let key = [field.name(), ".chain"].concat();
            let format = self.0.format;
            self.0.field(&key, |out, _| {
                match format {
                    LogFormat::Json => json::list(out, &causes),
                    LogFormat::Text => plain::value(out, &causes.join(" <- "), true),
                }
                false
            });
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.formatted_field(field.name(), format_args!("{value:?}"));
    }
}
