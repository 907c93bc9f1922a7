//! The JSON of what received spans have beyond our own: who recorded them, once for all.

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use tta_telemetry::{Received, Resource, Scope, Source, StatusCode};

use super::attributes::Attributes;
use super::wire::{Parsed, Text};

/// Who recorded the spans of a line.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Sources<'a> {
    #[serde(borrow)]
    forms: Vec<SourceForm<'a>>,
    /// Those that are in `forms`, while writing.
    #[serde(skip)]
    known: Vec<&'a Source>,
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "the object of a source")]
struct SourceForm<'a> {
    #[serde(borrow)]
    service: Text<'a>,
    #[serde(borrow)]
    resource: ResourceForm<'a>,
    #[serde(borrow)]
    scope: ScopeForm<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "the object of a resource")]
struct ResourceForm<'a> {
    #[serde(default)]
    attributes: Attributes<'a>,
    #[serde(default)]
    dropped_attributes: u32,
    #[serde(borrow, default)]
    schema_url: Text<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "the object of a scope")]
struct ScopeForm<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    version: Text<'a>,
    #[serde(default)]
    attributes: Attributes<'a>,
    #[serde(default)]
    dropped_attributes: u32,
    #[serde(borrow, default)]
    schema_url: Text<'a>,
}

/// What one span has.
#[derive(Serialize, Deserialize)]
#[serde(expecting = "the object of what was received")]
pub(super) struct ReceivedPart<'a> {
    /// Which of the line's sources.
    source: usize,
    status_code: Parsed<StatusCode>,
    #[serde(borrow, default, skip_serializing_if = "Text::is_empty")]
    status_message: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Text::is_empty")]
    trace_state: Text<'a>,
    #[serde(default)]
    flags: u32,
}

impl<'a> Sources<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// The number of a source, which is added when it is new.
    fn number(&mut self, source: &'a Source) -> usize {
        if let Some(number) = self.known.iter().position(|known| std::ptr::eq(*known, source)) {
            return number;
        }
        self.known.push(source);
        self.forms.push(source.into());
        self.forms.len() - 1
    }

    pub(super) fn read(self) -> Vec<Arc<Source>> {
        self.forms.into_iter().map(|form| Arc::new(form.into())).collect()
    }
}

impl<'a> ReceivedPart<'a> {
    pub(super) fn of(received: &'a Received, sources: &mut Sources<'a>) -> Self {
        Self {
            source: sources.number(&received.source),
            status_code: Parsed(received.status_code),
            status_message: received.status_message.as_str().into(),
            trace_state: received.trace_state.as_str().into(),
            flags: received.flags,
        }
    }

    pub(super) fn read(self, sources: &[Arc<Source>]) -> Result<Received, serde_json::Error> {
        let number = self.source;
        let source = sources.get(number).cloned().ok_or_else(|| {
            serde_json::Error::custom(format_args!("source is {number}, accepted is below {}", sources.len()))
        })?;
        Ok(Received {
            source,
            status_code: self.status_code.0,
            status_message: self.status_message.into(),
            trace_state: self.trace_state.into(),
            flags: self.flags,
        })
    }
}

impl<'a> From<&'a Source> for SourceForm<'a> {
    fn from(source: &'a Source) -> Self {
        let Source { resource, scope } = source;
        Self {
            service: (&resource.service).into(),
            resource: ResourceForm {
                attributes: Attributes((&resource.attributes).into()),
                dropped_attributes: resource.dropped_attributes,
                schema_url: resource.schema_url.as_str().into(),
            },
            scope: ScopeForm {
                name: (&scope.name).into(),
                version: (&scope.version).into(),
                attributes: Attributes((&scope.attributes).into()),
                dropped_attributes: scope.dropped_attributes,
                schema_url: scope.schema_url.as_str().into(),
            },
        }
    }
}

impl From<SourceForm<'_>> for Source {
    fn from(form: SourceForm<'_>) -> Self {
        let SourceForm { service, resource, scope } = form;
        Self {
            resource: Arc::new(Resource {
                service: service.into(),
                attributes: resource.attributes.0.into_owned(),
                dropped_attributes: resource.dropped_attributes,
                schema_url: resource.schema_url.into(),
            }),
            scope: Scope {
                name: scope.name.into(),
                version: scope.version.into(),
                attributes: scope.attributes.0.into_owned(),
                dropped_attributes: scope.dropped_attributes,
                schema_url: scope.schema_url.into(),
            },
        }
    }
}
