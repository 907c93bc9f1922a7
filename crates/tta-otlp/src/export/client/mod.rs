//! The client: a request to a collector, tried until it is taken or given up.
//!
//! Owns attempts, waits between them, and dividing what is too large. Does not own how a request looks on the
//! wire ([`request`]) or what an answer means ([`answer`]).

mod answer;
mod request;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tta_telemetry::Clock;

use super::counters::{Counters, DropCause, Drops, OtlpStatus};
use super::problem::ExportError;
use super::settings::{ExportSettings, RetryPolicy};
use super::split;
use answer::{Failure, FailureKind};
use request::{Prepared, Wire};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// Spans, in OTLP.
    Traces,
    /// Metrics, in OTLP.
    Metrics,
    /// Metrics, by Prometheus remote write 1.0.
    RemoteWrite,
}

impl Signal {
    /// How variables of the environment call it.
    pub(super) const fn variable(self) -> &'static str {
        match self {
            Signal::Traces => "TRACES",
            Signal::Metrics | Signal::RemoteWrite => "METRICS",
        }
    }
}

/// What became of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Items that were taken.
    pub sent: u64,
    /// Items that the collector left out (partial success).
    pub rejected: u64,
    /// Items that were given up, by cause.
    pub dropped: Drops,
    /// Why, as the collector or the network said last.
    pub message: Option<String>,
    /// Whether a collector answered at all.
    pub answered: bool,
}

/// Sends requests to one collector. Clones share connections and counts.
///
/// Its methods are for a tokio runtime with I/O and time.
#[derive(Clone, Debug)]
pub struct OtlpClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    signal: Signal,
    wire: Wire,
    timeout: Duration,
    retry: RetryPolicy,
    clock: Clock,
    counters: Arc<Counters>,
    /// Told when the collector is back, so that all who wait try at once.
    recovered: Notify,
}

impl OtlpClient {
    /// A client with these settings. Connects with the first request. Waits between attempts go by `clock`;
    /// the time limit of an attempt is real.
    ///
    /// # Errors
    /// The settings, or a file for TLS, cannot be used.
    pub fn new(settings: &ExportSettings, signal: Signal, clock: Clock) -> Result<Self, ExportError> {
        settings.check()?;
        Ok(Self(Arc::new(Inner {
            signal,
            wire: Wire::new(settings, signal, clock.clone())?,
            timeout: settings.timeout,
            retry: settings.retry.clone(),
            clock,
            counters: Arc::default(),
            recovered: Notify::new(),
        })))
    }

