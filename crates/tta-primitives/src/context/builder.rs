//! Building a context with more than the defaults.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tta_telemetry::propagation::{BaggageError, Propagated};
use tta_telemetry::{Name, Telemetry, TraceHandle, Value};

use super::cancel::Cancellation;
use super::checkpoints::Checkpoints;
use super::cost::Spent;
use super::identity::{CorrelationId, Identity};
use super::propagate::CORRELATION_ID;
use super::state::RunState;
use super::{Common, Context, Deadline, Inner, Shared};

/// Entries of tags, and of metadata.
const MAX_ENTRIES: usize = 64;
/// Bytes of a tag's key and value together.
const MAX_ENTRY_BYTES: usize = 4_096;

/// A context that was asked for more than it may hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ContextError {
    /// A baggage entry that is malformed or does not fit.
    #[error(transparent)]
    Baggage(#[from] BaggageError),
    /// Too many entries of one sort.
    #[error("context has {given} entries of {what}, accepted are at most {MAX_ENTRIES}")]
    TooMany {
        /// `tags` or `metadata`.
        what: &'static str,
        /// How many were given.
        given: usize,
    },
    /// An entry is too long.
    #[error("entry `{key}` of {what} has {given} bytes, accepted are at most {MAX_ENTRY_BYTES}")]
    TooLong {
        /// `tags`.
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
    /// The first baggage entry that was not accepted.
    refused: Option<BaggageError>,
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

    /// Adds a baggage entry: it travels with every call that the run makes. The key is a token
    /// (letters, digits and some punctuation); the bounds are those of
    /// [`Baggage`](tta_telemetry::propagation::Baggage).
    pub fn baggage(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        if let Err(error) = self.identity.baggage.insert(key.as_ref(), value.as_ref()) {
            self.refused.get_or_insert(error);
        }
        self
    }

    /// What came with a request or message, from
    /// [`extract`](tta_telemetry::propagation::extract): runs continue the caller's trace, if
    /// there is one, with its baggage. Entries that are set by hand, before or after, win. A
    /// `correlation_id` in the baggage becomes the run's, unless another is set.
    pub fn propagated(mut self, incoming: Propagated) -> Self {
        if self.correlation_id.is_none() {
            let received = incoming.baggage.get(CORRELATION_ID).filter(|id| !id.is_empty());
            self.correlation_id = received.map(CorrelationId::from);
        }
        self.identity.remote = incoming.trace;
        let set_before = std::mem::replace(&mut self.identity.baggage, incoming.baggage);
        set_before.iter().fold(self, |builder, (key, value)| builder.baggage(key, value))
    }

    /// Whether the traces of runs that start with this context are kept because somebody asks for
    /// them (to look into one request, say), whatever the rate, the rules and a caller's decision.
    /// They have the reason `forced`, a weight of 1, and services that the run calls are told to
    /// keep them too. A bound on kept traces per second holds for them as for failed ones, and
    /// where no sampling policy decides ([`Sampling`](tta_telemetry::Sampling)) nothing is changed.
    /// Runs that these [cause](Context::caused) are asked for too. Default: false.
    ///
    /// Whoever lets requests ask for it lets them fill the store: not for callers one does not trust.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use tta_primitives::{Context, Result, step};
    /// use tta_telemetry::{Telemetry, sampling::{Rate, SamplingPolicy}};
    ///
    /// async fn double(n: u32) -> Result<u32> {
    ///     Ok(2 * n)
    /// }
    /// let policy = SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() };
    /// let telemetry = Telemetry::builder().sampling_policy(policy).build().unwrap();
    /// let cx = Context::builder().telemetry(telemetry).keep_traces(true).build().unwrap();
    /// let report = step(double).run_report(21, &cx).await;
    /// # #[cfg(feature = "record")]
    /// assert_eq!(report.decision.unwrap().reason.as_str(), "forced");
    /// # });
    /// ```
    pub fn keep_traces(mut self, keep: bool) -> Self {
        self.identity.keeps_traces = keep;
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
    /// Too many or too long entries of baggage, tags or metadata; a baggage key that is no token.
    pub fn build(self) -> Result<Context, ContextError> {
        if let Some(refused) = self.refused {
            return Err(refused.into());
        }
        let identity = &self.identity;
        for (what, given) in [("tags", identity.tags.len()), ("metadata", identity.metadata.len())] {
            if given > MAX_ENTRIES {
                return Err(ContextError::TooMany { what, given });
            }
        }
        for (key, value) in &identity.tags {
            let given = key.len() + value.len();
            if given > MAX_ENTRY_BYTES {
                let key = key.chars().take(40).collect();
                return Err(ContextError::TooLong { what: "tags", key, given });
            }
        }
        Ok(self.build_unchecked())
    }

    pub(super) fn build_unchecked(self) -> Context {
        let telemetry = self.telemetry.unwrap_or_else(Telemetry::global);
        let now = telemetry.clock().ticks();
        let common = Common {
            shared: Arc::new(Shared {
                state: RunState::default(),
                checkpoints: Checkpoints::starting_at(now),
                spent: Spent::default(),
            }),
            identity: Arc::new(self.identity),
            correlation_id: self.correlation_id,
            telemetry,
            trace: TraceHandle::default(),
            run: None,
            workflow: (0, Name::from_static("")),
        };
        Context(Arc::new(Inner {
            common: Arc::new(common),
            at: super::At::default(),
            deadline: self.deadline.map(|after| Deadline { from: now, after }),
            cancellation: Cancellation::new(),
            progress: None,
        }))
    }
}
