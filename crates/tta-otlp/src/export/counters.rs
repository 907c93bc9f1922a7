//! What became of what was to be sent.
//!
//! Owns the counts and the last outcome, for reports and health. Does not own the queue, whose length is
//! put beside them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tta_telemetry::{Health, MetricCollector, Name, catalog};

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropCause {
    /// Older than what the queue has room for.
    QueueFull,
    /// The collector could not be reached, or did not take it in time.
    RetriesExhausted,
    /// The collector said that it will never take it.
    Refused,
    /// Too large for the collector, and not to be divided any further.
    TooLarge,
    /// Not yet sent when exporting ended.
    Shutdown,
}

/// How much was not sent, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// See [`DropCause::QueueFull`].
    pub queue_full: u64,
    /// See [`DropCause::RetriesExhausted`].
    pub retries_exhausted: u64,
    /// See [`DropCause::Refused`].
    pub refused: u64,
    /// See [`DropCause::TooLarge`].
    pub too_large: u64,
    /// See [`DropCause::Shutdown`].
    pub shutdown: u64,
}

impl Drops {
    pub(super) fn add(&mut self, cause: DropCause, items: u64) {
        *self.of(cause) += items;
    }

    fn of(&mut self, cause: DropCause) -> &mut u64 {
        match cause {
            DropCause::QueueFull => &mut self.queue_full,
            DropCause::RetriesExhausted => &mut self.retries_exhausted,
            DropCause::Refused => &mut self.refused,
            DropCause::TooLarge => &mut self.too_large,
            DropCause::Shutdown => &mut self.shutdown,
        }
    }

    /// Each cause by its stable name.
    #[must_use]
    pub const fn by_cause(&self) -> [(&'static str, u64); 5] {
        [
            ("queue_full", self.queue_full),
            ("retries_exhausted", self.retries_exhausted),
            ("refused", self.refused),
            ("too_large", self.too_large),
            ("shutdown", self.shutdown),
        ]
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.queue_full + self.retries_exhausted + self.refused + self.too_large + self.shutdown
    }
}

/// What an exporter has done so far. Items are spans, or series of metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtlpStatus {
    /// Items that were taken.
    pub sent: u64,
    /// Items that the collector left out of what it took (partial success).
    pub rejected: u64,
    /// Items that were not sent, by cause.
    pub dropped: Drops,
    /// Attempts, the first of each request among them.
    pub attempts: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Items that wait.
    pub queued: u64,
    /// Items in requests that are under way or wait for their next attempt.
    pub in_flight: u64,
    /// When something was last taken, in nanoseconds since the Unix epoch.
    pub last_success_unix_ns: Option<u64>,
    /// What went wrong last, also when it has gone well since.
    pub last_error: Option<String>,
    /// Since when nothing is taken, in nanoseconds since the Unix epoch; `None` while all is well.
    pub failing_since_unix_ns: Option<u64>,
}

impl OtlpStatus {
    /// Adds what became of items (`what`: sent_spans, sent_series) to a reading of metrics.
    pub(super) fn collect(&self, sink: &'static str, what: &'static str, out: &mut MetricCollector) {
        let (sink, what) = (Name::from_static(sink), Name::from_static(what));
        out.count(&catalog::SENT, &[&sink], self.sent);
        out.number(&catalog::SENDING, &[&sink], (self.queued + self.in_flight) as f64);
        for (cause, count) in self.dropped.by_cause().into_iter().chain([("rejected", self.rejected)]) {
            out.count(&catalog::DROPPED, &[&what, &Name::from_static(cause)], count);
        }
    }

    pub(super) fn health(&self) -> Health {
        let health = match self.failing_since_unix_ns {
            None => Health::healthy(),
            Some(since) => {
                let why = self.last_error.as_deref().unwrap_or("nothing is taken");
                Health::degraded(format!("{why}; {} items lost so far", self.dropped.total())).since(since)
            }
        };
        health.last_success(self.last_success_unix_ns)
    }
}

/// The counts, shared by who sends and who reads.
#[derive(Debug, Default)]
pub(super) struct Counters(Mutex<OtlpStatus>);

impl Counters {
    fn status(&self) -> MutexGuard<'_, OtlpStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read(&self) -> OtlpStatus {
        self.status().clone()
    }

    pub(super) fn attempted(&self, is_first: bool) {
        let mut status = self.status();
        status.attempts += 1;
        status.retries += u64::from(!is_first);
    }

    /// Whether it had been failing.
    pub(super) fn taken(&self, items: u64, rejected: u64, message: &str, now_unix_ns: u64) -> bool {
        let mut status = self.status();
        status.sent += items - rejected.min(items);
        status.rejected += rejected.min(items);
        status.last_success_unix_ns = Some(now_unix_ns);
        if !message.is_empty() {
            status.last_error = Some(format!("{rejected} left out: {message}"));
        }
        status.failing_since_unix_ns.take().is_some()
    }

    pub(super) fn failed(&self, message: &str, now_unix_ns: u64) {
        let mut status = self.status();
        status.last_error = Some(message.to_owned());
        status.failing_since_unix_ns.get_or_insert(now_unix_ns);
    }

    pub(super) fn dropped(&self, cause: DropCause, items: u64) {
        self.status().dropped.add(cause, items);
    }

    /// Takes back what was counted as dropped, and has come to something else.
    pub(super) fn not_dropped(&self, cause: DropCause, items: u64) {
        let mut status = self.status();
        let count = status.dropped.of(cause);
        *count = count.saturating_sub(items);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.status().failing_since_unix_ns.is_some()
    }
}
