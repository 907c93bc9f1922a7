//! Who and what a run belongs to: ids, baggage, tags, metadata.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tta_telemetry::propagation::{Baggage, TraceContext};
use tta_telemetry::{IdSource, Value};

use super::Context;
use super::propagate::CORRELATION_ID;

/// The id that ties a run to everything that belongs to it, across services and logs: a new UUID
/// for each root run unless the caller gives one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CorrelationId(Repr);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    // Kept as a number: most runs never print it.
    Uuid(u128),
    Given(Arc<str>),
}

impl CorrelationId {
    /// A random UUID (RFC 9562, version 4).
    pub(super) fn random(ids: &IdSource) -> Self {
        let random = (u128::from(ids.next_u64()) << 64) | u128::from(ids.next_u64());
        const VERSION: u128 = 0xf << 76;
        const VARIANT: u128 = 0x3 << 62;
        Self(Repr::Uuid((random & !VERSION & !VARIANT) | (0x4 << 76) | (0x2 << 62)))
    }
}

impl From<String> for CorrelationId {
    fn from(text: String) -> Self {
        Self(Repr::Given(text.into()))
    }
}

impl From<&str> for CorrelationId {
    fn from(text: &str) -> Self {
        Self(Repr::Given(text.into()))
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Given(text) => f.write_str(text),
            Repr::Uuid(id) => f.write_str(std::str::from_utf8(&uuid_text(*id)).unwrap_or_default()),
        }
    }
}

/// The 8-4-4-4-12 form. Every recorded run and every log line needs it, so it is put together by
/// hand and without an allocation.
fn uuid_text(id: u128) -> [u8; 36] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let places = text.iter_mut().enumerate().filter(|(at, _)| !matches!(at, 8 | 13 | 18 | 23));
    for (nibble, (_, place)) in (0..32).rev().zip(places) {
        let digit = (id >> (nibble * 4)) as usize & 0xf;
        *place = DIGITS.get(digit).copied().unwrap_or(b'0');
    }
    text
}

#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    pub(super) workflow_id: Option<Arc<str>>,
    pub(super) session_id: Option<Arc<str>>,
    pub(super) user_id: Option<Arc<str>>,
    pub(super) causation_id: Option<CorrelationId>,
    pub(super) baggage: Baggage,
    /// The span of another process that called.
    pub(super) remote: Option<TraceContext>,
    /// Somebody asks for the traces of runs with this context.
    pub(super) keeps_traces: bool,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) metadata: BTreeMap<String, Value>,
}

impl Context {
    /// The business id of the workflow instance, if the caller gave one.
    #[must_use]
    pub fn workflow_id(&self) -> Option<&str> {
        self.0.common.identity.workflow_id.as_deref()
    }

    /// The session, if the caller gave one.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.0.common.identity.session_id.as_deref()
    }

    /// The user on whose behalf the run happens, if the caller gave one.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.0.common.identity.user_id.as_deref()
    }

    /// What ties this run to others; `None` before a run unless the caller gave one.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&CorrelationId> {
        self.0.common.correlation_id.as_ref()
    }

    /// The correlation id of what caused this run.
    #[must_use]
    pub fn causation_id(&self) -> Option<&CorrelationId> {
        self.0.common.identity.causation_id.as_ref()
    }

    /// A baggage entry (W3C Baggage): it travels with every outgoing call.
    #[must_use]
    pub fn baggage(&self, key: &str) -> Option<&str> {
        self.0.common.identity.baggage.get(key)
    }

    /// All baggage, by key.
    pub fn baggage_entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.common.identity.baggage.iter()
    }

    /// A tag: a text for filtering.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.0.common.identity.tags.get(key).map(String::as_str)
    }

    /// All tags, by key.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.common.identity.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// A free-form value that the caller attached.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&Value> {
        self.0.common.identity.metadata.get(key)
    }

    /// A context for another run that this one causes: a new correlation id, with this run's as
    /// its causation id; the same session, user, baggage and tags; its own state, no deadline.
    #[must_use]
    pub fn caused(&self) -> Self {
        let mut identity = (*self.0.common.identity).clone();
        identity.causation_id = self.0.common.correlation_id.clone();
        // Another trace: what caused it is a link, not a parent.
        identity.remote = None;
        identity.baggage.remove(CORRELATION_ID);
        Self::builder().telemetry(self.telemetry().clone()).identity(identity).build_unchecked()
    }
}
