//! Trying a failed step again.
//!
//! The policy (what to retry, when) is in `config`, `backoff` and `budget`; this file does it and
//! records each attempt as a span and the outcome on the step's span.

mod backoff;
mod budget;
mod config;

use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;
use tta_telemetry::{Name, SpanStatus, ValueRef};

pub use backoff::Jitter;
pub use budget::RetryBudget;
pub use config::{Retry, RetryBuilder};

use crate::context::Context;
use crate::decide::{Decisions, outcomes};
use crate::error::{Error, ErrorKind, Result, RetryHint};
use crate::graph::Graph;
use crate::observe::{InSpan, record_error};
use crate::primitive::Primitive;
use crate::workflow::Decorated;
use budget::WatchedBudget;

/// Steps that are tried again.
pub(crate) struct Retried<In, Out> {
    inner: Decorated<In, Out>,
    policy: Retry,
    decisions: Decisions<Verdict>,
    attempts: Decisions<Attempt>,
    /// Where the policy has a budget.
    budget: Option<WatchedBudget>,
}

outcomes! {
    /// Why there was no further attempt.
    enum Verdict in "retry" as "retry.outcome" {
        Succeeded = "succeeded": Routine,
        Recovered = "recovered": Info,
        Exhausted = "exhausted": Warning,
        NotRetryable = "not_retryable": Routine,
        BudgetExhausted = "budget_exhausted": Warning,
        DeadlineTooClose = "deadline_too_close": Warning,
        Cancelled = "cancelled": Routine,
    }
}

outcomes! {
    /// How an attempt ended, unless it was told to stop.
    enum Attempt in "attempt" as "attempt.outcome" {
        Success = "success": Routine,
        Failure = "failure": Routine,
    }
}

impl<In: Clone + Send + 'static, Out: Send + 'static> Retried<In, Out> {
    pub(crate) fn new(inner: Decorated<In, Out>, policy: Retry) -> Self {
        let budget = policy.budget().map(|budget| WatchedBudget::new(inner.name(), budget.clone()));
        let (decisions, attempts) = (Decisions::at(inner.name()), Decisions::at(inner.name()));
        Self { decisions, attempts, budget, inner, policy }
    }

    /// One attempt under a span of its own, and what to do next.
    async fn attempt(&self, number: u32, input: In, cx: &Context) -> (Result<Out>, Next) {
        let mut span = cx.trace().span(cx.span_id(), "attempt", "attempt");
        span.set("attempt.number", number + 1);
        span.set_status(SpanStatus::Cancelled);
        let result = InSpan::new(cx, span.id(), self.inner.run(input, cx)).await;
        match &result {
            Ok(_) => self.attempts.count(Attempt::Success, cx),
            Err(error) if error.kind() == ErrorKind::Cancelled => {}
            Err(_) => self.attempts.count(Attempt::Failure, cx),
        }
        let next = match &result {
            Ok(_) => Next::Stop(if number == 0 { Verdict::Succeeded } else { Verdict::Recovered }),
            Err(error) => self.after_failure(number, error, cx),
        };
        match &result {
            Ok(_) => span.set_status(SpanStatus::Ok),
            Err(error) => {
                let status = record_error(&mut span, error);
                span.set_status(status);
                if let Next::After(delay) = next {
                    // This retry stops the error here: another attempt follows.
                    span.set_handled();
                    span.set("retry.delay_ns", u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX));
                }
            }
        }
        (result, next)
    }

    /// Says how it ended. The first attempt's success speaks for itself.
    fn record(&self, attempts: u32, verdict: Verdict, error: Option<&Error>, cx: &Context) {
        let attempts = ("retry.attempts", ValueRef::from(attempts));
        match (verdict, error) {
            (Verdict::Succeeded, _) => self.decisions.count(verdict, cx),
            (_, None) => self.decisions.record(verdict, &[attempts], cx),
            (_, Some(error)) => {
                let last = ("retry.last_error", ValueRef::literal(error.kind().as_str()));
                self.decisions.record(verdict, &[attempts, last], cx);
            }
        }
    }

    fn after_failure(&self, number: u32, error: &Error, cx: &Context) -> Next {
        let policy = &self.policy;
        if !policy.retries(error) {
            return Next::Stop(Verdict::NotRetryable);
        }
        if number >= policy.max_retries() {
            return Next::Stop(Verdict::Exhausted);
        }
        if cx.is_cancelled() {
            return Next::Stop(Verdict::Cancelled);
        }
        let mut delay = policy.delay(number, cx.ids());
        if let RetryHint::After(asked) = error.retry_hint() {
            delay = delay.max(asked);
        }
        if cx.remaining().is_some_and(|left| left <= delay) {
            return Next::Stop(Verdict::DeadlineTooClose);
        }
        if !policy.budget().is_none_or(|budget| budget.withdraw(cx.clock())) {
            return Next::Stop(Verdict::BudgetExhausted);
        }
        Next::After(delay)
    }
}

/// Waits before the next attempt, or until the run is told to stop.
async fn wait(delay: Duration, cx: &Context) {
    select(pin!(cx.sleep(delay)), pin!(cx.cancelled())).await;
}

#[cold]
fn stopped() -> Error {
    Error::new(ErrorKind::Cancelled, "the run was told to stop before the next attempt")
}

#[derive(Clone, Copy, Debug)]
enum Next {
    Stop(Verdict),
    After(Duration),
}

impl<In: Clone + Send + 'static, Out: Send + 'static> Primitive<In> for Retried<In, Out> {
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        if let Some(budget) = &self.budget {
            budget.deposit(cx);
        }
        let mut kept = Some(input);
        let mut number = 0;
        loop {
            let last = number >= self.policy.max_retries();
            let input = if last { kept.take() } else { kept.clone() };
            let Some(input) = input else { return Err(crate::node::missing_value()) };
            let (result, next) = self.attempt(number, input, cx).await;
            match next {
                // Timers are large: in a box, so that what succeeds at once stays small.
                Next::After(delay) => Box::pin(wait(delay, cx)).await,
                Next::Stop(verdict) => {
                    self.record(number + 1, verdict, result.as_ref().err(), cx);
                    return result;
                }
            }
            if cx.is_cancelled() {
                self.record(number + 1, Verdict::Cancelled, None, cx);
                return Err(stopped());
            }
            number += 1;
        }
    }

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn graph(&self) -> Graph {
        self.inner.graph().note(format!("retry {}", self.policy.max_retries()))
    }
}
