//! Why a store does not answer.

use std::borrow::Cow;

use thiserror::Error;

use crate::format::clip;

/// Characters of what was given that an error repeats.
const GIVEN_COLUMNS: usize = 80;

/// A query asks for something that no store takes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{field}` is `{given}`, accepted is {accepted}")]
pub struct QueryError {
    /// The field of the query.
    pub field: Cow<'static, str>,
    /// What was given, on one line and clipped.
    pub given: String,
    /// What is accepted.
    pub accepted: Cow<'static, str>,
}

impl QueryError {
    /// A field, what was given for it, and what is accepted.
    pub fn new(field: impl Into<Cow<'static, str>>, given: &str, accepted: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), given: clip(given, GIVEN_COLUMNS), accepted: accepted.into() }
    }
}

/// Why a store does not answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The query is none.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The store cannot answer now.
    #[error("the trace store does not answer: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
    /// As many listen to live traces as may.
    #[error("{most} listen to live traces already, which is the most there may be")]
    TooManyListeners {
        /// How many may.
        most: usize,
    },
}
