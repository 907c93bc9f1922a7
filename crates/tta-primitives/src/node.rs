//! A step with its types erased, so that chains of any length compile and run alike.
//!
//! Values pass from step to step without a box: the future of a step holds its output, and the
//! next step takes it out of there. So a step costs one allocation, its future.

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, ready};

use pin_project_lite::pin_project;
use tta_telemetry::{Counter, Name, StepInstruments, catalog};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::per_engine::{PerEngine, Resolved};
use crate::primitive::Primitive;

/// What is known of a step when the workflow is built.
#[derive(Debug)]
pub(crate) struct StepMeta {
    pub(crate) name: Name,
    pub(crate) kind: &'static str,
    /// Where an unnamed closure was written.
    pub(crate) location: Option<&'static Location<'static>>,
    cells: PerEngine<StepCells>,
}

/// A step's cells in one engine and workflow.
#[derive(Debug)]
pub(crate) struct StepCells {
    pub(crate) instruments: Arc<StepInstruments>,
    /// How often it was run by, or followed, another step, with that one's number: of the first
    /// two such steps. A third one is rare: a step whose clones are in several places of a workflow.
    connections: [OnceLock<(u32, Counter)>; 2],
}

impl StepMeta {
    pub(crate) fn new(name: Name, kind: &'static str, location: Option<&'static Location<'static>>) -> Self {
        Self { name, kind, location, cells: PerEngine::default() }
    }

    /// The step's cells in the context's engine.
    #[inline]
    pub(crate) fn cells(&self, cx: &Context) -> Resolved<'_, StepCells> {
        self.cells.get(cx, || StepCells::find(&self.name, self.kind, cx))
    }
}

impl StepCells {
    #[cold]
    pub(crate) fn find(name: &Name, kind: &'static str, cx: &Context) -> Option<Arc<Self>> {
        let instruments = cx.telemetry().instruments(cx.workflow_name(), name, &Name::from_static(kind))?;
        Some(Arc::new(Self { instruments, connections: Default::default() }))
    }

    /// An execution begins, run by the step of this number or following it; 0 is the run itself.
    #[inline]
    pub(crate) fn begin(&self, source: u32, target: &Name, cx: &Context) {
        self.instruments.begin();
        match self.connections[0].get() {
            Some((known, connection)) if *known == source => connection.add(1),
            _ => self.connect(source, target, cx),
        }
    }

    #[cold]
    fn connect(&self, source: u32, target: &Name, cx: &Context) {
        let make = || {
            let labels = cx.telemetry().step_labels(source);
            let name = labels.as_ref().map_or(cx.workflow_name(), |[_, name, _]| name);
            let family = cx.telemetry().built_in_counter(&catalog::CONNECTIONS);
            family.with(&[cx.workflow_name(), name, target]).ok()
        };
        for place in &self.connections {
            if place.get().is_none()
                && let Some(connection) = make()
            {
                // Another thread may have been quicker, with a source of its own.
                let _ = place.set((source, connection));
            }
            if let Some((known, connection)) = place.get()
                && *known == source
            {
                return connection.add(1);
            }
        }
        if let Some(connection) = make() {
            connection.add(1);
        }
    }
}

/// A step in a chain.
pub(crate) trait Node: Send + Sync {
    fn meta(&self) -> &StepMeta;

    /// Starts the step with the input taken out of `input`, an `Option<In>`. `None` when there is
    /// none of that type, which composition rules out.
    fn start<'a>(&'a self, input: &mut dyn Any, cx: &'a Context) -> Option<StepBox<'a>>;

    fn graph(&self) -> Graph;
}

pub(crate) type StepBox<'a> = Pin<Box<dyn StepFuture + Send + 'a>>;

