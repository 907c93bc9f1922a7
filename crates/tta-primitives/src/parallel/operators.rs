//! `|` and `>>` on fans.

use std::ops::{BitOr, Shr};
use std::panic::Location;
use std::sync::Arc;

use super::{FanOut, Joined, Parallel, Settings, one_node};
use crate::node::Steps;
use crate::primitive::Primitive;
use crate::workflow::Workflow;

/// `a | b`: both run on clones of the same input, side by side.
///
/// Note that `a >> b | c` means `(a >> b) | c`; write `a >> (step(b) | c)` to fan out after `a`.
impl<In, A, P> BitOr<P> for Workflow<In, A>
where
    In: Clone + Send + 'static,
    A: Send + 'static,
    P: Primitive<In>,
{
    type Output = Parallel<In, (A, P::Out)>;

    #[track_caller]
    fn bitor(self, other: P) -> Self::Output {
        let location = Location::caller();
        Parallel::new(vec![one_node(self, location), one_node(other, location)], Settings::default())
    }
}

macro_rules! widen {
    ($($name:ident)+) => {
        impl<In, $($name,)+ P> BitOr<P> for Parallel<In, ($($name,)+)>
        where
            In: Clone + Send + 'static,
            $($name: Send + 'static,)+
            P: Primitive<In>,
        {
            type Output = Parallel<In, ($($name,)+ P::Out)>;

            #[track_caller]
            fn bitor(self, other: P) -> Self::Output {
                let mut branches = Arc::unwrap_or_clone(self.fan.branches);
                branches.push(one_node(other, Location::caller()));
                Parallel::new(branches, self.fan.settings).named(self.fan.name)
            }
        }
    };
}

widen!(A B);
widen!(A B C);
widen!(A B C D);
widen!(A B C D E);
widen!(A B C D E F);
widen!(A B C D E F G);
widen!(A B C D E F G H);
widen!(A B C D E F G H I);
widen!(A B C D E F G H I J);
widen!(A B C D E F G H I J K);

/// `(a | b) >> c`: `c` runs with the results of all branches.
impl<In, Out, P> Shr<P> for Parallel<In, Out>
where
    In: Clone + Send + 'static,
    Out: FanOut,
    P: Primitive<Out>,
{
    type Output = Workflow<In, P::Out>;

    #[track_caller]
    fn shr(self, next: P) -> Self::Output {
        let location = Location::caller();
        let fan: Workflow<In, Out> = Workflow::from_steps(None, Steps::one(self, location));
        fan.append(next.into_steps(location))
    }
}

/// `(a | b).any() | c`: the joined fan is one branch of the new one.
impl<In, Out, P> BitOr<P> for Joined<In, Out>
where
    In: Clone + Send + 'static,
    Out: Send + 'static,
    P: Primitive<In>,
{
    type Output = Parallel<In, (Out, P::Out)>;

    #[track_caller]
    fn bitor(self, other: P) -> Self::Output {
        let location = Location::caller();
        Parallel::new(vec![one_node(self, location), one_node(other, location)], Settings::default())
    }
}

/// `(a | b).any() >> c`: `c` runs with what the join returned.
impl<In, Out, P> Shr<P> for Joined<In, Out>
where
    In: Clone + Send + 'static,
    Out: Send + 'static,
    P: Primitive<Out>,
{
    type Output = Workflow<In, P::Out>;

    #[track_caller]
    fn shr(self, next: P) -> Self::Output {
        let location = Location::caller();
        let fan: Workflow<In, Out> = Workflow::from_steps(None, Steps::one(self, location));
        fan.append(next.into_steps(location))
    }
}
