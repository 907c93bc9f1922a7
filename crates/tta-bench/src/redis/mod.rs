//! Redis over the network: how long a lookup takes and how many there are in a second, through the
//! primitive and by its client alone. Does not measure what the library itself computes: that is
//! lost beside a round trip.
//!
//! Each measurement is a process of its own with a server of its own, which it starts.

mod by_client;
mod by_primitive;
mod load;
mod section;
mod server;

use crate::arguments::Arguments;
use crate::group::{GroupCase, middle_of};
use crate::measurement::Plan;
use server::Server;
use std::io::Write as _;
use std::path::Path;

pub(crate) use load::Reading;
pub(crate) use section::render;

/// One way of asking Redis.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// In the table, and after `redis/` the name to run it by.
    name: &'static str,
    /// What is measured, as a sentence of the report; empty where the name says it all.
    about: &'static str,
    run: fn(&Server, &Plan) -> anyhow::Result<Reading>,
}

/// In the order in which they take turns.
const CASES: &[Case] = &[
    Case {
        name: "hit, tta",
        about: "runs of one step whose value the cache finds in Redis, one after the other in one \
            task of a current-thread runtime; each run is recorded and its trace dropped.",
        run: by_primitive::hits,
    },
    Case {
        name: "GET, redis-rs",
        about: "the client alone, which gets the same entry from the server and does not decode it.",
        run: by_client::gets,
    },
    Case {
        name: "64 at a time, tta",
        about: "64 tasks that each do one run after the other, on a runtime with two workers and \
            over one connection. Four runs in five are hits; one looks up what is not there, runs \
            its step and keeps the value.",
        run: by_primitive::crowd,
    },
    Case {
        name: "64 at a time, redis-rs",
        about: "the same commands by the client alone: `GET`, and in one of five then `SET`.",
        run: by_client::crowd,
    },
];

/// What became of the comparison.
pub(crate) enum Outcome {
    /// There is no server to be started.
    Skipped,
    /// One row for each case that was wanted.
    Measured(Vec<(Case, Reading)>),
}

impl GroupCase for Case {
    const GROUP: &'static str = "redis";
    const CASES: &'static [Self] = CASES;
    type Reading = Reading;

    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, plan: &Plan) -> anyhow::Result<Reading> {
        (self.run)(&Server::start()?, plan)
    }
}

/// All wanted cases in turn, round by round; nothing if none is wanted.
pub(crate) fn measure(arguments: &Arguments, runner: &Path) -> anyhow::Result<Option<Outcome>> {
    let cases = Case::wanted(arguments);
    if cases.is_empty() {
        return Ok(None);
    }
    if Server::version().is_none() {
        writeln!(std::io::stderr().lock(), "redis: skipped, `{}` is not installed", server::PROGRAM).ok();
        return Ok(Some(Outcome::Skipped));
    }
    Ok(Some(Outcome::Measured(Case::take_turns(cases, arguments, runner)?)))
}

middle_of!(Reading { p50_us, p99_us, per_second });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_finds_what_it_should_in_a_server_of_its_own() {
        if Server::version().is_none() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{} is not installed", server::PROGRAM);
            eprintln!("skipped: {} is not installed", server::PROGRAM);
            return;
        }
        for case in CASES {
            let reading = case.run(&Plan { bursts: 1, count: None }).unwrap();
            assert!(0.0 < reading.p50_us && reading.p50_us <= reading.p99_us, "{}: {reading:?}", case.name);
            assert!(reading.per_second > 0.0, "{}: {reading:?}", case.name);
        }
    }
}
