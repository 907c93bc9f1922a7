//! What is refused about the settings of redaction.

use thiserror::Error;

/// A setting or a rule that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RedactionError {
    /// A setting outside its range.
    #[error("redaction: `{setting}` is {given}, accepted is {accepted}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The value given; never a salt itself.
        given: String,
        /// The accepted range, in words.
        accepted: &'static str,
    },
    /// A pattern that does not compile, or is too large.
    #[error("redaction rule `{rule}`: pattern `{pattern}` at character {column}: {message}")]
    Pattern {
        /// The rule's name; `allowed_keys` for an exception.
        rule: String,
        /// Its pattern, cut at 200 characters.
        pattern: String,
        /// The character at which it is wrong, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
}

impl RedactionError {
    pub(super) fn check(
        setting: &'static str,
        given: impl ToString,
        accepted: &'static str,
        within: bool,
    ) -> Result<(), Self> {
        if within { Ok(()) } else { Err(Self::Setting { setting, given: given.to_string(), accepted }) }
    }

    pub(super) fn pattern(rule: &str, pattern: &str, column: usize, message: impl Into<String>) -> Self {
        let pattern = pattern.chars().take(200).collect();
        Self::Pattern { rule: rule.to_owned(), pattern, column, message: message.into() }
    }
}
