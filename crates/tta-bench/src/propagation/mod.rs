//! What it costs to carry a trace from an incoming call to an outgoing one: the headers are read
//! (extract), and written into others (inject). Does not record spans.

mod carriers;
mod opentelemetry;
mod ours;

use crate::measurement::{Measurement, Plan};
use crate::row::{Family, Row, measure};
use carriers::{Carrier, Fixed, Headers, Map, Pairs};

/// The table of the headers.
pub const PROPAGATION: Family = Family {
    name: "propagation",
    title: "Propagation: extract and inject, per call",
    about: "The headers of a call are read and written into those of another: `traceparent` and \
        `tracestate` with two members, and with `baggage` three entries more. The carrier that is \
        written is used again and again, so that its own allocations do not count; what a library \
        allocates for the value of a header does, because its interface asks for an owned one or \
        does not. OpenTelemetry's propagators are called one after the other, without the list \
        that a program would keep them in, and only those that have a header to read; tta looks \
        for all three every time.",
    rows: ROWS,
};

const ROWS: &[Row] = &[
    Row::new(
        "fixed, tta",
        "three slots that are found by name, without a search: the headers alone.",
        ours::round_trip::<Fixed, false>,
    ),
    Row::new("fixed, opentelemetry_sdk", "", opentelemetry::round_trip::<Fixed, false>),
    Row::new(
        "map, tta",
        "`HashMap<String, String>` with five headers more, by each library's own implementation for it.",
        ours::round_trip::<Map, false>,
    ),
    Row::new("map, opentelemetry_sdk", "", opentelemetry::round_trip::<Map, false>),
    Row::new(
        "pairs, tta",
        "read from a list of pairs with five headers more, whose names match whatever the casing; \
            written into the slots.",
        ours::round_trip::<Pairs, false>,
    ),
    Row::new("pairs, opentelemetry_sdk", "", opentelemetry::round_trip::<Pairs, false>),
    Row::new("fixed + baggage, tta", "all of these with `baggage`.", ours::round_trip::<Fixed, true>),
    Row::new("fixed + baggage, opentelemetry_sdk", "", opentelemetry::round_trip::<Fixed, true>),
    Row::new("map + baggage, tta", "", ours::round_trip::<Map, true>),
    Row::new("map + baggage, opentelemetry_sdk", "", opentelemetry::round_trip::<Map, true>),
    Row::new("pairs + baggage, tta", "", ours::round_trip::<Pairs, true>),
    Row::new("pairs + baggage, opentelemetry_sdk", "", opentelemetry::round_trip::<Pairs, true>),
];

/// Calls that one burst carries on: few enough for a burst to be over before the scheduler steps in.
const BURST_CALLS: u32 = 250;

/// Measures a way of carrying the headers on, after making sure that it does.
fn measured<C: Carrier>(
    plan: &Plan,
    headers: &Headers,
    carry_on: impl Fn(&C::Source, &mut C::Sink),
) -> anyhow::Result<Measurement> {
    let source = C::source(headers);
    let mut sink = C::Sink::default();
    carry_on(&source, &mut sink);
    let arrived = carriers::written(&sink);
    anyhow::ensure!(arrived == headers.sorted(), "{headers:?} was written as {arrived:?}");
    Ok(measure(plan, BURST_CALLS, || {
        for _ in 0..BURST_CALLS {
            carry_on(std::hint::black_box(&source), std::hint::black_box(&mut sink));
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_writes_the_headers_that_it_read() {
        for row in PROPAGATION.rows {
            let measurement = (row.run)(&Plan { bursts: 1, count: None });
            assert_eq!(measurement.unwrap().operations, u64::from(BURST_CALLS), "{}", row.name);
        }
    }
}
