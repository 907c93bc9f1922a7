//! What is asked for.

use std::time::Duration;

use super::error::QueryError;
use crate::model::{DecisionReason, SpanStatus, TraceClass};

const MOST_TAGS: usize = 16;
const MOST_TEXT_BYTES: usize = 256;
const MOST_VALUE_BYTES: usize = 4 * 1024;

/// Which traces are asked for. Everything is optional; what is given must all hold.
///
/// What is said of spans must hold of one and the same span of the trace.
///
/// ```
/// use tta_telemetry::store::{TagFilter, TraceQuery};
/// let query = TraceQuery { tags: vec![TagFilter::equals("user.id", "7")], limit: 50, ..TraceQuery::default() };
/// assert_eq!(query.check(), Ok(()));
/// let none = TraceQuery { limit: 0, ..query };
/// assert_eq!(none.check().unwrap_err().to_string(), "`limit` is `0`, accepted is 1 to 1000");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TraceQuery {
    /// Of a span: the service that recorded it.
    pub service: Option<String>,
    /// Of a span: its name.
    pub operation: Option<String>,
    /// Of a span: its kind, as `lambda` or `server`; `internal` is also every span of our own.
    pub kind: Option<String>,
    /// Of a span: how it ended.
    pub status: Option<SpanStatus>,
    /// Of a span, or of the process that recorded it: its attributes. At most 16.
    pub tags: Vec<TagFilter>,
    /// Of a span: a part of its name, whatever the case of ASCII letters. At most 256 bytes.
    pub text: Option<String>,
    /// Of a span: the least it took.
    pub min_span_duration: Option<Duration>,
    /// Of a span: the most it took.
    pub max_span_duration: Option<Duration>,
    /// Of the trace: what its end makes it.
    pub class: Option<TraceClass>,
    /// Of the trace: the least it took.
    pub min_duration: Option<Duration>,
    /// Of the trace: the most it took.
    pub max_duration: Option<Duration>,
    /// Of the trace: it started then or later, in nanoseconds since the Unix epoch.
    pub start_unix_ns: Option<u64>,
    /// Of the trace: it started before, in nanoseconds since the Unix epoch.
    pub end_unix_ns: Option<u64>,
    /// Of the trace: why it was kept.
    pub reason: Option<DecisionReason>,
    /// How many are asked for, 1 to 1,000. Default 20.
    pub limit: usize,
    /// Where the last page ended: [`TracePage::next_cursor`](super::TracePage::next_cursor).
    pub cursor: Option<String>,
}

/// Whose attributes are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagScope {
    /// The span's, and those of the process that recorded it.
    #[default]
    Any,
    /// The span's own.
    Span,
    /// Those of the process that recorded it.
    Resource,
}

/// A condition on an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFilter {
    /// Whose attribute.
    pub scope: TagScope,
    /// Its key.
    pub key: String,
    /// Its value as text, or that of an element of it; `None` accepts every value.
    pub value: Option<String>,
}

impl TagFilter {
    /// The attribute has this value.
    pub fn equals(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { scope: TagScope::Any, key: key.into(), value: Some(value.into()) }
    }

    /// The attribute is there.
    pub fn exists(key: impl Into<String>) -> Self {
        Self { scope: TagScope::Any, key: key.into(), value: None }
    }
}

impl Default for TraceQuery {
    fn default() -> Self {
        Self {
            service: None,
            operation: None,
            kind: None,
            status: None,
            tags: Vec::new(),
            text: None,
            min_span_duration: None,
            max_span_duration: None,
            class: None,
            min_duration: None,
            max_duration: None,
            start_unix_ns: None,
            end_unix_ns: None,
            reason: None,
            limit: Self::DEFAULT_LIMIT,
            cursor: None,
        }
    }
}

impl TraceQuery {
    /// Traces that are asked for unless it is said how many.
    pub const DEFAULT_LIMIT: usize = 20;
    /// Traces that may be asked for at once.
    pub const MOST_TRACES: usize = 1_000;

    /// Whether every range and length is one. A cursor is for the store to check.
    ///
    /// # Errors
    /// The first field that is not.
    pub fn check(&self) -> Result<(), QueryError> {
        if !(1..=Self::MOST_TRACES).contains(&self.limit) {
            return Err(QueryError::new("limit", &self.limit.to_string(), "1 to 1000"));
        }
        let texts = [
            ("service", &self.service, MOST_VALUE_BYTES),
            ("operation", &self.operation, MOST_VALUE_BYTES),
            ("kind", &self.kind, MOST_VALUE_BYTES),
            ("text", &self.text, MOST_TEXT_BYTES),
        ];
        for (field, text, most) in texts {
            check_text(field, text.as_deref(), most)?;
        }
        if self.tags.len() > MOST_TAGS {
            return Err(QueryError::new("tag", &format!("{} conditions", self.tags.len()), "at most 16"));
        }
        for tag in &self.tags {
            check_text("tag", Some(&tag.key), MOST_TEXT_BYTES)?;
            if tag.value.as_ref().is_some_and(|value| value.len() > MOST_VALUE_BYTES) {
                let given = format!("{}=... of {} bytes", tag.key, tag.value.as_ref().map_or(0, String::len));
                return Err(QueryError::new("tag", &given, "a value of at most 4096 bytes"));
            }
        }
        check_range("max_duration", self.min_duration, self.max_duration)?;
        check_range("max_span_duration", self.min_span_duration, self.max_span_duration)?;
        if let (Some(start), Some(end)) = (self.start_unix_ns, self.end_unix_ns)
            && end <= start
        {
            return Err(QueryError::new("end", &format!("{end} ns"), format!("later than the start, {start} ns")));
        }
        Ok(())
    }
}

fn check_text(field: &'static str, text: Option<&str>, most: usize) -> Result<(), QueryError> {
    match text {
        Some("") => Err(QueryError::new(field, "", "something, or leave it out")),
        Some(text) if text.len() > most => Err(QueryError::new(field, text, format!("at most {most} bytes"))),
        _ => Ok(()),
    }
}

fn check_range(field: &'static str, min: Option<Duration>, max: Option<Duration>) -> Result<(), QueryError> {
    match (min, max) {
        (Some(min), Some(max)) if max < min => {
            Err(QueryError::new(field, &format!("{max:?}"), format!("at least the minimum, {min:?}")))
        }
        _ => Ok(()),
    }
}
