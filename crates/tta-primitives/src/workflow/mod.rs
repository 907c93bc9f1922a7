//! Workflows: steps in a row, under a name.
//!
//! Owns `Workflow`, what starts one (`workflow`, `step`), and how a run begins and ends. The
//! operators are in `operators`, the loop that drives steps in `chain`.

pub(crate) mod chain;
mod control;
mod decorate;
mod each;
mod limits;
mod operators;
mod report;
mod run;

use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tta_telemetry::Name;

pub(crate) use chain::stopped;
pub(crate) use decorate::{Decorated, run_bare};
pub use report::RunReport;
pub(crate) use run::OpenRun;

use crate::context::{Context, Scoped};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::node::{Node, StepMeta, Steps};
use crate::observe::StepRecorder;
use crate::primitive::Primitive;
use chain::Chain;

/// Steps that run one after another, each with the output of the one before.
///
/// Made by [`workflow`] or [`step`] and extended with `>>`. Cloning is cheap; clones share the
/// steps. A workflow is itself a primitive: inside another it runs as one step, and when it has no
/// name its steps become the outer chain's own.
pub struct Workflow<In, Out> {
    name: Option<Name>,
    /// The run as a whole: its name, kind and statistics.
    root: Arc<StepMeta>,
    key: u64,
    nodes: Arc<Vec<Arc<dyn Node>>>,
    types: PhantomData<fn(In) -> Out>,
}

/// Starts a workflow: a name for its runs, and its first step.
///
/// ```
/// # async fn validate(x: u32) -> Result<u32, String> { Ok(x) }
/// # async fn double(x: u32) -> Result<u32, String> { Ok(x * 2) }
/// use tta_primitives::workflow;
/// let numbers = workflow("numbers", validate) >> double;
/// assert_eq!(numbers.graph().to_text(), "numbers (workflow)\n├─ validate\n╰─ double\n");
/// ```
#[track_caller]
pub fn workflow<In: Send + 'static, P: Primitive<In>>(name: impl Into<Name>, first: P) -> Workflow<In, P::Out> {
    Workflow::from_steps(Some(name.into()), first.into_steps(Location::caller()))
}

/// Makes a primitive the first operand of `>>` or `|`: Rust allows the operators on our own types
/// only.
#[track_caller]
pub fn step<In: Send + 'static, P: Primitive<In>>(primitive: P) -> Workflow<In, P::Out> {
    Workflow::from_steps(None, primitive.into_steps(Location::caller()))
}

impl<In, Out> Clone for Workflow<In, Out> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            root: Arc::clone(&self.root),
            key: self.key,
            nodes: Arc::clone(&self.nodes),
            types: PhantomData,
        }
    }
}

/// A number for each workflow that is built, to tell the steps of two apart in caches.
fn next_key() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl<In, Out> Workflow<In, Out> {
    pub(crate) fn from_steps(name: Option<Name>, steps: Steps) -> Self {
        let root = root_meta(name.as_ref());
        Self { name, root, key: next_key(), nodes: Arc::new(steps.0), types: PhantomData }
    }

    /// The workflow's name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// How many steps it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Always false: a workflow has at least one step.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The same steps under a name: as a step of another workflow they then stay together, with a
    /// span of their own.
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = Some(name.into());
        self.root = root_meta(self.name.as_ref());
        self.key = next_key();
        self
    }

    /// What the workflow looks like, without running it.
    #[must_use]
    pub fn graph(&self) -> Graph {
        let steps = self.nodes.iter().map(|node| node.graph()).collect();
        Graph::sequence(
            self.name.clone().unwrap_or_else(|| Name::from_static("sequential")),
            self.kind_of_chain(),
            steps,
        )
    }

    fn kind_of_chain(&self) -> &'static str {
        if self.name.is_some() { "workflow" } else { "sequential" }
    }

    pub(crate) fn nodes(&self) -> &[Arc<dyn Node>] {
        &self.nodes
    }

    /// The chain with further steps at its end.
    pub(crate) fn append<Next>(mut self, steps: Steps) -> Workflow<In, Next> {
        Arc::make_mut(&mut self.nodes).extend(steps.0);
        Workflow { name: self.name, root: self.root, key: self.key, nodes: self.nodes, types: PhantomData }
    }

    fn label(&self) -> (u64, Name) {
        (self.key, self.root.name.clone())
    }
}

