//! Measures one case of the span comparison in this process.
//!
//! Spans are recorded in bursts. The wall clock is read around each burst; between bursts the
//! background may catch up, so that every implementation runs without loss at its default
//! settings. CPU time is read once around all bursts and the shutdown.

use crate::bursts::{Branched, Bursts, CallerLog, Entered, Separate, Session};
use crate::case::{Shape, SpanCase};
use crate::clock::process_cpu_ns;
use crate::distance::round_trip_ns;
use crate::expectation::Recorded;
use crate::gate::Gate;
use crate::measurement::{AllocationCount, Measurement, Plan, median};
use crate::peer::{Peer, SpanPeer, TracingPeer};
use crate::placement::Placement;
use crate::settler::{self, Settler};
use crate::workload::Workload;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Spans that a thread records in one burst: a multiple of every trace size.
pub const BURST_SPANS: u32 = 1_000;

/// The state of the counters when the measured part began.
#[derive(Clone, Copy)]
struct Baseline {
    cpu_ns: u64,
    count: AllocationCount,
    idle_settle_cpu_ns: u64,
}

/// What was counted until after the shutdown.
struct Totals {
    baseline: Baseline,
    cpu_ns: u64,
    count: AllocationCount,
    service_cpu_ns: u64,
    misplaced: u64,
}

/// Measures `case` with the implementation `P`, whose spans are given their parent.
///
/// # Errors
/// If the implementation cannot be set up or shut down.
pub fn run<P: SpanPeer>(case: &SpanCase, plan: &Plan) -> anyhow::Result<Measurement> {
    match case.shape {
        Shape::TwoBranches => measure::<P, Branched<P::Root>>(case, plan),
        Shape::OneThread | Shape::TwoThreads | Shape::Tracing => measure::<P, Separate>(case, plan),
    }
}

/// Measures `case` with the implementation `P`, which records the spans of `tracing`'s macros.
///
/// # Errors
/// If the implementation cannot be set up or shut down.
pub fn run_tracing<P: TracingPeer>(case: &SpanCase, plan: &Plan) -> anyhow::Result<Measurement> {
    measure::<P, Entered>(case, plan)
}

fn measure<P: Peer, B: Bursts<P>>(case: &SpanCase, plan: &Plan) -> anyhow::Result<Measurement> {
    let placement = Placement::of_this_process();
    let distance_before_ns = round_trip_ns(&placement);
    placement.enter_background();
    let peer = P::start(case.fate)?;
    let gate = Gate::new(case.shape.threads());
    let session = Session { peer: &peer, case, plan, workload: Workload::new(), gate };
    let bursts = B::default();
    let baseline = OnceLock::new();
    let logs = Mutex::new(Vec::new());
    let call = |caller, settler: Option<Settler>| {
        placement.enter_caller(caller);
        let log = Caller { session: &session, bursts: &bursts, settler: settler.as_ref() }.call(&baseline);
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
    // Roots hold on to what they were made by.
    drop(bursts);
    let reported = peer.finish()?;
    let traces = recorded_spans(case, plan) / u64::from(case.spans_per_trace);
    let spans_per_trace = u64::from(case.spans_per_trace + B::EXTRA_SPANS_PER_TRACE);
    let totals = Totals {
        baseline: baseline.into_inner().ok_or_else(|| anyhow::anyhow!("the measured part never began"))?,
        cpu_ns: process_cpu_ns(),
        count: plan.count(),
        service_cpu_ns,
        misplaced: P::REPORTS.misplaced(&Recorded { fate: case.fate, traces, spans_per_trace }, reported),
    };
    let logs = logs.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Measurement {
        round_trip_ns: distance_before_ns.max(round_trip_ns(&placement)),
        ..totals.per_span(case, plan, &logs)
    })
}

/// Spans of one burst of all threads.
fn burst_spans(case: &SpanCase) -> u64 {
    u64::from(BURST_SPANS) * u64::from(case.shape.threads())
}

/// Spans of all bursts, those of the warm-up included.
fn recorded_spans(case: &SpanCase, plan: &Plan) -> u64 {
    burst_spans(case) * u64::from(plan.bursts + plan.warm_up_bursts())
}

impl Totals {
    fn per_span(&self, case: &SpanCase, plan: &Plan, logs: &[CallerLog]) -> Measurement {
        let burst = burst_spans(case);
        let operations = burst * u64::from(plan.bursts);
        let per_span = |total: u64| total as f64 / operations as f64;
        let counted = |total: u64| plan.count.map(|_| per_span(total));
        let sum = |part: fn(&CallerLog) -> u64| logs.iter().map(part).sum::<u64>();

        let settling_ns = sum(|log| log.settles) * self.baseline.idle_settle_cpu_ns;
        let harness_ns = sum(|log| log.waiting_cpu_ns) + self.service_cpu_ns + settling_ns;
        let cpu_ns = (self.cpu_ns - self.baseline.cpu_ns).saturating_sub(harness_ns);
        let allocations = counted(sum(|log| log.allocations));
        Measurement {
            caller_ns: median((0..plan.bursts as usize).map(|i| {
                let ns: u64 = logs.iter().filter_map(|log| log.burst_ns.get(i)).sum();
                ns as f64 / burst as f64
            })),
            cpu_ns: per_span(cpu_ns),
            caller_allocations: allocations.filter(|_| case.shape.threads() == 1),
            allocations: counted(self.count.calls - self.baseline.count.calls),
            allocated_bytes: counted(self.count.bytes - self.baseline.count.bytes),
            round_trip_ns: 0.0,
            operations,
            misplaced: self.misplaced,
        }
    }
}

/// One calling thread; the one with the settler leads.
struct Caller<'a, P, B> {
    session: &'a Session<'a, P>,
    bursts: &'a B,
    settler: Option<&'a Settler>,
}

impl<P: Peer, B: Bursts<P>> Caller<'_, P, B> {
    /// Everything this thread does.
    fn call(&self, baseline: &OnceLock<Baseline>) -> CallerLog {
        let plan = self.session.plan;
        let mut log = CallerLog::default();
        self.record(plan.warm_up_bursts(), &mut log);
        self.session.gate.pass();
        if let Some(settler) = self.settler {
            settler.settle();
            baseline.get_or_init(|| {
                let idle_settle_cpu_ns = settler.idle_settle_cpu_ns();
                Baseline { cpu_ns: process_cpu_ns(), count: plan.count(), idle_settle_cpu_ns }
            });
        }
        let mut log = CallerLog::default();
        log.burst_ns.reserve(plan.bursts as usize);
        self.record(plan.bursts, &mut log);
        log
    }

    fn record(&self, bursts: u32, log: &mut CallerLog) {
        let gate = &self.session.gate;
        let between_settles = (P::SPANS_PER_SETTLE / BURST_SPANS).max(1);
        for burst in 1..=bursts {
            log.waiting_cpu_ns += gate.pass();
            let ns = self.bursts.burst(self.session, self.settler.is_some(), log);
            log.burst_ns.push(ns);
            if burst % between_settles == 0 {
                log.waiting_cpu_ns += gate.pass();
                if let Some(settler) = self.settler {
                    log.waiting_cpu_ns += settler.settle();
                    log.settles += 1;
                }
            }
        }
    }
}