    /// What was sent so far; nothing of a queue.
    #[must_use]
    pub fn status(&self) -> OtlpStatus {
        self.0.counters.read()
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.0.counters
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Ends the waits between attempts that go on now, but for those that the collector asked for.
    pub(super) fn hurry(&self) {
        self.0.recovered.notify_waiters();
    }

    /// Sends a request in protobuf with so many items: tries again where that is of use, and divides spans
    /// that are too much at once. Ends when all of it was taken or given up, which the policy bounds.
    ///
    /// # Cancel safety
    /// A request that is dropped on its way may or may not have been taken; it is not counted.
    pub async fn deliver(&self, body: Vec<u8>, items: u64) -> Delivery {
        let mut delivery = Delivery::default();
        // The next to be sent last.
        let mut left = vec![(body, items)];
        while let Some((body, items)) = left.pop() {
            let failure = match self.send(&body, items, &mut delivery).await {
                Ok(()) => continue,
                Err(failure) => failure,
            };
            if failure.kind == FailureKind::TooLarge && items > 1 && self.0.signal == Signal::Traces {
                let parts = split::split(&body, items.div_ceil(2)).unwrap_or_default();
                let counted = parts.into_iter().map(|part| (split::count(&part).unwrap_or(0), part));
                let parts: Vec<_> = counted.map(|(items, part)| (part, items)).collect();
                if parts.len() > 1 {
                    left.extend(parts.into_iter().rev());
                    continue;
                }
            }
            let cause = match failure.kind {
                FailureKind::Passing => DropCause::RetriesExhausted,
                FailureKind::TooLarge => DropCause::TooLarge,
                FailureKind::Lasting => DropCause::Refused,
            };
            delivery.dropped.add(cause, items);
            // Also of what could not be written, or was too large at once and could not be divided.
            let Inner { clock, counters, .. } = &*self.0;
            counters.dropped(cause, items);
            counters.failed(&failure.message, clock.unix_ns(clock.ticks()));
            delivery.message = Some(failure.message);
        }
        delivery
    }

    async fn send(&self, body: &[u8], items: u64, delivery: &mut Delivery) -> Result<(), Failure> {
        let Inner { clock, counters, retry, .. } = &*self.0;
        let prepared = self.0.wire.prepare(body)?;
        let start = clock.ticks();
        let mut attempt = 0;
        loop {
            counters.attempted(attempt == 0);
            let failure = match self.attempt(&prepared).await {
                Ok(reply) => {
                    let rejected = reply.rejected_spans.min(items);
                    delivery.answered = true;
                    delivery.sent += items - rejected;
                    delivery.rejected += rejected;
                    if !reply.message.is_empty() {
                        delivery.message = Some(reply.message.clone());
                    }
                    if counters.taken(items, rejected, &reply.message, clock.unix_ns(clock.ticks())) {
                        self.0.recovered.notify_waiters();
                    }
                    return Ok(());
                }
                Err(failure) => failure,
            };
            delivery.answered |= failure.answered;
            // What is too large is no failure yet: it may be divided.
            if failure.kind != FailureKind::TooLarge {
                counters.failed(&failure.message, clock.unix_ns(clock.ticks()));
            }
            let wait = retry.wait(attempt, failure.retry_after, fastrand::f64());
            if failure.kind != FailureKind::Passing || clock.elapsed(start).saturating_add(wait) > retry.max_elapsed {
                return Err(failure);
            }
            self.pause(wait, failure.retry_after.is_some()).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, prepared: &Prepared) -> Result<crate::ExportReply, Failure> {
        let limit = self.0.timeout;
        match tokio::time::timeout(limit, self.0.wire.exchange(prepared)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::passing(format!("no answer within {limit:?}"))),
        }
    }

    /// Waits, unless the collector is back before; what it asked for itself is waited for anyway.
    async fn pause(&self, wait: Duration, is_asked: bool) {
        let recovered = self.0.recovered.notified();
        if is_asked {
            sleep(&self.0.clock, wait).await;
        } else {
            tokio::select! {
                () = sleep(&self.0.clock, wait) => {}
                () = recovered => {}
            }
        }
    }
}

impl RetryPolicy {
    /// How long to wait after so many failed retries. The collector's own wish is a least, and so is ours: one
    /// that says "0 s", or a date that is over, would be asked without a pause.
    fn wait(&self, retries: u32, asked: Option<Duration>, random: f64) -> Duration {
        let whole = self.initial_backoff.saturating_mul(2_u32.saturating_pow(retries)).min(self.max_backoff);
        let ours = whole.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
        asked.map_or(ours, |asked| asked.saturating_add(ours.min(asked / 10)).max(ours))
    }
}

/// Waits by an engine's clock.
pub(super) async fn sleep(clock: &Clock, wait: Duration) {
    match clock.as_manual() {
        Some(hand) => hand.sleep(wait).await,
        // Real time on the runtime of whoever sends: the engine's clock has no timer of its own.
        None => drop(tokio::time::timeout(wait, std::future::pending::<()>()).await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_vary_by_half() {
        let policy = RetryPolicy::default();
        let seconds = |retries, random| policy.wait(retries, None, random).as_secs_f64();
        assert_eq!((seconds(0, 1.0), seconds(1, 1.0), seconds(3, 1.0)), (1.0, 2.0, 8.0));
        assert_eq!((seconds(0, 0.0), seconds(1, 0.5), seconds(99, 1.0)), (0.5, 1.5, 30.0));
    }

    #[test]
    fn what_the_collector_asks_for_is_waited_with_a_tenth_at_most_above() {
        let policy = RetryPolicy::default();
        let wait = |asked, random| policy.wait(0, Some(Duration::from_secs(asked)), random);
        assert_eq!(wait(100, 1.0), Duration::from_secs(101));
        assert_eq!(wait(5, 0.0), Duration::from_millis(5_500));
    }

    #[test]
    fn a_collector_that_asks_for_no_wait_is_not_asked_again_at_once() {
        let policy = RetryPolicy::default();
        let wait = |retries, asked| policy.wait(retries, Some(asked), 1.0).as_secs_f64();
        assert_eq!((wait(0, Duration::ZERO), wait(3, Duration::ZERO)), (1.0, 8.0));
        assert_eq!((wait(0, Duration::from_millis(100)), wait(3, Duration::from_secs(1))), (1.0, 8.0));
    }
}
