//! `>>` and the methods that mirror it.

use std::future::Future;
use std::ops::Shr;
use std::panic::Location;

use tta_telemetry::Name;

use super::Workflow;
use crate::error::BoxError;
use crate::lambda::{Map, SyncFn};
use crate::node::Steps;
use crate::primitive::Primitive;

/// `workflow >> step`: the step runs after the workflow, with its output.
impl<In, Mid, P> Shr<P> for Workflow<In, Mid>
where
    In: Send + 'static,
    Mid: Send + 'static,
    P: Primitive<Mid>,
{
    type Output = Workflow<In, P::Out>;

    #[track_caller]
    fn shr(self, next: P) -> Self::Output {
        self.append(next.into_steps(Location::caller()))
    }
}

impl<In: Send + 'static, Out: Send + 'static> Workflow<In, Out> {
    /// `>>` as a method, for closures: their argument's type is inferred.
    #[track_caller]
    #[must_use]
    pub fn then<F, Fut, O, E>(self, f: F) -> Workflow<In, O>
    where
        F: Fn(Out) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send,
        O: Send + 'static,
        E: Into<BoxError>,
    {
        self.append(Steps::one(f, Location::caller()))
    }

    /// [`Workflow::then`] with a name for the step.
    #[must_use]
    pub fn then_named<F, Fut, O, E>(self, name: impl Into<Name>, f: F) -> Workflow<In, O>
    where
        F: Fn(Out) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send,
        O: Send + 'static,
        E: Into<BoxError>,
    {
        self.append(Steps::named(f, name.into()))
    }

    /// Appends a synchronous function that cannot fail.
    #[track_caller]
    #[must_use]
    pub fn map<F, O>(self, f: F) -> Workflow<In, O>
    where
        F: Fn(Out) -> O + Send + Sync + 'static,
        O: Send + 'static,
    {
        self.append(Steps::one(Map(f), Location::caller()))
    }

    /// Appends a synchronous function that can fail.
    #[track_caller]
    #[must_use]
    pub fn try_map<F, O, E>(self, f: F) -> Workflow<In, O>
    where
        F: Fn(Out) -> Result<O, E> + Send + Sync + 'static,
        O: Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.append(Steps::one(SyncFn(f), Location::caller()))
    }
}

impl<In: Send + 'static, Out: Send + Sync + 'static> Workflow<In, Out> {
    /// Puts the output into an `Arc`, so that a fan-out shares it instead of copying it.
    #[must_use]
    pub fn shared(self) -> Workflow<In, std::sync::Arc<Out>> {
        self.append(Steps::named::<Out, _>(Map(std::sync::Arc::<Out>::new), Name::from_static("shared")))
    }
}
