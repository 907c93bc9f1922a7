//! Building a context with more than the defaults.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tta_telemetry::{Name, Telemetry, TraceHandle, Value};

use super::cancel::Cancellation;
use super::checkpoints::Checkpoints;
use super::identity::{CorrelationId, Identity};
use super::state::RunState;
use super::{Context, Deadline, Inner, Shared};

/// Entries of baggage, of tags, and of metadata.
const MAX_ENTRIES: usize = 64;
/// Bytes of a baggage, tag or metadata key and value together (W3C Baggage, section 3.3.2).
const MAX_ENTRY_BYTES: usize = 4_096;

/// A context that was asked for more than it may hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ContextError {
    /// Too many entries of one sort.
    #[error("context has {given} entries of {what}, accepted are at most {MAX_ENTRIES}")]
    TooMany {
        /// `baggage`, `tags` or `metadata`.
        what: &'static str,
        /// How many were given.
        given: usize,
    },
    /// An entry is too long.
    #[error("entry `{key}` of {what} has {given} bytes, accepted are at most {MAX_ENTRY_BYTES}")]
    TooLong {
        /// `baggage` or `tags`.
        what: &'static str,
        /// The entry's key, clipped.
        key: String,
        /// Bytes of key and value.
        given: usize,
    },
}

/// Builds a [`Context`]. Everything is optional.
#[derive(Debug, Default)]
#[must_use]
pub struct ContextBuilder {
    telemetry: Option<Telemetry>,
    identity: Identity,
    correlation_id: Option<CorrelationId>,
    deadline: Option<Duration>,
}

impl ContextBuilder {
    /// The engine. Default: the process's.
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = Some(telemetry);
        self
    }

    /// The business id of this workflow instance. Default: none.
    pub fn workflow_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.identity.workflow_id = Some(id.into());
        self
    }

    /// The session. Default: none.
    pub fn session_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.identity.session_id = Some(id.into());
        self
    }

    /// The user on whose behalf the run happens. Default: none.
    pub fn user_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.identity.user_id = Some(id.into());
        self
    }

    /// What ties the run to others. Default: a new UUID for each run.
    pub fn correlation_id(mut self, id: impl Into<CorrelationId>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// The correlation id of what caused the run. Default: none.
    pub fn causation_id(mut self, id: impl Into<CorrelationId>) -> Self {
        self.identity.causation_id = Some(id.into());
        self
    }

    /// Adds a baggage entry. At most 64, of 4,096 bytes each.
    pub fn baggage(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.identity.baggage.insert(key.into(), value.into());
        self
    }

    /// Adds a tag. At most 64, of 4,096 bytes each.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.identity.tags.insert(key.into(), value.into());
        self
    }

    /// Adds a free-form value. At most 64.
    pub fn metadata(mut self, key: impl Into<String>, value: Value) -> Self {
        self.identity.metadata.insert(key.into(), value);
        self
    }

    /// The run must be over this long after the context is built. Retries that cannot finish in
    /// time are not started; what is running goes on unless a timeout stops it. Default: none.
    pub fn deadline(mut self, within: Duration) -> Self {
        self.deadline = Some(within);
        self
    }

    pub(super) fn identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// Builds the context.
    ///
    /// # Errors
    /// Too many or too long entries of baggage, tags or metadata.
    pub fn build(self) -> Result<Context, ContextError> {
        let identity = &self.identity;
        for (what, given) in
            [("baggage", identity.baggage.len()), ("tags", identity.tags.len()), ("metadata", identity.metadata.len())]
        {
            if given > MAX_ENTRIES {
                return Err(ContextError::TooMany { what, given });
            }
        }
        for (what, entries) in [("baggage", &identity.baggage), ("tags", &identity.tags)] {
            for (key, value) in entries {
                let given = key.len() + value.len();
                if given > MAX_ENTRY_BYTES {
                    let key = key.chars().take(40).collect();
                    return Err(ContextError::TooLong { what, key, given });
                }
            }
        }
        Ok(self.build_unchecked())
    }

    pub(super) fn build_unchecked(self) -> Context {
        let telemetry = self.telemetry.unwrap_or_else(Telemetry::global);
        let now = telemetry.clock().ticks();
        Context(Arc::new(Inner {
            shared: Arc::new(Shared { state: RunState::default(), checkpoints: Checkpoints::starting_at(now) }),
            identity: Arc::new(self.identity),
            correlation_id: self.correlation_id,
            telemetry,
            trace: TraceHandle::default(),
            run: None,
            span: None,
            workflow: (0, Name::from_static("")),
            deadline: self.deadline.map(|after| Deadline { from: now, after }),
            cancellation: Cancellation::new(),
        }))
    }
}
