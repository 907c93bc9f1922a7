//! Several steps that belong together, each with what undoes it.
//!
//! Owns running the steps and keeping what they returned. Building is in `config`, one
//! compensation in `compensation`, their order and outcome in `undo`, what happens to them when the
//! run is gone in `detach` and, on a thread of their own, `rescue`, the error of what could not be undone in `error`.

mod compensation;
mod config;
mod detach;
mod error;
mod rescue;
mod undo;

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::Name;

pub use config::{SagaBuilder, SagaStep};
pub use error::{FailedCompensation, SagaError};

use compensation::Compensates;
use detach::Keeper;
use rescue::Rescue;
use undo::Completed;

use crate::context::{At, Context, Position};
use crate::decide::{Decisions, outcomes};
use crate::error::Result;
use crate::graph::Graph;
use crate::node::{Node, StepBox, missing_value, panic_error, poll_caught, start_caught, take_output};
use crate::observe::{InSpan, StepRecorder};
use crate::primitive::Primitive;
use crate::workflow::stopped;

outcomes! {
    /// How a saga ended.
    enum Verdict in "saga" as "saga.outcome" {
        Completed = "completed": Routine,
        /// Before anything had to be undone.
        Failed = "failed": Routine,
        Compensated = "compensated": Warning,
        CompensationFailed = "compensation_failed": Warning,
        CompensationCutOff = "compensation_cut_off": Warning,
    }
}

/// Starts a saga: steps that run one after another, each with a compensation that undoes it when a
/// later one fails (Garcia-Molina and Salem, *Sagas*, SIGMOD 1987).
///
/// ```
/// # use std::sync::Mutex;
/// # static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// # fn log(what: String) { LOG.lock().unwrap().push(what); }
/// use tta_primitives::{Context, saga, step};
///
/// # #[derive(Clone)] struct Flight(u32);
/// # #[derive(Clone)] struct Hotel(u32);
/// async fn reserve_flight(trip: u32) -> Result<Flight, String> { Ok(Flight(trip)) }
/// async fn cancel_flight(flight: Flight) -> Result<(), String> { log(format!("flight {} cancelled", flight.0)); Ok(()) }
/// async fn reserve_hotel(flight: Flight) -> Result<Hotel, String> { Ok(Hotel(flight.0 + 1)) }
/// async fn cancel_hotel(hotel: Hotel) -> Result<(), String> { log(format!("hotel {} cancelled", hotel.0)); Ok(()) }
/// async fn charge(_: Hotel) -> Result<String, String> { Err("card refused".into()) }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let booking = saga("book trip")
///     .step(reserve_flight).compensate(cancel_flight)
///     .step(reserve_hotel).compensate(cancel_hotel)
///     .step(charge).uncompensated()
///     .build()?;
/// let error = step(booking).run(7, &Context::new()).await.unwrap_err();
/// assert_eq!(error.to_string(), "card refused");
/// # assert_eq!(*LOG.lock().unwrap(), ["hotel 8 cancelled", "flight 7 cancelled"]);
/// # Ok::<(), tta_primitives::PolicyError>(()) }).unwrap();
/// ```
///
/// See [`Saga`] for what happens when.
pub fn saga<In>(name: impl Into<Name>) -> SagaBuilder<In, In> {
    SagaBuilder::new(name.into())
}

/// Steps that are undone when a later one fails: a step of kind `saga`, made by [`saga`]. Cheap to
/// clone; clones share everything.
///
/// # When a step fails
/// By an error, a panic, or because the run was told to stop before it: the compensations of the
/// steps that had completed run, last in, first out, each with its own step's output. The failed
/// step itself is not compensated, so it has to leave nothing behind when it fails. When all
/// compensations succeed the saga's error is the step's, of the same kind, so that a retry or a
/// fallback can decide by it. Otherwise it is of kind
/// [`Compensation`](crate::ErrorKind::Compensation), holds a [`SagaError`], and is not tried again.
///
/// A saga that has completed is done: a saga inside another is undone by the compensation that the
/// outer one has for it, never by its own. The last step's compensation therefore never runs. When the run of both is
/// dropped, both undo what they have done, at the same time.
///
/// # Compensations
/// They run in a context that the run's cancellation and deadline do not reach, under
/// [`compensation_timeout`](SagaBuilder::compensation_timeout), and are tried again by
/// [`compensation_retry`](SagaBuilder::compensation_retry). One that fails or is cut off does not
/// keep the others from running. One may be started again from its beginning, so it should do no
/// harm when it has run before.
///
/// # Cancel safety
/// Dropping the run (a client that went away, a timeout around the saga, a branch that lost, a
/// runtime that ends) drops the step under way and undoes those before it all the same: on the
/// runtime that the run was started on, or on a thread of the saga's own, with a small runtime, when
/// that runtime is gone, has no timer, or never was. [`Telemetry::shutdown`](tta_telemetry::Telemetry::shutdown) waits for that
/// and names what it did not live to see; drop the runs before calling it. A runtime of one thread
/// has to be driven, or dropped, for it. The end of the process (`SIGKILL`, `exit`) loses what has
/// not run by then.
///
/// # What is recorded
/// Each compensation is a span of kind `compensation` that says `compensation.outcome`:
/// `succeeded`, `recovered` (by a retry), `failed`, `cut_off` or `not_run`. The saga's span says
/// `saga.outcome` (`failed` when there was nothing to undo, `compensated`, `compensation_failed`,
/// `compensation_cut_off`; one that completed says nothing), `saga.failed_step` (of a dropped run,
/// the step under way), and how many
/// steps were compensated, `saga.compensated`, and were not, `saga.not_compensated`. When the run
/// was dropped, the run's root closes as cancelled and the compensations that follow are part of
/// the same trace, below the saga in a span `compensations` of kind `task` that says all this and
/// `saga.detached`. All outcomes are counted, as decisions of the families `saga` and
/// `compensation`.
pub struct Saga<In, Out> {
    inner: Arc<Inner>,
    types: PhantomData<fn(In) -> Out>,
}

