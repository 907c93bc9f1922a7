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
    /// By how many per cent its time on the caller exceeds that of another row, in every round.
    PercentAbove(&'static str),
}

const fn caller(what: &'static str, of: &'static str, at_most: f64) -> Target {
    above(what, of, &[], at_most)
}

const fn cpu(what: &'static str, of: &'static str, at_most: f64) -> Target {
    Target { what, of, minus: &[], plus: &[], value: Value::Timed(|m| m.cpu_ns), at_most }
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

const fn allocations(what: &'static str, of: &'static str, minus: &'static [&'static str], at_most: f64) -> Target {
    Target { what, of, minus, plus: &[], value: Value::Counted(|m| m.allocations), at_most }
}

const fn per_cent(what: &'static str, of: &'static str, above: &'static str, at_most: f64) -> Target {
    Target { what, of, minus: &[], plus: &[], value: Value::PercentAbove(above), at_most }
}

const STEP_OFF: &str = "policies/step, off";
const STEP: &str = "policies/step, recorded";
const OBSERVED_OFF: &str = "steps/observed, off";
const OBSERVED: &str = "steps/observed, recorded";
const COUNTER: &str = "metrics-counter/tta, cached";
const COUNTER_2: &str = "metrics-counter/tta, cached, 2 threads";
const HISTOGRAM: &str = "metrics-histogram/tta, cached";
const HISTOGRAM_2: &str = "metrics-histogram/tta, cached, 2 threads";

const TARGETS: &[Target] = &[
    caller("span, 1 per trace, dropped: ns", "spans/one-thread/dropped/1/tta", 60.0),
    caller("span, 10 per trace, dropped: ns", "spans/one-thread/dropped/10/tta", 40.0),
    caller("span, 100 per trace, dropped: ns", "spans/one-thread/dropped/100/tta", 40.0),
    cpu("span, 100 per trace, dropped: CPU ns", "spans/one-thread/dropped/100/tta", 80.0),
    caller("step, compiled out: ns", "steps/chain, compiled out", 20.0),
    above("step, off above compiled out: ns", "steps/chain, off", &["steps/chain, compiled out"], 2.0),
    above("step, recorded above off: ns", "steps/chain, recorded", &["steps/chain, off"], 80.0),
    above("observed step, recorded above off: ns", OBSERVED, &[OBSERVED_OFF], 80.0),
    allocations("observed step, above off: allocations", OBSERVED, &[OBSERVED_OFF], 0.0),
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
    allocations("propagation, both headers: allocations", "propagation/fixed, tta", &[], 1.0),
    caller("sampling, head and tail: ns", "decisions/head and tail, ordinary", 20.0),
    caller("sampling, head and tail, failed: ns", "decisions/head and tail, failed", 20.0),
    cpu("record and decide, a span: CPU ns", "decisions/record and decide", 1_000.0),
    cpu("record and decide with 10 rules, a span: CPU ns", "decisions/record and decide, 10 rules", 1_000.0),
    cpu("record and decide with own hooks, a span: CPU ns", "decisions/record and decide, own hooks", 1_000.0),
    caller("redaction, an ordinary attribute: ns", "decisions/redaction, ordinary attribute", 30.0),
    caller("configuration, one atomic load: ns", "decisions/configuration, read", 2.0),
    caller("counter: ns", COUNTER, 2.0),
    caller("counter, 2 threads: ns", COUNTER_2, 2.0),
    per_cent("counter, 2 threads above 1: %", COUNTER_2, COUNTER, 10.0),
    allocations("counter: allocations", COUNTER, &[], 0.0),
    caller("histogram: ns", HISTOGRAM, 6.0),
    caller("histogram, 2 threads: ns", HISTOGRAM_2, 6.0),
    per_cent("histogram, 2 threads above 1: %", HISTOGRAM_2, HISTOGRAM, 10.0),
    caller("histogram, raw: ns", "metrics-histogram/tta, raw", 6.0),
    caller("histogram, raw, 2 threads: ns", "metrics-histogram/tta, raw, 2 threads", 6.0),
    allocations("histogram: allocations", HISTOGRAM, &[], 0.0),
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
        Value::Counted(value) => {
            let others = minus.iter().map(|outcome| value(&outcome.counted)).sum::<Option<f64>>()?;
            (figure(value(&outcome.counted)? - others), "-".to_owned())
        }
        Value::PercentAbove(other) => {
            let other = find(other)?;
            let of = |rounds: &[Measurement], others: &[Measurement]| {
                let pairs = rounds.iter().zip(others);
                figure(median(pairs.map(|(m, other)| 100.0 * (m.caller_ns / other.caller_ns - 1.0))))
            };
            (of(&outcome.glibc, &other.glibc), of(&outcome.mimalloc, &other.mimalloc))
        }
    };
    Some(vec![target.what.to_owned(), figure(target.at_most), glibc, mimalloc])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs;

    fn outcome(name: &str, caller_ns: [f64; 3], allocations: f64) -> Outcome {
        let round = |caller_ns| Measurement { caller_ns, ..Measurement::default() };
        let counted = Measurement { allocations: Some(allocations), ..Measurement::default() };
        let rounds: Vec<_> = caller_ns.into_iter().map(round).collect();
        Outcome { job: jobs::find(name).unwrap(), glibc: rounds.clone(), mimalloc: rounds, counted }
    }

    #[test]
    fn every_figure_is_taken_from_cases_that_exist() {
        for target in TARGETS {
            let above = if let Value::PercentAbove(other) = target.value { Some(other) } else { None };
            let names = [target.of].into_iter().chain(target.minus.iter().chain(target.plus).copied()).chain(above);
            names.for_each(|name| assert!(jobs::find(name).is_ok(), "{name}"));
        }
    }

    #[test]
    fn a_ratio_is_taken_in_every_round_and_its_median_is_shown() {
        let outcomes = [outcome(COUNTER, [1.0, 2.0, 4.0], 0.0), outcome(COUNTER_2, [1.2, 2.2, 8.0], 0.0)];
        let row = row(&per_cent("2 above 1: %", COUNTER_2, COUNTER, 10.0), &outcomes).unwrap();
        assert_eq!(row, ["2 above 1: %", "10.0", "20.0", "20.0"]);
    }

    #[test]
    fn allocations_are_those_above_the_row_that_is_compared() {
        let outcomes = [outcome(OBSERVED_OFF, [1.0; 3], 1.03), outcome(OBSERVED, [1.0; 3], 1.29)];
        let row = row(&allocations("more", OBSERVED, &[OBSERVED_OFF], 0.0), &outcomes).unwrap();
        assert_eq!(row, ["more", "0", "0.26", "-"]);
    }
}
