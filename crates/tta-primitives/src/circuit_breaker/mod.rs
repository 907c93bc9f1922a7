//! Not calling what does not work.
//!
//! The parameters are in `config` and `rules`, the behaviour as a state machine without clock and
//! locks in `machine` and `window`, the form that threads share in `cell`, the steps behind a
//! breaker and what is recorded of them in `guarded`; this file is the handle.

mod answers;
mod cell;
mod config;
mod error;
mod guarded;
mod health;
mod machine;
mod nested;
mod rules;
mod state;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{HealthComponent, MetricSource, Name};

pub use config::CircuitBreakerBuilder;
pub use error::CircuitOpenError;
pub use state::{CircuitReason, CircuitState, CircuitStats};

use crate::context::Context;
use crate::engines::Engines;
use crate::error::Error;
use cell::Cell;
use config::Predicate;
use rules::Rules;

/// Stops calling what keeps failing, and tries it again after a while.
///
/// ```
/// # async fn charge(cents: u32) -> Result<u32, String> { Err("no answer".to_owned()) }
/// use std::time::Duration;
/// use tta_primitives::{CircuitBreaker, CircuitOpenError, CircuitState, Context, step};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let payments = CircuitBreaker::named("payments").consecutive_failures(2).build()?;
/// let pay = step(charge).circuit_breaker(payments.clone());
/// for _ in 0..2 {
///     assert_eq!(pay.run(100, &Context::new()).await.unwrap_err().to_string(), "no answer");
/// }
/// assert_eq!(payments.state(), CircuitState::Open);
/// let error = pay.run(100, &Context::new()).await.unwrap_err(); // `charge` was not called
/// let open = error.downcast_ref::<CircuitOpenError>().unwrap();
/// assert!(open.retry_in.unwrap() <= Duration::from_secs(60));
/// # Ok::<(), tta_primitives::PolicyError>(()) }).unwrap();
/// ```
///
/// *Closed*, it lets every call through and watches how they end. When so many fail one after
/// another, or too large a share of those in a window fails or is slow, it *opens*: for the
/// recovery timeout calls are rejected at once. Then it is *half open*: one call at a time, the
/// probe, goes through, others are rejected. Enough successful probes close it, one that fails
/// opens it again. (M. Nygard, *Release It!*, 2007.)
///
/// A handle: clones are the same breaker. Give it to every step, of any workflow and engine, that
/// calls the same thing. It appears in the health report of every engine that it meets, as
/// `circuit:<name>`. Its time is that of the first engine it meets.
///
/// A call that is dropped or told to stop counts as neither success nor failure. The result of a
/// call that was let through before the circuit changed its state does not count after it. A call
/// inside the probe, behind the same breaker and on the same task, is a part of the probe. A
/// probe that never ends keeps the circuit half open: put a [`Timeout`](crate::Timeout) inside.
#[derive(Clone)]
pub struct CircuitBreaker(Arc<Inner>);

struct Inner {
    name: Name,
    cell: Cell,
    counts_as_failure: Option<Predicate>,
    engines: Engines,
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.0.name)
            .field("stats", &self.0.stats())
            .finish_non_exhaustive()
    }
}

impl CircuitBreaker {
    /// Starts a breaker with the defaults: it opens after 5 failures one after another, for 60 s,
    /// and closes after 2 probes that succeed. The name, which must not be empty, is what spans,
    /// counts, errors and the health report call it.
    pub fn named(name: impl Into<Name>) -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::new(name.into())
    }

    fn new(name: Name, rules: Rules, counts_as_failure: Option<Predicate>) -> Self {
        Self(Arc::new(Inner { name, cell: Cell::new(rules), counts_as_failure, engines: Engines::default() }))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.0.name
    }

    /// Whether calls go through now.
    #[must_use]
    pub fn state(&self) -> CircuitState {
        self.0.stats().state
    }

    /// Its state and its numbers, all of one moment.
    #[must_use]
    pub fn stats(&self) -> CircuitStats {
        self.0.stats()
    }

    /// Rejects every call until it is forced closed or released, however long that is. Calls under
    /// way go on; what they come to does not count.
    pub fn force_open(&self) {
        self.0.cell.force_open();
    }

    /// Lets every call through, whatever they come to, until it is forced open or released.
    pub fn force_closed(&self) {
        self.0.cell.force_closed();
    }

    /// Gives a forced circuit back to itself. One that was forced open is half open: the next call
    /// is a probe. One that was forced closed is closed, and knows of no calls. Does nothing when
    /// it is not forced.
    pub fn release(&self) {
        self.0.cell.release();
    }

    /// A number that no other breaker has while this one lives.
    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Registers with an engine, and takes the first one's time.
    #[inline]
    fn meet(&self, cx: &Context) {
        if !self.0.engines.is_first(cx.telemetry().engine_id()) {
            self.meet_other(cx);
        }
    }

    #[cold]
    fn meet_other(&self, cx: &Context) {
        // Time first: whoever sees the engine as met finds a timeline.
        self.0.cell.meet(cx.clock());
        if self.0.engines.meet(cx.telemetry().engine_id()) {
            let component: Arc<dyn HealthComponent> = self.0.clone();
            cx.telemetry().watch_health(&component);
            let source: Arc<dyn MetricSource> = self.0.clone();
            cx.telemetry().watch_metrics(&source);
        }
    }
}

impl Inner {
    fn stats(&self) -> CircuitStats {
        let read = self.cell.snapshot();
        CircuitStats {
            state: read.state,
            reason: read.reason,
            forced: read.forced,
            since_unix_ns: self.cell.unix_ns(read.since_ns),
            in_state: Duration::from_nanos(read.now_ns.saturating_sub(read.since_ns)),
            retry_in: read.until_ns.map(|until_ns| Duration::from_nanos(until_ns.saturating_sub(read.now_ns))),
            probing: read.probing,
            probe_successes: read.probe_successes,
            consecutive_failures: read.streak,
            calls: read.tally.calls,
            failures: read.tally.failures,
            slow: read.tally.slow,
            rejected: read.rejected,
            opened: read.entered.opened,
            half_opened: read.entered.half_opened,
            closed: read.entered.closed,
        }
    }

    fn is_failure(&self, error: &Error) -> bool {
        match &self.counts_as_failure {
            Some(predicate) => predicate(error),
            None => config::is_failure(error),
        }
    }
}
