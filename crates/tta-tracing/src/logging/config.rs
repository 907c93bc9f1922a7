//! `logging.level` and `logging.format`: what they may say.
//!
//! Owns the types and how they are read from text. Where the text comes from is not known here.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use tracing_core::LevelFilter;
use tracing_subscriber::filter::Targets;

/// How events are logged. A level or a format is read from text by `parse`.
///
/// ```
/// use tta_tracing::logging::{LogFormat, LoggingConfig};
///
/// let config = LoggingConfig { level: "info,hyper=warn".parse()?, format: "json".parse()? };
/// assert_eq!(config.level.to_string(), "info,hyper=warn");
/// assert_eq!(config.format, LogFormat::Json);
/// assert_eq!("verbose".parse::<LogFormat>().unwrap_err().to_string(),
///     "log format `verbose` is not known, accepted are text and json");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggingConfig {
    /// Which events are logged. Default `info`.
    pub level: LogLevel,
    /// How a line is written. Default `text`.
    pub format: LogFormat,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: `2026-01-31T12:00:00.000000Z  INFO target: message key=value trace_id=…`.
    #[default]
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// Which events are logged: from which level on, and for which targets another one holds.
///
/// Read from directives, separated by commas: a level (`off`, `error`, `warn`, `info`, `debug`,
/// `trace`), or `target=level` for events whose target starts with that text. Where directives name
/// targets only, `info` holds for the others. The longest target that fits an event decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel {
    default: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
}

/// A text that is not a log format.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("log format `{given}` is not known, accepted are text and json")]
pub struct ParseLogFormatError {
    given: String,
}

/// A text that is not a log level.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "log level `{given}`: {what}, accepted are off, error, warn, info, debug and trace, each also for a target, \
     separated by commas, as in `info,hyper=warn`"
)]
pub struct ParseLogLevelError {
    given: String,
    what: String,
}

/// Characters of a wrong text that an error repeats.
const MAX_GIVEN: usize = 200;

fn given(text: &str) -> String {
    text.chars().take(MAX_GIVEN).collect()
}

impl LogFormat {
    /// The stable string: `text` or `json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogFormat {
    type Err = ParseLogFormatError;

    fn from_str(text: &str) -> Result<Self, ParseLogFormatError> {
        let known = [LogFormat::Text, LogFormat::Json];
        let found = known.into_iter().find(|format| text.trim().eq_ignore_ascii_case(format.as_str()));
        found.ok_or_else(|| ParseLogFormatError { given: given(text) })
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self::from(LevelFilter::INFO)
    }
}

impl From<LevelFilter> for LogLevel {
    fn from(default: LevelFilter) -> Self {
        Self { default, targets: Vec::new() }
    }
}

impl LogLevel {
    /// The same as a filter of `tracing-subscriber`.
    #[must_use]
    pub fn targets(&self) -> Targets {
        let targets = self.targets.iter().map(|(target, level)| (target.as_str(), *level));
        Targets::new().with_default(self.default).with_targets(targets)
    }
}

impl FromStr for LogLevel {
    type Err = ParseLogLevelError;

    fn from_str(text: &str) -> Result<Self, ParseLogLevelError> {
        let wrong = |what: String| ParseLogLevelError { given: given(text), what };
        let mut default = None;
        let mut targets: Vec<(String, LevelFilter)> = Vec::new();
        for directive in text.split(',').map(str::trim) {
            let (target, level) = match directive.split_once('=') {
                Some((target, level)) => (Some(target.trim()), level.trim()),
                None => (None, directive),
            };
            let Some(level) = level_named(level) else {
                let what = if level.is_empty() { "a level is missing".into() } else { format!("`{}`", given(level)) };
                let what = if level.is_empty() { what } else { format!("{what} is not a level") };
                return Err(wrong(what));
            };
            match target {
                None if default.is_some() => return Err(wrong("it has more than one level for all targets".into())),
                None => default = Some(level),
                Some(target) if !is_target(target) => {
                    return Err(wrong(format!("`{}` is not a target", given(target))));
                }
                Some(target) if targets.iter().any(|(known, _)| known == target) => {
                    return Err(wrong(format!("`{}` has more than one level", given(target))));
                }
                Some(target) => targets.push((target.to_owned(), level)),
            }
        }
        Ok(Self { default: default.unwrap_or(LevelFilter::INFO), targets })
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.default)?;
        self.targets.iter().try_for_each(|(target, level)| write!(f, ",{target}={level}"))
    }
}

