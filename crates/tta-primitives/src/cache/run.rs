//! A step whose results are kept: who runs it, who waits, who is given what.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tta_telemetry::{Name, Usd, ValueRef};

use super::error::CachedFailure;
use super::flights::{Joined, Lead, Waited};
use super::handle::Cache;
use super::key::{CacheKey, IntoCacheKey};
use super::metrics::CacheMetrics;
use super::shared::{Looked, Stored};
use super::stats::count;
use crate::context::Context;
use crate::decide::{Decisions, outcomes};
use crate::engines::Engines;
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::per_engine::{PerEngine, Resolved};
use crate::primitive::Primitive;
use crate::workflow::Decorated;

outcomes! {
    /// What the cache did for an execution.
    enum Verdict in "cache" as "cache.outcome" {
        Hit = "hit": Routine,
        Stale = "stale": Routine,
        Negative = "negative": Routine,
        Shared = "shared": Routine,
        Miss = "miss": Routine,
        Corrupt = "corrupt": Warning,
        Error = "error": Warning,
        Resting = "resting": Routine,
        Bypassed = "bypassed": Warning,
        GaveUp = "gave_up": Routine,
    }
}

outcomes! {
    /// What became of the value that was made.
    enum Keeping in "cache_put" as "cache.put" {
        Kept = "kept": Routine,
        TooLarge = "too_large": Warning,
        Superseded = "superseded": Info,
        Failed = "failed": Warning,
        Resting = "resting": Routine,
    }
}

outcomes! {
    /// What was wrong with a lookup, whatever became of the execution.
    enum Trouble in "cache_lookup" as "cache.lookup" {
        Failed = "failed": Routine,
        Corrupt = "corrupt": Routine,
    }
}

type KeyOf<In> = Box<dyn Fn(&In) -> Result<CacheKey, BoxError> + Send + Sync>;

/// Steps whose results are kept.
pub(crate) struct Cached<In, Out> {
    pub(super) inner: Arc<Decorated<In, Out>>,
    pub(super) cache: Cache<Out>,
    key: KeyOf<In>,
    decisions: Decisions<Verdict>,
    troubles: Decisions<Trouble>,
    pub(super) keeping: Arc<Decisions<Keeping>>,
    metrics: PerEngine<CacheMetrics>,
    engines: Engines,
}

