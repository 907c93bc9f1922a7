//! What `tta serve` says while it runs: log lines on standard error, by `logging.level` and `logging.format`.
//!
//! Why it does not start is no log line: that is for whoever starts it.

use tta::telemetry::config::{Config, LogFormat as Format, LogLevel as Level};
use tta::tracing::logging::{LogFormat, LogLevel, Logging, LoggingConfig};

use crate::output::Failure;

pub(super) fn start(config: &Config) -> Result<(), Failure> {
    let level = match config.logging.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let level = level.parse::<LogLevel>().map_err(|error| Failure::new(error.to_string()))?;
    let format = match config.logging.format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    let logging = Logging::builder().config(LoggingConfig { level, format }).build();
    logging.init().map_err(|error| Failure::new(error.to_string()))
}

/// What changed.
pub(super) fn info(message: &str) {
    tracing::info!(target: "tta", "{message}");
}

/// What was refused, lost or exposed.
pub(super) fn warn(message: &str) {
    tracing::warn!(target: "tta", "{message}");
}
