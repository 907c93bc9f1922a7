//! A step whose results are kept: who runs it, who waits, who is given what.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tta_telemetry::{Name, ValueRef};

use super::error::CachedFailure;
use super::flights::{Joined, Lead, Waited};
use super::handle::Cache;
use super::key::{CacheKey, IntoCacheKey};
use super::shared::{Looked, Stored};
use super::stats::count;
use crate::context::Context;
use crate::decide::{Decisions, outcomes};
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::graph::Graph;
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

type KeyOf<In> = Box<dyn Fn(&In) -> Result<CacheKey, BoxError> + Send + Sync>;

/// Steps whose results are kept.
pub(crate) struct Cached<In, Out> {
    pub(super) inner: Arc<Decorated<In, Out>>,
    pub(super) cache: Cache<Out>,
    key: KeyOf<In>,
    decisions: Decisions<Verdict>,
    pub(super) keeping: Arc<Decisions<Keeping>>,
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
            keeping: Arc::new(Decisions::about(primitive, name)),
            inner: Arc::new(inner),
            cache,
            key: Box::new(move |input| key(input).into_cache_key()),
        }
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
                return Ok(Ok(value));
            }
            Looked::Stale(value) => {
                count(&counters.stale_hits);
                self.say(Verdict::Stale, cx);
                self.refresh(key, input, cx);
                return Ok(Ok(value));
            }
            Looked::Failure { kind, message } => {
                count(&counters.negative_hits);
                self.say(Verdict::Negative, cx);
                return Ok(Err(CachedFailure::error(&self.cache.0.name, kind, message)));
            }
            Looked::Nothing => Verdict::Miss,
            Looked::Corrupt => Verdict::Corrupt,
            Looked::Failed => Verdict::Error,
            Looked::Resting => Verdict::Resting,
        };
        Err((input, verdict))
    }

    /// Makes the value, or waits for another execution that does.
    async fn make(&self, key: CacheKey, input: In, ended: u64, why: Verdict, cx: &Context) -> Result<Out> {
        let shared = &self.cache.0;
        if !shared.policy.single_flight {
            return self.lead(None, &key, input, why, cx).await;
        }
        match shared.flights.join(&key) {
            Joined::Full => {
                count(&shared.counters.unshared);
                self.lead(None, &key, input, why, cx).await
            }
            Joined::Leads(lead) => {
                // Somebody may have made it between our lookup and now.
                let is_early = why == Verdict::Miss && shared.flights.ended() != ended;
                let input = match is_early {
                    true => match self.answer(shared.look(&key, cx).await, &key, input, cx) {
                        Ok(result) => {
                            if is_for_all(&result) {
                                lead.tell(result.clone());
                            }
                            return result;
                        }
                        Err((input, _)) => input,
                    },
                    false => input,
                };
                self.lead(Some(lead), &key, input, why, cx).await
            }
            Joined::Follows(follower) => match follower.wait(cx).await {
                Waited::Told(result) => {
                    count(&shared.counters.shared);
                    self.say(Verdict::Shared, cx);
                    result
                }
                Waited::Leads(lead) => self.lead(Some(lead), &key, input, why, cx).await,
                Waited::GaveUp(error) => {
                    count(&shared.counters.gave_up);
                    self.say(Verdict::GaveUp, cx);
                    Err(error)
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

impl<In, Out> Primitive<In> for Cached<In, Out>
where
    In: Send + 'static,
    Out: Clone + Send + Sync + 'static,
{
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        self.cache.meet(cx);
        let Some(key) = self.key_of(&input, cx) else {
            return self.inner.run(input, cx).await;
        };
        let ended = self.cache.0.flights.ended();
        let looked = self.cache.0.look(&key, cx).await;
        match self.answer(looked, &key, input, cx) {
            Ok(result) => result,
            Err((input, why)) => self.make(key, input, ended, why, cx).await,
        }
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
