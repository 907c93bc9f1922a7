//! What a join makes of the branches' outcomes: when it has enough, and what it keeps.
//!
//! The decisions alone; driving and stopping branches is in `run` and `wind_up`.

use std::num::NonZeroUsize;

use tta_telemetry::SpanId;

use super::fan_out::Erased;
use crate::error::{Error, Result};
use crate::node::missing_value;

/// How a branch ended.
pub(super) struct Finished {
    /// Its place among the branches.
    pub(super) index: usize,
    /// Its span, which has closed; `None` when there is none.
    pub(super) span: Option<SpanId>,
    pub(super) result: Result<Erased>,
}

/// What follows from a branch's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Continue,
    /// The outcome is certain: no further branch starts, those that run are ended.
    Stop,
}

/// Decides, branch by branch.
pub(super) trait Join: Send {
    /// Whether branches that won must not be told to stop with those that lost.
    const HAS_WINNERS: bool;

    /// Takes in how a branch ended.
    fn on_finished(&mut self, finished: Finished) -> Verdict;

    /// Takes in how a branch ended that was told to stop: it no longer changes the outcome.
    fn on_late(&mut self, finished: Finished);

    /// Whether enough branches have succeeded for the errors of the others not to count.
    fn is_won(&self) -> bool;
}

/// Every branch must succeed: stops at the first error.
pub(super) struct All {
    outputs: Vec<Option<Erased>>,
    error: Option<Error>,
}

impl All {
    pub(super) fn new(total: usize) -> Self {
        Self { outputs: (0..total).map(|_| None).collect(), error: None }
    }

    /// The outputs in the order of the branches, or the error that came first in time.
    pub(super) fn outputs(self) -> Result<Vec<Erased>> {
        match self.error {
            Some(error) => Err(error),
            None => self.outputs.into_iter().map(|output| output.ok_or_else(missing_value)).collect(),
        }
    }
}

impl Join for All {
    const HAS_WINNERS: bool = false;

    #[inline]
    fn on_finished(&mut self, finished: Finished) -> Verdict {
        match finished.result {
            Ok(output) => {
                if let Some(slot) = self.outputs.get_mut(finished.index) {
                    *slot = Some(output);
                }
                Verdict::Continue
            }
            Err(error) => {
                self.error = Some(error);
                Verdict::Stop
            }
        }
    }

    fn on_late(&mut self, _: Finished) {}

    fn is_won(&self) -> bool {
        false
    }
}

/// The joins that outlive a failed branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Any,
    Quorum(NonZeroUsize),
    Settle,
}

impl Rule {
    /// The stable string of `parallel.join`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Rule::Any => "any",
            Rule::Quorum(_) => "quorum",
            Rule::Settle => "settle",
        }
    }

    /// What a graph says of it.
    pub(super) fn note(self) -> String {
        match self {
            Rule::Quorum(needed) => format!("quorum {needed}"),
            Rule::Any | Rule::Settle => self.as_str().to_owned(),
        }
    }

    /// How many successes it takes; `None` when every branch is waited for, whatever comes of it.
    fn needed(self) -> Option<usize> {
        match self {
            Rule::Any => Some(1),
            Rule::Quorum(needed) => Some(needed.get()),
            Rule::Settle => None,
        }
    }
}

/// Counts successes and failures until there are enough of either.
pub(super) struct Tally {
    needed: Option<usize>,
    /// By branch; `None` for those that had not ended when the outcome was certain.
    results: Vec<Option<Result<Erased>>>,
    succeeded: usize,
    failed: usize,
    failed_spans: Vec<SpanId>,
}

impl Tally {
    pub(super) fn new(rule: Rule, total: usize) -> Self {
        let results = (0..total).map(|_| None).collect();
        Self { needed: rule.needed(), results, succeeded: 0, failed: 0, failed_spans: Vec::new() }
    }

    /// How many branches had succeeded and failed when the outcome was certain.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.succeeded, self.failed)
    }

    /// Whether too many branches failed for the rest to be enough.
    pub(super) fn is_lost(&self) -> bool {
        self.needed.is_some_and(|needed| self.results.len() - self.failed < needed)
    }

    /// The spans of all branches that failed, before and after the outcome was certain.
    pub(super) fn failed_spans(&self) -> &[SpanId] {
        &self.failed_spans
    }

    /// The first branch, in order, that succeeded.
    pub(super) fn winner(&self) -> Option<usize> {
        self.results.iter().position(|result| matches!(result, Some(Ok(_))))
    }

    /// The outputs of those that succeeded, in the order of the branches.
    pub(super) fn successes(self) -> impl Iterator<Item = Erased> {
        self.results.into_iter().flatten().filter_map(Result::ok)
    }

    /// The errors of those that failed, in the order of the branches.
    pub(super) fn errors(self) -> Vec<Error> {
        self.results.into_iter().flatten().filter_map(Result::err).collect()
    }

    /// What came of every branch, in order.
    pub(super) fn results(self) -> Vec<Result<Erased>> {
        self.results.into_iter().map(|result| result.unwrap_or_else(|| Err(missing_value()))).collect()
    }
}

impl Join for Tally {
    const HAS_WINNERS: bool = true;

    fn on_finished(&mut self, finished: Finished) -> Verdict {
        match &finished.result {
            Ok(_) => self.succeeded += 1,
            Err(_) => {
                self.failed += 1;
                self.failed_spans.extend(finished.span);
            }
        }
        if let Some(slot) = self.results.get_mut(finished.index) {
            *slot = Some(finished.result);
        }
        if self.is_won() || self.is_lost() { Verdict::Stop } else { Verdict::Continue }
    }

    fn on_late(&mut self, finished: Finished) {
        if finished.result.is_err() {
            self.failed_spans.extend(finished.span);
        }
    }

    fn is_won(&self) -> bool {
        self.needed.is_some_and(|needed| self.succeeded >= needed)
    }
}