impl<In, Out> Cached<In, Out>
where
    In: Send + 'static,
    Out: Clone + Send + Sync + 'static,
{
    pub(crate) fn new<K: IntoCacheKey>(
        inner: Decorated<In, Out>,
        cache: Cache<Out>,
        key: impl Fn(&In) -> K + Send + Sync + 'static,
    ) -> Self {
        let (primitive, name) = (inner.name(), cache.name().clone());
        Self {
            decisions: Decisions::about(primitive.clone(), name.clone()),
            troubles: Decisions::about(primitive.clone(), name.clone()),
            metrics: PerEngine::default(),
            engines: Engines::default(),
            keeping: Arc::new(Decisions::about(primitive, name)),
            inner: Arc::new(inner),
            cache,
            key: Box::new(move |input| key(input).into_cache_key()),
        }
    }

    /// Makes itself known to an engine, once.
    #[inline]
    fn meet(&self, cx: &Context) {
        self.cache.meet(cx);
        if !self.engines.is_first(cx.telemetry().engine_id()) {
            self.tell_contents(cx);
        }
    }

    #[cold]
    fn tell_contents(&self, cx: &Context) {
        if self.engines.meet(cx.telemetry().engine_id())
            && let Some(contents) = self.cache.0.contents(&self.inner.name())
        {
            cx.telemetry().watch_metrics(&contents);
        }
    }

    #[inline]
    fn metrics(&self, cx: &Context) -> Resolved<'_, CacheMetrics> {
        let per_call = self.cache.0.policy.cost_per_call;
        self.metrics.get(cx, || CacheMetrics::find(&self.inner.name(), self.inner.kind(), per_call, cx))
    }

    /// A call was not made.
    #[inline]
    fn saved(&self, cx: &Context) {
        let per_call = self.cache.0.policy.cost_per_call;
        if per_call > Usd::ZERO
            && let Some(metrics) = self.metrics(cx).get()
        {
            metrics.saved(per_call, cx);
        }
    }

    async fn look(&self, key: &CacheKey, cx: &Context) -> Looked<Out> {
        let looked = self.cache.0.look(key, cx).await;
        match &looked {
            Looked::Failed => self.troubles.count(Trouble::Failed, cx),
            Looked::Corrupt => self.troubles.count(Trouble::Corrupt, cx),
            _ => {}
        }
        looked
    }

    /// Says on the step's span what the cache did. Hits say so as well: whether a step ran cannot
    /// be seen otherwise.
    #[inline]
    fn say(&self, verdict: Verdict, cx: &Context) {
        self.decisions.record(verdict, &[("cache.name", ValueRef::from(&self.cache.0.name))], cx);
    }

    /// The input's key; without one the cache is bypassed.
    fn key_of(&self, input: &In, cx: &Context) -> Option<CacheKey> {
        let counters = &self.cache.0.counters;
        let (counter, why) = match catch_unwind(AssertUnwindSafe(|| (self.key)(input))) {
            Ok(Ok(key)) => return Some(key),
            Ok(Err(_)) => (&counters.key_failed, "key_failed"),
            Err(_) => (&counters.key_panicked, "key_panicked"),
        };
        count(counter);
        let name = ("cache.name", ValueRef::from(&self.cache.0.name));
        self.decisions.record(Verdict::Bypassed, &[name, ("cache.bypass", ValueRef::literal(why))], cx);
        None
    }

    /// Gives what was found, or the input back and why it has to run.
    fn answer(
        &self,
        looked: Looked<Out>,
        key: &CacheKey,
        input: In,
        cx: &Context,
    ) -> Result<Result<Out>, (In, Verdict)> {
        let counters = &self.cache.0.counters;
        let verdict = match looked {
            Looked::Fresh(value) => {
                count(&counters.hits.0);
                self.say(Verdict::Hit, cx);
                self.saved(cx);
                return Ok(Ok(value));
            }
            Looked::Stale(value) => {
                count(&counters.stale_hits);
                self.say(Verdict::Stale, cx);
                // The call is made after all, once, by the first.
                if !self.refresh(key, input, cx) {
                    self.saved(cx);
                }
                return Ok(Ok(value));
            }
            Looked::Failure { kind, message } => {
                count(&counters.negative_hits);
                self.say(Verdict::Negative, cx);
                self.saved(cx);
                return Ok(Err(CachedFailure::error(&self.cache.0.name, kind, message)));
            }
            Looked::Nothing => Verdict::Miss,
            Looked::Corrupt => Verdict::Corrupt,
            Looked::Failed => Verdict::Error,
            Looked::Resting => Verdict::Resting,
        };
        Err((input, verdict))
    }

    /// Makes the value, or waits for another execution that does. Whether the cache answered after
    /// all is the second part.
    async fn make(&self, key: CacheKey, input: In, ended: u64, why: Verdict, cx: &Context) -> (Result<Out>, bool) {
        let shared = &self.cache.0;
        if !shared.policy.single_flight {
            return (self.lead(None, &key, input, why, cx).await, false);
        }
        match shared.flights.join(&key) {
            Joined::Full => {
                count(&shared.counters.unshared);
                (self.lead(None, &key, input, why, cx).await, false)
            }
            Joined::Leads(lead) => {
                // Somebody may have made it between our lookup and now.
                let is_early = why == Verdict::Miss && shared.flights.ended() != ended;
                let input = match is_early {
                    true => match self.answer(self.look(&key, cx).await, &key, input, cx) {
                        Ok(result) => {
                            if is_for_all(&result) {
                                lead.tell(result.clone());
                            }
                            return (result, true);
                        }
                        Err((input, _)) => input,
                    },
                    false => input,
                };
                (self.lead(Some(lead), &key, input, why, cx).await, false)
            }
            Joined::Follows(follower) => match follower.wait(cx).await {
                Waited::Told(result) => {
                    count(&shared.counters.shared);
                    self.say(Verdict::Shared, cx);
                    self.saved(cx);
                    (result, false)
                }
                Waited::Leads(lead) => (self.lead(Some(lead), &key, input, why, cx).await, false),
                Waited::GaveUp(error) => {
                    count(&shared.counters.gave_up);
                    self.say(Verdict::GaveUp, cx);
                    (Err(error), false)
                }
            },
        }
    }

    /// Runs the steps, tells the followers, keeps the result.
    async fn lead(
        &self,
        lead: Option<Lead<Out>>,
        key: &CacheKey,
        input: In,
        why: Verdict,
        cx: &Context,
    ) -> Result<Out> {
        let shared = &self.cache.0;
        count(&shared.counters.misses);
        self.say(why, cx);
        let since = shared.invalidations.mark();
        let result = self.inner.run(input, cx).await;
        if let Some(lead) = &lead
            && is_for_all(&result)
        {
            lead.tell(result.clone());
        }
        // A store that could not be read a moment ago is not waited for again.
        if !matches!(why, Verdict::Error | Verdict::Resting)
            && let Some(stored) = shared.keep(key, result.as_ref(), since, cx).await
        {
            say_stored(&self.keeping, stored, cx);
        }
        result
    }
}

