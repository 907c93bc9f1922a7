//! A bound on how many calls are made in a time.
//!
//! The algorithm is in `gcra`, what it keeps per clock and per key in `lanes` and `keys`, the
//! verdict on a call in `core`, parameters in `config`; this file puts it around steps.
//!
//! The `governor` crate does the same sum, but takes its clock when a limiter is built; here the
//! clock comes with each run, which may be on another engine, and tests move it by hand. What is
//! left of it without its clock is one exchange on one number, which is written out in `gcra`.

mod config;
mod core;
mod error;
mod gcra;
mod keys;
mod lanes;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use tta_telemetry::Name;

pub use self::core::RateLimitStats;
pub use config::RateLimitBuilder;
pub use error::RateLimitedError;
pub use keys::RateKey;

use self::core::{Core, Verdict};
use crate::context::Context;
use crate::decide::Decisions;
use crate::error::Result;
use crate::graph::Graph;
use crate::primitive::Primitive;
use crate::workflow::Decorated;
use keys::Keys;
use lanes::{Lane, OneKey, PerClock, Whole};

/// A bound on how many calls are made in a time: so many per second, and so many at once after a
/// pause. Clones are the same limit; share one between all workflows that call the same thing.
///
/// ```
/// use tta_primitives::{Context, ErrorKind, RateLimit, step};
/// # async fn ask(question: String) -> Result<String, String> { Ok(question) }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let limit = RateLimit::named("model").per_second(0.1).burst(2).build()?;
/// let asked = step(ask).rate_limit(limit.clone());
/// let cx = Context::new();
/// asked.run("why?".to_owned(), &cx).await?;
/// asked.run("how?".to_owned(), &cx).await?;
/// let error = asked.run("who?".to_owned(), &cx).await.unwrap_err();
/// assert_eq!((error.kind(), limit.stats().shed), (ErrorKind::RateLimited, 1));
/// # Result::<(), Box<dyn std::error::Error>>::Ok(()) }).unwrap();
/// ```
///
/// In any time `t` at most `burst + rate * t` calls are admitted (the generic cell rate algorithm),
/// and calls that keep the rate are never refused. The rate is exact to a sixteenth of a
/// nanosecond between two calls, and rounded down.
///
/// Engines on the system's clock share the limit. An engine whose clock is paused, as in tests, has
/// the limit for itself.
#[derive(Clone, Debug)]
pub struct RateLimit(Arc<(Core, PerClock<AtomicU64>)>);

/// A [`RateLimit`] that each key has for itself: a user, a tenant. Made by
/// [`RateLimitBuilder::build_keyed`], used by
/// [`Workflow::rate_limit_by`](crate::Workflow::rate_limit_by). Clones are the same limit.
///
/// A bounded number of keys is remembered. For a new one the key makes room whose burst came back
/// first: a key that has its whole burst again is as good as new, and nothing is lost. When there
/// is none, the one that is nearest to that is forgotten too early, and counted
/// ([`RateLimitStats::evicted_keys`]).
///
/// ```
/// use tta_primitives::{Context, RateLimit, step};
/// # async fn answer((user, question): (u64, String)) -> Result<String, String> { Ok(question) }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let limit = RateLimit::named("questions").per_second(1.0).max_keys(1_000).build_keyed::<u64>()?;
/// let answers = step(answer).rate_limit_by(limit.clone(), |(user, _)| *user);
/// let cx = Context::new();
/// answers.run((1, "why?".to_owned()), &cx).await?;
/// answers.run((2, "why?".to_owned()), &cx).await?;
/// assert!(answers.run((1, "how?".to_owned()), &cx).await.is_err());
/// assert_eq!(limit.stats().keys, 2);
/// # Result::<(), Box<dyn std::error::Error>>::Ok(()) }).unwrap();
/// ```
pub struct KeyedRateLimit<K> {
    core: Arc<Core>,
    keys: Arc<PerClock<Mutex<Keys<K>>>>,
    max_keys: usize,
}

impl<K> Clone for KeyedRateLimit<K> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), keys: Arc::clone(&self.keys), max_keys: self.max_keys }
    }
}

impl<K> std::fmt::Debug for KeyedRateLimit<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedRateLimit").field("core", &self.core).field("max_keys", &self.max_keys).finish()
    }
}

impl RateLimit {
    /// Starts a rate limit of this name, by which errors and counts call it. A rate is needed.
    pub fn named(name: impl Into<Name>) -> RateLimitBuilder {
        RateLimitBuilder::new(name.into())
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> RateLimitStats {
        let (core, lanes) = &*self.0;
        RateLimitStats { forgotten_clocks: lanes.forgotten(), ..core.stats() }
    }
}

impl<K: RateKey> KeyedRateLimit<K> {
    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> RateLimitStats {
        let mut stats = RateLimitStats { forgotten_clocks: self.keys.forgotten(), ..self.core.stats() };
        for keys in self.keys.all() {
            let counts = keys.lock().unwrap_or_else(PoisonError::into_inner).counts();
            stats.keys += counts.keys;
            stats.expired_keys += counts.expired;
            stats.evicted_keys += counts.evicted;
        }
        stats
    }
}

/// What limits the calls with a certain input.
pub(crate) trait Limiter<In>: Send + Sync + 'static {
    type Lane<'a>: Lane + Sync;

    fn core(&self) -> &Core;

    fn lane(&self, input: &In, cx: &Context) -> Self::Lane<'_>;
}

impl<In> Limiter<In> for RateLimit {
    type Lane<'a> = Whole<'a>;

    #[inline]
    fn core(&self) -> &Core {
        &self.0.0
    }

    #[inline]
    fn lane(&self, _: &In, cx: &Context) -> Whole<'_> {
        Whole(self.0.1.of(cx))
    }
}

/// A limit per key, and how to tell the key.
pub(crate) struct ByKey<K, F> {
    pub(crate) limit: KeyedRateLimit<K>,
    pub(crate) key: F,
}

impl<In, K, F> Limiter<In> for ByKey<K, F>
where
    K: RateKey,
    F: Fn(&In) -> K + Send + Sync + 'static,
{
    type Lane<'a> = OneKey<'a, K>;

    fn core(&self) -> &Core {
        &self.limit.core
    }

    fn lane(&self, input: &In, cx: &Context) -> OneKey<'_, K> {
        let key = (self.key)(input);
        OneKey { keys: self.limit.keys.of(cx), key, max_keys: self.limit.max_keys }
    }
}

/// Steps that run at a bounded rate.
pub(crate) struct RateLimited<In, Out, L> {
    inner: Decorated<In, Out>,
    limiter: L,
    decisions: Decisions<Verdict>,
}

impl<In: Send + 'static, Out: Send + 'static, L: Limiter<In>> RateLimited<In, Out, L> {
    pub(crate) fn new(inner: Decorated<In, Out>, limiter: L) -> Self {
        let decisions = Decisions::about(inner.name(), limiter.core().name().clone());
        Self { inner, limiter, decisions }
    }
}

impl<In, Out, L> Primitive<In> for RateLimited<In, Out, L>
where
    In: Send + 'static,
    Out: Send + 'static,
    L: Limiter<In>,
{
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        let turn = self.limiter.core().admit(self.limiter.lane(&input, cx), &self.decisions, cx)?;
        if let Some(turn) = turn {
            // In a box: calls that do not wait need no room for what waiting takes.
            Box::pin(turn.comes()).await?;
        }
        self.inner.run(input, cx).await
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        self.inner.graph().note(self.limiter.core().note())
    }
}
