//! Measures one case of the span comparison in this process.
//!
//! Spans are recorded in bursts. The wall clock is read around each burst; between bursts the
//! background may catch up, so that every implementation runs without loss at its default
//! settings. CPU time is read once around all bursts and the shutdown.

use crate::case::{Fate, Shape, SpanCase};
use crate::clock::{Stopwatch, process_cpu_ns};
use crate::distance::round_trip_ns;
use crate::gate::Gate;
use crate::measurement::{AllocationCount, Measurement, Plan, median};
use crate::peer::SpanPeer;
use crate::placement::Placement;
use crate::settler::{self, Settler};
use crate::workload::Workload;
use std::sync::{Mutex, OnceLock, PoisonError, RwLock};

/// Spans that a thread records in one burst: a multiple of every trace size.
pub const BURST_SPANS: u32 = 1_000;

/// State shared by the calling threads of one measurement.
struct Session<'a, P: SpanPeer> {
    peer: &'a P,
    case: &'a SpanCase,
    plan: &'a Plan,
    workload: Workload,
    gate: Gate,
    /// The roots of a burst whose traces have branches.
    roots: RwLock<Vec<P::Root>>,
    baseline: OnceLock<Baseline>,
}

/// The state of the counters when the measured part began.
#[derive(Clone, Copy)]
struct Baseline {
    cpu_ns: u64,
    count: AllocationCount,
    idle_settle_cpu_ns: u64,
}

/// What one calling thread saw.
#[derive(Default)]
struct CallerLog {
    burst_ns: Vec<u64>,
    allocations: u64,
    waiting_cpu_ns: u64,
    settles: u64,
}

/// What was counted until after the shutdown.
struct Totals {
    baseline: Baseline,
    cpu_ns: u64,
    count: AllocationCount,
    service_cpu_ns: u64,
    /// Spans that reached the consumer; `None` if there are none to reach it.
    reported: Option<u64>,
}

/// Measures `case` with the implementation `P`.
///
/// # Errors
/// If the implementation cannot be set up or shut down.
pub fn run<P: SpanPeer>(case: &SpanCase, plan: &Plan) -> anyhow::Result<Measurement> {
    let placement = Placement::of_this_process();
    let distance_before_ns = round_trip_ns(&placement);
    placement.enter_background();
    let peer = P::start(case.fate)?;
    let session = Session {
        peer: &peer,
        case,
        plan,
        workload: Workload::new(),
        gate: Gate::new(case.shape.threads()),
        roots: RwLock::new(Vec::with_capacity(2 * BURST_SPANS as usize)),
        baseline: OnceLock::new(),
    };
    let logs = Mutex::new(Vec::new());
    let call = |caller, settler: Option<Settler>| {
        placement.enter_caller(caller);
        let log = session.call(settler.as_ref());
        logs.lock().unwrap_or_else(PoisonError::into_inner).push(log);
    };
    let (settler, service) = settler::pair();
    let service_cpu_ns = std::thread::scope(|scope| {
        let call = &call;
        scope.spawn(move || call(0, Some(settler)));
        for caller in 1..case.shape.threads() {
            scope.spawn(move || call(caller, None));
        }
        service.serve(&peer)
    });
    let baseline = session.baseline.get().copied();
    drop(session);
    let reported = peer.finish()?;
    let totals = Totals {
        baseline: baseline.ok_or_else(|| anyhow::anyhow!("the measured part never began"))?,
        cpu_ns: process_cpu_ns(),
        count: plan.count(),
        service_cpu_ns,
        reported: P::RECORDS.then_some(reported),
    };
    let logs = logs.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Measurement {
        round_trip_ns: distance_before_ns.max(round_trip_ns(&placement)),
        ..totals.per_span(case, plan, &logs)
    })
}

impl Totals {
    fn per_span(&self, case: &SpanCase, plan: &Plan, logs: &[CallerLog]) -> Measurement {
        let threads = u64::from(case.shape.threads());
        let burst = u64::from(BURST_SPANS) * threads;
        let operations = burst * u64::from(plan.bursts);
        let recorded = operations + burst * u64::from(plan.warm_up_bursts());
        let per_span = |total: u64| total as f64 / operations as f64;
        let counted = |total: u64| plan.count.map(|_| per_span(total));
        let sum = |part: fn(&CallerLog) -> u64| logs.iter().map(part).sum::<u64>();

        let settling_ns = sum(|log| log.settles) * self.baseline.idle_settle_cpu_ns;
        let harness_ns = sum(|log| log.waiting_cpu_ns) + self.service_cpu_ns + settling_ns;
        let cpu_ns = (self.cpu_ns - self.baseline.cpu_ns).saturating_sub(harness_ns);
        let allocations = counted(sum(|log| log.allocations));
        let to_report = if case.fate == Fate::Kept { recorded } else { 0 };
        Measurement {
            caller_ns: median((0..plan.bursts as usize).map(|i| {
                let ns: u64 = logs.iter().filter_map(|log| log.burst_ns.get(i)).sum();
                ns as f64 / burst as f64
            })),
            cpu_ns: per_span(cpu_ns),
            caller_allocations: allocations.filter(|_| threads == 1),
            allocations: counted(self.count.calls - self.baseline.count.calls),
            allocated_bytes: counted(self.count.bytes - self.baseline.count.bytes),
            round_trip_ns: 0.0,
            operations,
            misplaced: self.reported.map_or(0, |reported| reported.abs_diff(to_report)),
        }
    }
}

