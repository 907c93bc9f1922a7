//! One of two ways, by a predicate on the input.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use tta_telemetry::Name;

use crate::context::Context;
use crate::error::Result;
use crate::graph::Graph;
use crate::node::Node;
use crate::parallel::one_node;
use crate::primitive::Primitive;
use crate::workflow::single;

/// Runs `then` when the predicate holds; otherwise the input passes through unchanged.
///
/// The outcome is recorded as `conditional.result`; the way taken is a span below the
/// conditional's.
///
/// ```
/// # async fn shorten(text: String) -> Result<String, String> { Ok(text.chars().take(10).collect()) }
/// use tta_primitives::{step, when};
/// let limited = step(when(|text: &String| text.len() > 10, shorten));
/// ```
#[track_caller]
pub fn when<In, F, P>(predicate: F, then: P) -> When<In, F>
where
    In: Send + 'static,
    F: Fn(&In) -> bool + Send + Sync + 'static,
    P: Primitive<In, Out = In>,
{
    let then = one_node(then, Location::caller());
    When { name: Name::from_static("conditional"), predicate, then, input: PhantomData }
}

/// Runs `then` or `otherwise`, by the predicate. Both return the same type.
///
/// ```
/// # async fn short(text: String) -> Result<usize, String> { Ok(text.len()) }
/// # async fn long(text: String) -> Result<usize, String> { Ok(10) }
/// use tta_primitives::{either, step};
/// let size = step(either(|text: &String| text.len() <= 10, short, long));
/// ```
#[track_caller]
pub fn either<In, F, P, Q>(predicate: F, then: P, otherwise: Q) -> Either<In, P::Out, F>
where
    In: Send + 'static,
    F: Fn(&In) -> bool + Send + Sync + 'static,
    P: Primitive<In>,
    Q: Primitive<In, Out = P::Out>,
{
    let location = Location::caller();
    Either {
        name: Name::from_static("conditional"),
        predicate,
        then: one_node(then, location),
        otherwise: one_node(otherwise, location),
        types: PhantomData,
    }
}

/// See [`when`].
pub struct When<In, F> {
    name: Name,
    predicate: F,
    then: Arc<dyn Node>,
    input: PhantomData<fn(In) -> In>,
}

/// See [`either`].
pub struct Either<In, Out, F> {
    name: Name,
    predicate: F,
    then: Arc<dyn Node>,
    otherwise: Arc<dyn Node>,
    types: PhantomData<fn(In) -> Out>,
}

impl<In, F> When<In, F> {
    /// The step's name. Default: `conditional`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }
}

impl<In, Out, F> Either<In, Out, F> {
    /// The step's name. Default: `conditional`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }
}

/// Asks the predicate and records its answer. A panic in it is the step's.
fn decide<In>(predicate: &impl Fn(&In) -> bool, input: &In, cx: &Context) -> bool {
    let result = predicate(input);
    cx.set("conditional.result", result);
    result
}

impl<In, F> Primitive<In> for When<In, F>
where
    In: Send + Any,
    F: Fn(&In) -> bool + Send + Sync + 'static,
{
    type Out = In;

    async fn run(&self, input: In, cx: &Context) -> Result<In> {
        if decide(&self.predicate, &input, cx) {
            return single(&self.then, input, cx).await;
        }
        Ok(input)
    }

    fn name(&self) -> Name {
        self.name.clone()
    }

    fn kind(&self) -> &'static str {
        "conditional"
    }

    fn graph(&self) -> Graph {
        let passed = Graph::step(Name::from_static("pass through"), "pass_through");
        Graph::choice(self.name.clone(), "conditional", vec![("then", self.then.graph()), ("else", passed)])
    }
}

impl<In, Out, F> Primitive<In> for Either<In, Out, F>
where
    In: Send + 'static,
    Out: Send + 'static,
    F: Fn(&In) -> bool + Send + Sync + 'static,
{
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        let way = if decide(&self.predicate, &input, cx) { &self.then } else { &self.otherwise };
        single(way, input, cx).await
    }

    fn name(&self) -> Name {
        self.name.clone()
    }

    fn kind(&self) -> &'static str {
        "conditional"
    }

    fn graph(&self) -> Graph {
        let ways = vec![("then", self.then.graph()), ("else", self.otherwise.graph())];
        Graph::choice(self.name.clone(), "conditional", ways)
    }
}
