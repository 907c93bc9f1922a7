//! The error of a call that a bulkhead had no room for.

use std::time::Duration;

use thiserror::Error;
use tta_telemetry::Name;

/// A bulkhead had no room for a call. Found inside an [`Error`](crate::Error) of kind
/// [`BulkheadFull`](crate::ErrorKind::BulkheadFull) by [`downcast_ref`](crate::Error::downcast_ref).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("bulkhead `{name}` {}: {max_concurrent} at once, {queued} queued", reason.in_words())]
#[non_exhaustive]
pub struct BulkheadFullError {
    /// The bulkhead.
    pub name: Name,
    /// How many calls it runs at once.
    pub max_concurrent: usize,
    /// How many other calls were queued.
    pub queued: usize,
    /// Why the call did not get in.
    pub reason: BulkheadFullReason,
}

/// Why a call did not get into a bulkhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BulkheadFullReason {
    /// All permits were taken, and so was every place in the queue.
    QueueFull,
    /// No permit came free within `max_wait`, which this is.
    WaitedTooLong(Duration),
}

impl BulkheadFullReason {
    /// The stable string: `queue_full`, `waited_too_long`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            BulkheadFullReason::QueueFull => "queue_full",
            BulkheadFullReason::WaitedTooLong(_) => "waited_too_long",
        }
    }

    fn in_words(self) -> String {
        match self {
            BulkheadFullReason::QueueFull => "is full".to_owned(),
            BulkheadFullReason::WaitedTooLong(limit) => format!("had no room within {limit:?}"),
        }
    }
}
