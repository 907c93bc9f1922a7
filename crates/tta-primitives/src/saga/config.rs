//! Building a saga: its steps, each with what undoes it, and the bounds of undoing.

use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::Name;

use super::compensation::{Compensates, erase};
use super::rescue::Rescue;
use super::undo::DEFAULT_TIMEOUT;
use super::{Inner, Saga, Stage};
use crate::decide::Decisions;
use crate::node::Node;
use crate::parallel::one_node;
use crate::policy::PolicyError;
use crate::primitive::Primitive;
use crate::retry::Retry;

/// The longest time that all compensations of a saga may be given.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

/// Builds a [`Saga`]; made by [`saga`](super::saga). `Out` is what its steps so far return.
#[must_use = "a saga is a step once it is built with `.build()?`"]
pub struct SagaBuilder<In, Out> {
    draft: Draft,
    types: PhantomData<fn(In) -> Out>,
}

/// A saga whose last step does not say yet what undoes it.
#[must_use = "say what undoes the step with `.compensate(..)`, or that nothing does with `.uncompensated()`"]
pub struct SagaStep<In, Out> {
    draft: Draft,
    node: Arc<dyn Node>,
    types: PhantomData<fn(In) -> Out>,
}

struct Draft {
    name: Name,
    stages: Vec<DraftStage>,
    compensation_timeout: Duration,
    compensation_retry: Option<Retry>,
}

struct DraftStage {
    node: Arc<dyn Node>,
    compensation: Option<MakeCompensation>,
}

/// Needs the saga's name and its retry policy, which may be given later.
type MakeCompensation = Box<dyn FnOnce(&Name, Retry) -> Arc<dyn Compensates>>;

impl<In> SagaBuilder<In, In> {
    pub(super) fn new(name: Name) -> Self {
        let draft = Draft { name, stages: Vec::new(), compensation_timeout: DEFAULT_TIMEOUT, compensation_retry: None };
        Self { draft, types: PhantomData }
    }
}

impl<In, Out> SagaBuilder<In, Out> {
    /// The next step, which is given the output of the one before.
    #[track_caller]
    pub fn step<P: Primitive<Out>>(self, step: P) -> SagaStep<In, P::Out>
    where
        Out: Send + 'static,
    {
        let node = one_node(step, Location::caller());
        SagaStep { draft: self.draft, node, types: PhantomData }
    }

    /// How long all compensations of a run may take together, retries included. Each has an equal
    /// share of what is left when it starts, so that one that hangs is cut off and leaves the
    /// others theirs; what one does not use is for those after it. The run's own deadline and
    /// cancellation do not count. Default 30 s; above 0, at most one day.
    pub fn compensation_timeout(mut self, timeout: Duration) -> Self {
        self.draft.compensation_timeout = timeout;
        self
    }

    /// How each compensation is tried again when it fails; no attempt is made that the
    /// compensation's share of the time does not allow. `max_retries(0)` never tries again.
    /// Default: 3 retries from 100 ms, doubling up to 10 s with full jitter, without a budget.
    pub fn compensation_retry(mut self, policy: Retry) -> Self {
        self.draft.compensation_retry = Some(policy);
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// A saga without steps; a `compensation_timeout` outside its range.
    pub fn build(self) -> Result<Saga<In, Out>, PolicyError> {
        let Draft { name, stages, compensation_timeout, compensation_retry } = self.draft;
        let steps = format_args!("{} (in `{name}`)", stages.len()).to_string();
        PolicyError::check("saga", "steps", Plain(&steps), "at least 1", !stages.is_empty())?;
        let in_range = !compensation_timeout.is_zero() && compensation_timeout <= LONGEST_TIMEOUT;
        let accepted = "above 0, at most one day";
        PolicyError::check("saga", "compensation_timeout", compensation_timeout, accepted, in_range)?;
        let retry = match compensation_retry {
            Some(retry) => retry,
            None => default_retry()?,
        };
        let finish = |stage: DraftStage| {
            let compensation = stage.compensation.map(|make| make(&name, retry.clone()));
            Stage { node: stage.node, compensation }
        };
        let stages = stages.into_iter().map(finish).collect();
        let decisions = Decisions::at(name.clone());
        let inner = Arc::new(Inner { name, stages, compensation_timeout, decisions, rescue: Rescue::default() });
        Ok(Saga { inner, types: PhantomData })
    }
}

impl<In, Out> SagaStep<In, Out> {
    /// What undoes the step: a primitive that is given a clone of the step's output. What it
    /// returns is dropped. It may run more than once: make it do no harm when it has run before.
    #[track_caller]
    pub fn compensate<C: Primitive<Out>>(self, compensation: C) -> SagaBuilder<In, Out>
    where
        Out: Clone + Send + 'static,
    {
        let at = Location::caller();
        self.with(Some(Box::new(move |saga, retry| erase(saga, compensation, retry, at))))
    }

    /// Nothing undoes the step, nor has to: a step that only reads, or the last one, whose success
    /// is the saga's.
    pub fn uncompensated(self) -> SagaBuilder<In, Out> {
        self.with(None)
    }

    fn with(self, compensation: Option<MakeCompensation>) -> SagaBuilder<In, Out> {
        let Self { mut draft, node, .. } = self;
        draft.stages.push(DraftStage { node, compensation });
        SagaBuilder { draft, types: PhantomData }
    }
}

/// Many sagas that fail together must not run out of retries together: no budget.
fn default_retry() -> Result<Retry, PolicyError> {
    Retry::new().initial_delay(Duration::from_millis(100)).max_backoff(Duration::from_secs(10)).budget(None).build()
}

/// A text that is shown as it is, without quotes.
struct Plain<'a>(&'a str);

impl std::fmt::Debug for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saga::saga;

    async fn reserve(seat: u32) -> Result<u32, String> {
        Ok(seat)
    }

    fn one_step() -> SagaBuilder<u32, u32> {
        saga("book trip").step(reserve).compensate(reserve)
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let built = one_step().build().unwrap();
        assert_eq!(built.inner.compensation_timeout, Duration::from_secs(30));
        let retry = default_retry().unwrap();
        let text = format!("{retry:?}");
        let want = "Retry(Retry { max_retries: 3, initial_delay: 100ms, backoff_base: 2.0, max_backoff: 10s, \
                    jitter: Full, budget: None, .. })";
        assert_eq!(text, want);
    }

    #[test]
    fn what_is_outside_its_range_is_refused_by_name_value_and_range() {
        let refused = |builder: SagaBuilder<u32, u32>| builder.build().err().unwrap().to_string();
        assert_eq!(refused(saga("book trip")), "saga: `steps` is 0 (in `book trip`), accepted is at least 1");
        let timeout = |timeout| refused(one_step().compensation_timeout(timeout));
        let range = "accepted is above 0, at most one day";
        assert_eq!(timeout(Duration::ZERO), format!("saga: `compensation_timeout` is 0ns, {range}"));
        let long = LONGEST_TIMEOUT + Duration::from_secs(1);
        assert_eq!(timeout(long), format!("saga: `compensation_timeout` is 86401s, {range}"));
        assert!(one_step().compensation_timeout(LONGEST_TIMEOUT).build().is_ok());
    }
}
