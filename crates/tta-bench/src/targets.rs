//! The figures to reach, beside what was measured. Reports; asserts nothing.

use crate::measurement::{Measurement, median};
use crate::rounds::Outcome;
use crate::table::{figure, table, wrap};

/// Why a figure may be missed on a machine that was not the one it was set on.
const REASON: &str = "The figures were set on a machine where two reads of the clock take 17 ns and \
    fastrace's `Span` 229 to 335 ns. Where a row is missed, compare the ratio to the peers in the \
    tables below, from this run, and the row `two clock reads`.";

/// One figure to reach: a measured value, or what it is above others.
struct Target {
    what: &'static str,
    of: &'static str,
    minus: &'static [&'static str],
    /// Where an increase is compared with another one: what that one started from.
    plus: &'static [&'static str],
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
    above(what, of, &[], at_most)
}

const fn above(what: &'static str, of: &'static str, minus: &'static [&'static str], at_most: f64) -> Target {
    increase(what, of, minus, &[], at_most)
}

const fn increase(
    what: &'static str,
    of: &'static str,
    minus: &'static [&'static str],
    plus: &'static [&'static str],
    at_most: f64,
) -> Target {
    Target { what, of, minus, plus, value: Value::Timed(|m| m.caller_ns), at_most }
}

const STEP_OFF: &str = "policies/step, off";
const STEP: &str = "policies/step, recorded";

const TARGETS: &[Target] = &[
    caller("span, 1 per trace, dropped: ns", "spans/one-thread/dropped/1/tta", 60.0),
    caller("span, 10 per trace, dropped: ns", "spans/one-thread/dropped/10/tta", 40.0),
    caller("span, 100 per trace, dropped: ns", "spans/one-thread/dropped/100/tta", 40.0),
    Target {
        what: "span, 100 per trace, dropped: CPU ns",
        of: "spans/one-thread/dropped/100/tta",
        minus: &[],
        plus: &[],
        value: Value::Timed(|m| m.cpu_ns),
        at_most: 80.0,
    },
    caller("step, compiled out: ns", "steps/chain, compiled out", 20.0),
    above("step, off above compiled out: ns", "steps/chain, off", &["steps/chain, compiled out"], 2.0),
    above("step, recorded above off: ns", "steps/chain, recorded", &["steps/chain, off"], 80.0),
    above("extra poll of a step: ns", "steps/poll, step", &["steps/poll, boxed"], 5.0),
    above("extra poll in a chain of 10: ns", "steps/poll, chain of 10", &["steps/poll, boxed"], 5.0),
    above("extra poll in a chain of 200: ns", "steps/poll, chain of 200", &["steps/poll, boxed"], 5.0),
    above("2 policies, recorded above off: ns", "steps/2 policies, recorded", &["steps/2 policies, off"], 100.0),
    above("breaker, closed: ns", "policies/breaker, recorded", &[STEP], 100.0),
    above("breaker, open: ns", "policies/breaker open, recorded", &["policies/failing step, recorded"], 100.0),
    above("bulkhead: ns", "policies/bulkhead, recorded", &[STEP], 100.0),
    above("rate limit: ns", "policies/rate limit, recorded", &[STEP], 100.0),
    above("router, with its route's span: ns", "policies/router, recorded", &[STEP], 100.0),
    increase(
        "breaker, recorded above off: ns",
        "policies/breaker, recorded",
        &["policies/breaker, off", STEP],
        &[STEP_OFF],
        30.0,
    ),
    increase(
        "bulkhead, recorded above off: ns",
        "policies/bulkhead, recorded",
        &["policies/bulkhead, off", STEP],
        &[STEP_OFF],
        30.0,
    ),
    increase(
        "rate limit, recorded above off: ns",
        "policies/rate limit, recorded",
        &["policies/rate limit, off", STEP],
        &[STEP_OFF],
        30.0,
    ),
    above("cache hit above moka's: ns", "policies/cache hit, recorded", &[STEP, "policies/moka"], 150.0),
    caller("5 policies, recorded: ns", "policies/all five, recorded", 300.0),
    above("5 policies, recorded above off: ns", "policies/all five, recorded", &["policies/all five, off"], 100.0),
    caller("timeout, late by: ns", "policies/timeout, late by", 10_000_000.0),
    caller("propagation, both headers: ns", "propagation/fixed, tta", 200.0),
    Target {
        what: "propagation, both headers: allocations",
        of: "propagation/fixed, tta",
        minus: &[],
        plus: &[],
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
    let all = |names: &[&str]| names.iter().map(|name| find(name)).collect::<Option<Vec<&Outcome>>>();
    let (minus, plus) = (all(target.minus)?, all(target.plus)?);
    let (glibc, mimalloc) = match target.value {
        Value::Timed(value) => {
            let middle = |rounds: &[Measurement]| median(rounds.iter().map(value));
            let of = |rounds: fn(&Outcome) -> &[Measurement]| {
                let sum = |outcomes: &[&Outcome]| outcomes.iter().map(|outcome| middle(rounds(outcome))).sum::<f64>();
                figure(middle(rounds(outcome)) - sum(&minus) + sum(&plus))
            };
            (of(|outcome| &outcome.glibc), of(|outcome| &outcome.mimalloc))
        }
        Value::Counted(value) => (figure(value(&outcome.counted)?), "-".to_owned()),
    };
    Some(vec![target.what.to_owned(), figure(target.at_most), glibc, mimalloc])
}
