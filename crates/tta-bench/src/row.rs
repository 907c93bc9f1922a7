//! What is measured without spans of its own to keep: a row is a function that is called in bursts,
//! a family is a table of rows. Does not know any.

use crate::clock::{Stopwatch, process_cpu_ns};
use crate::measurement::{Measurement, Plan, median};

/// Rows that are compared with each other, and make a table.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// First part of the names of its cases.
    pub name: &'static str,
    /// Heading of the table.
    pub title: &'static str,
    /// What all rows have in common, as a paragraph of the report; may be empty.
    pub about: &'static str,
    /// The rows, in the order in which they take turns.
    pub rows: &'static [Row],
}

/// One way of doing something.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name in the table.
    pub name: &'static str,
    /// What is measured, as a sentence of the report; empty where the name says it all.
    pub about: &'static str,
    /// Measures it in this process.
    pub run: fn(&Plan) -> anyhow::Result<Measurement>,
    /// Whether it runs in the build without the recorder.
    pub compiled_out: bool,
}

impl Row {
    pub(crate) const fn new(
        name: &'static str,
        about: &'static str,
        run: fn(&Plan) -> anyhow::Result<Measurement>,
    ) -> Self {
        Self { name, about, run, compiled_out: false }
    }

    pub(crate) const fn compiled_out(self) -> Self {
        Self { compiled_out: true, ..self }
    }
}

/// Operations that a call of a measured closure should do, so that reading the clock does not show.
pub const BURST_OPERATIONS: u32 = 10_000;

/// Measures `call`, which does `operations` operations each time it is called.
pub fn measure(plan: &Plan, operations: u32, call: impl FnMut()) -> Measurement {
    measure_settling(plan, operations, call, || {})
}

/// [`measure`], with `settle` called after each burst, off the clock: it lets a background catch up.
pub fn measure_settling(plan: &Plan, operations: u32, mut call: impl FnMut(), settle: impl Fn()) -> Measurement {
    for _ in 0..plan.warm_up_bursts() {
        call();
        settle();
    }
    let mut burst_ns = Vec::with_capacity(plan.bursts as usize);
    let count_before = plan.count();
    let cpu_before_ns = process_cpu_ns();
    let mut caller_allocations = 0;
    for _ in 0..plan.bursts {
        let before = plan.count();
        let watch = Stopwatch::start();
        call();
        burst_ns.push(watch.elapsed_ns());
        caller_allocations += plan.count().calls - before.calls;
        settle();
    }
    let cpu_ns = process_cpu_ns() - cpu_before_ns;
    let count = plan.count();
    let total = u64::from(operations) * u64::from(plan.bursts);
    let per_operation = |sum: u64| sum as f64 / total as f64;
    let counted = |sum: u64| plan.count.map(|_| per_operation(sum));
    Measurement {
        caller_ns: median(burst_ns.into_iter().map(|ns| ns as f64 / f64::from(operations))),
        cpu_ns: per_operation(cpu_ns),
        caller_allocations: counted(caller_allocations),
        allocations: counted(count.calls - count_before.calls),
        allocated_bytes: counted(count.bytes - count_before.bytes),
        round_trip_ns: 0.0,
        operations: total,
        misplaced: 0,
    }
}