fn level_named(text: &str) -> Option<LevelFilter> {
    let known = [
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    known.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, level)| level)
}

/// Other filters' directives can name spans and fields (`target[span{field}]`); these cannot.
fn is_target(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | '{' | '}' | '='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tracing_core::Level;

    fn refused(text: &str) -> String {
        let message = text.parse::<LogLevel>().unwrap_err().to_string();
        let (said, accepted) = message.split_once(", accepted are ").unwrap();
        assert_eq!(
            accepted,
            "off, error, warn, info, debug and trace, each also for a target, separated by commas, as in \
             `info,hyper=warn`"
        );
        said.to_owned()
    }

    #[test]
    fn the_defaults_are_info_and_text() {
        let config = LoggingConfig::default();
        assert_eq!((config.level.to_string().as_str(), config.format), ("info", LogFormat::Text));
    }

    #[test]
    fn levels_hold_for_their_targets_and_what_begins_like_them() {
        let targets = "warn, hyper=off,hyper::client=trace".parse::<LogLevel>().unwrap().targets();
        assert!(targets.would_enable("app", &Level::WARN) && !targets.would_enable("app", &Level::INFO));
        assert!(!targets.would_enable("hyper::server", &Level::ERROR));
        assert!(targets.would_enable("hyper::client::pool", &Level::TRACE));
        let targets = "h2=error".parse::<LogLevel>().unwrap().targets();
        assert!(targets.would_enable("app", &Level::INFO) && !targets.would_enable("app", &Level::DEBUG));
    }

    #[test]
    fn names_are_read_in_any_case_and_shown_in_lower_case() {
        assert_eq!(" WARN , Hyper=Off".parse::<LogLevel>().unwrap().to_string(), "warn,Hyper=off");
        assert_eq!(" JSON ".parse::<LogFormat>().unwrap(), LogFormat::Json);
        assert_eq!("text".parse::<LogFormat>().unwrap().to_string(), "text");
    }

    #[test]
    fn a_wrong_level_is_repeated_with_what_is_wrong_and_what_is_accepted() {
        assert_eq!(refused("inof"), "log level `inof`: `inof` is not a level");
        assert_eq!(refused(""), "log level ``: a level is missing");
        assert_eq!(refused("info,"), "log level `info,`: a level is missing");
        assert_eq!(refused("hyper="), "log level `hyper=`: a level is missing");
        assert_eq!(refused("3"), "log level `3`: `3` is not a level");
        assert_eq!(refused("=info"), "log level `=info`: `` is not a target");
        assert_eq!(refused("a[b]=info"), "log level `a[b]=info`: `a[b]` is not a target");
        assert_eq!(refused("a=b=info"), "log level `a=b=info`: `b=info` is not a level");
        assert_eq!(refused("info,warn"), "log level `info,warn`: it has more than one level for all targets");
        assert_eq!(refused("a=info,a=warn"), "log level `a=info,a=warn`: `a` has more than one level");
        assert!(refused(&"x".repeat(10_000)).len() < 1_000);
        let error = "yaml".parse::<LogFormat>().unwrap_err();
        assert_eq!(error.to_string(), "log format `yaml` is not known, accepted are text and json");
    }

    proptest! {
        #[test]
        fn what_is_read_from_text_reads_the_same_when_it_is_shown(text in "[a-z=, :]{0,40}") {
            if let Ok(level) = text.parse::<LogLevel>() {
                prop_assert_eq!(level.to_string().parse::<LogLevel>().unwrap(), level);
            }
        }
    }
}
