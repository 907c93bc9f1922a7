//! Fan-out: the same input to several branches, all results in order, or those that suffice.
//!
//! Owns `Parallel`, made by `|` or [`parallel`], and its settings; its other joins are in `joined`.
//! What a join decides is in `join`, the driver in `run`, how branches end in `wind_up`, one
//! branch in `branch`, the assembly of results in `fan_out`.

mod branch;
mod error;
mod fan_out;
mod join;
mod joined;
mod operators;
mod run;
mod wind_up;

use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{ActiveBranches, Name};

use crate::context::Context;
use crate::error::Result;
use crate::graph::Graph;
use crate::node::{Node, Steps, node_at};
use crate::per_engine::PerEngine;
use crate::primitive::Primitive;
use crate::workflow::Workflow;

pub use error::JoinError;
pub use fan_out::{FanOut, UniformFanOut};
pub use joined::Joined;

use branch::{Branches, Siblings};
use join::All;

/// Branches that run side by side on clones of one input.
///
/// Results come in the order of the branches: a tuple from `|`, a `Vec` from [`parallel`]. The
/// first error cancels the other branches: they are told to stop, given `cancel_grace`, and
/// dropped. [`any`](Parallel::any), [`quorum`](Parallel::quorum) and [`settle`](Parallel::settle)
/// do with fewer successes. All branches share the run's task unless [`Parallel::spawned`] gives
/// each its own.
pub struct Parallel<In, Out> {
    fan: Fan,
    types: PhantomData<fn(In) -> Out>,
}

/// Branches and how to run them: what all joins have in common.
#[derive(Clone)]
struct Fan {
    name: Name,
    branches: Branches,
    settings: Settings,
    active: PerEngine<ActiveBranches>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Settings {
    max_concurrency: Option<NonZeroUsize>,
    spawned: bool,
    cancel_grace: Duration,
}

impl Fan {
    /// What its branches have in common in this run.
    fn siblings(&self, cx: &Context) -> Siblings {
        let active = self.active.shared(cx, || cx.telemetry().active_branches(&self.name));
        Siblings { branches: Arc::clone(&self.branches), active }
    }

    fn graph(&self) -> Graph {
        Graph::fan(self.name.clone(), "parallel", self.branches.iter().map(|branch| branch.graph()).collect())
    }
}

/// The settings of a fan, the same whatever its join.
macro_rules! fan_settings {
    ($fan:ident) => {
        impl<In, Out> $fan<In, Out> {
            /// The step's name. Default: `parallel`.
            #[must_use]
            pub fn named(mut self, name: impl Into<tta_telemetry::Name>) -> Self {
                self.fan.name = name.into();
                self
            }

            /// At most this many branches run at once; the others wait their turn. Default: all at
            /// once.
            #[must_use]
            pub fn max_concurrency(mut self, branches: std::num::NonZeroUsize) -> Self {
                self.fan.settings.max_concurrency = Some(branches);
                self
            }

            /// Runs each branch on a task of its own, so that branches that compute use several
            /// processors. Needs a tokio runtime. Default: all on the run's task, which is cheaper.
            #[must_use]
            pub fn spawned(mut self) -> Self {
                self.fan.settings.spawned = true;
                self
            }

            /// Once the outcome is certain, by an error or by enough successes, how long the other
            /// branches may go on before they are dropped. They are told at once, through
            /// [`Context::cancelled`](crate::Context::cancelled). Default: 0.
            #[must_use]
            pub fn cancel_grace(mut self, grace: std::time::Duration) -> Self {
                self.fan.settings.cancel_grace = grace;
                self
            }

            /// How many branches there are.
            #[must_use]
            pub fn len(&self) -> usize {
                self.fan.branches.len()
            }

            /// Whether there are no branches.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.fan.branches.is_empty()
            }
        }
    };
}

use fan_settings;

fan_settings!(Parallel);

/// Fans out over a list of workflows of the same type; their results come as a `Vec`.
///
/// An empty list gives an empty `Vec`.
#[must_use]
#[track_caller]
pub fn parallel<In, Out>(branches: Vec<Workflow<In, Out>>) -> Parallel<In, Vec<Out>>
where
    In: Clone + Send + 'static,
    Out: Send + 'static,
{
    let location = Location::caller();
    let nodes = branches.into_iter().map(|branch| one_node(branch, location)).collect();
    Parallel::new(nodes, Settings::default())
}

/// A branch is one node, whatever is in it: its span is the branch's.
pub(crate) fn one_node<In: Send + 'static, P: Primitive<In>>(
    branch: P,
    location: &'static Location<'static>,
) -> Arc<dyn Node> {
    let mut steps = branch.into_steps(location).0;
    match steps.pop() {
        Some(only) if steps.is_empty() => only,
        last => {
            steps.extend(last);
            let chain: Workflow<In, P::Out> = Workflow::from_steps(None, Steps(steps));
            node_at::<In, _>(chain, None)
        }
    }
}

impl<In, Out> Clone for Parallel<In, Out> {
    fn clone(&self) -> Self {
        Self { fan: self.fan.clone(), types: PhantomData }
    }
}

impl<In, Out> Parallel<In, Out> {
    fn new(branches: Vec<Arc<dyn Node>>, settings: Settings) -> Self {
        let fan = Fan {
            name: Name::from_static("parallel"),
            branches: Arc::new(branches),
            settings,
            active: PerEngine::default(),
        };
        Self { fan, types: PhantomData }
    }
}

impl<In, Out> Primitive<In> for Parallel<In, Out>
where
    In: Clone + Send + 'static,
    Out: FanOut,
{
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        let mut all = All::new(self.fan.branches.len());
        run::run(&self.fan, input, cx, &mut all).await?;
        Out::assemble(all.outputs()?)
    }

    fn name(&self) -> Name {
        self.fan.name.clone()
    }

    fn kind(&self) -> &'static str {
        "parallel"
    }

    fn graph(&self) -> Graph {
        self.fan.graph()
    }
}
