//! A scrape: how long reading all metrics takes, what it does to those who record meanwhile, and
//! what a series costs in memory. Updating metrics has families of its own, in `metrics`.

mod engine;
mod memory;
mod section;
mod timing;

use crate::arguments::Arguments;
use crate::driver::{self, Runners};
use crate::group::{GroupCase, Middle as _, middle_of};
use crate::measurement::Plan;
use std::io::Write as _;

pub(crate) use memory::{Memory, measure as memory};
pub(crate) use section::render;
pub(crate) use timing::Reading;

/// The name of the case that counts.
pub(crate) const MEMORY: &str = "scrape/memory";

/// Something that takes time.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// In the table, and after `scrape/` the name to run it by.
    name: &'static str,
    /// What is measured, as a sentence of the report.
    about: &'static str,
    run: fn(&Plan) -> anyhow::Result<Reading>,
}

/// In the order in which they take turns.
const CASES: &[Case] = &[
    Case {
        name: "collect",
        about: "`Telemetry::collect_metrics()` and freeing what it returned, while nothing else happens.",
        run: timing::collect,
    },
    Case {
        name: "collect and write",
        about: "the same, and the page written as Prometheus' text, in pieces of 32 KiB.",
        run: timing::collect_and_write,
    },
    Case {
        name: "collect, under load",
        about: "the same while a thread on another core records into these steps without a pause.",
        run: timing::collect_under_load,
    },
    Case {
        name: "record, quiet",
        about: "beginning and finishing an execution of one of the steps in turn, and two reads of \
            the clock, which are in the figures; nobody scrapes.",
        run: timing::record_quiet,
    },
    Case {
        name: "record, during scrapes",
        about: "the same while a thread on another core scrapes without a pause.",
        run: timing::record_during_scrapes,
    },
];

/// A case, measured on glibc's malloc and on mimalloc.
pub(crate) struct Timed {
    case: Case,
    glibc: Reading,
    mimalloc: Reading,
}

/// What was measured of those cases that were wanted.
pub(crate) struct Outcome {
    timed: Vec<Timed>,
    memory: Vec<Memory>,
}

impl GroupCase for Case {
    const GROUP: &'static str = "scrape";
    const CASES: &'static [Self] = CASES;
    type Reading = Reading;

    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, plan: &Plan) -> anyhow::Result<Reading> {
        (self.run)(plan)
    }
}

/// All wanted cases in turn, round by round; nothing if none is wanted.
pub(crate) fn measure(arguments: &Arguments, runners: &Runners) -> anyhow::Result<Option<Outcome>> {
    let cases = Case::wanted(arguments);
    let memory =
        if arguments.wants(MEMORY) { driver::run_case(arguments, &runners.counting, MEMORY)? } else { Vec::new() };
    if cases.is_empty() && memory.is_empty() {
        return Ok(None);
    }
    let mut rounds = Vec::new();
    for _ in 0..arguments.rounds() {
        let mut round = Vec::new();
        for case in &cases {
            let name = case.full_name();
            writeln!(std::io::stderr().lock(), "{name}").ok();
            let run = |runner| driver::run_case::<Reading>(arguments, runner, &name);
            round.push((run(&runners.glibc)?, run(&runners.mimalloc)?));
        }
        rounds.push(round);
    }
    let timed = cases.into_iter().enumerate().map(|(index, case)| {
        let (glibc, mimalloc): (Vec<_>, Vec<_>) = rounds.iter().filter_map(|round| round.get(index)).copied().unzip();
        Timed { case, glibc: Reading::middle(&glibc), mimalloc: Reading::middle(&mimalloc) }
    });
    Ok(Some(Outcome { timed: timed.collect(), memory }))
}

middle_of!(Reading { p50_us, p99_us, p999_us, longest_us, series });

#[cfg(test)]
mod tests {
    use super::*;

    // Without the recorder there are no steps to read.
    #[cfg(feature = "record")]
    #[test]
    fn every_case_reads_more_than_a_thousand_series() {
        for case in CASES {
            let reading = case.run(&Plan { bursts: 1, count: None }).unwrap();
            assert!(reading.series >= 1_000.0, "{}: {reading:?}", case.name);
            assert!(0.0 < reading.p50_us && reading.p50_us <= reading.p999_us, "{}: {reading:?}", case.name);
        }
    }

    #[cfg(feature = "record")]
    #[test]
    fn once_its_windows_are_full_an_engine_that_nobody_scrapes_grows_no_more() {
        let counts_nothing: fn() -> crate::AllocationCount = crate::AllocationCount::default;
        let moments = memory::at(&Plan { bursts: 1, count: Some(counts_nothing) }, &[0, 2, 3]).unwrap();
        let held: Vec<(u32, u64)> = moments.iter().map(|moment| (moment.hours, moment.heap_bytes)).collect();
        let [(0, start), (2, two), (3, three)] = held[..] else { panic!("{held:?}") };
        assert!(start < two && three <= two + two / 50, "{held:?}");
    }

    #[test]
    fn memory_cannot_be_measured_where_nothing_counts() {
        let error = memory(&Plan { bursts: 1, count: None }).unwrap_err().to_string();
        assert_eq!(error, "memory is counted by `tta-bench-counting`");
    }
}
