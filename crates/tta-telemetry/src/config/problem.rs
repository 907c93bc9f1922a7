//! What is wrong with a configuration: all of it, at once.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigProblem {
    /// Who said it: a file's name with the line (`tta.toml:3`), an environment variable, `patch`, `code`;
    /// `the preset NAME` when two fields contradict each other that nobody has set.
    pub source: String,
    /// The field, as `tracing.sampling.default_rate`.
    pub path: String,
    /// What was given, clipped.
    pub given: Option<String>,
    /// What is accepted.
    pub accepted: String,
    /// The known name that was probably meant.
    pub nearest: Option<String>,
}

/// Text is repeated up to so many characters.
const MOST_GIVEN: usize = 80;

impl ConfigProblem {
    /// A value that is not accepted.
    pub(super) fn value(source: &str, path: &str, given: &str, accepted: impl Into<String>) -> Self {
        Self {
            source: source.to_owned(),
            path: path.to_owned(),
            given: Some(clip(given)),
            accepted: accepted.into(),
            nearest: None,
        }
    }

    /// A name that is no field.
    pub(super) fn unknown(source: &str, path: &str, nearest: Option<String>) -> Self {
        Self { source: source.to_owned(), path: clip(path), given: None, accepted: String::new(), nearest }
    }
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(MOST_GIVEN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, path, given, accepted, nearest } = self;
        write!(f, "{source}: ")?;
        match given {
            Some(given) if path.is_empty() => write!(f, "{given}; accepted is {accepted}")?,
            Some(given) => write!(f, "`{path}` is {given}, accepted is {accepted}")?,
            None => write!(f, "`{path}` is not a field")?,
        }
        match nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<ConfigProblem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = if self.problems.len() == 1 { "problem" } else { "problems" };
        write!(f, "{} {many} in the configuration:", self.problems.len())?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl std::error::Error for ConfigError {}
