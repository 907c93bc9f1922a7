//! The error of a call over the limit.

use std::time::Duration;

use thiserror::Error;
use tta_telemetry::Name;

use crate::time::rounded;

/// A call was over a rate limit. Found inside an [`Error`](crate::Error) of kind
/// [`RateLimited`](crate::ErrorKind::RateLimited) by [`downcast_ref`](crate::Error::downcast_ref);
/// that error's retry hint is [`After`](crate::RetryHint::After) `retry_in`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("rate limit `{name}` has no room for {:?}", rounded(*retry_in))]
#[non_exhaustive]
pub struct RateLimitedError {
    /// The rate limit.
    pub name: Name,
    /// When the next call would have been admitted.
    pub retry_in: Duration,
}
