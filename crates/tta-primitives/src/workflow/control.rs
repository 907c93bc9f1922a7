//! Decorators that run other steps instead, or the same steps again.
//!
//! Owns the methods; what they do is in `fallback` and `repeat`.

use super::Workflow;
use crate::fallback::{Fallback, FallenBack, fallback};
use crate::primitive::Primitive;
use crate::repeat::{Repeat, Repeated};

impl<In: Send + 'static, Out: Send + 'static> Workflow<In, Out> {
    /// Runs another primitive on the same input when the steps so far fail: [`Workflow::fallback`]
    /// with one fallback and the default predicate.
    ///
    /// ```
    /// # async fn ask(city: String) -> Result<i32, String> { Err(format!("no answer for {city}")) }
    /// # async fn estimate(city: String) -> Result<i32, String> { Ok(20) }
    /// use tta_primitives::{Context, step};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let temperature = step(ask).or_else(estimate);
    /// assert_eq!(temperature.run("Lima".to_owned(), &Context::new()).await?, 20);
    /// # tta_primitives::Result::<()>::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    #[must_use]
    pub fn or_else<P: Primitive<In, Out = Out>>(self, backup: P) -> Self
    where
        In: Clone,
    {
        self.fallback(fallback(backup))
    }

    /// Runs other primitives, one after another, on the same input when the steps so far fail,
    /// until one succeeds. None is started once the run was told to stop.
    ///
    /// The input is cloned for all but the last. The steps so far are a span `primary` below the
    /// step's, each fallback one of its own; the step says `fallback.used` and `fallback.position`
    /// (from 1) of the one that answered, and the errors before it count as handled. When all fail
    /// the step says `fallback.exhausted`, and its error, of the primary's kind and retry hint,
    /// holds a [`FallbackError`](crate::FallbackError) with every cause. A panic is a failure like any
    /// other.
    ///
    /// # Cancel safety
    /// Dropping the run drops the one in progress, and no other starts.
    ///
    /// # Examples
    /// ```
    /// # async fn first(_: u8) -> Result<u8, String> { Err("boom".into()) }
    /// # async fn second(_: u8) -> Result<u8, String> { Err("bang".into()) }
    /// use tta_primitives::{Context, FallbackError, fallback, step};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let flow = step(first).fallback(fallback(second).or(second));
    /// let error = flow.run(1, &Context::new()).await.unwrap_err();
    /// assert_eq!(error.to_string(), "all 3 ways failed: primary: boom; second: bang; second: bang");
    /// assert_eq!(error.downcast_ref::<FallbackError>().map(|all| all.causes().len()), Some(3));
    /// # });
    /// ```
    #[must_use]
    pub fn fallback(self, policy: Fallback<In, Out>) -> Self
    where
        In: Clone,
    {
        self.decorate(|inner| FallenBack::new(inner, policy))
    }
}

impl<T: Send + 'static> Workflow<T, T> {
    /// Runs the steps so far again on their own output until `done` holds for it, as often as the
    /// policy allows.
    ///
    /// Each iteration is a span (`spans_per_trace` bounds how many are recorded); the step says
    /// `repeat.iterations` and `repeat.outcome`: `done`, `limit_reached`, `failed` or `cancelled`.
    /// The first error ends it. Between iterations it looks whether the run was told to stop, and
    /// fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when the deadline has passed.
    /// A loop of steps that never wait lets others on its thread run every 64 iterations.
    ///
    /// # Cancel safety
    /// Dropping the run drops the iteration in progress, or ends the wait for the next.
    ///
    /// # Examples
    /// ```
    /// # async fn improve(guess: f64) -> Result<f64, String> { Ok((guess + 2.0 / guess) / 2.0) }
    /// use tta_primitives::{Context, Repeat, step};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let root = step(improve).repeat_until(Repeat::at_most(10).build()?, |guess| (guess * guess - 2.0).abs() < 1e-9);
    /// assert!((root.run(1.0, &Context::new()).await? - 2.0_f64.sqrt()).abs() < 1e-9);
    /// # Result::<(), Box<dyn std::error::Error>>::Ok(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn repeat_until(self, policy: Repeat, done: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.decorate(|inner| Repeated::new(inner, policy, Box::new(done)))
    }
}
