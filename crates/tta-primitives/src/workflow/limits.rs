//! Decorators that bound load, or add a little for speed.
//!
//! Owns the methods; what they do is in `bulkhead`, `rate_limit` and `hedge`.

use super::Workflow;
use crate::bulkhead::{Bulkhead, Bulkheaded};
use crate::hedge::{Hedge, Hedged};
use crate::rate_limit::{ByKey, KeyedRateLimit, RateKey, RateLimit, RateLimited};

impl<In: Send + 'static, Out: Send + 'static> Workflow<In, Out> {
    /// Runs the steps so far in a bulkhead: a bounded number of times at once, over all workflows
    /// that share it.
    ///
    /// A call that finds no permit waits in the bulkhead's queue, first come, first served; when
    /// that is full, or its wait is too long, it fails with
    /// [`ErrorKind::BulkheadFull`](crate::ErrorKind::BulkheadFull) and a
    /// [`BulkheadFullError`](crate::BulkheadFullError). A queued call also ends when its run is
    /// told to stop (`Cancelled`) or at the run's deadline (`Timeout`). The step says
    /// `bulkhead.outcome` and `bulkhead.waited_ns` of calls that did not get in at once.
    ///
    /// # Cancel safety
    /// Dropping the run gives the permit back, or the place in the queue.
    ///
    /// # Examples
    /// ```
    /// # async fn query(id: u32) -> Result<u32, String> { Ok(id) }
    /// use tta_primitives::{Bulkhead, Context, step};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let load = step(query).bulkhead(Bulkhead::named("db").max_concurrent(10).build()?);
    /// assert_eq!(load.run(7, &Context::new()).await?, 7);
    /// # Result::<(), Box<dyn std::error::Error>>::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn bulkhead(self, bulkhead: Bulkhead) -> Self {
        self.decorate(|inner| Bulkheaded::new(inner, bulkhead))
    }

    /// Runs the steps so far at a bounded rate, over all workflows that share the limit.
    ///
    /// A call over the limit fails with [`ErrorKind::RateLimited`](crate::ErrorKind::RateLimited),
    /// a [`RateLimitedError`](crate::RateLimitedError) and the retry hint when to come again; or it
    /// waits for its turn, if the limit was built with
    /// [`wait_up_to`](crate::RateLimitBuilder::wait_up_to). The step says `rate_limit.outcome`, and
    /// `rate_limit.retry_in_ns` or `rate_limit.waited_ns`, of calls that were not admitted at once.
    ///
    /// # Cancel safety
    /// A call that is dropped while it waits gives its turn back, unless somebody has reserved a
    /// later one: turns that were promised do not move, so this one then passes unused. What has
    /// begun to run is not taken back.
    ///
    /// # Examples
    /// ```
    /// # async fn ask(question: u32) -> Result<u32, String> { Ok(question) }
    /// use std::time::Duration;
    /// use tta_primitives::{Context, RateLimit, step};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let limit = RateLimit::named("model").per(100, Duration::from_secs(60)).burst(10).build()?;
    /// assert_eq!(step(ask).rate_limit(limit).run(7, &Context::new()).await?, 7);
    /// # Result::<(), Box<dyn std::error::Error>>::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn rate_limit(self, limit: RateLimit) -> Self {
        self.decorate(|inner| RateLimited::new(inner, limit))
    }

    /// [`Workflow::rate_limit`], with a limit for each key: `key` tells it from the input.
    ///
    /// When `key` panics the step fails with [`ErrorKind::Panic`](crate::ErrorKind::Panic): a call
    /// whose key is unknown is not let past the limit. Nothing is taken, and other calls go on.
    ///
    /// # Cancel safety
    /// As for [`Workflow::rate_limit`].
    ///
    /// # Examples
    /// See [`KeyedRateLimit`].
    #[must_use]
    pub fn rate_limit_by<K: RateKey>(
        self,
        limit: KeyedRateLimit<K>,
        key: impl Fn(&In) -> K + Send + Sync + 'static,
    ) -> Self {
        self.decorate(|inner| RateLimited::new(inner, ByKey { limit, key }))
    }

    /// Starts the steps so far again, beside the first attempt, when that takes too long; the
    /// first success counts.
    ///
    /// The input is cloned for every attempt; attempts should be safe to make twice. Each is a
    /// span `attempt`. The others are told to stop through their contexts, and dropped, once one
    /// succeeds. An attempt that fails starts no other (that is [`Workflow::retry`]'s), and ends
    /// the call only when none is left: a single attempt's error is returned as it is, those of
    /// several in a [`HedgeError`](crate::HedgeError) of the first one's kind and retry hint. The
    /// step says `hedge.outcome`, `hedge.attempts` and `hedge.delay_ns` of calls whose delay
    /// passed, and `hedge.waste_usd` where the policy knows what a call costs.
    ///
    /// # Cancel safety
    /// Dropping the run drops all attempts.
    ///
    /// # Examples
    /// See [`Hedge`].
    #[must_use]
    pub fn hedge(self, policy: Hedge) -> Self
    where
        In: Clone,
    {
        self.decorate(|inner| Hedged::new(inner, policy))
    }
}
