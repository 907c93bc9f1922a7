//! The failure that a cache kept.

use std::sync::Arc;

use thiserror::Error;
use tta_telemetry::Name;

use crate::clip::clip;
use crate::error::{Error, ErrorKind, RetryHint};

/// How making a value failed before, kept for its negative TTL. The [`Error`](crate::Error) around
/// it has the original's kind; it says of retries that they cannot help, since the cache would give
/// the same answer again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct CachedFailure {
    /// The cache.
    pub cache: Name,
    /// The original error's message, at most 4 KiB of it.
    pub message: Arc<str>,
}

/// What is kept of a message.
const MESSAGE_BYTES: usize = 4_096;

impl CachedFailure {
    pub(super) fn error(cache: &Name, kind: ErrorKind, message: Arc<str>) -> Error {
        Error::new(kind, Self { cache: cache.clone(), message }).with_retry_hint(RetryHint::Never)
    }
}

/// The part of an error that is kept.
pub(super) fn message_of(error: &Error) -> Arc<str> {
    clip(error, MESSAGE_BYTES).into()
}

/// Whether a kind of error can be kept at all: it has to be about the value that was asked for,
/// not about the run that asked.
pub(super) fn is_about_the_value(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::App | ErrorKind::InvalidInput | ErrorKind::Upstream | ErrorKind::LimitReached)
}

/// Which errors are kept unless told otherwise: those that did not ask to be tried again.
pub(super) fn is_kept_by_default(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::App | ErrorKind::InvalidInput | ErrorKind::Upstream)
        && !matches!(error.retry_hint(), RetryHint::Retry | RetryHint::After(_))
}
