//! Settings of redaction, checked when built.

use std::fmt;

use regex::Regex;

use super::glob::Glob;
use super::rule::Target;
use super::{RedactionError, RedactionMode, RedactionRule};
use crate::pattern;

const MOST_RULES: usize = 64;
const MOST_ALLOWED: usize = 256;
const MOST_NAME_BYTES: usize = 64;
const DEFAULT_SCAN_BYTES: usize = 16 * 1024;

/// What is redacted, and how. Everything built in is on by default.
///
/// ```
/// use tta_telemetry::{Redaction, Redactor};
///
/// let redactor = Redactor::new(&Redaction::default(), [7; 32]);
/// assert_eq!(redactor.redact_text("mail to ada@example.com failed"), "mail to [REDACTED] failed");
/// ```
#[derive(Clone, Default)]
pub struct Redaction {
    pub(super) settings: Settings,
    pub(super) keys: Vec<(Keys, RedactionMode)>,
    pub(super) values: Vec<(Regex, RedactionMode)>,
    pub(super) allowed: Vec<Glob>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) enabled: bool,
    pub(super) mode: RedactionMode,
    pub(super) secret_keys: bool,
    pub(super) secret_values: bool,
    pub(super) scan_bytes: usize,
    pub(super) salt: Option<Vec<u8>>,
    rules: Vec<RedactionRule>,
    allowed_keys: Vec<String>,
}

/// Which keys a rule is about.
#[derive(Clone)]
pub(super) enum Keys {
    Glob(Glob),
    Regex(Regex),
}

impl Keys {
    pub(super) fn matches(&self, key: &str) -> bool {
        match self {
            Keys::Glob(glob) => glob.matches(key),
            Keys::Regex(regex) => regex.is_match(key),
        }
    }
}

impl Redaction {
    /// Starts with the defaults.
    pub fn builder() -> RedactionBuilder {
        RedactionBuilder { settings: Settings::default() }
    }

    /// Whether anything is redacted.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.settings.enabled
    }

    /// What the built-in rules do, and others unless they say otherwise.
    #[must_use]
    pub fn mode(&self) -> RedactionMode {
        self.settings.mode
    }

    /// The rules of one's own, in the order in which they were added.
    pub fn rules(&self) -> &[RedactionRule] {
        &self.settings.rules
    }

    /// The exceptions.
    #[must_use]
    pub fn allowed_keys(&self) -> &[String] {
        &self.settings.allowed_keys
    }

    /// How much of a value is looked at; what is beyond is masked.
    #[must_use]
    pub fn scan_bytes(&self) -> usize {
        self.settings.scan_bytes
    }
}

/// Two are equal when they were built from the same settings.
impl PartialEq for Redaction {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.settings, f)
    }
}

/// Without the salt.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction")
            .field("enabled", &self.enabled)
            .field("mode", &self.mode)
            .field("secret_keys", &self.secret_keys)
            .field("secret_values", &self.secret_values)
            .field("scan_bytes", &self.scan_bytes)
            .field("hash_salt", &self.salt.as_ref().map(|_| "set"))
            .field("rules", &self.rules)
            .field("allowed_keys", &self.allowed_keys)
            .finish()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            mode: RedactionMode::Mask,
            secret_keys: true,
            secret_values: true,
            scan_bytes: DEFAULT_SCAN_BYTES,
            salt: None,
            rules: Vec::new(),
            allowed_keys: Vec::new(),
        }
    }
}

/// Builds a [`Redaction`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RedactionBuilder {
    settings: Settings,
}

impl RedactionBuilder {
    /// Whether anything is redacted. Default true.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.settings.enabled = enabled;
        self
    }

    /// What is put in the place of a secret, unless a rule says otherwise. Default: mask.
    pub fn mode(mut self, mode: RedactionMode) -> Self {
        self.settings.mode = mode;
        self
    }

    /// Whether values under keys that look like secrets are redacted, and `key=value` in texts.
    /// Default true.
    pub fn secret_keys(mut self, on: bool) -> Self {
        self.settings.secret_keys = on;
        self
    }

    /// Whether values are searched for bearer tokens, card numbers and the like. Default true.
    pub fn secret_values(mut self, on: bool) -> Self {
        self.settings.secret_values = on;
        self
    }

    /// How much of a text is looked at, in bytes; what is beyond is masked unseen. Default 16 KiB;
    /// 64 to 1048576.
    pub fn scan_bytes(mut self, bytes: usize) -> Self {
        self.settings.scan_bytes = bytes;
        self
    }

    /// The key of the mode `hash`: give all engines of a fleet the same one, and keep it secret.
    /// Default: a random one for each engine. 16 to 256 bytes.
    pub fn hash_salt(mut self, salt: impl Into<Vec<u8>>) -> Self {
        self.settings.salt = Some(salt.into());
        self
    }

    /// Adds a rule of one's own; at most 64. They come before what is built in, the first that
    /// matches a key decides.
    pub fn rule(mut self, rule: RedactionRule) -> Self {
        self.settings.rules.push(rule);
        self
    }

    /// Adds an exception: attributes with this key (a glob) are left as they are, whatever is in
    /// them. At most 256.
    pub fn allow_key(mut self, glob: impl Into<String>) -> Self {
        self.settings.allowed_keys.push(glob.into());
        self
    }

    /// Checks and compiles everything.
    ///
    /// # Errors
    /// A setting outside its range, a rule without a name or with that of another, a pattern that
    /// does not compile or is too large.
    pub fn build(self) -> Result<Redaction, RedactionError> {
        let settings = self.settings;
        settings.check()?;
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        let compile = |rule: &str, text: &str| {
            pattern::compile(text)
                .map_err(|problem| RedactionError::pattern(rule, text, problem.column, problem.message))
        };
        for rule in &settings.rules {
            let mode = rule.mode.unwrap_or(settings.mode);
            match &rule.target {
                Target::KeyGlob(glob) => keys.push((Keys::Glob(Glob::new(&rule.name, glob)?), mode)),
                Target::KeyRegex(text) => keys.push((Keys::Regex(compile(&rule.name, text)?), mode)),
                Target::ValueRegex(text) => values.push((compile(&rule.name, text)?, mode)),
            }
        }
        let allowed: Result<_, _> = settings.allowed_keys.iter().map(|glob| Glob::new("allowed_keys", glob)).collect();
        Ok(Redaction { allowed: allowed?, settings, keys, values })
    }
}

impl Settings {
    fn check(&self) -> Result<(), RedactionError> {
        let scan = self.scan_bytes;
        RedactionError::check("scan_bytes", scan, "64 to 1048576", (64..=1 << 20).contains(&scan))?;
        let count = self.rules.len();
        RedactionError::check("rules", count, "at most 64 rules", count <= MOST_RULES)?;
        let allowed = self.allowed_keys.len();
        RedactionError::check("allowed_keys", allowed, "at most 256 keys", allowed <= MOST_ALLOWED)?;
        if let Some(salt) = &self.salt {
            let given = format!("{} bytes long", salt.len());
            RedactionError::check("hash_salt", given, "16 to 256 bytes", (16..=256).contains(&salt.len()))?;
        }
        for (place, rule) in self.rules.iter().enumerate() {
            let (name, given) = (&rule.name, format!("{:?}", rule.name));
            let is_name = (1..=MOST_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
            RedactionError::check("rules.name", &given, "1 to 64 bytes without control characters", is_name)?;
            let is_new = !self.rules.iter().take(place).any(|earlier| earlier.name == *name);
            RedactionError::check("rules.name", given, "a name that no other rule has", is_new)?;
        }
        Ok(())
    }
}
