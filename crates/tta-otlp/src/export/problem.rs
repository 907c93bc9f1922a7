//! What can be wrong with settings, told all at once.

use std::fmt;

use thiserror::Error;

/// One setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{field}` is {given}, accepted is {accepted}")]
pub struct ExportProblem {
    /// The setting, or the variable of the environment that it comes from.
    pub field: String,
    /// What was given; of secrets only what kind of thing.
    pub given: String,
    /// What is accepted.
    pub accepted: &'static str,
}

impl ExportProblem {
    pub(super) fn new(field: impl Into<String>, given: impl Into<String>, accepted: &'static str) -> Self {
        Self { field: field.into(), given: given.into(), accepted }
    }
}

/// All settings that cannot be used, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportProblems(pub Vec<ExportProblem>);

impl fmt::Display for ExportProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ExportProblems {}

/// Why nothing can be sent with these settings.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Settings that cannot be used.
    #[error(transparent)]
    Settings(#[from] ExportProblems),
    /// A file of a certificate or key that cannot be used.
    #[error("cannot use {path} for TLS: {message}")]
    Tls {
        /// The file; `the system's certificates` for those.
        path: String,
        /// Why.
        message: String,
    },
    /// The thread that sends did not start.
    #[error("cannot start the thread that exports: {0}")]
    Thread(#[source] std::io::Error),
}
