//! What a library's span becomes.
//!
//! Owns the meaning of its fields: those of `tracing-opentelemetry`, errors, everything else.

use tracing_core::Metadata;
use tta_telemetry::{Name, OwnedSpan, SpanStatus, ValueRef};

use super::fields::Take;
use super::open::OpenSpan;
use super::site::Site;

/// The kind of these spans.
pub(super) const KIND: &str = "tracing";

/// The keys under which the recorder keeps an error.
const ERROR_TYPE: &str = "error.type";
const ERROR_MESSAGE: &str = "error.message";

impl OpenSpan {
    /// Where the span was made.
    pub(super) fn describe(&mut self, metadata: &'static Metadata<'static>, with_location: bool) {
        Site::of(metadata, with_location).each(|key, value| self.span.set(key, value));
    }

    /// An event of level `ERROR` inside the span, and what it says of the error.
    pub(super) fn fail(&mut self, message: Option<ValueRef<'_>>) {
        if let Some(message) = message {
            self.span.set(ERROR_MESSAGE, message);
        }
        if !self.is_status_said {
            self.span.set_status(SpanStatus::Error);
        }
    }

    /// A panic left the span.
    pub(super) fn panic(&mut self) {
        self.span.set(ERROR_TYPE, ValueRef::literal("panic"));
        self.span.set_status(SpanStatus::Error);
        self.is_status_said = true;
    }

    fn say_status(&mut self, code: ValueRef<'_>) {
        let (ValueRef::Str(text) | ValueRef::Static(text)) = code else { return };
        let status = if text.eq_ignore_ascii_case("error") {
            SpanStatus::Error
        } else if text.eq_ignore_ascii_case("ok") {
            SpanStatus::Ok
        } else {
            return;
        };
        self.span.set_status(status);
        self.is_status_said = true;
    }
}

impl Take for OpenSpan {
    #[inline]
    fn take(&mut self, key: &'static str, value: ValueRef<'_>) {
        match key {
            "otel.name" => rename(&mut self.span, value),
            "otel.kind" => self.span.set(key, span_kind(value)),
            "otel.status_code" => self.say_status(value),
            "otel.status_description" | "otel.status_message" => self.fail(Some(value)),
            "error" | "exception.message" => match value {
                ValueRef::Bool(true) => self.fail(None),
                ValueRef::Str(text) if is_error(text) => self.fail(Some(value)),
                _ => self.span.set(key, value),
            },
            _ => self.span.set(key, value),
        }
    }
}

/// Whether a text under `error` tells of an error: not when an `Option` is recorded that is empty.
pub(super) fn is_error(text: &str) -> bool {
    !matches!(text, "" | "None" | "false")
}

fn rename(span: &mut OwnedSpan, name: ValueRef<'_>) {
    match name {
        ValueRef::Static(name) => span.set_name(name),
        ValueRef::Str(name) => span.set_name(Name::from(name.to_owned())),
        _ => {}
    }
}

/// OpenTelemetry's kinds in lower case, whatever the library wrote.
fn span_kind(kind: ValueRef<'_>) -> ValueRef<'_> {
    let ValueRef::Str(text) = kind else { return kind };
    let known = ["server", "client", "producer", "consumer", "internal"];
    known.into_iter().find(|known| text.eq_ignore_ascii_case(known)).map_or(kind, ValueRef::Static)
}
