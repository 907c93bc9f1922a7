//! What can go wrong with a memory.

use std::time::Duration;

use thiserror::Error;

use crate::error::{Error, ErrorKind};

/// Why a memory could not do what it was asked. Found inside the [`Error`](crate::Error) that a step sees, by
/// [`downcast_ref`](crate::Error::downcast_ref).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The store cannot be reached, or the connection broke.
    #[error("the memory store cannot be reached: {0}")]
    Unavailable(String),
    /// The store was reached and refused: out of memory, not allowed.
    #[error("the memory store refused: {0}")]
    Refused(String),
    /// The store did not answer in time.
    #[error("the memory store did not answer within {0:?}")]
    TimedOut(Duration),
    /// Something is under the key that is not a value of this memory's type. It is left alone.
    #[error("what is kept under `{key}` cannot be read: {reason}")]
    Unreadable {
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The value cannot be written in the store's form.
    #[error("the value cannot be encoded: {0}")]
    Encoding(String),
}

impl MemoryError {
    fn kind(&self) -> ErrorKind {
        match self {
            MemoryError::Unavailable(_) | MemoryError::Refused(_) | MemoryError::Unreadable { .. } => {
                ErrorKind::Upstream
            }
            MemoryError::TimedOut(_) => ErrorKind::Timeout,
            MemoryError::Encoding(_) => ErrorKind::InvalidInput,
        }
    }

    #[cold]
    pub(super) fn into_error(self) -> Error {
        Error::new(self.kind(), self)
    }
}
