//! What a span that another process recorded has beyond our own.
//!
//! Owns where such spans come from: the process and the library that recorded them. Does not own
//! how they arrive; see [`receive`](crate::receive).

use std::sync::Arc;

use super::{Attribute, Name};

/// Who recorded a span: a process and, in it, an instrumentation library.
///
/// Spans that arrive together share one.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The process.
    pub resource: Arc<Resource>,
    /// The library.
    pub scope: Scope,
}

/// The process that recorded a span, in OpenTelemetry's terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its `service.name`, or `unknown_service` where it names none.
    pub service: Name,
    /// All that it says about itself, `service.name` among it, in its order.
    pub attributes: Vec<Attribute>,
    /// Attributes that it has lost.
    pub dropped_attributes: u32,
    /// The URL of the schema that its attributes follow; empty for none.
    pub schema_url: String,
}

/// The library that recorded a span, in OpenTelemetry's terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    /// Its name; may be empty.
    pub name: Name,
    /// Its version; may be empty.
    pub version: Name,
    /// What it says about itself, in its order.
    pub attributes: Vec<Attribute>,
    /// Attributes that it has lost.
    pub dropped_attributes: u32,
    /// The URL of the schema that its spans follow; empty for none.
    pub schema_url: String,
}

impl Source {
    /// Approximate memory it holds.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let sizes = |attributes: &[Attribute]| attributes.iter().map(Attribute::size_bytes).sum::<usize>();
        let Self { resource, scope } = self;
        let texts = [&*resource.service, &resource.schema_url, &*scope.name, &*scope.version, &scope.schema_url];
        size_of::<Self>()
            + size_of::<Resource>()
            + sizes(&resource.attributes)
            + sizes(&scope.attributes)
            + texts.into_iter().map(str::len).sum::<usize>()
    }
}

/// What a received span says of its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StatusCode {
    /// Nothing.
    #[default]
    Unset,
    /// That it went well.
    Ok,
    /// That it failed.
    Error,
}

impl StatusCode {
    /// The stable string: `unset`, `ok` or `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            StatusCode::Unset => "unset",
            StatusCode::Ok => "ok",
            StatusCode::Error => "error",
        }
    }
}

impl std::str::FromStr for StatusCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "unset" => Ok(StatusCode::Unset),
            "ok" => Ok(StatusCode::Ok),
            "error" => Ok(StatusCode::Error),
            other => {
                let given: String = other.chars().take(40).collect();
                Err(format!("`{given}` is not a status code: expected unset, ok or error"))
            }
        }
    }
}

impl std::fmt::Display for StatusCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a received span has beyond our own.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// Who recorded it.
    pub source: Arc<Source>,
    /// What it says of its end; [`SpanRecord::status`](super::SpanRecord::status) is what that means.
    pub status_code: StatusCode,
    /// What it says of its failure; empty for nothing.
    pub status_message: String,
    /// Its W3C `tracestate`, as it came.
    pub trace_state: String,
    /// Its W3C flags, and above them OpenTelemetry's, as they came.
    pub flags: u32,
}

impl Received {
    /// The service that recorded it.
    #[must_use]
    pub fn service(&self) -> &Name {
        &self.source.resource.service
    }
}
