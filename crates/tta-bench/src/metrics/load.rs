//! Updates of sixteen series by one thread or by two, and the check that none was lost.

use crate::clock::{Stopwatch, process_cpu_ns};
use crate::distance::round_trip_ns;
use crate::durations::log_normal;
use crate::gate::Gate;
use crate::measurement::{AllocationCount, Measurement, Plan, median};
use crate::placement::Placement;
use std::hint::black_box;
use std::sync::OnceLock;

pub(super) const SERIES: usize = 16;

/// The label, and its values.
pub(super) const KEY: &str = "route";
pub(super) const ROUTES: [&str; SERIES] = [
    "/api/items/00",
    "/api/items/01",
    "/api/items/02",
    "/api/items/03",
    "/api/items/04",
    "/api/items/05",
    "/api/items/06",
    "/api/items/07",
    "/api/items/08",
    "/api/items/09",
    "/api/items/10",
    "/api/items/11",
    "/api/items/12",
    "/api/items/13",
    "/api/items/14",
    "/api/items/15",
];

/// The upper limits of everybody's buckets, in seconds: tta's defaults.
pub(super) const BUCKETS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

pub(super) const COUNTER: &str = "bench_requests_total";
pub(super) const HISTOGRAM: &str = "bench_latency_seconds";
pub(super) const HELP: &str = "What the benchmark records.";

/// How often a thread updates every series in one burst.
const TURNS: u32 = 500;

/// Updates of one burst and thread.
pub(super) const BURST_UPDATES: u32 = TURNS * SERIES as u32;

/// A duration, in the forms that libraries take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) seconds: f64,
    pub(super) nanos: u64,
}

/// One library's way of recording into sixteen series of one metric.
pub(super) trait Updates: Sized + Sync {
    /// Whether anything is recorded in this build.
    const RECORDS: bool = true;

    fn start() -> anyhow::Result<Self>;

    /// Updates every series once; a counter by one.
    fn update_each(&self, values: &[Value; SERIES]);

    /// What has to be done from time to time, on another thread than that which records.
    fn settle(&self) {}

    /// How many updates every series has seen.
    fn counted(&self) -> anyhow::Result<[u64; SERIES]>;
}

/// The loop itself.
pub(super) struct Nothing;

impl Updates for Nothing {
    const RECORDS: bool = false;

    fn start() -> anyhow::Result<Self> {
        Ok(Self)
    }

    fn update_each(&self, values: &[Value; SERIES]) {
        for value in values {
            black_box(value);
        }
    }

    fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
        Ok([0; SERIES])
    }
}

/// What the calling threads share.
struct Session<'a, U> {
    updates: &'a U,
    plan: &'a Plan,
    values: Vec<[Value; SERIES]>,
    gate: Gate,
    baseline: OnceLock<(u64, AllocationCount)>,
}

/// What one calling thread saw.
#[derive(Default)]
struct Log {
    burst_ns: Vec<u64>,
    waiting_cpu_ns: u64,
    allocations: u64,
}

/// Measures with so many threads that all update the same series.
pub(super) fn measured<U: Updates, const THREADS: u32>(plan: &Plan) -> anyhow::Result<Measurement> {
    let placement = Placement::of_this_process();
    let distance_before_ns = round_trip_ns(&placement);
    placement.enter_background();
    let updates = U::start()?;
    let counted_before = updates.counted()?;
    let session =
        Session { updates: &updates, plan, values: values(), gate: Gate::new(THREADS), baseline: OnceLock::new() };
    let logs: Vec<Log> = std::thread::scope(|scope| {
        let (session, placement) = (&session, &placement);
        let callers = (0..THREADS).map(|caller| {
            scope.spawn(move || {
                placement.enter_caller(caller);
                session.call(caller == 0)
            })
        });
        let callers: Vec<_> = callers.collect();
        callers.into_iter().filter_map(|caller| caller.join().ok()).collect()
    });
    let (cpu_ns, count) = (process_cpu_ns(), plan.count());
    anyhow::ensure!(logs.len() == THREADS as usize, "a calling thread panicked");
    let turns = u64::from(THREADS) * u64::from(TURNS) * u64::from(plan.bursts + plan.warm_up_bursts());
    check::<U>(&counted_before, &updates.counted()?, turns)?;
    let measurement = session.measurement(&logs, cpu_ns, count)?;
    Ok(Measurement { round_trip_ns: distance_before_ns.max(round_trip_ns(&placement)), ..measurement })
}

/// Every series must have counted every update, and no other.
fn check<U: Updates>(before: &[u64; SERIES], after: &[u64; SERIES], turns: u64) -> anyhow::Result<()> {
    for ((route, before), after) in ROUTES.iter().zip(before).zip(after) {
        let counted = after.saturating_sub(*before);
        anyhow::ensure!(!U::RECORDS || counted == turns, "`{route}` was updated {turns} times and counted {counted}");
    }
    Ok(())
}

