//! The second family: what it costs to run a step. Does not record spans by itself.

mod by_hand;
mod composed;
mod polls;

pub(crate) use composed::{add, off, recorded};

use crate::row::{Family, Row};

/// The table of the steps.
pub const STEPS: Family = Family { name: "steps", title: "Steps: per step", about: "", rows: ROWS };

const ROWS: &[Row] = &[
    Row::new(
        "hand-written",
        "ten trivial async functions awaited in turn, in one task of a current-thread runtime; the \
            floor for anything that composes steps.",
        by_hand::hand_written,
    ),
    Row::new(
        "two clock reads",
        "reading the time-stamp counter twice, which every independent span must; the floor for \
            spans on this machine.",
        by_hand::two_clock_reads,
    ),
    Row::new(
        "boxed by hand",
        "the same ten, each behind a boxed future: what erasing the type of a step costs anybody.",
        by_hand::boxed_by_hand,
    ),
    Row::new(
        "chain, compiled out",
        "the same ten composed with `>>`, nested in a run; built without the feature `record`.",
        composed::chain_off,
    )
    .compiled_out(),
    Row::new("chain, off", "the same with `enabled(false)`.", composed::chain_off),
    Row::new(
        "chain, recorded",
        "the same on an engine that records everything and drops every trace: a span with index \
            and total, and exact statistics, per step.",
        composed::chain_recorded,
    ),
    Row::new(
        "observed, off",
        "runs of a chain of a hundred steps with an objective for them, divided by a hundred, on an \
            engine that is off.",
        composed::observed_off,
    ),
    Row::new(
        "observed, recorded",
        "the same recorded: a span, the counts of outcomes, the histogram of durations, how many \
            are under way, the objective, and each run's tail decision. Every step must have been \
            judged by the objective. The allocation that one run more has is in the table as a \
            hundredth; the steps have none.",
        composed::observed_recorded,
    ),
    Row::new(
        "run of 10, compiled out",
        "whole runs of ten steps, with their context and ids, divided by ten.",
        composed::run_off,
    )
    .compiled_out(),
    Row::new("run of 10, off", "the same with `enabled(false)`.", composed::run_off),
    Row::new(
        "run of 10, recorded",
        "the same recorded, the root span and the decision included.",
        composed::run_recorded,
    ),
    Row::new("2 policies, off", "a step inside a retry inside a timeout, ready at once.", composed::policies_off),
    Row::new("2 policies, recorded", "the same recorded; the attempt is a span.", composed::policies_recorded),
    Row::new(
        "any of 2, off",
        "`(a | b).any()` inside a run; the first is ready at once and wins, the second never starts. Per fan.",
        composed::any_off,
    ),
    Row::new(
        "any of 2, recorded",
        "the same recorded: a span for the fan and one for the branch that ran.",
        composed::any_recorded,
    ),
    Row::new(
        "traced, off",
        "a future in a step, ready at once, inside `traced(..)`. Per future.",
        composed::traced_off,
    ),
    Row::new("traced, recorded", "the same recorded; each is a span.", composed::traced_recorded),
    Row::new("poll, boxed", "an extra poll of a boxed future that is not ready.", polls::poll_boxed),
    Row::new("poll, step", "the same inside a recorded run of one step.", polls::poll_in_chain_of_1),
    Row::new("poll, chain of 10", "the same in the middle of 10.", polls::poll_in_chain_of_10),
    Row::new("poll, chain of 200", "the same in the middle of 200.", polls::poll_in_chain_of_200),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Plan;

    /// The measurement fails by itself when a step was not judged.
    #[test]
    fn every_observed_step_is_judged_by_its_objective() {
        for row in STEPS.rows.iter().filter(|row| row.name.starts_with("observed")) {
            let measurement = (row.run)(&Plan { bursts: 1, count: None });
            assert_eq!(measurement.unwrap().operations, 10_000, "{}", row.name);
        }
    }
}
