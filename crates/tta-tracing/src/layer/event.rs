//! What a library's event becomes.
//!
//! Owns the event's name and attributes, and what it says of its span.

use tracing_core::Event;
use tta_primitives::interop::Place;
use tta_telemetry::{NameRef, ValueRef};

use super::fields::{Gathered, gather};
use super::site::{MAX_SITE_ATTRIBUTES, Site};
use super::span::is_error;
use crate::text::clipped;

/// Bytes of a message that become the event's name; a longer one is an attribute as well.
const MAX_NAME_BYTES: usize = 256;

/// Attributes that need no allocation.
const FEW: usize = 16;

const MESSAGE: &str = "message";
const ERROR: &str = "error";

/// What an event is called that holds an error and no message, and where the error goes
/// (OpenTelemetry's semantic conventions for exceptions). `#[instrument(err)]` makes such events.
const EXCEPTION: &str = "exception";
const EXCEPTION_MESSAGE: &str = "exception.message";

/// The target of events that were records of the `log` crate.
const LOG_TARGET: &str = "log";

/// Records an event in the span of the place. Then `tell` learns what the event says of an error.
pub(super) fn record(event: &Event<'_>, place: &Place, with_location: bool, tell: impl FnOnce(Option<ValueRef<'_>>)) {
    let Some(span) = place.span_id() else { return };
    let metadata = event.metadata();
    let write = |gathered: &Gathered| {
        let lists = gathered.lists();
        let mut site = Site::of(metadata, with_location);
        let mut said = Said { is_log: metadata.target() == LOG_TARGET, ..Said::default() };
        gathered.values(&lists).for_each(|(key, value)| said.hear(key, value, &mut site, with_location));
        with_room(gathered.len() + 1 + MAX_SITE_ATTRIBUTES, |attributes| {
            for (key, value) in gathered.values(&lists) {
                if let Some(key) = said.key(key) {
                    attributes.push(key, value);
                }
            }
            if let Some(message) = said.message.filter(|message| message.len() > MAX_NAME_BYTES) {
                attributes.push(MESSAGE, ValueRef::Str(message));
            }
            site.each(|key, value| attributes.push(key, value));
            let name = said.name().unwrap_or(NameRef::Static(metadata.name()));
            place.trace().event(span, name, attributes.as_slice());
        });
        tell(said.error.or(said.message.map(ValueRef::Str)));
    };
    gather(|fields| event.record(fields), write);
}

/// What the fields with a meaning say.
#[derive(Default)]
struct Said<'a> {
    is_log: bool,
    message: Option<&'a str>,
    error: Option<ValueRef<'a>>,
}

impl<'a> Said<'a> {
    fn hear(&mut self, key: &str, value: ValueRef<'a>, site: &mut Site<'a>, with_location: bool) {
        match (key, value) {
            (MESSAGE, ValueRef::Str(text)) if !text.is_empty() => self.message = Some(text),
            (ERROR, ValueRef::Str(text)) if is_error(text) => self.error = Some(value),
            ("log.target", _) if self.is_log => site.target = value,
            ("log.module_path", _) if self.is_log && with_location && value != site.target => site.module = Some(value),
            ("log.file", _) if self.is_log && with_location => site.file = Some(value),
            ("log.line", ValueRef::I64(line)) if self.is_log && with_location => site.line = Some(line),
            _ => {}
        }
    }

    fn name(&self) -> Option<NameRef<'a>> {
        match self.message {
            Some(message) => Some(NameRef::Text(clipped(message, MAX_NAME_BYTES))),
            None => self.error.map(|_| NameRef::Static(EXCEPTION)),
        }
    }

    /// The key under which a field is an attribute, if it is one.
    fn key(&self, key: &'static str) -> Option<&'static str> {
        match key {
            MESSAGE => None,
            ERROR if self.message.is_none() && self.error.is_some() => Some(EXCEPTION_MESSAGE),
            _ if self.is_log && key.starts_with("log.") => None,
            _ => Some(key),
        }
    }
}

/// Attributes in the order in which they are recorded.
struct Attributes<'r, 'v> {
    room: &'r mut [(&'static str, ValueRef<'v>)],
    used: usize,
}

impl<'v> Attributes<'_, 'v> {
    fn push(&mut self, key: &'static str, value: ValueRef<'v>) {
        if let Some(place) = self.room.get_mut(self.used) {
            *place = (key, value);
            self.used += 1;
        }
    }

    fn as_slice(&self) -> &[(&'static str, ValueRef<'v>)] {
        self.room.get(..self.used).unwrap_or_default()
    }
}

/// Calls `f` with room for so many attributes.
fn with_room<'v>(count: usize, f: impl FnOnce(&mut Attributes<'_, 'v>)) {
    const NONE: (&str, ValueRef<'_>) = ("", ValueRef::Bool(false));
    if count <= FEW {
        f(&mut Attributes { room: &mut [NONE; FEW], used: 0 });
    } else {
        f(&mut Attributes { room: &mut vec![NONE; count], used: 0 });
    }
}
