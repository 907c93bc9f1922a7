//! Some of the traces that are not decided about, under one lock, and when each is due.
//!
//! A shard knows when its traces are due by three lists, each in order of time because whatever is in it
//! waits equally long: traces without a root, those whose root has come, and spans that follow an earlier
//! decision. Does not own the bounds of memory and time; see `assembly`.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::pending::Pending;
use super::remembered::Remembered;
use crate::id::TraceId;

/// A list this much longer than there are traces has entries of traces that are gone.
const SLACK: usize = 64;

#[derive(Debug)]
pub(super) struct Shard {
    pub(super) pending: HashMap<TraceId, Pending>,
    rootless: VecDeque<Due>,
    rooted: VecDeque<Due>,
    late: VecDeque<Due>,
    pub(super) remembered: Remembered,
}

/// When a trace is to be decided about, in nanoseconds since the receiver began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) at_ns: u64,
    pub(super) trace_id: TraceId,
    pub(super) serial: u64,
}

impl Shard {
    pub(super) fn new(remembered: usize) -> Self {
        Self {
            pending: HashMap::new(),
            rootless: VecDeque::new(),
            rooted: VecDeque::new(),
            late: VecDeque::new(),
            remembered: Remembered::new(remembered),
        }
    }

    /// A trace waits for its root. What left before it was due is left out now and then, so that the list
    /// is in proportion to what waits, however fast traces come and go.
    pub(super) fn is_rootless(&mut self, due: Due) {
        let Self { pending, rootless, .. } = self;
        if rootless.len() > 2 * pending.len() + SLACK {
            rootless.retain(|due| pending.get(&due.trace_id).is_some_and(|trace| waits_for_root(trace, due)));
        }
        rootless.push_back(due);
    }

    /// The root of a trace has come.
    pub(super) fn is_rooted(&mut self, due: Due) {
        self.rooted.push_back(due);
    }

    /// Spans wait for their like, to follow an earlier decision together.
    pub(super) fn is_late(&mut self, due: Due) {
        self.late.push_back(due);
    }

    /// Takes the trace that is due next, if that is wanted: those with a root first.
    pub(super) fn take_next(&mut self, is_wanted: impl Fn(&Due) -> bool) -> Option<Pending> {
        let Self { pending, rootless, rooted, late, .. } = self;
        let is_it = |trace: &Pending, due: &Due| trace.serial == due.serial;
        let lists: [(_, Belongs); 3] = [(rooted, is_it), (late, is_it), (rootless, waits_for_root)];
        for (list, is_its) in lists {
            while let Some(due) = list.front().copied().filter(&is_wanted) {
                list.pop_front();
                // It may have its root by now, or have been taken and come again since.
                if pending.get(&due.trace_id).is_some_and(|trace| is_its(trace, &due)) {
                    return pending.remove(&due.trace_id);
                }
            }
        }
        None
    }
}

/// Whether a trace is the one that an entry of a list is about.
type Belongs = fn(&Pending, &Due) -> bool;

/// Whether the trace is the one that was put into the list of those without a root, and belongs there.
fn waits_for_root(trace: &Pending, due: &Due) -> bool {
    trace.serial == due.serial && !trace.has_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_that_come_and_go_leave_no_list_behind_that_grows() {
        let mut shard = Shard::new(0);
        for serial in 1..=10_000 {
            let trace_id = TraceId::new(serial.into()).unwrap();
            shard.pending.insert(trace_id, Pending::new(trace_id, serial, None));
            shard.is_rootless(Due { at_ns: u64::MAX, trace_id, serial });
            assert!(shard.rootless.len() <= 2 * shard.pending.len() + SLACK + 1);
            // Its root came, and its time with that.
            if serial % 100 != 0 {
                shard.pending.remove(&trace_id);
            }
        }
        assert_eq!(shard.pending.len(), 100);
        let mut left: Vec<u64> = std::iter::from_fn(|| shard.take_next(|_| true)).map(|trace| trace.serial).collect();
        left.dedup();
        assert_eq!((left.len(), left[0], left[99]), (100, 100, 10_000));
    }
}