/// A running step that keeps its output.
pub(crate) trait StepFuture {
    fn poll_step(self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Result<()>>;

    /// An `Option<Out>`, filled once `poll_step` returned `Ready(Ok)`.
    fn output(self: Pin<&mut Self>) -> &mut dyn Any;

    /// The output in a box of its own, for those who do not know its type.
    fn take_boxed(self: Pin<&mut Self>) -> Option<Box<dyn Any + Send>>;
}

pin_project! {
    struct TypedFuture<F, Out> {
        #[pin]
        future: F,
        output: Option<Out>,
    }
}

impl<F: Future<Output = Result<Out>>, Out: Send + 'static> StepFuture for TypedFuture<F, Out> {
    #[inline]
    fn poll_step(self: Pin<&mut Self>, task: &mut std::task::Context<'_>) -> Poll<Result<()>> {
        let this = self.project();
        match ready!(this.future.poll(task)) {
            Ok(output) => {
                *this.output = Some(output);
                Poll::Ready(Ok(()))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    #[inline]
    fn output(self: Pin<&mut Self>) -> &mut dyn Any {
        self.project().output
    }

    fn take_boxed(self: Pin<&mut Self>) -> Option<Box<dyn Any + Send>> {
        self.project().output.take().map(|output| Box::new(output) as Box<dyn Any + Send>)
    }
}

struct TypedNode<In, P> {
    primitive: P,
    meta: StepMeta,
    input: PhantomData<fn(In)>,
}

impl<In: Send + 'static, P: Primitive<In>> Node for TypedNode<In, P> {
    fn meta(&self) -> &StepMeta {
        &self.meta
    }

    #[inline]
    fn start<'a>(&'a self, input: &mut dyn Any, cx: &'a Context) -> Option<StepBox<'a>> {
        let input = input.downcast_mut::<Option<In>>()?.take()?;
        Some(Box::pin(TypedFuture { future: self.primitive.run(input, cx), output: None }))
    }

    fn graph(&self) -> Graph {
        self.primitive.graph().renamed(&self.meta.name)
    }
}

/// A primitive as a step that was written at a known place.
pub(crate) fn node_at<In: Send + 'static, P: Primitive<In>>(
    primitive: P,
    location: Option<&'static Location<'static>>,
) -> Arc<dyn Node> {
    let meta = StepMeta::new(primitive.name(), primitive.kind(), location);
    Arc::new(TypedNode { primitive, meta, input: PhantomData })
}

/// The steps that a primitive contributes to a chain.
#[doc(hidden)]
pub struct Steps(pub(crate) Vec<Arc<dyn Node>>);

impl Steps {
    pub(crate) fn one<In: Send + 'static, P: Primitive<In>>(
        primitive: P,
        location: &'static Location<'static>,
    ) -> Self {
        let location = (primitive.name() == "closure").then_some(location);
        Self::at(primitive, location)
    }

    /// One step that was written at a known place.
    pub(crate) fn at<In: Send + 'static, P: Primitive<In>>(
        primitive: P,
        location: Option<&'static Location<'static>>,
    ) -> Self {
        Self(vec![node_at(primitive, location)])
    }

    /// One step under a name of the caller's choice.
    pub(crate) fn named<In: Send + 'static, P: Primitive<In>>(primitive: P, name: Name) -> Self {
        let meta = StepMeta::new(name, primitive.kind(), None);
        Self(vec![Arc::new(TypedNode { primitive, meta, input: PhantomData })])
    }
}

/// Polls a step, turning a panic into an error of kind `Panic`.
#[inline]
pub(crate) fn poll_caught(step: &mut StepBox<'_>, task: &mut std::task::Context<'_>) -> Poll<Result<()>> {
    catch_unwind(AssertUnwindSafe(|| step.as_mut().poll_step(task)))
        .unwrap_or_else(|panic| Poll::Ready(Err(panic_error(&*panic))))
}

/// Starts a step, turning a panic into an error of kind `Panic`.
#[inline]
pub(crate) fn start_caught<'a>(node: &'a dyn Node, input: &mut dyn Any, cx: &'a Context) -> Result<StepBox<'a>> {
    match catch_unwind(AssertUnwindSafe(|| node.start(input, cx))) {
        Ok(Some(step)) => Ok(step),
        Ok(None) => Err(missing_value()),
        Err(panic) => Err(panic_error(&*panic)),
    }
}

/// Takes the output out of a step that has returned.
#[inline]
pub(crate) fn take_output<Out: 'static>(step: &mut StepBox<'_>) -> Result<Out> {
    step.as_mut().output().downcast_mut::<Option<Out>>().and_then(Option::take).ok_or_else(missing_value)
}

#[cold]
pub(crate) fn panic_error(panic: &(dyn Any + Send)) -> Error {
    Error::new(ErrorKind::Panic, tta_telemetry::panic::message(panic).to_owned())
}

/// The types of neighbouring steps are checked when they are composed, so this does not happen.
#[cold]
pub(crate) fn missing_value() -> Error {
    debug_assert!(false, "a step found no value of its type");
    Error::new(ErrorKind::Internal, "a step found no value of its type (a fault of this library)")
}
