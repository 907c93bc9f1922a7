//! Which steps take over, and after which errors.

use std::panic::Location;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::node::Node;
use crate::parallel::one_node;
use crate::primitive::Primitive;

/// What runs, in order, when a step fails. Made by [`fallback`], used by
/// [`Workflow::fallback`](crate::Workflow::fallback).
pub struct Fallback<In, Out> {
    ways: Vec<Arc<dyn Node>>,
    when: Option<Predicate>,
    types: std::marker::PhantomData<fn(In) -> Out>,
}

type Predicate = Box<dyn Fn(&Error) -> bool + Send + Sync>;

/// Starts a list of fallbacks: `first` runs when the step fails.
///
/// ```
/// # async fn ask_model(question: String) -> Result<String, String> { Ok(question) }
/// # async fn ask_smaller_model(question: String) -> Result<String, String> { Ok(question) }
/// # async fn look_up(question: String) -> Result<String, String> { Ok(question) }
/// use tta_primitives::{ErrorKind, fallback, step};
///
/// let others = fallback(ask_smaller_model).or(look_up).when(|error| error.kind() != ErrorKind::InvalidInput);
/// let answer = step(ask_model).fallback(others);
/// ```
#[track_caller]
pub fn fallback<In: Send + 'static, P: Primitive<In>>(first: P) -> Fallback<In, P::Out> {
    let ways = vec![one_node(first, Location::caller())];
    Fallback { ways, when: None, types: std::marker::PhantomData }
}

impl<In: Send + 'static, Out: Send + 'static> Fallback<In, Out> {
    /// Adds a step that runs when all before it have failed.
    #[track_caller]
    #[must_use]
    pub fn or<P: Primitive<In, Out = Out>>(mut self, next: P) -> Self {
        self.ways.push(one_node(next, Location::caller()));
        self
    }

    /// After which errors the next fallback may run; any other is returned as it is. It is asked
    /// for the step's own error and for that of every fallback that fails. The last one given
    /// counts. Default: every kind but [`Cancelled`](ErrorKind::Cancelled).
    #[must_use]
    pub fn when(mut self, predicate: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Box::new(predicate));
        self
    }
}

impl<In, Out> Fallback<In, Out> {
    pub(super) fn ways(&self) -> &[Arc<dyn Node>] {
        &self.ways
    }

    pub(super) fn accepts(&self, error: &Error) -> bool {
        match &self.when {
            Some(predicate) => predicate(error),
            None => error.kind() != ErrorKind::Cancelled,
        }
    }
}
