//! One event on its way to a line: its parts, collected before they are put together.
//!
//! Owns the bounds of a line. How parts are written is up to the format.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::io::Write as _;

use tracing_core::Metadata;
use tta_telemetry::{Redactor, SpanId, TraceId};

use super::config::LogFormat;
use super::{json, plain};
use crate::text;

/// Bytes of a line, with its line break.
pub(super) const MAX_LINE_BYTES: usize = 64 * 1024;

/// Bytes of the parts, as they are written. Together with a target, ids and names of spans they
/// stay below [`MAX_LINE_BYTES`].
pub(super) const MAX_MESSAGE_BYTES: usize = 24 * 1024;
const MAX_FIELDS_BYTES: usize = 32 * 1024;
pub(super) const MAX_TARGET_BYTES: usize = 512;
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
    pub(super) is_log: bool,
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
    pub(super) scratch: String,
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

    /// Takes secrets out of what was set before the fields.
    pub(super) fn redact(&mut self, redactor: &Redactor) {
        if let Cow::Owned(redacted) = redactor.redact_text(&self.correlation_id) {
            self.correlation_id = redacted;
        }
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

    pub(super) fn message(&mut self, message: &str) {
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
        // A key alone is no field.
        if room == 0 || self.fields.len() > MAX_FIELDS_BYTES {
            self.is_truncated = true;
            self.fields.truncate(start);
        }
    }

    pub(super) fn text_field(&mut self, key: &str, value: &str, is_formatted: bool) {
        let format = self.format;
        self.field(key, |out, room| {
            fit(out, value, room, |out, text| match format {
                LogFormat::Json => json::string(out, text),
                LogFormat::Text => plain::value(out, text, is_formatted),
            })
        });
    }

    /// A number or a truth value, which read the same in every format.
    pub(super) fn plain_field(&mut self, key: &str, value: impl fmt::Display) {
        self.field(key, |out, _| {
            let _ = write!(out, "{value}");
            false
        });
    }

    /// Several texts.
    pub(super) fn list_field(&mut self, key: &str, texts: &[String]) {
        let format = self.format;
        self.field(key, |out, _| {
            match format {
                LogFormat::Json => json::list(out, texts),
                LogFormat::Text => plain::value(out, &texts.join(" <- "), true),
            }
            false
        });
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
