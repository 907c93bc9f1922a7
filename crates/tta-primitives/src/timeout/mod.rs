//! A bound on how long a step may take.
//!
//! At the timeout the step is told to stop through its context; within the grace period it may
//! still return; then it is dropped. The worst return is timeout plus grace. With an idle timeout
//! the same happens when the step has not said for so long that it makes progress.

mod config;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tta_telemetry::{HistogramRecorder, Name, Ticks, ValueRef, catalog};

pub use config::{Timeout, TimeoutBuilder};

use crate::context::{Context, Progress, Scoped};
use crate::decide::{Decisions, outcomes};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::node::Node;
use crate::per_engine::PerEngine;
use crate::primitive::Primitive;
use crate::workflow::{Decorated, single};

outcomes! {
    /// Which came first, the step or its bound.
    enum Verdict in "timeout" as "timeout.outcome" {
        InTime = "in_time": Routine,
        InGrace = "in_grace": Info,
        Expired = "expired": Warning,
    }
}

/// Steps with a bound on their time.
pub(crate) struct TimedOut<In, Out> {
    inner: Decorated<In, Out>,
    policy: Timeout,
    decisions: Decisions<Verdict>,
    seconds: PerEngine<HistogramRecorder>,
}

/// How a bounded execution ended.
enum Ended<Out> {
    InTime(Result<Out>),
    InGrace(Result<Out>, Bound),
    /// Without a result of its own.
    Expired {
        bound: Bound,
        had_grace: bool,
    },
}

/// Which bound was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Timeout(Duration),
    Deadline(Duration),
    Idle(Duration),
}

impl Bound {
    fn limit(self) -> Duration {
        match self {
            Bound::Timeout(limit) | Bound::Deadline(limit) | Bound::Idle(limit) => limit,
        }
    }
}

impl<In: Send + 'static, Out: Send + 'static> TimedOut<In, Out> {
    pub(crate) fn new(inner: Decorated<In, Out>, policy: Timeout) -> Self {
        Self { decisions: Decisions::at(inner.name()), inner, policy, seconds: PerEngine::default() }
    }

    #[cold]
    fn find_seconds(&self, cx: &Context) -> Option<Arc<HistogramRecorder>> {
        let family = cx.telemetry().built_in_histogram(&catalog::TIMEOUT_EXECUTION);
        let seconds = || family.with(&[&self.inner.name()]).ok().map(Arc::new);
        if cx.telemetry().is_enabled() { seconds() } else { None }
    }

    async fn bounded(&self, input: In, began: Ticks, cx: &Context) -> Ended<Out> {
        let timeout = self.policy.timeout();
        let bound = match cx.remaining() {
            Some(remaining) if remaining <= timeout => Bound::Deadline(remaining),
            _ => Bound::Timeout(timeout),
        };
        let idle = self.policy.idle_timeout();
        let (part, progress) = cx.bounded(bound.limit(), began, idle.is_some());
        let watch = progress.zip(idle);
        let work = Scoped::new(part.clone(), self.inner.run(input, &part));
        let mut work = std::pin::pin!(work);
        if let Some(result) = first_poll(work.as_mut()).await {
            return in_time(result, &part, bound);
        }
        // Timers are large: in a box, so that steps which are ready at once stay small.
        Box::pin(self.wait(work, &part, bound, watch)).await
    }

    /// Waits for work that was not ready at once, until its bound is reached.
    async fn wait(
        &self,
        mut work: Pin<&mut (impl Future<Output = Result<Out>> + Send)>,
        part: &Context,
        bound: Bound,
        watch: Option<(Arc<Progress>, Duration)>,
    ) -> Ended<Out> {
        let reached = loop {
            // What has passed already is a part of the limit.
            let rest = part.remaining().unwrap_or(bound.limit());
            let idle_rest = watch.as_ref().map(|(progress, idle)| {
                // Progress may have been made while we waited.
                idle.saturating_sub(part.clock().elapsed(progress.last()))
            });
            match (idle_rest, &watch) {
                _ if rest.is_zero() => break bound,
                (Some(Duration::ZERO), Some((_, idle))) => break Bound::Idle(*idle),
                _ => {}
            }
            let wait = idle_rest.map_or(rest, |idle| idle.min(rest));
            if let Some(result) = before(work.as_mut(), part.sleep(wait)).await {
                return in_time(result, part, bound);
            }
            if watch.is_none() {
                break bound;
            }
        };
        part.cancel_handle().cancel();
        if !self.policy.grace_period().is_zero()
            && let Some(result) = before(work, part.sleep(self.policy.grace_period())).await
        {
            return Ended::InGrace(result, reached);
        }
        Ended::Expired { bound: reached, had_grace: true }
    }