impl<U: Updates> Session<'_, U> {
    /// Everything that one thread does; the leader also takes the baseline.
    fn call(&self, leads: bool) -> Log {
        self.bursts(self.plan.warm_up_bursts(), leads);
        self.gate.pass();
        if leads {
            self.baseline.get_or_init(|| (process_cpu_ns(), self.plan.count()));
        }
        self.bursts(self.plan.bursts, leads)
    }

    fn bursts(&self, bursts: u32, leads: bool) -> Log {
        let mut log = Log { burst_ns: Vec::with_capacity(bursts as usize), ..Log::default() };
        for _ in 0..bursts {
            log.waiting_cpu_ns += self.gate.pass();
            let before = self.plan.count();
            let watch = Stopwatch::start();
            for values in self.values.iter().cycle().take(TURNS as usize) {
                self.updates.update_each(black_box(values));
            }
            log.burst_ns.push(watch.elapsed_ns());
            log.allocations += self.plan.count().calls - before.calls;
            log.waiting_cpu_ns += self.gate.pass();
            if leads {
                self.updates.settle();
            }
        }
        log
    }

    fn measurement(&self, logs: &[Log], cpu_ns: u64, count: AllocationCount) -> anyhow::Result<Measurement> {
        let (cpu_before_ns, count_before) =
            *self.baseline.get().ok_or_else(|| anyhow::anyhow!("the measured part never began"))?;
        let of_burst = u64::from(BURST_UPDATES) * logs.len() as u64;
        let operations = of_burst * u64::from(self.plan.bursts);
        let per_update = |sum: u64| sum as f64 / operations as f64;
        let counted = |sum: u64| self.plan.count.map(|_| per_update(sum));
        let sum = |part: fn(&Log) -> u64| logs.iter().map(part).sum::<u64>();
        let burst_ns = |burst: usize| logs.iter().filter_map(|log| log.burst_ns.get(burst)).sum::<u64>();
        let waiting_cpu_ns = sum(|log| log.waiting_cpu_ns);
        Ok(Measurement {
            caller_ns: median((0..self.plan.bursts as usize).map(|burst| burst_ns(burst) as f64 / of_burst as f64)),
            cpu_ns: per_update((cpu_ns - cpu_before_ns).saturating_sub(waiting_cpu_ns)),
            caller_allocations: counted(sum(|log| log.allocations)).filter(|_| logs.len() == 1),
            allocations: counted(count.calls - count_before.calls),
            allocated_bytes: counted(count.bytes - count_before.bytes),
            round_trip_ns: 0.0,
            operations,
            misplaced: 0,
        })
    }
}

/// Durations with a median of 10 ms.
fn values() -> Vec<[Value; SERIES]> {
    const ROWS: usize = 64;
    let values = log_normal(ROWS * SERIES).into_iter().map(|multiple| {
        let seconds = 0.01 * multiple;
        Value { seconds, nanos: (seconds * 1e9) as u64 }
    });
    let values: Vec<Value> = values.collect();
    values.as_chunks::<SERIES>().0.to_vec()
}

/// The counts of the series in a page of Prometheus' text format; those that are not there are 0.
pub(super) fn counts_in(page: &str, sample: &str) -> anyhow::Result<[u64; SERIES]> {
    let mut counts = [0; SERIES];
    for (count, route) in counts.iter_mut().zip(ROUTES) {
        let series = format!("{sample}{{{KEY}=\"{route}\"}} ");
        if let Some(value) = page.lines().find_map(|line| line.strip_prefix(&series)) {
            *count = value.parse()?;
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_by_their_series_alone() {
        let page = "# TYPE a counter\na{route=\"/api/items/01\"} 7\na_count{route=\"/api/items/02\"} 9\n";
        let counts = counts_in(page, "a").unwrap();
        assert_eq!((counts[1], counts[2], counts.iter().sum::<u64>()), (7, 0, 7));
        assert_eq!(counts_in(page, "a_count").unwrap()[2], 9);
        assert!(counts_in("a{route=\"/api/items/00\"} x\n", "a").is_err());
    }

    #[test]
    fn an_update_that_was_lost_is_an_error_that_names_its_series() {
        struct Loses;
        impl Updates for Loses {
            fn start() -> anyhow::Result<Self> {
                Ok(Self)
            }
            fn update_each(&self, _: &[Value; SERIES]) {}
            fn counted(&self) -> anyhow::Result<[u64; SERIES]> {
                Ok([0; SERIES])
            }
        }
        let error = measured::<Loses, 2>(&Plan { bursts: 1, count: None }).unwrap_err().to_string();
        assert_eq!(error, "`/api/items/00` was updated 21000 times and counted 0");
    }
}
