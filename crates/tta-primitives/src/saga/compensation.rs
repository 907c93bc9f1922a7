//! One compensation: its type erased, its value, its bound, its span, its outcome.
//!
//! Owns a single one from start to end, retries included. Which one runs when is in `undo`.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use tta_telemetry::Name;

use crate::context::{Context, Scoped};
use crate::decide::{Decisions, outcomes};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::node::{Node, StepMeta, panic_error};
use crate::observe::StepRecorder;
use crate::parallel::one_node;
use crate::primitive::Primitive;
use crate::retry::Retry;
use crate::workflow::{run_bare, step};

outcomes! {
    /// What became of one compensation.
    enum Verdict in "compensation" as "compensation.outcome" {
        Succeeded = "succeeded": Info,
        /// It succeeded after a retry.
        Recovered = "recovered": Info,
        Failed = "failed": Warning,
        CutOff = "cut_off": Warning,
        NotRun = "not_run": Warning,
    }
}

/// A step's output, kept for its compensation.
pub(super) type Value = Box<dyn Any + Send>;

/// A compensation under way.
pub(super) type Compensating = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// How a compensation ended.
pub(super) enum Ended {
    Done,
    Failed(Error),
    CutOff(Error),
}

/// Where and how long a compensation may run.
pub(super) struct Part {
    /// A context of its own, which nothing but its own bound cancels.
    pub(super) cx: Context,
    pub(super) share: Duration,
    /// What the share is a part of.
    pub(super) total: Duration,
}

/// A compensation that does not show which type it undoes.
pub(super) trait Compensates: Send + Sync {
    fn name(&self) -> &Name;

    /// A clone of the output inside an `Option<Out>`.
    fn keep(&self, output: &mut dyn Any) -> Option<Value>;

    /// The output itself, where it could not be cloned.
    fn take(&self, output: &mut dyn Any) -> Option<Value>;

    /// Starts with a clone of the value. `None` when it is of another type, which building rules
    /// out.
    fn start(self: Arc<Self>, value: &Value, part: Part) -> Option<Compensating>;

    /// Says what became of it, where `start` could not.
    fn record(&self, verdict: Verdict, cx: &Context);

    /// Says under a span of its own that it was never started.
    fn record_not_run(&self, cx: &Context);
}

struct Typed<Out> {
    /// The compensation inside its retries.
    node: Arc<dyn Node>,
    meta: StepMeta,
    decisions: Decisions<Verdict>,
    types: std::marker::PhantomData<fn(Out)>,
}

/// A compensation of a saga, with the retries around it.
pub(super) fn erase<Out, C>(
    saga: &Name,
    compensation: C,
    retry: Retry,
    at: &'static Location<'static>,
) -> Arc<dyn Compensates>
where
    Out: Clone + Send + 'static,
    C: Primitive<Out>,
{
    let name = compensation.name();
    let location = (name == "closure").then_some(at);
    Arc::new(Typed::<Out> {
        node: one_node(step(Counting(compensation)).retry(retry), at),
        meta: StepMeta::new(name.clone(), "compensation", location),
        decisions: Decisions::about(saga.clone(), name),
        types: std::marker::PhantomData,
    })
}

/// An input that counts the attempts made with it.
#[derive(Clone)]
struct Counted<Out> {
    value: Out,
    attempts: Arc<AtomicU32>,
}

/// A compensation that counts its attempts; what it returns is nobody's.
struct Counting<C>(C);

impl<Out: Send + 'static, C: Primitive<Out>> Primitive<Counted<Out>> for Counting<C> {
    type Out = ();

    async fn run(&self, input: Counted<Out>, cx: &Context) -> Result<()> {
        input.attempts.fetch_add(1, Ordering::Relaxed);
        self.0.run(input.value, cx).await.map(drop)
    }

    fn name(&self) -> Name {
        self.0.name()
    }

    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    fn graph(&self) -> Graph {
        self.0.graph()
    }
}