    /// Runs the steps; the second part says whether it was the bound that ended them.
    async fn run_bounded(&self, input: In, cx: &Context) -> (Result<Out>, bool) {
        let seconds = self.seconds.get(cx, || self.find_seconds(cx));
        let began = cx.clock().ticks();
        let ended = self.bounded(input, began, cx).await;
        if let Some(seconds) = seconds.get() {
            seconds.record_raw(cx.clock().nanos_between(began, cx.clock().ticks()));
        }
        match ended {
            Ended::InTime(result) => {
                self.decisions.count(Verdict::InTime, cx);
                (result, false)
            }
            Ended::InGrace(Ok(output), _) => {
                self.decisions.record(Verdict::InGrace, &[("timeout.in_grace", ValueRef::Bool(true))], cx);
                (Ok(output), false)
            }
            // An error of its own is the step's failure; one that says it was stopped is ours.
            Ended::InGrace(Err(error), _) if error.kind() != ErrorKind::Cancelled && !error.is_by_deadline() => {
                self.decisions.count(Verdict::InTime, cx);
                (Err(error), false)
            }
            Ended::InGrace(Err(_), bound) => self.record_expired(bound, true, cx),
            Ended::Expired { bound, had_grace } => self.record_expired(bound, had_grace, cx),
        }
    }

    /// Says on the step's span which bound was reached, and makes the error of it.
    #[cold]
    fn record_expired(&self, bound: Bound, had_grace: bool, cx: &Context) -> (Result<Out>, bool) {
        let limit_ns = u64::try_from(bound.limit().as_nanos()).unwrap_or(u64::MAX);
        let limit = ("timeout.limit_ns", ValueRef::from(limit_ns));
        match bound {
            Bound::Idle(_) => {
                let idle = ("timeout.idle", ValueRef::Bool(true));
                self.decisions.record(Verdict::Expired, &[limit, idle], cx);
            }
            _ => self.decisions.record(Verdict::Expired, &[limit], cx),
        }
        let what = match bound {
            Bound::Timeout(limit) => format!("no result within its timeout of {limit:?}"),
            Bound::Deadline(limit) => format!("no result within the {limit:?} left until the deadline"),
            Bound::Idle(limit) => format!("no progress within its idle timeout of {limit:?}"),
        };
        let grace = match self.policy.grace_period() {
            grace if had_grace && !grace.is_zero() => format!(" and {grace:?} of grace"),
            _ => String::new(),
        };
        let error = Error::new(ErrorKind::Timeout, format!("{what}{grace}"));
        (Err(if matches!(bound, Bound::Deadline(_)) { error.by_deadline() } else { error }), true)
    }
}

/// What came before our timer did. What is inside may have seen our bound first, as the deadline
/// of its own part: then it is ours to say that it was reached.
fn in_time<Out>(result: Result<Out>, part: &Context, bound: Bound) -> Ended<Out> {
    match &result {
        Err(error) if error.is_by_deadline() => {
            part.cancel_handle().cancel();
            Ended::Expired { bound, had_grace: false }
        }
        _ => Ended::InTime(result),
    }
}

/// Polls once: work that is ready needs no timer.
async fn first_poll<F: Future>(mut work: Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|task| match work.as_mut().poll(task) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The work's output, or `None` when the timer was first.
async fn before<F: Future>(mut work: Pin<&mut F>, timer: impl Future<Output = ()>) -> Option<F::Output> {
    let mut timer = std::pin::pin!(timer);
    std::future::poll_fn(|task| {
        if let Poll::Ready(output) = work.as_mut().poll(task) {
            return Poll::Ready(Some(output));
        }
        timer.as_mut().poll(task).map(|()| None)
    })
    .await
}

impl<In: Send + 'static, Out: Send + 'static> Primitive<In> for TimedOut<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        self.run_bounded(input, cx).await.0
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        self.inner.graph().note(self.policy.to_string())
    }
}

/// Steps with a bound on their time, and what runs instead when it is reached.
pub(crate) struct TimedOutOr<In, Out> {
    pub(crate) bounded: TimedOut<In, Out>,
    pub(crate) fallback: Arc<dyn Node>,
}

impl<In: Clone + Send + 'static, Out: Send + 'static> Primitive<In> for TimedOutOr<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        match self.bounded.run_bounded(input.clone(), cx).await {
            (Err(_), true) => {
                cx.annotate(&[("timeout.fallback", ValueRef::Bool(true))]);
                single(&self.fallback, input, cx).await
            }
            (result, _) => result,
        }
    }

    fn name(&self) -> Name {
        self.bounded.name()
    }

    fn kind(&self) -> &'static str {
        self.bounded.kind()
    }

    fn graph(&self) -> Graph {
        let ways = vec![("in time", self.bounded.graph()), ("timed out", self.fallback.graph())];
        Graph::choice(self.name(), "timeout", ways)
    }
}
