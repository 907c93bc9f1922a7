//! Decorators that bound load and money, or add a little for speed.
//!
//! Owns the methods; what they do is in `budget`, `bulkhead`, `rate_limit` and `hedge`.

use tta_telemetry::Usd;

use super::Workflow;
use crate::budget::{BudgetSource, Budgeted};
use crate::bulkhead::{Bulkhead, Bulkheaded};
use crate::error::{Error, Result};
use crate::hedge::{Hedge, Hedged};
use crate::rate_limit::{ByKey, KeyedRateLimit, RateKey, RateLimit, RateLimited};

impl<In: Send + 'static, Out: Send + 'static> Workflow<In, Out> {
    /// Has the steps so far spend from a budget, `estimate` each time, shared with whatever else
    /// spends from it: a [`Budget`](tta_telemetry::Budget), or the name of one that the engine knows,
    /// as from its configuration. A run of an engine that knows no such budget is refused, with an
    /// [`UnknownBudget`](crate::UnknownBudget): what has no budget may spend nothing.
    ///
    /// The estimate is reserved before they run. When a budget that
    /// [rejects](tta_telemetry::BudgetPolicy::Reject) has not so much left, they do not run and fail
    /// with [`ErrorKind::BudgetExceeded`](crate::ErrorKind::BudgetExceeded) and a
    /// [`BudgetExceeded`](tta_telemetry::BudgetExceeded). A run is charged its estimate, also when
    /// it failed; nothing when it was refused by another policy inside (rate limit, circuit breaker,
    /// bulkhead, budget): give steps before the one that refused a budget of their own. The step
    /// says `budget.outcome` of runs that were refused. Periods go by the budget's clock, not the
    /// run's; the budget is in the health report. A budget counts for itself: what it is charged is
    /// not in the engine's cost report, where steps, routers, caches and hedges enter what they spend
    /// and save ([`Context::record_cost`](crate::Context::record_cost)).
    ///
    /// # Cancel safety
    /// A run that is dropped is charged its estimate: it may have spent it.
    ///
    /// # Examples
    /// ```
    /// # async fn ask(question: u32) -> Result<u32, String> { Ok(question) }
    /// use tta_primitives::{Context, ErrorKind, step};
    /// use tta_telemetry::{Budget, BudgetPolicy, Usd};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let budget = Budget::named("llm").limit(Usd::from_micros(300)).policy(BudgetPolicy::Reject).build()?;
    /// let flow = step(ask).budget(budget.clone(), Usd::from_micros(200));
    /// assert_eq!(flow.run(7, &Context::new()).await?, 7);
    /// assert_eq!(flow.run(7, &Context::new()).await.unwrap_err().kind(), ErrorKind::BudgetExceeded);
    /// assert_eq!(budget.status().remaining, Usd::from_micros(100));
    ///
    /// let telemetry = tta_telemetry::Telemetry::builder().budget(budget).build()?;
    /// let cx = Context::on(telemetry);
    /// step(ask).budget("llm", Usd::from_micros(100)).run(7, &cx).await?;
    /// # Result::<(), Box<dyn std::error::Error>>::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn budget(self, budget: impl Into<BudgetSource>, estimate: Usd) -> Self {
        let budget = budget.into();
        self.decorate(|inner| Budgeted::new(inner, budget, estimate, None))
    }

    /// [`Workflow::budget`], charged what `cost_of` says of what came of a run, more or less than
    /// the estimate. The step says `budget.outcome`, `budget.estimate_usd` and `budget.cost_usd` of
    /// runs that cost more. When it panics, the estimate is charged and the run goes on.
    ///
    /// # Cancel safety
    /// As [`Workflow::budget`].
    ///
    /// # Examples
    /// ```
    /// # async fn ask(question: u32) -> Result<u32, String> { Ok(question) }
    /// use tta_primitives::{Context, step};
    /// use tta_telemetry::{Budget, Usd};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let budget = Budget::named("llm").limit(Usd::from_micros(300)).build()?;
    /// let per_token = |answer: Result<&u32, &_>| Usd::from_micros(answer.map_or(0, |tokens| u64::from(*tokens)));
    /// step(ask).budget_by(budget.clone(), Usd::from_micros(200), per_token).run(70, &Context::new()).await?;
    /// assert_eq!(budget.status().spent, Usd::from_micros(70));
    /// # Result::<(), Box<dyn std::error::Error>>::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn budget_by(
        self,
        budget: impl Into<BudgetSource>,
        estimate: Usd,
        cost_of: impl Fn(Result<&Out, &Error>) -> Usd + Send + Sync + 'static,
    ) -> Self {
        let budget = budget.into();
        self.decorate(|inner| Budgeted::new(inner, budget, estimate, Some(Box::new(cost_of))))
    }

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