/// Whether followers are to have this result too. An error that is about the leader's own run is
/// not theirs: one of them tries.
pub(super) fn is_for_all<Out>(result: &Result<Out>) -> bool {
    result.as_ref().err().is_none_or(|error: &Error| {
        !matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Panic) && !error.is_by_deadline()
    })
}

/// That a value was kept is what is expected: only counted.
pub(super) fn say_stored(decisions: &Decisions<Keeping>, stored: Stored, cx: &Context) {
    match stored {
        Stored::Kept => decisions.count(Keeping::Kept, cx),
        Stored::TooLarge => decisions.record(Keeping::TooLarge, &[], cx),
        Stored::Superseded => decisions.record(Keeping::Superseded, &[], cx),
        Stored::Failed => decisions.record(Keeping::Failed, &[], cx),
        Stored::Resting => decisions.count(Keeping::Resting, cx),
    }
}

impl<In, Out> Cached<In, Out>
where
    In: Send + 'static,
    Out: Clone + Send + Sync + 'static,
{
    /// The second part says whether the cache answered.
    async fn run_cached(&self, input: In, cx: &Context) -> (Result<Out>, bool) {
        let Some(key) = self.key_of(&input, cx) else {
            return (self.inner.run(input, cx).await, false);
        };
        let ended = self.cache.0.flights.ended();
        let looked = self.look(&key, cx).await;
        match self.answer(looked, &key, input, cx) {
            Ok(result) => (result, true),
            // In a box, so that a hit stays small.
            Err((input, why)) => Box::pin(self.make(key, input, ended, why, cx)).await,
        }
    }
}

impl<In, Out> Primitive<In> for Cached<In, Out>
where
    In: Send + 'static,
    Out: Clone + Send + Sync + 'static,
{
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        self.meet(cx);
        let metrics = self.metrics(cx);
        let Some(metrics) = metrics.get() else { return self.run_cached(input, cx).await.0 };
        let began = cx.clock().ticks();
        let (result, is_answered) = self.run_cached(input, cx).await;
        metrics.took(cx.clock().nanos_between(began, cx.clock().ticks()), is_answered);
        result
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        self.inner.graph().note(format!("cache {}", self.cache.name()))
    }
}
