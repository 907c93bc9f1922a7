//! What limits with and without keys have in common: parameters, counts, and the verdict on a call.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::select;
use tta_telemetry::{Name, ValueRef};

use super::RateLimitedError;
use super::gcra::{self, Moment, Quota, Step};
use super::lanes::Lane;
use crate::context::Context;
use crate::decide::{Decisions, outcomes};
use crate::error::{Error, ErrorKind, Result, RetryHint};

outcomes! {
    /// What became of a call.
    enum Verdict in "rate_limit" as "rate_limit.outcome" {
        Admitted = "admitted": Routine,
        // Asked for by whoever lets calls wait: worth a look at the trace, not a line in a log.
        Waited = "waited": Routine,
        Refused = "refused": Warning,
        WaitTooLong = "wait_too_long": Warning,
        DeadlineTooClose = "deadline_too_close": Warning,
        Cancelled = "cancelled": Routine,
        /// Dropped while it waited.
        Abandoned = "abandoned": Routine,
    }
}

#[derive(Debug)]
pub(crate) struct Core {
    name: Name,
    rate: String,
    quota: Quota,
    longest_wait: Option<Duration>,
    admitted: AtomicU64,
    waited: AtomicU64,
    waiting: AtomicU64,
    shed: AtomicU64,
    gave_up: AtomicU64,
}

/// What a rate limit has done since it was built. The numbers are read one after another: while
/// calls come they need not add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimitStats {
    /// Calls that were admitted, at once or after a wait.
    pub admitted: u64,
    /// Those of them that had to wait.
    pub waited: u64,
    /// Calls that wait for their turn.
    pub waiting: u64,
    /// Calls that failed because they were over the limit.
    pub shed: u64,
    /// Calls that were dropped or told to stop before their turn.
    pub gave_up: u64,
    /// Keys that are remembered, over all clocks.
    pub keys: usize,
    /// Keys that were forgotten when there was nothing left to remember of them.
    pub expired_keys: u64,
    /// Keys that were forgotten too early, because too many are in use: their next call finds the
    /// whole burst.
    pub evicted_keys: u64,
    /// Engines with a paused clock whose state was dropped: 64 are kept apart.
    pub forgotten_clocks: u64,
}

impl Core {
    pub(super) fn new(name: Name, rate: String, quota: Quota, longest_wait: Option<Duration>) -> Self {
        let zero = AtomicU64::default;
        let (admitted, waited, waiting, shed, gave_up) = (zero(), zero(), zero(), zero(), zero());
        Self { name, rate, quota, longest_wait, admitted, waited, waiting, shed, gave_up }
    }

    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    #[cfg(test)]
    pub(super) fn quota(&self) -> Quota {
        self.quota
    }

    #[cfg(test)]
    pub(super) fn longest_wait(&self) -> Option<Duration> {
        self.longest_wait
    }

    /// What a graph says of it.
    pub(super) fn note(&self) -> String {
        format!("rate limit {} {}", self.name, self.rate)
    }

    pub(super) fn stats(&self) -> RateLimitStats {
        RateLimitStats {
            admitted: self.admitted.load(Ordering::Relaxed),
            waited: self.waited.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            shed: self.shed.load(Ordering::Relaxed),
            gave_up: self.gave_up.load(Ordering::Relaxed),
            ..RateLimitStats::default()
        }
    }

