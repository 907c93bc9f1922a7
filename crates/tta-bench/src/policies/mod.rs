//! What a policy adds to a call that succeeds at once, beside the same policies of tower-resilience.
//! Does not measure what happens when calls fail: then time is spent waiting.

mod cached;
mod ours;
mod tower_resilience;

use crate::row::{Family, Row};

/// Calls that one burst makes: few enough for a burst to be over before the scheduler steps in.
const CALLS: u32 = 1_000;

/// The table of the policies.
pub const POLICIES: Family = Family {
    name: "policies",
    title: "Policies: per call",
    about: "One asynchronous function that is ready at once, called through a policy that has \
        nothing to object: a circuit that is closed, a bulkhead with room, a rate limit far away. \
        For tta the function is a step of a workflow, a hundred calls to a run; what such a step \
        costs by itself is the row `step`, and recorded means that every call is a span, counted \
        exactly, and each decision counted. tower-resilience is called as a tower service, without \
        its features for metrics and tracing, so it records nothing; the row `service` is the same \
        without a layer.",
    rows: ROWS,
};

const ROWS: &[Row] = &[
    Row::new("step, off", "a step without a policy on an engine with `enabled(false)`.", ours::bare::<false>),
    Row::new("step, recorded", "", ours::bare::<true>),
    Row::new("failing step, off", "a step that fails at once, with a text for an error.", ours::failing::<false>),
    Row::new("failing step, recorded", "", ours::failing::<true>),
    Row::new("service", "", tower_resilience::bare),
    Row::new("breaker, off", "", ours::breaker::<false>),
    Row::new("breaker, recorded", "", ours::breaker::<true>),
    Row::new("breaker, tower-resilience", "", tower_resilience::breaker),
    Row::new("breaker open, off", "every call is rejected: the error is a part of it.", ours::breaker_open::<false>),
    Row::new("breaker open, recorded", "", ours::breaker_open::<true>),
    Row::new("bulkhead, off", "", ours::bulkhead::<false>),
    Row::new("bulkhead, recorded", "", ours::bulkhead::<true>),
    Row::new("bulkhead, tower-resilience", "", tower_resilience::bulkhead),
    Row::new("rate limit, off", "", ours::rate_limit::<false>),
    Row::new("rate limit, recorded", "", ours::rate_limit::<true>),
    Row::new("rate limit, tower-resilience", "", tower_resilience::rate_limit),
    Row::new("retry, off", "", ours::retry::<false>),
    Row::new("retry, recorded", "the attempt is a span as well.", ours::retry::<true>),
    Row::new("retry, tower-resilience", "", tower_resilience::retry),
    Row::new("timeout, off", "", ours::timeout::<false>),
    Row::new("timeout, recorded", "", ours::timeout::<true>),
    Row::new("timeout, tower-resilience", "", tower_resilience::timeout),
    Row::new(
        "timeout, late by",
        "how long after its 20 ms a step that hangs was given up, in the median: the timers of tokio.",
        ours::timeout_late_by,
    ),
    Row::new("router, off", "two routes, the cheaper one is taken.", ours::router_by_cost::<false>),
    Row::new("router, recorded", "the route is a span as well.", ours::router_by_cost::<true>),
    Row::new("cache hit, off", "from memory; making the key is a part of it.", cached::hit::<false>),
    Row::new("cache hit, recorded", "the span says that it was one.", cached::hit::<true>),
    Row::new("moka", "a hit of the library that keeps the values, and making the same key.", cached::moka),
    Row::new(
        "all five, off",
        "a timeout inside a retry inside a breaker inside a bulkhead inside a rate limit.",
        ours::five::<false>,
    ),
    Row::new("all five, recorded", "", ours::five::<true>),
    Row::new("all five, tower-resilience", "", tower_resilience::five),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Plan;

    #[test]
    fn every_policy_lets_every_call_through() {
        for row in POLICIES.rows {
            let measurement = (row.run)(&Plan { bursts: 1, count: None });
            let operations = if row.name == "timeout, late by" { 1 } else { u64::from(CALLS) };
            assert_eq!(measurement.unwrap().operations, operations, "{}", row.name);
        }
    }
}
