//! Decorators: policies around everything a workflow has so far.
//!
//! A decorator turns the steps so far into one step. Around a single step it keeps that step's
//! name and runs inside its span; around several it makes them a sequence of their own.

use std::panic::Location;
use std::sync::Arc;

use tta_telemetry::Name;

use super::Workflow;
use super::chain::Chain;
use crate::cache::{Cache, Cached, IntoCacheKey};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::node::{Node, Steps, poll_caught, start_caught, take_output};
use crate::parallel::one_node;
use crate::primitive::Primitive;
use crate::retry::{Retried, Retry};
use crate::timeout::{TimedOut, TimedOutOr, Timeout};

/// The steps inside a decorator.
pub(crate) struct Decorated<In, Out>(Workflow<In, Out>);

impl<In: Send + 'static, Out: Send + 'static> Decorated<In, Out> {
    /// Runs the steps. A single one runs bare: its span is the decorated step's.
    pub(crate) async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        match self.0.nodes() {
            [only] => run_bare(&**only, input, cx).await,
            nodes => Chain::new(nodes, input, cx).await,
        }
    }

    pub(crate) fn name(&self) -> Name {
        match self.0.nodes() {
            [only] => only.meta().name.clone(),
            _ => Name::from_static("sequential"),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self.0.nodes() {
            [only] => only.meta().kind,
            _ => "sequential",
        }
    }

    pub(crate) fn graph(&self) -> Graph {
        match self.0.nodes() {
            [only] => only.graph(),
            nodes => Graph::sequence(self.name(), self.kind(), nodes.iter().map(|node| node.graph()).collect()),
        }
    }
}

/// Runs a step without a span: whoever calls this records it.
pub(crate) async fn run_bare<In: Send + 'static, Out: Send + 'static>(
    node: &dyn Node,
    input: In,
    cx: &Context,
) -> Result<Out> {
    let mut input = Some(input);
    let mut step = start_caught(node, &mut input, cx)?;
    std::future::poll_fn(|task| poll_caught(&mut step, task)).await?;
    take_output(&mut step)
}

impl<In: Send + 'static, Out: Send + 'static> Workflow<In, Out> {
    /// Puts the steps so far inside a decorator, as one step of the workflow.
    pub(crate) fn decorate<P: Primitive<In, Out = Out>>(self, make: impl FnOnce(Decorated<In, Out>) -> P) -> Self {
        let (name, root, key) = (self.name.clone(), Arc::clone(&self.root), self.key);
        // A single step keeps the place where its closure was written.
        let location = match &self.nodes[..] {
            [only] => only.meta().location,
            _ => None,
        };
        let inner = Workflow { name: None, ..self };
        let steps = Steps::at(make(Decorated(inner)), location);
        Self { name, root, key, ..Workflow::from_steps(None, steps) }
    }

    /// Tries the steps so far again when they fail, as the policy says. The input is cloned for
    /// every attempt but the last.
    #[must_use]
    pub fn retry(self, policy: Retry) -> Self
    where
        In: Clone,
    {
        self.decorate(|inner| Retried::new(inner, policy))
    }

    /// Stops the steps so far when they take too long, as the policy says.
    #[must_use]
    pub fn timeout(self, policy: Timeout) -> Self {
        self.decorate(|inner| TimedOut::new(inner, policy))
    }

    /// [`Workflow::timeout`], with another primitive that runs on the same input when the time is
    /// up. It has a span of its own below the step's.
    #[track_caller]
    #[must_use]
    pub fn timeout_or<P: Primitive<In, Out = Out>>(self, policy: Timeout, fallback: P) -> Self
    where
        In: Clone,
    {
        let fallback = one_node(fallback, Location::caller());
        self.decorate(|inner| TimedOutOr { bounded: TimedOut::new(inner, policy), fallback })
    }

    /// Gives what the steps so far have made for the same key before, while the cache has it, and
    /// keeps what they make. `key` says what the output depends on; when it fails or panics, the
    /// steps run without the cache.
    ///
    /// The step's span says `cache.outcome`: `hit`, `stale`, `negative`, `shared` (another
    /// execution made it at that moment), `miss`, `corrupt`, `error`, `resting` (the store failed of
    /// late and is left alone for a moment), `bypassed` or `gave_up` (waiting for another took too
    /// long). An error that is shared is the leader's own, unless it is about the leader's run, as
    /// cancelled, a panic or a deadline: then one of those who wait runs the steps instead.
    ///
    /// ```
    /// # async fn look_up((user, text): (u64, String)) -> Result<String, String> { Ok(format!("{user} {text}")) }
    /// use tta_primitives::{Cache, CacheKey, step};
    ///
    /// let answers = Cache::named("answers").build()?;
    /// let ask = step(look_up).cache(answers, |(user, text): &(u64, String)| CacheKey::of(&(user, text)));
    /// # Ok::<(), tta_primitives::PolicyError>(())
    /// ```
    #[must_use]
    pub fn cache<K: IntoCacheKey>(self, cache: Cache<Out>, key: impl Fn(&In) -> K + Send + Sync + 'static) -> Self
    where
        Out: Clone + Sync,
    {
        self.decorate(|inner| Cached::new(inner, cache, key))
    }

    /// Sets the kind of errors of the steps so far: `f` sees each and names its kind, or `None` to
    /// leave it as it is.
    #[must_use]
    pub fn classify(self, f: impl Fn(&Error) -> Option<ErrorKind> + Send + Sync + 'static) -> Self {
        self.decorate(|inner| Classified { inner, classify: Box::new(f) })
    }
}

type Classifier = Box<dyn Fn(&Error) -> Option<ErrorKind> + Send + Sync>;

struct Classified<In, Out> {
    inner: Decorated<In, Out>,
    classify: Classifier,
}

impl<In: Send + 'static, Out: Send + 'static> Primitive<In> for Classified<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        self.inner.run(input, cx).await.map_err(|error| match (self.classify)(&error) {
            Some(kind) => Error::new(kind, error),
            None => error,
        })
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        self.inner.graph()
    }
}
