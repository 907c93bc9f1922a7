//! What a calling thread records in one burst, for each way of recording. Does not know what a
//! measurement makes of it.

use crate::case::SpanCase;
use crate::clock::Stopwatch;
use crate::gate::Gate;
use crate::measurement::Plan;
use crate::peer::{Peer, SpanPeer, TracingPeer};
use crate::run::BURST_SPANS;
use crate::workload::Workload;
use std::sync::{PoisonError, RwLock};

/// State shared by the calling threads of one measurement.
pub(crate) struct Session<'a, P> {
    pub(crate) peer: &'a P,
    pub(crate) case: &'a SpanCase,
    pub(crate) plan: &'a Plan,
    pub(crate) workload: Workload,
    pub(crate) gate: Gate,
}

/// What one calling thread saw.
#[derive(Default)]
pub(crate) struct CallerLog {
    pub(crate) burst_ns: Vec<u64>,
    pub(crate) allocations: u64,
    pub(crate) waiting_cpu_ns: u64,
    pub(crate) settles: u64,
}

/// A way of recording, with what the calling threads share for it.
pub(crate) trait Bursts<P: Peer>: Default + Sync {
    /// Spans that each trace has besides those of the workload.
    const EXTRA_SPANS_PER_TRACE: u32 = 0;

    /// Records the share of one thread, which may be the leading one, in one burst. Returns the
    /// time it took, without the waiting.
    fn burst(&self, session: &Session<'_, P>, leads: bool, log: &mut CallerLog) -> u64;
}

/// Each thread records traces of its own, whose spans are given their parent.
#[derive(Default)]
pub(crate) struct Separate;

/// One thread records traces with the macros of `tracing`.
#[derive(Default)]
pub(crate) struct Entered;

/// Two threads record a branch of every trace each. Holds the roots of a burst.
pub(crate) struct Branched<R>(RwLock<Vec<R>>);

impl<P: SpanPeer> Bursts<P> for Separate {
    fn burst(&self, session: &Session<'_, P>, _leads: bool, log: &mut CallerLog) -> u64 {
        let Session { peer, workload, .. } = session;
        let spans = session.case.spans_per_trace;
        timed_traces(session, log, |turn| {
            let attributes = workload.attributes(turn);
            if spans == 1 {
                peer.solitary(&attributes);
                return;
            }
            let root = peer.root(&attributes);
            for step in 1..spans {
                peer.child(&root, &workload.attributes(step));
            }
            peer.end(root);
        })
    }
}

impl<P: TracingPeer> Bursts<P> for Entered {
    const EXTRA_SPANS_PER_TRACE: u32 = P::OWN_SPANS_PER_TRACE;

    fn burst(&self, session: &Session<'_, P>, _leads: bool, log: &mut CallerLog) -> u64 {
        let spans = session.case.spans_per_trace;
        timed_traces(session, log, |turn| {
            session.peer.around(|| session.workload.enter_spans(turn, spans));
        })
    }
}

/// Records a burst of traces. Returns the time it took.
#[inline]
fn timed_traces<P>(session: &Session<'_, P>, log: &mut CallerLog, mut trace: impl FnMut(u32)) -> u64 {
    let traces = BURST_SPANS / session.case.spans_per_trace;
    let before = session.plan.count();
    let watch = Stopwatch::start();
    for turn in 0..traces {
        trace(turn);
    }
    let ns = watch.elapsed_ns();
    log.allocations += session.plan.count().calls - before.calls;
    ns
}

impl<R> Default for Branched<R> {
    fn default() -> Self {
        Self(RwLock::new(Vec::with_capacity(2 * BURST_SPANS as usize)))
    }
}

impl<P: SpanPeer> Bursts<P> for Branched<P::Root> {
    /// The leader also opens and closes the roots.
    fn burst(&self, session: &Session<'_, P>, leads: bool, log: &mut CallerLog) -> u64 {
        let Session { peer, workload, case, gate, .. } = session;
        let spans = case.spans_per_trace;
        let traces = BURST_SPANS * case.shape.threads() / spans;
        // An odd number of children leaves the leader one more.
        let share = (spans - 1 + u32::from(leads)) / 2;
        let mut ns = 0;
        if leads {
            let mut roots = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let watch = Stopwatch::start();
            for turn in 0..traces {
                roots.push(peer.root(&workload.attributes(turn)));
            }
            ns += watch.elapsed_ns();
        }
        log.waiting_cpu_ns += gate.pass();
        {
            let roots = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let watch = Stopwatch::start();
            for root in roots.iter() {
                for step in 0..share {
                    peer.child(root, &workload.attributes(step));
                }
            }
            ns += watch.elapsed_ns();
        }
        log.waiting_cpu_ns += gate.pass();
        if leads {
            let mut roots = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let watch = Stopwatch::start();
            for root in roots.drain(..) {
                peer.end(root);
            }
            ns += watch.elapsed_ns();
        }
        ns
    }
}
