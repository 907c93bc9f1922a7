//! One rule of redaction, as the user writes it: nothing is checked yet.

use std::fmt;

/// What is put in the place of a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RedactionMode {
    /// `[REDACTED]`. The default.
    #[default]
    Mask,
    /// `[HASH:0123456789abcdef]`, keyed with the salt: the same secret has the same hash, so that
    /// traces can be found by it. With a known salt, values that can be guessed can be found out.
    Hash,
    /// The attribute goes. In text, which has no attribute to drop, as `Mask`.
    Drop,
}

impl RedactionMode {
    /// The stable string: `mask`, `hash` or `drop`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RedactionMode::Mask => "mask",
            RedactionMode::Hash => "hash",
            RedactionMode::Drop => "drop",
        }
    }
}

impl fmt::Display for RedactionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for RedactionMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "mask" => Ok(RedactionMode::Mask),
            "hash" => Ok(RedactionMode::Hash),
            "drop" => Ok(RedactionMode::Drop),
            other => Err(format!("`{other}` is not a redaction mode: expected mask, hash or drop")),
        }
    }
}

/// A rule of one's own: what it is called, where it applies, and what it does.
///
/// ```
/// use tta_telemetry::{Redaction, RedactionMode, RedactionRule};
///
/// let redaction = Redaction::builder()
///     .rule(RedactionRule::key_glob("patients", "patient.*").mode(RedactionMode::Drop))
///     .rule(RedactionRule::value_regex("employee number", r"\bE-\d{6}\b"))
///     .build()?;
/// assert_eq!(redaction.rules().len(), 2);
///
/// let refused = Redaction::builder().rule(RedactionRule::value_regex("open", "a(b")).build().unwrap_err();
/// assert_eq!(refused.to_string(), "redaction rule `open`: pattern `a(b` at character 2: unclosed group");
/// # Ok::<(), tta_telemetry::RedactionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RedactionRule {
    pub(super) name: String,
    pub(super) target: Target,
    pub(super) mode: Option<RedactionMode>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    KeyGlob(String),
    KeyRegex(String),
    ValueRegex(String),
}

impl RedactionRule {
    fn new(name: impl Into<String>, target: Target) -> Self {
        Self { name: name.into(), target, mode: None }
    }

    /// Applies to whole keys: `*` is any text, `?` one character; case does not matter.
    pub fn key_glob(name: impl Into<String>, glob: impl Into<String>) -> Self {
        Self::new(name, Target::KeyGlob(glob.into()))
    }

    /// Applies to keys in which the pattern is found; `(?i)` for either case.
    pub fn key_regex(name: impl Into<String>, pattern: impl Into<String>) -> Self {
        Self::new(name, Target::KeyRegex(pattern.into()))
    }

    /// Applies to the parts of values that the pattern matches; of these to the group `secret`, if
    /// the pattern has one: `pin=(?<secret>\d+)`.
    pub fn value_regex(name: impl Into<String>, pattern: impl Into<String>) -> Self {
        Self::new(name, Target::ValueRegex(pattern.into()))
    }

    /// What it does. Default: the mode of the settings.
    pub fn mode(mut self, mode: RedactionMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
