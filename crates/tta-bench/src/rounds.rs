//! Measures the jobs of a group in turn, round by round, A B A B, so that drift of the machine hits
//! all of them alike; and sees to it that all rounds of a group are at one distance between cores.

use crate::arguments::Arguments;
use crate::distance::are_alike;
use crate::driver::{Runners, measure};
use crate::jobs::Job;
use crate::measurement::{Measurement, median};
use std::io::Write as _;

/// How many rounds may be taken for each that is wanted.
const ROUNDS_PER_WANTED: usize = 3;

/// How often groups are measured again because the cores were at an unusual distance.
const SECOND_CHANCES: usize = 2;

/// One job with all that was measured of it.
pub(crate) struct Outcome {
    pub(crate) job: Job,
    pub(crate) glibc: Vec<Measurement>,
    pub(crate) mimalloc: Vec<Measurement>,
    pub(crate) counted: Measurement,
}

/// Jobs that are compared with each other, measured.
pub(crate) struct Group {
    pub(crate) outcomes: Vec<Outcome>,
    /// Between cores, there and back; `None` if no round was at one distance throughout.
    distance_ns: Option<f64>,
}

/// One turn of every job of a group.
struct Round {
    /// `None` if it changed during the round.
    distance_ns: Option<f64>,
    /// On glibc's malloc and on mimalloc.
    measurements: Vec<(Measurement, Measurement)>,
}

impl Group {
    /// Takes rounds until enough of them are at one distance, and keeps those.
    pub(crate) fn measure(arguments: &Arguments, runners: &Runners, jobs: &[Job]) -> anyhow::Result<Self> {
        let mut rounds = Vec::new();
        let (distance_ns, chosen) = loop {
            rounds.push(Round::take(arguments, runners, jobs)?);
            let (distance_ns, count) = commonest_distance(&rounds);
            if count >= arguments.rounds() {
                break (distance_ns, true);
            }
            if rounds.len() >= ROUNDS_PER_WANTED * arguments.rounds() {
                break (distance_ns, distance_ns.is_some());
            }
        };
        if chosen {
            rounds.retain(|round| round.is_at(distance_ns));
        }
        let mut outcomes = Vec::new();
        for (index, &job) in jobs.iter().enumerate() {
            let results = rounds.iter().filter_map(|round| round.measurements.get(index).copied());
            let (glibc, mimalloc) = results.unzip();
            let counted = measure(arguments, &runners.counting, &job)?;
            outcomes.push(Outcome { job, glibc, mimalloc, counted });
        }
        Ok(Self { outcomes, distance_ns })
    }

    fn jobs(&self) -> Vec<Job> {
        self.outcomes.iter().map(|outcome| outcome.job).collect()
    }
}

/// Measures those groups again that were not at the distance at which most were, so that tables can
/// be compared with each other, if the host allows.
pub(crate) fn measure_strays_again(
    arguments: &Arguments,
    runners: &Runners,
    groups: &mut [Group],
) -> anyhow::Result<()> {
    if arguments.quick {
        return Ok(());
    }
    for _ in 0..SECOND_CHANCES {
        let crossing = groups.iter().filter_map(|group| group.distance_ns).filter(|&ns| ns > 0.0);
        let usual_ns = median(crossing);
        let is_stray = |ns: Option<f64>| ns.is_none_or(|ns| ns > 0.0 && !are_alike(ns, usual_ns));
        for group in groups.iter_mut().filter(|group| is_stray(group.distance_ns)) {
            let again = Group::measure(arguments, runners, &group.jobs())?;
            if !is_stray(again.distance_ns) {
                *group = again;
            }
        }
    }
    Ok(())
}

/// The distance at which most rounds were, and their number.
fn commonest_distance(rounds: &[Round]) -> (Option<f64>, usize) {
    let distances = rounds.iter().map(|round| round.distance_ns).filter(Option::is_some);
    let counts = distances.map(|ns| (ns, rounds.iter().filter(|round| round.is_at(ns)).count()));
    counts.max_by_key(|&(_, count)| count).unwrap_or((None, 0))
}

impl Round {
    fn take(arguments: &Arguments, runners: &Runners, jobs: &[Job]) -> anyhow::Result<Self> {
        let mut measurements = Vec::new();
        for job in jobs {
            progress(job);
            let glibc = measure(arguments, &runners.glibc, job)?;
            measurements.push((glibc, measure(arguments, &runners.mimalloc, job)?));
        }
        let both = measurements.iter().flat_map(|(glibc, mimalloc)| [glibc, mimalloc]);
        let distances: Vec<f64> = both.map(|measurement| measurement.round_trip_ns).collect();
        let usual_ns = median(distances.iter().copied());
        let is_one = distances.iter().all(|&ns| are_alike(ns, usual_ns));
        Ok(Self { distance_ns: is_one.then_some(usual_ns), measurements })
    }

    fn is_at(&self, distance_ns: Option<f64>) -> bool {
        self.distance_ns.zip(distance_ns).is_some_and(|(left, right)| are_alike(left, right))
    }
}

impl Outcome {
    /// Spans that were kept or dropped contrary to what was asked, in all rounds.
    pub(crate) fn misplaced(&self) -> u64 {
        self.rounds().map(|measurement| measurement.misplaced).sum()
    }

    /// Every measurement that the figures rest on.
    pub(crate) fn rounds(&self) -> impl Iterator<Item = &Measurement> {
        self.glibc.iter().chain(&self.mimalloc)
    }
}

/// Says what runs, to whoever waits; a closed standard error is no reason to stop.
fn progress(job: &Job) {
    writeln!(std::io::stderr().lock(), "{}", job.name()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(distance_ns: Option<f64>) -> Round {
        Round { distance_ns, measurements: Vec::new() }
    }

    #[test]
    fn the_commonest_distance_wins_and_uneven_rounds_do_not_count() {
        let rounds = [Some(63.0), Some(630.0), None, Some(66.0), None, None].map(round);
        let (distance_ns, count) = commonest_distance(&rounds);
        assert_eq!(count, 2);
        assert!(distance_ns.is_some_and(|ns| ns < 70.0), "{distance_ns:?}");
    }

    #[test]
    fn uneven_rounds_only_have_no_distance() {
        assert_eq!(commonest_distance(&[round(None)]), (None, 0));
    }
}
