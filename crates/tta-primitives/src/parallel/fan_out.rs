//! From the branches' outputs to one value: a tuple of up to twelve, or a `Vec`.

use std::any::Any;

use crate::error::Result;
use crate::node::missing_value;

/// One branch's output, its type erased.
pub(crate) type Erased = Box<dyn Any + Send>;

/// What a fan-out returns: a tuple of up to twelve, or a `Vec`.
pub trait FanOut: Send + Sized + 'static {
    /// The same with a `Result` in the place of each output: what
    /// [`settle`](crate::Parallel::settle) returns.
    type Settled: Send + 'static;

    /// Puts the branches' outputs together, in order.
    #[doc(hidden)]
    fn assemble(outputs: Vec<Box<dyn Any + Send>>) -> Result<Self>;

    /// Puts the branches' results together, in order.
    #[doc(hidden)]
    fn assemble_settled(results: Vec<Result<Box<dyn Any + Send>>>) -> Result<Self::Settled>;
}

/// What a fan-out of branches of one type returns: `(T, T)`, `(T, T, T)` and so on, or a `Vec`.
///
/// [`any`](crate::Parallel::any) and [`quorum`](crate::Parallel::quorum) ask for it, because any of
/// the branches may be the one whose output they return.
#[diagnostic::on_unimplemented(
    message = "the branches do not all return the same type: they return `{Self}`",
    label = "branches of one type are expected here",
    note = "`any` and `quorum` return what some of the branches returned, so all must return one type; `settle` takes them as they are"
)]
pub trait UniformFanOut: FanOut {
    /// What each branch returns.
    type Item: Send + 'static;
}

/// An output as the type it was.
pub(super) fn take<T: 'static>(output: Option<Erased>) -> Result<T> {
    output.and_then(|output| output.downcast::<T>().ok()).map(|output| *output).ok_or_else(missing_value)
}

fn take_settled<T: 'static>(result: Option<Result<Erased>>) -> Result<Result<T>> {
    match result {
        Some(Err(error)) => Ok(Err(error)),
        output => take(output.and_then(Result::ok)).map(Ok),
    }
}

impl<T: Send + 'static> FanOut for Vec<T> {
    type Settled = Vec<Result<T>>;

    fn assemble(outputs: Vec<Erased>) -> Result<Self> {
        outputs.into_iter().map(|output| take(Some(output))).collect()
    }

    fn assemble_settled(results: Vec<Result<Erased>>) -> Result<Self::Settled> {
        results.into_iter().map(|result| take_settled(Some(result))).collect()
    }
}

impl<T: Send + 'static> UniformFanOut for Vec<T> {
    type Item = T;
}

macro_rules! fan_out_tuple {
    ($($name:ident)+) => {
        impl<$($name: Send + 'static),+> FanOut for ($($name,)+) {
            type Settled = ($(Result<$name>,)+);

            fn assemble(outputs: Vec<Erased>) -> Result<Self> {
                let mut outputs = outputs.into_iter();
                Ok(($(take::<$name>(outputs.next())?,)+))
            }

            fn assemble_settled(results: Vec<Result<Erased>>) -> Result<Self::Settled> {
                let mut results = results.into_iter();
                Ok(($(take_settled::<$name>(results.next())?,)+))
            }
        }
    };
}

fan_out_tuple!(A B);
fan_out_tuple!(A B C);
fan_out_tuple!(A B C D);
fan_out_tuple!(A B C D E);
fan_out_tuple!(A B C D E F);
fan_out_tuple!(A B C D E F G);
fan_out_tuple!(A B C D E F G H);
fan_out_tuple!(A B C D E F G H I);
fan_out_tuple!(A B C D E F G H I J);
fan_out_tuple!(A B C D E F G H I J K);
fan_out_tuple!(A B C D E F G H I J K L);

macro_rules! uniform_tuple {
    ($($same:ident)+) => {
        impl<T: Send + 'static> UniformFanOut for ($($same,)+) {
            type Item = T;
        }
    };
}

uniform_tuple!(T T);
uniform_tuple!(T T T);
uniform_tuple!(T T T T);
uniform_tuple!(T T T T T);
uniform_tuple!(T T T T T T);
uniform_tuple!(T T T T T T T);
uniform_tuple!(T T T T T T T T);
uniform_tuple!(T T T T T T T T T);
uniform_tuple!(T T T T T T T T T T);
uniform_tuple!(T T T T T T T T T T T);
uniform_tuple!(T T T T T T T T T T T T);