    /// Admits a call: `None` when it may go at once, otherwise what it has to wait for.
    ///
    /// At once means one reading of the clock, one exchange and two counts; no lock, no allocation.
    #[inline]
    pub(super) fn admit<'a, L: Lane>(
        &'a self,
        lane: L,
        decisions: &'a Decisions<Verdict>,
        cx: &'a Context,
    ) -> Result<Option<Turn<'a, L>>> {
        let now = gcra::now(cx.clock());
        match lane.take(self.quota, now, 0) {
            Ok(_) => {
                self.admitted.fetch_add(1, Ordering::Relaxed);
                decisions.count(Verdict::Admitted, cx);
                Ok(None)
            }
            Err(wait) => self.reserve(lane, decisions, cx, (now, wait)).map(Some),
        }
    }

    /// A turn later on, if there is one in time.
    #[cold]
    fn reserve<'a, L: Lane>(
        &'a self,
        lane: L,
        decisions: &'a Decisions<Verdict>,
        cx: &'a Context,
        (now, wait): (Moment, u64),
    ) -> Result<Turn<'a, L>> {
        let Some(longest) = self.longest_wait else {
            return Err(self.refuse(Verdict::Refused, wait, decisions, cx));
        };
        // A turn at the deadline itself is of no use.
        let left = cx.remaining().map_or(u64::MAX, |left| gcra::units(left).saturating_sub(1));
        let longest = gcra::units(longest);
        match lane.take(self.quota, now, longest.min(left)) {
            Ok(step) => {
                self.waiting.fetch_add(1, Ordering::Relaxed);
                let at = now.saturating_add(step.wait);
                Ok(Turn { core: self, lane, decisions, cx, step, asked: now, at, settled: false })
            }
            Err(wait) => {
                let verdict = if wait > longest { Verdict::WaitTooLong } else { Verdict::DeadlineTooClose };
                Err(self.refuse(verdict, wait, decisions, cx))
            }
        }
    }

    #[cold]
    fn refuse(&self, verdict: Verdict, wait: u64, decisions: &Decisions<Verdict>, cx: &Context) -> Error {
        self.shed.fetch_add(1, Ordering::Relaxed);
        let retry_in = gcra::duration(wait);
        let retry_in_ns = u64::try_from(retry_in.as_nanos()).unwrap_or(u64::MAX);
        let name = ("rate_limit.name", ValueRef::from(&self.name));
        decisions.record(verdict, &[name, ("rate_limit.retry_in_ns", ValueRef::from(retry_in_ns))], cx);
        let error = RateLimitedError { name: self.name.clone(), retry_in };
        Error::new(ErrorKind::RateLimited, error).with_retry_hint(RetryHint::After(retry_in))
    }
}

/// A call's turn, which has not come yet. Dropped before it came, it is given back if nobody
/// reserved a later one: those keep theirs.
pub(super) struct Turn<'a, L: Lane> {
    core: &'a Core,
    lane: L,
    decisions: &'a Decisions<Verdict>,
    cx: &'a Context,
    step: Step,
    asked: Moment,
    at: Moment,
    settled: bool,
}

impl<L: Lane> Turn<'_, L> {
    /// Waits until it has come, or the run is told to stop.
    pub(super) async fn comes(mut self) -> Result<()>
    where
        L: Sync,
    {
        let cx = self.cx;
        {
            let mut cancelled = pin!(cx.cancelled());
            // Timers and the clock that decides need not agree to the nanosecond: what wakes too
            // early waits again.
            while !cx.is_cancelled()
                && let rest = self.at.saturating_sub(gcra::now(cx.clock()))
                && rest > 0
            {
                select(pin!(cx.sleep(gcra::duration(rest))), cancelled.as_mut()).await;
            }
        }
        self.settled = true;
        let waited = gcra::duration(gcra::now(cx.clock()).saturating_sub(self.asked));
        let waited_ns = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        let name = ("rate_limit.name", ValueRef::from(&self.core.name));
        let attributes = [name, ("rate_limit.waited_ns", ValueRef::from(waited_ns))];
        if cx.is_cancelled() {
            self.give_up();
            self.decisions.record(Verdict::Cancelled, &attributes, cx);
            return Err(stopped());
        }
        self.core.admitted.fetch_add(1, Ordering::Relaxed);
        self.core.waited.fetch_add(1, Ordering::Relaxed);
        self.decisions.record(Verdict::Waited, &attributes, cx);
        Ok(())
    }

    fn give_up(&self) {
        self.core.gave_up.fetch_add(1, Ordering::Relaxed);
        self.lane.give_back(self.step);
    }
}

impl<L: Lane> Drop for Turn<'_, L> {
    fn drop(&mut self) {
        self.core.waiting.fetch_sub(1, Ordering::Relaxed);
        if !self.settled {
            self.give_up();
            self.decisions.count(Verdict::Abandoned, self.cx);
        }
    }
}

#[cold]
fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "the run was told to stop while it waited for a rate limit")
}
