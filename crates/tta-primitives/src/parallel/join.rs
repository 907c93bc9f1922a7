//! From the branches' outputs to one value.

use std::any::Any;

use crate::error::Result;
use crate::node::missing_value;

/// One branch's output, its type erased.
pub(crate) type Erased = Box<dyn Any + Send>;

/// What a fan-out returns: a tuple of up to twelve, or a `Vec`.
pub trait FanOut: Send + Sized + 'static {
    /// Puts the branches' outputs together, in order.
    #[doc(hidden)]
    fn assemble(outputs: Vec<Box<dyn Any + Send>>) -> Result<Self>;
}

fn take<T: 'static>(output: Option<Erased>) -> Result<T> {
    output.and_then(|output| output.downcast::<T>().ok()).map(|output| *output).ok_or_else(missing_value)
}

impl<T: Send + 'static> FanOut for Vec<T> {
    fn assemble(outputs: Vec<Erased>) -> Result<Self> {
        outputs.into_iter().map(|output| take(Some(output))).collect()
    }
}

macro_rules! fan_out_tuple {
    ($($name:ident)+) => {
        impl<$($name: Send + 'static),+> FanOut for ($($name,)+) {
            fn assemble(outputs: Vec<Erased>) -> Result<Self> {
                let mut outputs = outputs.into_iter();
                Ok(($(take::<$name>(outputs.next())?,)+))
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
