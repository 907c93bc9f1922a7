//! What can go wrong between us and Redis, sorted by what it means for the caller.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use tta_primitives::MemoryError;
use tta_primitives::cache::StoreError;

/// Why an operation failed. No text in it holds a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server cannot be reached, is not ready, or the connection broke.
    Unavailable(String),
    /// The server answered, and refused.
    Refused(String),
    /// The server did not answer in time.
    TimedOut(Duration),
}

impl Failure {
    /// `password` is cut out of what the server says.
    pub(crate) fn of(error: &RedisError, response_timeout: Duration, password: Option<&str>) -> Self {
        if error.is_timeout() {
            return Failure::TimedOut(response_timeout);
        }
        let text = redacted(error.to_string(), password);
        match error.kind() {
            ErrorKind::Io
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::TryAgain,
            ) => Failure::Unavailable(text),
            _ => Failure::Refused(text),
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Failure::Unavailable(text) => format!("unreachable: {text}"),
            Failure::Refused(text) => format!("refused: {text}"),
            Failure::TimedOut(limit) => format!("no answer within {limit:?}"),
        }
    }

    pub(crate) fn into_store(self) -> StoreError {
        match self {
            Failure::Unavailable(text) => StoreError::Unavailable(text),
            Failure::Refused(text) => StoreError::Refused(text),
            Failure::TimedOut(limit) => StoreError::TimedOut(limit),
        }
    }

    pub(crate) fn into_memory(self) -> MemoryError {
        match self {
            Failure::Unavailable(text) => MemoryError::Unavailable(text),
            Failure::Refused(text) => MemoryError::Refused(text),
            Failure::TimedOut(limit) => MemoryError::TimedOut(limit),
        }
    }
}

fn redacted(text: String, password: Option<&str>) -> String {
    match password.filter(|password| !password.is_empty()) {
        Some(password) if text.contains(password) => text.replace(password, "***"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_servers_words_is_cut_out() {
        let error = RedisError::from((ErrorKind::Client, "unknown command", "AUTH hunter2".to_owned()));
        let failure = Failure::of(&error, Duration::from_secs(1), Some("hunter2"));
        assert_eq!(failure.text(), "refused: unknown command - Client: AUTH ***");
        assert!(Failure::of(&error, Duration::from_secs(1), Some("")).text().contains("hunter2"));
    }
}