impl<In: Send + 'static, Out: Send + 'static> Workflow<In, Out> {
    /// Runs the workflow: as a run of its own, one trace, or as part of the run that `cx` is in,
    /// where a named workflow has a span of its own.
    ///
    /// # Errors
    /// The first step's error that nothing handled, with the path of steps that leads to it. A
    /// panic in a step is an error of kind [`Panic`](crate::ErrorKind::Panic).
    ///
    /// # Cancel safety
    /// Dropping the future cancels the run: its open spans close as `cancelled`.
    pub async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        if cx.is_in_run() {
            return self.run_by_hand(input, cx).await;
        }
        let mut run = OpenRun::open(cx, self.label(), self.root.kind, |context| self.root.cells(context));
        let context = run.context();
        let result = Scoped::new(context.clone(), Chain::new(&self.nodes, input, &context)).await;
        drop(context);
        run.close(&result);
        // The deadline was this run's: to a step of another run that started this one, and to a
        // timeout there, it is an error like any other.
        result.map_err(Error::on_its_own)
    }

    /// Runs the steps inside a run, where no chain gives the workflow a span.
    pub(crate) async fn run_by_hand(&self, input: In, cx: &Context) -> Result<Out> {
        if self.name.is_none() {
            return self.run_nested(input, cx).await;
        }
        let result = if cx.is_recording() {
            let mut recorder = StepRecorder::new(cx);
            recorder.open(&self.root, cx.at(), None);
            let inside = cx.in_workflow(self.label()).standing_at(recorder.at().unwrap_or_default());
            let result = Scoped::new(inside.clone(), Chain::new(&self.nodes, input, &inside)).await;
            recorder.close(result.as_ref().map(drop));
            result
        } else {
            self.run_nested(input, cx).await
        };
        result.map_err(|error| error.within(&self.root.name))
    }

    /// Runs the steps inside a run. A named workflow labels its steps' statistics itself. The
    /// context may have come from elsewhere, on a task of the caller's, so it is made current.
    async fn run_nested(&self, input: In, cx: &Context) -> Result<Out> {
        let is_labelled = self.name.is_some() && cx.is_recording();
        let inside = if is_labelled { cx.in_workflow(self.label()) } else { cx.here() };
        Scoped::new(inside.clone(), Chain::new(&self.nodes, input, &inside)).await
    }
}

/// Runs one node as a step of its own, with a span.
pub(crate) fn single<'a, In: Send + 'static, Out: Send + 'static>(
    node: &'a Arc<dyn Node>,
    input: In,
    cx: &'a Context,
) -> impl Future<Output = Result<Out>> + Send + 'a {
    Chain::new(std::slice::from_ref(node), input, cx)
}

fn root_meta(name: Option<&Name>) -> Arc<StepMeta> {
    Arc::new(match name {
        Some(name) => StepMeta::new(name.clone(), "workflow", None),
        None => StepMeta::new(Name::from_static("sequential"), "sequential", None),
    })
}

impl<In: Send + 'static, Out: Send + 'static> Primitive<In> for Workflow<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        // As a step it has its span already.
        if cx.is_in_run() { self.run_nested(input, cx).await } else { Workflow::run(self, input, cx).await }
    }

    fn name(&self) -> Name {
        match (&self.name, &self.nodes[..]) {
            (Some(name), _) => name.clone(),
            (None, [only]) => only.meta().name.clone(),
            (None, _) => self.root.name.clone(),
        }
    }

    fn kind(&self) -> &'static str {
        match (&self.name, &self.nodes[..]) {
            (None, [only]) => only.meta().kind,
            _ => self.root.kind,
        }
    }

    fn graph(&self) -> Graph {
        match (&self.name, &self.nodes[..]) {
            (None, [only]) => only.graph(),
            _ => Workflow::graph(self),
        }
    }

    fn into_steps(self, location: &'static Location<'static>) -> Steps {
        if self.name.is_some() {
            return Steps::one(self, location);
        }
        Steps(Arc::unwrap_or_clone(self.nodes))
    }
}
