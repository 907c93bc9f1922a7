//! What a router counts of its routes, for whoever holds its handle.
//!
//! Counts are plain atomics, a cache line or two for each route, so that a decision takes no lock.
//! Costs follow from counts: a route's cost is fixed. They are the router's own, over all engines
//! and workflows that it is used in, and stand also where nothing is recorded.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tta_telemetry::{Clock, Name, Ticks, Usd};

use super::history::{Entry, History, RouteOutcome};
use super::metrics::RouteMetrics;
use super::reason::RouteReason;
use crate::causes::is_refusal;
use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::live_percentile::LivePercentile;

/// A route's recent latency is that of one to two of these.
const WINDOW: Duration = Duration::from_secs(30);
/// Calls before a route's latency is known.
const MIN_SAMPLES: u64 = 3;

#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) name: Name,
    routes: Vec<Account>,
    dearest: Usd,
    has_costs: bool,
    failure_latency: Duration,
    unroutable: AtomicU64,
    pub(super) history: History,
    /// Of the engine that was met first, with its id: latencies and the history's times are read on
    /// it.
    clock: OnceLock<(u64, Clock)>,
}

/// One route's counts. Two neighbours share no cache line (nor the pair that is fetched together).
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Account {
    pub(super) name: Name,
    cost: Usd,
    expected: Option<Duration>,
    chosen: [AtomicU64; RouteReason::ALL.len()],
    outcomes: [AtomicU64; 4],
    savings_nanos: AtomicU64,
    latency: Option<LivePercentile>,
    was_measured: AtomicBool,
}

/// What a route is known by when the router is built.
pub(super) struct Opening {
    pub(super) name: Name,
    pub(super) cost: Option<Usd>,
    pub(super) expected: Option<Duration>,
    pub(super) is_eligible: bool,
}

impl Ledger {
    pub(super) fn new(
        name: Name,
        routes: Vec<Opening>,
        quantile: Option<f64>,
        failure_latency: Duration,
        history: usize,
    ) -> Self {
        let eligible = || routes.iter().filter(|route| route.is_eligible);
        // The dearest is known only when all are.
        let has_costs = routes.iter().any(|route| route.cost.is_some());
        let dearest = eligible().map(|route| route.cost).collect::<Option<Vec<_>>>();
        let dearest = dearest.and_then(|costs| costs.into_iter().max()).unwrap_or_default();
        let account = |route: Opening| Account {
            name: route.name,
            cost: route.cost.unwrap_or_default(),
            expected: route.expected,
            chosen: std::array::from_fn(|_| AtomicU64::new(0)),
            outcomes: std::array::from_fn(|_| AtomicU64::new(0)),
            savings_nanos: AtomicU64::new(0),
            latency: quantile.map(|quantile| LivePercentile::new(quantile, WINDOW, MIN_SAMPLES)),
            was_measured: AtomicBool::new(false),
        };
        Self {
            name,
            routes: routes.into_iter().map(account).collect(),
            dearest,
            has_costs,
            failure_latency,
            unroutable: AtomicU64::new(0),
            history: History::new(history),
            clock: OnceLock::new(),
        }
    }

    pub(super) fn routes(&self) -> &[Account] {
        &self.routes
    }

    pub(super) fn has_costs(&self) -> bool {
        self.has_costs
    }

    pub(super) fn unroutable(&self) -> u64 {
        self.unroutable.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn count_unroutable(&self) {
        self.unroutable.fetch_add(1, Ordering::Relaxed);
    }

    /// What a success saves, when so much was spent on it.
    pub(super) fn savings(&self, spent: Usd) -> Usd {
        self.dearest.saturating_sub(spent)
    }

    /// How long a route takes lately; before it was ever measured, how long it is expected to.
    #[inline]
    pub(super) fn latency(&self, route: usize, cx: &Context) -> Option<Duration> {
        let account = self.routes.get(route)?;
        let known = account.latency.as_ref()?.get(self.clock(cx));
        known.or_else(|| account.expected.filter(|_| !account.was_measured.load(Ordering::Relaxed)))
    }

    /// The wall-clock time of a reading, in nanoseconds since the Unix epoch.
    pub(super) fn unix_ns(&self, ticks: Ticks) -> u64 {
        self.clock.get().map_or(0, |(_, clock)| clock.unix_ns(ticks))
    }

    #[inline]
    fn clock(&self, cx: &Context) -> &Clock {
        &self.met(cx).1
    }

    #[inline]
    fn met(&self, cx: &Context) -> &(u64, Clock) {
        self.clock.get_or_init(|| (cx.telemetry().engine_id(), cx.clock().clone()))
    }

    /// A route was chosen and is about to run. `spent`: what was spent on this input before.
    #[inline]
    pub(super) fn begin<'a>(
        &'a self,
        route: usize,
        reason: RouteReason,
        spent: Usd,
        metrics: Option<&'a RouteMetrics>,
        cx: &'a Context,
    ) -> Call<'a> {
        let account = self.routes.get(route);
        if let Some(chosen) = account.and_then(|account| account.chosen.get(reason as usize)) {
            chosen.fetch_add(1, Ordering::Relaxed);
        }
        let is_timed = account.is_some_and(|account| account.latency.is_some());
        let started = is_timed.then(|| self.clock(cx).ticks());
        Call { ledger: self, account, metrics, route, reason, spent, started, ended: None, result: None, cx }
    }
}

