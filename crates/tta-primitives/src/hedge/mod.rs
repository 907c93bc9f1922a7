//! Another attempt beside one that takes too long.
//!
//! When and how often is in `config` and `budget`, the attempts under way in `attempts`; this file
//! starts them, takes the first success, and records what came of it.

mod attempts;
mod budget;
mod config;
mod error;
mod metrics;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tta_telemetry::{Name, Ticks, Usd, ValueRef};

pub use config::{Hedge, HedgeBuilder, HedgeStats};
pub use error::HedgeError;

use crate::context::Context;
use crate::decide::{Decisions, outcomes};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::per_engine::PerEngine;
use crate::primitive::Primitive;
use crate::time::Sleep;
use crate::workflow::Decorated;

use attempts::{Attempts, Ended};
use metrics::HedgeMetrics;

outcomes! {
    /// What hedging did for a call.
    enum Verdict in "hedge" as "hedge.outcome" {
        /// Answered within the delay.
        NotNeeded = "not_needed": Routine,
        /// Answered by the one attempt there was: another was due and not allowed.
        Skipped = "skipped": Routine,
        PrimaryWon = "primary_won": Info,
        HedgeWon = "hedge_won": Info,
        /// The one attempt that was made failed.
        Failed = "failed": Routine,
        AllFailed = "all_failed": Warning,
        Cancelled = "cancelled": Routine,
        /// Dropped before it ended.
        Abandoned = "abandoned": Routine,
    }
}

/// Steps that are tried again before the first attempt has ended.
pub(crate) struct Hedged<In, Out> {
    inner: Decorated<In, Out>,
    policy: Hedge,
    decisions: Decisions<Verdict>,
    metrics: PerEngine<HedgeMetrics>,
}

/// A call under way. Dropped before [`Call::ends`] it was abandoned, and counts as such.
struct Call<'a> {
    policy: &'a Hedge,
    decisions: &'a Decisions<Verdict>,
    hedged: &'a dyn Wastes,
    cx: &'a Context,
    began: Ticks,
    delay: Duration,
    attempts: usize,
    /// Those of them that were refused.
    refused: usize,
    skipped: bool,
    over: bool,
}

/// What happens next.
enum Event<Out> {
    Ended(Ended<Out>),
    /// The delay has passed.
    Due,
}

impl<In: Clone + Send + 'static, Out: Send + 'static> Hedged<In, Out> {
    pub(crate) fn new(inner: Decorated<In, Out>, policy: Hedge) -> Self {
        Self { decisions: Decisions::at(inner.name()), inner, policy, metrics: PerEngine::default() }
    }

    async fn race(&self, input: In, cx: &Context, call: &mut Call<'_>) -> Result<Out> {
        // After which no attempt follows, so that the last one can have the input itself.
        let mut kept = Some(input);
        let mut attempts = Attempts::new(&self.inner, cx);
        if let Some(first) = kept.clone() {
            attempts.start(first);
        }
        let mut timer = pin!(None::<Sleep>);
        loop {
            let may_follow = kept.is_some();
            let delay = may_follow.then_some(call.delay);
            let event = poll_fn(|task| {
                let event = next(&mut attempts, timer.as_mut(), delay, cx, task);
                // Also when the call is dropped before there is an event.
                call.refused = attempts.refused();
                event
            });
            match event.await {
                Event::Due => {
                    timer.set(None);
                    let input = match call.may_hedge(&attempts) {
                        Some(true) => kept.take(),
                        Some(false) => kept.clone(),
                        None => {
                            kept = None;
                            continue;
                        }
                    };
                    if let Some(input) = input {
                        attempts.start(input);
                        call.attempts = attempts.started();
                    }
                }
                Event::Ended(ended) => return call.ends(ended, attempts),
            }
        }
    }
}

/// What the attempts have come to, or that another one is due: `delay` after this was first asked
/// without a timer.
fn next<Out: Send + 'static>(
    attempts: &mut Attempts<'_, impl Clone + Send + 'static, Out>,
    mut timer: Pin<&mut Option<Sleep>>,
    delay: Option<Duration>,
    cx: &Context,
    task: &mut std::task::Context<'_>,
) -> Poll<Event<Out>> {
    if let Poll::Ready(ended) = attempts.poll(task) {
        return Poll::Ready(Event::Ended(ended));
    }
    let Some(delay) = delay else { return Poll::Pending };
    // Attempts that are ready need no timer: there is none before they were polled.
    if timer.is_none() {
        timer.set(Some(crate::time::sleep(cx.clock(), delay)));
    }
    match timer.as_pin_mut() {
        Some(timer) => timer.poll(task).map(|()| Event::Due),
        None => Poll::Pending,
    }
}