impl<Out: Clone + Send + 'static> Compensates for Typed<Out> {
    fn name(&self) -> &Name {
        &self.meta.name
    }

    fn keep(&self, output: &mut dyn Any) -> Option<Value> {
        let output = output.downcast_mut::<Option<Out>>()?.as_ref()?;
        Some(Box::new(output.clone()))
    }

    fn take(&self, output: &mut dyn Any) -> Option<Value> {
        let output = output.downcast_mut::<Option<Out>>()?.take()?;
        Some(Box::new(output))
    }

    fn start(self: Arc<Self>, value: &Value, part: Part) -> Option<Compensating> {
        let value = value.downcast_ref::<Out>()?;
        // The value is the user's, and so is what its clone does.
        match catch_unwind(AssertUnwindSafe(|| value.clone())) {
            Ok(value) => Some(Box::pin(self.compensate(value, part))),
            Err(panic) => {
                let error = panic_error(&*panic);
                Some(Box::pin(self.fail(error, part)))
            }
        }
    }

    fn record(&self, verdict: Verdict, cx: &Context) {
        self.decisions.record(verdict, &[], cx);
    }

    fn record_not_run(&self, cx: &Context) {
        let mut recorder = StepRecorder::new(cx);
        if cx.is_recording() {
            recorder.open(&self.meta, cx.at(), None);
        }
        let inside = cx.standing_at(recorder.at().unwrap_or_else(|| cx.at()));
        Scoped::now(inside.clone(), || self.record(Verdict::NotRun, &inside));
        // Dropped, the span closes as cancelled.
    }
}

impl<Out: Clone + Send + 'static> Typed<Out> {
    async fn compensate(self: Arc<Self>, value: Out, part: Part) -> Ended {
        let cx = &part.cx;
        let mut recorder = StepRecorder::new(cx);
        if cx.is_recording() {
            recorder.open(&self.meta, cx.at(), None);
        }
        let inside = cx.standing_at(recorder.at().unwrap_or_else(|| cx.at()));
        let attempts = Arc::new(AtomicU32::new(0));
        let input = Counted { value, attempts: Arc::clone(&attempts) };
        let work = async {
            let ended = bounded(run_bare(&*self.node, input, &inside), &inside, &part).await;
            let verdict = match &ended {
                Ended::Done if attempts.load(Ordering::Relaxed) > 1 => Verdict::Recovered,
                Ended::Done => Verdict::Succeeded,
                Ended::Failed(_) => Verdict::Failed,
                Ended::CutOff(_) => Verdict::CutOff,
            };
            self.record(verdict, &inside);
            ended
        };
        let ended = Scoped::new(inside.clone(), work).await;
        recorder.close(match &ended {
            Ended::Done => Ok(()),
            Ended::Failed(error) | Ended::CutOff(error) => Err(error),
        });
        ended
    }

    /// Fails before it could begin.
    async fn fail(self: Arc<Self>, error: Error, part: Part) -> Ended {
        let mut recorder = StepRecorder::new(&part.cx);
        if part.cx.is_recording() {
            recorder.open(&self.meta, part.cx.at(), None);
        }
        let inside = part.cx.standing_at(recorder.at().unwrap_or_else(|| part.cx.at()));
        Scoped::now(inside.clone(), || self.record(Verdict::Failed, &inside));
        recorder.close(Err(&error));
        Ended::Failed(error)
    }
}

/// The work's end, or its being cut off: told to stop, and dropped.
async fn bounded(work: impl Future<Output = Result<()>>, cx: &Context, part: &Part) -> Ended {
    // The work is polled first: what is ready needs no timer.
    match select(pin!(work), pin!(cx.sleep(part.share))).await {
        Either::Left((Ok(()), _)) => Ended::Done,
        Either::Left((Err(error), _)) => Ended::Failed(error),
        Either::Right(_) => {
            cx.cancel_handle().cancel();
            let (share, total) = (part.share, part.total);
            let message = format!("cut off after {share:?}, its share of the compensation timeout of {total:?}");
            Ended::CutOff(Error::new(ErrorKind::Timeout, message))
        }
    }
}
