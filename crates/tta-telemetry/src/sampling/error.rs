//! The error of a sampling parameter outside its range.

use std::borrow::Cow;

use thiserror::Error;

/// A parameter of sampling that is outside its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{field}` is {given}, accepted is {accepted}")]
pub struct SamplingError {
    /// The parameter, by its name in the configuration where it has one.
    pub field: &'static str,
    /// The value given, at most 40 characters of it.
    pub given: String,
    /// What is accepted, in words.
    pub accepted: Cow<'static, str>,
}

impl SamplingError {
    pub(super) fn new(field: &'static str, given: &dyn ToString, accepted: impl Into<Cow<'static, str>>) -> Self {
        Self { field, given: given.to_string().chars().take(40).collect(), accepted: accepted.into() }
    }
}

/// `Err` with the problem, where there is one.
pub(super) fn first_of(problems: Vec<SamplingError>) -> Result<(), SamplingError> {
    problems.into_iter().next().map_or(Ok(()), Err)
}