/// Where waste is entered, whatever the types of the steps.
trait Wastes: Sync {
    fn waste(&self, cost: Usd, cx: &Context);
}

impl<In: Send + 'static, Out: Send + 'static> Wastes for Hedged<In, Out> {
    fn waste(&self, cost: Usd, cx: &Context) {
        if cost > Usd::ZERO {
            let find = || HedgeMetrics::find(&self.inner.name(), self.inner.kind(), cx);
            if let Some(metrics) = self.metrics.get(cx, find).get() {
                metrics.wasted(cost, cx);
            }
        }
    }
}

impl Call<'_> {
    /// Whether another attempt may be made now: `Some(true)` when it is the last. `None` when
    /// there is to be none any more.
    fn may_hedge<In, Out>(&mut self, attempts: &Attempts<'_, In, Out>) -> Option<bool> {
        // An attempt that starts now could not be of use.
        if self.cx.is_cancelled() || self.cx.remaining().is_some_and(|left| left.is_zero()) {
            return None;
        }
        let policy = &self.policy.0;
        if !policy.may_hedge() {
            self.skipped = true;
            return None;
        }
        Some(attempts.started() >= policy.max_hedges() as usize)
    }

    fn ends<In, Out>(&mut self, ended: Ended<Out>, mut attempts: Attempts<'_, In, Out>) -> Result<Out> {
        let (cx, policy) = (self.cx, &self.policy.0);
        match ended {
            Ended::Won { number, output } => {
                if attempts.is_first_unfailed() {
                    policy.first_took(cx.clock().elapsed(self.began), cx.clock());
                }
                attempts.end_losers();
                let verdict = match (number, self.attempts) {
                    (0, 1) if self.skipped => Verdict::Skipped,
                    (0, 1) => Verdict::NotNeeded,
                    (0, _) => Verdict::PrimaryWon,
                    _ => Verdict::HedgeWon,
                };
                self.record(verdict);
                Ok(output)
            }
            Ended::Cancelled(error) => {
                attempts.end_losers();
                self.record(Verdict::Cancelled);
                Err(error)
            }
            Ended::Failed(mut causes) if causes.len() == 1 => {
                self.record(Verdict::Failed);
                Err(causes.pop().unwrap_or_else(crate::node::missing_value))
            }
            Ended::Failed(causes) => {
                self.record(Verdict::AllFailed);
                Err(Error::from_any(HedgeError::new(causes)))
            }
        }
    }

    /// Says how it ended; a call whose delay did not pass speaks for itself.
    fn record(&mut self, verdict: Verdict) {
        self.over = true;
        self.count_hedged(verdict == Verdict::HedgeWon);
        if self.attempts == 1 && !self.skipped {
            return self.decisions.count(verdict, self.cx);
        }
        let delay_ns = u64::try_from(self.delay.as_nanos()).unwrap_or(u64::MAX);
        let waste = self.policy.0.waste(self.wasted());
        let attributes = [
            ("hedge.attempts", ValueRef::from(self.attempts)),
            ("hedge.delay_ns", ValueRef::from(delay_ns)),
            ("hedge.waste_usd", ValueRef::from(waste.dollars())),
        ];
        let said = if waste.nanos() > 0 { attributes.len() } else { attributes.len() - 1 };
        self.decisions.record(verdict, attributes.get(..said).unwrap_or_default(), self.cx);
    }

    fn count_hedged(&self, won_by_hedge: bool) {
        if self.attempts > 1 {
            self.policy.0.hedged_call_ends(self.wasted(), won_by_hedge);
            self.hedged.waste(self.policy.0.waste(self.wasted()), self.cx);
        }
    }

    /// Attempts beyond the one that every call makes.
    fn wasted(&self) -> u64 {
        self.attempts.saturating_sub(self.refused + 1) as u64
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.count_hedged(false);
            self.decisions.count(Verdict::Abandoned, self.cx);
        }
    }
}

impl<In: Clone + Send + 'static, Out: Send + 'static> Primitive<In> for Hedged<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        self.policy.0.call_begins();
        let mut call = Call {
            policy: &self.policy,
            decisions: &self.decisions,
            hedged: self,
            cx,
            began: cx.clock().ticks(),
            delay: self.policy.0.delay(cx.clock()),
            attempts: 1,
            refused: 0,
            skipped: false,
            over: false,
        };
        self.race(input, cx, &mut call).await
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        self.inner.graph().note(self.policy.0.note())
    }
}

/// Whether an attempt stopped because the whole run was told to: no other outlives that.
fn is_own_cancellation(error: &Error, cx: &Context) -> bool {
    error.kind() == ErrorKind::Cancelled && cx.is_cancelled()
}
