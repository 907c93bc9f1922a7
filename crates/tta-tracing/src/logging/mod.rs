//! Log lines, text or JSON, that carry the ids of the run they were written in.
//!
//! Every event that `tracing` lets through is one line. Written inside a run it carries `trace_id`,
//! `span_id` (the innermost span) and `correlation_id`, also when the run is not recorded, and its
//! time comes from the run's clock.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use tracing_subscriber::prelude::*;
//! use tta_tracing::logging::{LogFormat, Logging};
//! # #[derive(Clone, Default)]
//! # struct Lines(Arc<Mutex<Vec<u8>>>);
//! # impl std::io::Write for Lines {
//! #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> { self.0.lock().unwrap().write(bytes) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # let lines = Lines::default();
//! # let midnight = tta_telemetry::Clock::manual().0;
//!
//! let logging = Logging::builder()
//!     .level("info,hyper=warn".parse()?)
//!     .format(LogFormat::Json)
//!     .writer(lines.clone())
//! #   .clock(midnight)
//!     .build();
//! let subscriber = tracing_subscriber::registry().with(tta_tracing::layer()).with(logging.layer());
//!
//! tracing::subscriber::with_default(subscriber, || tracing::info!(target: "shop", rows = 3, "loaded"));
//! # let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
//! assert_eq!(text, "{\"timestamp\":\"2026-01-01T00:00:00.000000Z\",\"level\":\"INFO\",\"target\":\"shop\",\
//!     \"message\":\"loaded\",\"fields\":{\"rows\":3}}\n");
//! # Ok::<(), tta_tracing::logging::ParseLogLevelError>(())
//! ```
//!
//! # Secrets
//! Messages and fields are redacted before they are written, fields by their keys too, as the
//! attributes of spans are: by the settings of the engine whose run the line is written in; outside
//! a run by those of the installed one ([`Telemetry::install`]), and before any is installed by
//! [`Redaction::default`](tta_telemetry::Redaction::default). A field that a rule drops is left out;
//! of a text that is longer than `scan_bytes` (16 KiB) the rest is masked unseen. Names of fields
//! and spans, which are literals of the program, stay as they are. This holds for records of the
//! `log` crate as well.
//!
//! This module owns the lines and their level. It reads neither files nor the environment.

mod config;
mod fields;
mod json;
mod line;
mod plain;
mod time;
mod writer;

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use thiserror::Error;
use tracing_core::dispatcher::{self, Dispatch, SetGlobalDefaultError};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tta_primitives::interop::with_current;
use tta_telemetry::{Clock, SharedRedactor, Telemetry};

pub use config::{LogFormat, LogLevel, LoggingConfig, ParseLogFormatError, ParseLogLevelError};
pub use writer::{LoggingCounters, LoggingCounts};

use fields::Fields;
use line::{Line, MAX_SPANS, with_line};
use writer::Writer;

/// Logs as they are to be written. Cheap to clone; clones share their writer.
#[derive(Clone, Debug)]
pub struct Logging {
    level: LogLevel,
    output: Arc<Output>,
}

#[derive(Debug)]
struct Output {
    format: LogFormat,
    color: bool,
    clock: Option<Clock>,
    writer: Writer,
}

/// Settings of a [`Logging`].
#[must_use = "a builder does nothing until built"]
pub struct LoggingBuilder {
    config: LoggingConfig,
    color: Option<bool>,
    clock: Option<Clock>,
    writer: Option<Box<dyn Write + Send>>,
}