impl<P: SpanPeer> Session<'_, P> {
    /// Everything one calling thread does; the one with the settler leads.
    fn call(&self, settler: Option<&Settler>) -> CallerLog {
        let mut log = CallerLog::default();
        self.bursts(settler, self.plan.warm_up_bursts(), &mut log);
        self.gate.pass();
        if let Some(settler) = settler {
            settler.settle();
            self.baseline.get_or_init(|| self.take_baseline(settler));
        }
        let mut log = CallerLog::default();
        log.burst_ns.reserve(self.plan.bursts as usize);
        self.bursts(settler, self.plan.bursts, &mut log);
        log
    }

    fn bursts(&self, settler: Option<&Settler>, bursts: u32, log: &mut CallerLog) {
        let between_settles = (P::SPANS_PER_SETTLE / BURST_SPANS).max(1);
        for burst in 1..=bursts {
            log.waiting_cpu_ns += self.gate.pass();
            let ns = match self.case.shape {
                Shape::OneThread | Shape::TwoThreads => self.separate_burst(log),
                Shape::TwoBranches => self.branched_burst(settler.is_some(), log),
            };
            log.burst_ns.push(ns);
            if burst % between_settles == 0 {
                log.waiting_cpu_ns += self.gate.pass();
                if let Some(settler) = settler {
                    log.waiting_cpu_ns += settler.settle();
                    log.settles += 1;
                }
            }
        }
    }

    /// Records traces of this thread's own. Returns the time it took.
    fn separate_burst(&self, log: &mut CallerLog) -> u64 {
        let before = self.plan.count();
        let watch = Stopwatch::start();
        self.record_traces(BURST_SPANS / self.case.spans_per_trace);
        let ns = watch.elapsed_ns();
        log.allocations += self.plan.count().calls - before.calls;
        ns
    }

    fn record_traces(&self, traces: u32) {
        let spans = self.case.spans_per_trace;
        for turn in 0..traces {
            let attributes = self.workload.attributes(turn);
            if spans == 1 {
                self.peer.solitary(&attributes);
                continue;
            }
            let root = self.peer.root(&attributes);
            for step in 1..spans {
                self.peer.child(&root, &self.workload.attributes(step));
            }
            self.peer.end(root);
        }
    }

    /// Records this thread's branch of every trace of the burst; the leader also opens and closes
    /// the roots. Returns the time it took, without the waiting.
    fn branched_burst(&self, leads: bool, log: &mut CallerLog) -> u64 {
        let spans = self.case.spans_per_trace;
        let traces = BURST_SPANS * self.case.shape.threads() / spans;
        // An odd number of children leaves the leader one more.
        let share = (spans - 1 + u32::from(leads)) / 2;
        let mut ns = 0;
        if leads {
            let mut roots = self.roots.write().unwrap_or_else(PoisonError::into_inner);
            let watch = Stopwatch::start();
            for turn in 0..traces {
                roots.push(self.peer.root(&self.workload.attributes(turn)));
            }
            ns += watch.elapsed_ns();
        }
        log.waiting_cpu_ns += self.gate.pass();
        {
            let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
            let watch = Stopwatch::start();
            for root in roots.iter() {
                for step in 0..share {
                    self.peer.child(root, &self.workload.attributes(step));
                }
            }
            ns += watch.elapsed_ns();
        }
        log.waiting_cpu_ns += self.gate.pass();
        if leads {
            let mut roots = self.roots.write().unwrap_or_else(PoisonError::into_inner);
            let watch = Stopwatch::start();
            for root in roots.drain(..) {
                self.peer.end(root);
            }
            ns += watch.elapsed_ns();
        }
        ns
    }

    fn take_baseline(&self, settler: &Settler) -> Baseline {
        let idle_settle_cpu_ns = settler.idle_settle_cpu_ns();
        Baseline { cpu_ns: process_cpu_ns(), count: self.plan.count(), idle_settle_cpu_ns }
    }
}
