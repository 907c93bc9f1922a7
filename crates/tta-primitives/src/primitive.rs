//! The one trait that everything composable implements.

use std::any::type_name;
use std::future::Future;
use std::panic::Location;

use tta_telemetry::Name;

use crate::context::Context;
use crate::error::{BoxError, Error, Result};
use crate::graph::Graph;
use crate::node::Steps;

/// A unit of async work that takes an `In` and composes with others.
///
/// Plain async functions of one argument are primitives (their error may be anything that converts
/// into a boxed error), and so are closures with their argument type written. Implement the trait
/// for work that needs configuration of its own; `async fn run` in the impl is fine:
///
/// ```
/// use tta_primitives::{Context, Primitive, Result};
///
/// struct Multiply(u64);
///
/// impl Primitive<u64> for Multiply {
///     type Out = u64;
///     async fn run(&self, input: u64, _cx: &Context) -> Result<u64> {
///         Ok(input * self.0)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a step that accepts `{In}`",
    label = "a step that accepts `{In}` is expected here",
    note = "a step is an async function or closure of one argument that returns a `Result`, a `Workflow`, or a type that implements `Primitive<{In}>`",
    note = "wrap synchronous functions in `sync(..)`, blocking ones in `blocking(..)`, and those that want the context in `with_context(..)`"
)]
pub trait Primitive<In>: Send + Sync + 'static {
    /// What the work returns.
    type Out: Send + 'static;

    /// Does the work once.
    ///
    /// # Errors
    /// Whatever the work fails with.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the work; its span closes as `cancelled`.
    fn run(&self, input: In, cx: &Context) -> impl Future<Output = Result<Self::Out>> + Send;

    /// The step's name in traces, metrics and graphs. Default: the type's name without its path.
    fn name(&self) -> Name {
        short_type_name(type_name::<Self>())
    }

    /// What kind of primitive this is, in lower case. Default: `custom`.
    fn kind(&self) -> &'static str {
        "custom"
    }

    /// What the primitive looks like without running it. Default: one step.
    fn graph(&self) -> Graph {
        Graph::step(self.name(), self.kind())
    }

    /// The steps this primitive adds to a chain: itself, or its own steps when it is a chain
    /// without a name.
    #[doc(hidden)]
    fn into_steps(self, location: &'static Location<'static>) -> Steps
    where
        Self: Sized,
        In: Send + 'static,
    {
        Steps::one(self, location)
    }
}

impl<In, F, Fut, O, E> Primitive<In> for F
where
    F: Fn(In) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send,
    O: Send + 'static,
    E: Into<BoxError>,
{
    type Out = O;

    #[inline]
    fn run(&self, input: In, _cx: &Context) -> impl Future<Output = Result<O>> + Send {
        let future = self(input);
        async move { future.await.map_err(|error| Error::from_any(error)) }
    }

    fn name(&self) -> Name {
        function_name::<F>()
    }

    fn kind(&self) -> &'static str {
        "lambda"
    }
}

/// The name of a function, `closure` for a closure, or of a type.
pub(crate) fn function_name<F: ?Sized>() -> Name {
    short_type_name(type_name::<F>())
}

/// The last segment of a type's path, without generic arguments: `fetch` of `a::fetch`, `run` of
/// `<a::B<c::D> as e::F>::run`, `Retry` of `a::Retry<b::C>`.
fn short_type_name(path: &'static str) -> Name {
    let (mut depth, mut start) = (0_usize, 0);
    let mut before = ' ';
    for (at, character) in path.char_indices() {
        match character {
            '<' | '(' | '[' => depth += 1,
            // The arrow of a function type closes nothing.
            '>' if before == '-' => {}
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            ':' if before == ':' && depth == 0 => start = at + 1,
            _ => {}
        }
        before = character;
    }
    let last = path.get(start..).unwrap_or(path);
    if last == "{{closure}}" {
        return Name::from_static("closure");
    }
    let plain = last.find('<').filter(|at| *at > 0).and_then(|at| last.get(..at));
    Name::from_static(plain.unwrap_or(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fetch(_: ()) -> Result<(), String> {
        Ok(())
    }

    async fn generic<T: Send>(_: T) -> Result<(), String> {
        Ok(())
    }

    #[test]
    fn functions_and_types_name_their_step_and_closures_say_so() {
        assert_eq!(Primitive::<()>::name(&fetch), "fetch");
        assert_eq!(Primitive::<u8>::name(&generic::<u8>), "generic");
        let closure = |x: u8| async move { Ok::<_, String>(x) };
        assert_eq!(Primitive::<u8>::name(&closure), "closure");
    }

    /// Names were once cut at the first `<`: a method of a trait had none, one of a generic type
    /// had the type's, and a closure in a generic function passed for the function.
    #[test]
    fn generic_arguments_anywhere_in_a_path_leave_its_last_segment_alone() {
        let names = [
            ("a::b::Retry<c::D<e::F>>", "Retry"),
            ("a::Service<b::C>::fetch", "fetch"),
            ("<a::Service as b::Fetch<c::D>>::fetch", "fetch"),
            ("<a::S<fn(u8) -> b::C> as d::E>::run::{{closure}}", "closure"),
            ("a::outer<T>::{{closure}}", "closure"),
            ("a::generic<[b::C; 2], (d::E, f::G), fn(u8) -> h::I>", "generic"),
            ("fetch", "fetch"),
        ];
        for (path, name) in names {
            assert_eq!(short_type_name(path), name, "{path}");
        }
    }
}