impl Account {
    pub(super) fn chosen(&self) -> impl Iterator<Item = (RouteReason, u64)> {
        let counts = self.chosen.iter().map(|count| count.load(Ordering::Relaxed));
        RouteReason::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    pub(super) fn count(&self, outcome: RouteOutcome) -> u64 {
        self.outcomes.get(outcome as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// What was spent: a call that was refused costs nothing.
    pub(super) fn spent(&self) -> Usd {
        let calls = [RouteOutcome::Succeeded, RouteOutcome::Failed, RouteOutcome::Cancelled];
        let calls: u64 = calls.into_iter().map(|outcome| self.count(outcome)).sum();
        Usd::from_nanos(self.cost.nanos().saturating_mul(calls))
    }

    pub(super) fn saved(&self) -> Usd {
        Usd::from_nanos(self.savings_nanos.load(Ordering::Relaxed))
    }

    pub(super) fn recent_latency(&self, ledger: &Ledger) -> Option<Duration> {
        self.latency.as_ref()?.get(&ledger.clock.get()?.1)
    }

    fn observe(&self, took: Duration, clock: &Clock) {
        if let Some(latency) = &self.latency {
            latency.record(took, clock);
            self.was_measured.store(true, Ordering::Relaxed);
        }
    }
}

/// A route's call under way. Dropped before it has ended, it counts as cancelled.
pub(super) struct Call<'a> {
    ledger: &'a Ledger,
    account: Option<&'a Account>,
    metrics: Option<&'a RouteMetrics>,
    route: usize,
    reason: RouteReason,
    /// On this input, before this call.
    spent: Usd,
    started: Option<Ticks>,
    /// A reading taken at the end already.
    ended: Option<Ticks>,
    /// And the kind of error, if it failed.
    result: Option<(RouteOutcome, Option<ErrorKind>)>,
    cx: &'a Context,
}

impl Call<'_> {
    /// The route returned, at a reading of the clock if there is one already; what was spent on
    /// the input so far.
    #[inline]
    pub(super) fn end(mut self, result: Result<(), &Error>, ended: Option<Ticks>) -> Usd {
        let outcome = match result {
            Ok(()) => RouteOutcome::Succeeded,
            Err(error) if is_refusal(error) => RouteOutcome::Refused,
            Err(error) if error.kind() == ErrorKind::Cancelled => RouteOutcome::Cancelled,
            Err(_) => RouteOutcome::Failed,
        };
        self.ended = ended;
        self.result = Some((outcome, result.err().map(Error::kind)));
        match (outcome, self.account) {
            (RouteOutcome::Refused, _) | (_, None) => self.spent,
            (_, Some(account)) => self.spent + account.cost,
        }
    }

    /// What the engine's metrics learn of it; the time it took they know from the route's step.
    #[inline]
    fn tell(
        &self,
        metrics: &RouteMetrics,
        account: &Account,
        outcome: RouteOutcome,
        kind: Option<ErrorKind>,
        saved: Usd,
    ) {
        // A call that was refused costs nothing.
        if outcome != RouteOutcome::Refused {
            metrics.charge(account.cost, saved, self.cx);
        }
        if let Some(kind) = kind.filter(|_| outcome != RouteOutcome::Cancelled) {
            metrics.failed(kind, self.cx);
        }
    }

    /// Enters the time the call took, for what it says about the route's speed.
    fn enter_latency(&self, account: &Account, started: Ticks, outcome: RouteOutcome, kind: Option<ErrorKind>) {
        let clock = self.ledger.clock(self.cx);
        let took = clock.elapsed(started);
        match outcome {
            RouteOutcome::Succeeded => account.observe(took, clock),
            // A wrong input says nothing about the route.
            RouteOutcome::Failed if kind == Some(ErrorKind::InvalidInput) => {}
            // What fails fast must not pass for fast.
            RouteOutcome::Failed => account.observe(took.max(self.ledger.failure_latency), clock),
            RouteOutcome::Refused => {}
            // It would have taken longer: that says something when it is already long.
            RouteOutcome::Cancelled => {
                if self.ledger.latency(self.route, self.cx).is_none_or(|known| took > known) {
                    account.observe(took, clock);
                }
            }
        }
    }
}

impl Drop for Call<'_> {
    #[inline]
    fn drop(&mut self) {
        let Some(account) = self.account else { return };
        let (outcome, kind) = self.result.unwrap_or((RouteOutcome::Cancelled, None));
        if let Some(count) = account.outcomes.get(outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let is_answer = outcome == RouteOutcome::Succeeded;
        let saved = if is_answer { self.ledger.savings(self.spent + account.cost) } else { Usd::ZERO };
        if saved > Usd::ZERO {
            account.savings_nanos.fetch_add(saved.nanos(), Ordering::Relaxed);
        }
        if let Some(metrics) = self.metrics {
            self.tell(metrics, account, outcome, kind, saved);
        }
        if let Some(started) = self.started {
            self.enter_latency(account, started, outcome, kind);
        }
        let (route, reason, cx) = (self.route, self.reason, self.cx);
        let (ledger, ended) = (self.ledger, self.ended);
        ledger.history.add(|| {
            // Made a wall-clock time when somebody asks.
            let (engine, clock) = ledger.met(cx);
            // A reading of another engine's clock means nothing on this one.
            let ended = ended.filter(|_| cx.telemetry().engine_id() == *engine).unwrap_or_else(|| clock.ticks());
            Entry { route, reason, outcome, ended, trace_id: cx.trace_id() }
        });
    }
}
