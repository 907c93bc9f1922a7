//! The figures to reach, beside what was measured. Reports; asserts nothing.

use crate::measurement::{Measurement, median};
use crate::rounds::Outcome;
use crate::table::{figure, table, wrap};

/// Why a figure may be missed on a machine that was not the one it was set on.
const REASON: &str = "The figures were set on a machine where two reads of the clock take 17 ns and \
    fastrace's `Span` 229 to 335 ns. Where a row is missed, compare the ratio to the peers in the \
    tables below, from this run, and the row `two clock reads`.";

/// One figure to reach: a measured value, or the difference of two.
struct Target {
    what: &'static str,
    of: &'static str,
    minus: Option<&'static str>,
    value: Value,
    at_most: f64,
}

/// What is taken from a measurement.
enum Value {
    /// From every round, on both allocators.
    Timed(fn(&Measurement) -> f64),
    /// From the process that counts, which has an allocator of its own.
    Counted(fn(&Measurement) -> Option<f64>),
}

const fn caller(what: &'static str, of: &'static str, at_most: f64) -> Target {
    Target { what, of, minus: None, value: Value::Timed(|m| m.caller_ns), at_most }
}

const fn above(what: &'static str, of: &'static str, minus: &'static str, at_most: f64) -> Target {
    Target { what, of, minus: Some(minus), value: Value::Timed(|m| m.caller_ns), at_most }
}

const TARGETS: &[Target] = &[
    caller("span, 1 per trace, dropped: ns", "spans/one-thread/dropped/1/tta", 60.0),
    caller("span, 10 per trace, dropped: ns", "spans/one-thread/dropped/10/tta", 40.0),
    caller("span, 100 per trace, dropped: ns", "spans/one-thread/dropped/100/tta", 40.0),
    Target {
        what: "span, 100 per trace, dropped: CPU ns",
        of: "spans/one-thread/dropped/100/tta",
        minus: None,
        value: Value::Timed(|m| m.cpu_ns),
        at_most: 80.0,
    },
    caller("step, compiled out: ns", "steps/chain, compiled out", 20.0),
    above("step, off above compiled out: ns", "steps/chain, off", "steps/chain, compiled out", 2.0),
    above("step, recorded above off: ns", "steps/chain, recorded", "steps/chain, off", 80.0),
    above("extra poll of a step: ns", "steps/poll, step", "steps/poll, boxed", 5.0),
    above("extra poll in a chain of 10: ns", "steps/poll, chain of 10", "steps/poll, boxed", 5.0),
    above("extra poll in a chain of 200: ns", "steps/poll, chain of 200", "steps/poll, boxed", 5.0),
    above("2 policies, recorded above off: ns", "steps/2 policies, recorded", "steps/2 policies, off", 100.0),
    caller("propagation, both headers: ns", "propagation/fixed, tta", 200.0),
    Target {
        what: "propagation, both headers: allocations",
        of: "propagation/fixed, tta",
        minus: None,
        value: Value::Counted(|m| m.allocations),
        at_most: 1.0,
    },
];

pub(crate) fn render(outcomes: &[Outcome]) -> String {
    let rows: Vec<Vec<String>> = TARGETS.iter().filter_map(|target| row(target, outcomes)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = ["figure", "to reach", "glibc", "mimalloc"];
    format!("\n## Against the figures to reach\n\n{}\n{}", table(1, &head, &rows), wrap("", REASON))
}

fn row(target: &Target, outcomes: &[Outcome]) -> Option<Vec<String>> {
    let find = |name: &str| outcomes.iter().find(|outcome| outcome.job.name() == name);
    let outcome = find(target.of)?;
    let base = match target.minus {
        Some(name) => Some(find(name)?),
        None => None,
    };
    let (glibc, mimalloc) = match target.value {
        Value::Timed(value) => {
            let middle = |rounds: &[Measurement]| median(rounds.iter().map(value));
            let of = |rounds: fn(&Outcome) -> &[Measurement]| {
                figure(middle(rounds(outcome)) - base.map_or(0.0, |base| middle(rounds(base))))
            };
            (of(|outcome| &outcome.glibc), of(|outcome| &outcome.mimalloc))
        }
        Value::Counted(value) => (figure(value(&outcome.counted)?), "-".to_owned()),
    };
    Some(vec![target.what.to_owned(), figure(target.at_most), glibc, mimalloc])
}
