//! Comparisons of tta with its peers, re-runnable by anyone: `cargo run --release -p tta-bench`.
//!
//! Owns the cases, the way they are measured and the tables in `docs/performance.md`. Does not own
//! the figures to beat, and asserts none: it prints what it measured.
//!
//! Three binaries share this library. `tta-bench` is the driver; it also runs single cases on the
//! platform's allocator, `tta-bench-mimalloc` runs them on mimalloc, and `tta-bench-counting`
//! counts allocations and takes no times. Every measurement is a process of its own.
//!
//! To add an implementation of spans: implement [`peer::SpanPeer`], or [`peer::TracingPeer`] where
//! `tracing`'s macros make the spans, in a module of [`peers`] and name it in
//! [`peers::IMPLEMENTATIONS`]. To add a way of running steps, of carrying headers on or of leaving
//! a library's span unrecorded: add a row to [`steps`], [`policies`], [`propagation`] or
//! [`library_spans`], and of deciding which traces are kept: to [`decisions`]. To add a library of metrics: implement the trait in `metrics::load` and add
//! its rows to [`metrics`]. What goes over the network, and what a scrape costs, have their own
//! cases and figures, in `redis`, `ingest`, `export`, `push` and `scrape`.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod arguments;
mod bursts;
mod clock;
mod distance;
mod document;
mod driver;
mod durations;
mod export;
mod gate;
mod group;
mod ingest;
mod jobs;
mod machine;
mod measurement;
mod memory;
mod placement;
mod push;
mod quantile;
mod receiver;
mod redis;
mod report;
mod rounds;
mod scrape;
mod settler;
mod table;
mod targets;
mod workload;

pub mod case;
pub mod decisions;
pub mod expectation;
pub mod library_spans;
pub mod metrics;
pub mod peer;
pub mod peers;
pub mod policies;
pub mod propagation;
pub mod row;
pub mod run;
pub mod steps;

pub use measurement::{AllocationCount, Measurement, Plan};
pub use workload::{Attributes, KEYS};

use arguments::Arguments;
use group::GroupCase as _;
use serde::Serialize;
use std::fmt::Debug;
use std::io::Write as _;

/// Runs the command line: one case when `--case` is given, the whole comparison otherwise.
///
/// `count` reads the allocator's counters, in the binary whose allocator has some.
///
/// # Errors
/// On arguments that are not understood, a case that cannot run, or a file that cannot be written.
pub fn main(count: Option<fn() -> AllocationCount>) -> anyhow::Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    anyhow::ensure!(!cfg!(debug_assertions), "an unoptimised build measures nothing: run with `--release`");
    let Some(name) = &arguments.case else {
        return driver::drive(&arguments);
    };
    let plan = Plan { bursts: arguments.bursts(), count };
    if let Some(case) = redis::Case::find(name) {
        print(&arguments, name, &case.run(&plan)?)
    } else if let Some(case) = ingest::Case::find(name) {
        print(&arguments, name, &case.run(&plan)?)
    } else if let Some(case) = export::Case::find(name) {
        print(&arguments, name, &case.run(&plan)?)
    } else if let Some(case) = push::Case::find(name) {
        print(&arguments, name, &case.run(&plan)?)
    } else if let Some(delay) = receiver::find(name) {
        receiver::serve(delay)
    } else if let Some(case) = scrape::Case::find(name) {
        print(&arguments, name, &case.run(&plan)?)
    } else if name == scrape::MEMORY {
        print(&arguments, name, &scrape::memory(&plan)?)
    } else {
        print(&arguments, name, &jobs::find(name)?.run(&plan)?)
    }
}

fn print(arguments: &Arguments, name: &str, result: &(impl Serialize + Debug)) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(result)?)?;
    } else {
        writeln!(out, "{name}: {result:#?}")?;
    }
    Ok(())
}