/// Why a [`Logging`] did not become the process's.
#[derive(Debug, Error)]
pub enum LoggingError {
    /// `tracing` has a subscriber already.
    #[error("the process has a subscriber of `tracing` already")]
    Subscriber(#[from] SetGlobalDefaultError),
    /// The `log` crate has a logger already.
    #[cfg(feature = "log")]
    #[error("the process has a logger of `log` already")]
    Logger(#[from] tracing_log::log::SetLoggerError),
}

impl Logging {
    /// Level `info`, format `text`, to standard error.
    pub fn builder() -> LoggingBuilder {
        LoggingBuilder { config: LoggingConfig::default(), color: None, clock: None, writer: None }
    }

    /// A layer for a subscriber that the program puts together itself. Its level holds for this
    /// layer alone.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        LogLayer(Arc::clone(&self.output)).with_filter(self.level.targets())
    }

    /// Makes this the process's subscriber, together with [`layer`](crate::layer()): events are
    /// logged, and spans and events become part of the run they are made in, both from the same
    /// level on. With the feature `log`, records of the `log` crate become events.
    ///
    /// # Errors
    /// When the process has a subscriber, or a logger, already.
    pub fn init(&self) -> Result<(), LoggingError> {
        let subscriber = tracing_subscriber::registry()
            .with(self.level.targets())
            .with(crate::layer())
            .with(LogLayer(Arc::clone(&self.output)));
        dispatcher::set_global_default(Dispatch::new(subscriber))?;
        #[cfg(feature = "log")]
        tracing_log::LogTracer::init()?;
        Ok(())
    }

    /// Reads what became of the lines.
    #[must_use]
    pub fn counters(&self) -> LoggingCounters {
        self.output.writer.counters().clone()
    }
}

impl LoggingBuilder {
    /// Level and format, as read from a configuration.
    pub fn config(mut self, config: LoggingConfig) -> Self {
        self.config = config;
        self
    }

    /// Which events are logged. Default `info`.
    pub fn level(mut self, level: LogLevel) -> Self {
        self.config.level = level;
        self
    }

    /// How a line is written. Default [`LogFormat::Text`].
    pub fn format(mut self, format: LogFormat) -> Self {
        self.config.format = format;
        self
    }

    /// Where lines go. Default standard error.
    ///
    /// Each line, at most 64 KiB, is one call of `write_all` and one of `flush`, by the thread that
    /// logs, one thread at a time: what was logged before a crash is out. A writer that fails or
    /// panics loses lines, which are [counted](Logging::counters). One that blocks holds up whoever
    /// logs; where that may happen, as with a pipe nobody reads, give one that hands lines to a
    /// thread of its own, such as `tracing_appender::non_blocking`.
    pub fn writer(mut self, writer: impl Write + Send + 'static) -> Self {
        self.writer = Some(Box::new(writer));
        self
    }

    /// Whether lines of text are coloured. By default they are when they go to standard error and
    /// that is a terminal. JSON never is.
    pub fn color(mut self, color: bool) -> Self {
        self.color = Some(color);
        self
    }

    /// Where the time of lines comes from that are written outside a run. Default the system's
    /// clock. Inside a run it is the run's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The finished settings.
    #[must_use]
    pub fn build(self) -> Logging {
        let Self { config, color, clock, writer } = self;
        let color = color.unwrap_or_else(|| writer.is_none() && std::io::stderr().is_terminal());
        let writer = Writer::new(writer.unwrap_or_else(|| Box::new(std::io::stderr())));
        let output = Output { format: config.format, color, clock, writer };
        Logging { level: config.level, output: Arc::new(output) }
    }
}

impl std::fmt::Debug for LoggingBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoggingBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Writes every event it is given.
struct LogLayer(Arc<Output>);

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let output = &*self.0;
        if output.writer.is_busy_here() {
            return;
        }
        with_line(output.format, output.color, |line| {
            let redactor = output.set_ids(line);
            let redactor = redactor.current();
            line.redact(&redactor);
            let scope = cx.event_scope(event).into_iter().flatten();
            scope.take(MAX_SPANS).for_each(|span| line.add_span(span.name()));
            event.record(&mut Fields::new(line, &redactor, event.metadata()));
            line.finish(event.metadata());
            output.writer.write(&line.out, line.is_truncated);
        });
    }
}

impl Output {
    /// Time and ids. They are read before the fields are, which user code formats. Returns what takes
    /// the secrets out: the run's engine knows.
    fn set_ids(&self, line: &mut Line) -> SharedRedactor {
        with_current(|cx| {
            let clock = cx.map(tta_primitives::Context::clock).or(self.clock.as_ref());
            line.unix_ns = clock.map_or_else(system_unix_ns, |clock| clock.unix_ns(clock.ticks()));
            let Some(cx) = cx else { return Telemetry::global().redactor().clone() };
            line.trace_id = cx.trace_id();
            line.span_id = cx.span_id();
            if let Some(id) = cx.correlation_id() {
                line.set_correlation_id(id);
            }
            cx.telemetry().redactor().clone()
        })
    }
}

/// The time where no run and no clock of the program's says it.
#[allow(clippy::disallowed_methods)]
fn system_unix_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