struct Inner {
    name: Name,
    stages: Vec<Stage>,
    compensation_timeout: Duration,
    decisions: Decisions<Verdict>,
    rescue: Rescue,
}

struct Stage {
    node: Arc<dyn Node>,
    compensation: Option<Arc<dyn Compensates>>,
}

impl<In, Out> Clone for Saga<In, Out> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), types: PhantomData }
    }
}

impl<In: Send + 'static, Out: Send + 'static> Saga<In, Out> {
    /// Runs the steps in order. Whatever ends it early, `keeper` knows which have completed.
    async fn forward(&self, input: In, cx: &Context, keeper: &mut Keeper<'_>) -> Result<Out> {
        let stages = &self.inner.stages;
        let mut input = Some(input);
        // Holds the input of the next step.
        let mut done: Option<StepBox<'_>> = None;
        for (index, stage) in stages.iter().enumerate() {
            keeper.at = index;
            let name = &stage.node.meta().name;
            if cx.is_cancelled() {
                return Err(stopped().within(name));
            }
            let mut recorder = StepRecorder::new(cx);
            if cx.is_recording() {
                recorder.open(stage.node.meta(), cx.at(), None);
                recorder.set("step.index", index);
                recorder.set("step.total", stages.len());
            }
            let started = {
                let mut position = Position::keep();
                if let Some(at) = recorder.at() {
                    position.set(cx.run_key(), at);
                }
                match &mut done {
                    Some(done) => start_caught(&*stage.node, done.as_mut().output(), cx),
                    None => start_caught(&*stage.node, &mut input, cx),
                }
            };
            drop(done.take());
            let result = match started {
                Ok(step) => drive(step, recorder.at(), cx).await,
                Err(error) => Err(error),
            };
            // Completed from here on: nothing waits between the step's end and its being noted.
            let result = result.and_then(|mut step| {
                if index + 1 < stages.len() {
                    note(stage, step.as_mut().output(), keeper)?;
                }
                Ok(step)
            });
            recorder.close(result.as_ref().map(drop));
            done = Some(result.map_err(|error| error.within(name))?);
        }
        done.as_mut().map_or_else(|| Err(missing_value()), take_output)
    }
}

/// Polls a step to its end; it comes back with its output inside.
async fn drive<'a>(mut step: StepBox<'a>, at: Option<At>, cx: &Context) -> Result<StepBox<'a>> {
    InSpan::of_step(cx, at, std::future::poll_fn(|task| poll_caught(&mut step, task))).await?;
    Ok(step)
}

/// Notes that a step has completed, with a clone of its output. When the clone panics the step has
/// failed, but what it did is there: then the output itself is what its compensation is given.
fn note(stage: &Stage, output: &mut dyn Any, keeper: &mut Keeper<'_>) -> Result<()> {
    let Some(compensation) = &stage.compensation else { return Ok(()) };
    let kept = catch_unwind(AssertUnwindSafe(|| compensation.keep(output)));
    let (value, result) = match kept {
        Ok(value) => (value, Ok(())),
        Err(panic) => (compensation.take(output), Err(panic_error(&*panic))),
    };
    let value = value.ok_or_else(missing_value)?;
    keeper.completed.push(Completed { value, compensation: Arc::clone(compensation) });
    result
}

impl<In: Send + 'static, Out: Send + 'static> Primitive<In> for Saga<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        let mut keeper = Keeper::new(&self.inner, cx);
        match self.forward(input, cx, &mut keeper).await {
            Ok(output) => {
                keeper.forget();
                self.inner.decisions.count(Verdict::Completed, cx);
                Ok(output)
            }
            Err(cause) => Err(keeper.compensate(cause).await),
        }
    }

    fn name(&self) -> Name {
        self.inner.name.clone()
    }

    fn kind(&self) -> &'static str {
        "saga"
    }

    fn graph(&self) -> Graph {
        let drawn = |stage: &Stage| {
            let undone = stage.compensation.as_ref();
            let note =
                undone.map_or_else(|| "uncompensated".to_owned(), |undoes| format!("undone by {}", undoes.name()));
            stage.node.graph().note(note)
        };
        Graph::sequence(self.name(), "saga", self.inner.stages.iter().map(drawn).collect())
    }
}
