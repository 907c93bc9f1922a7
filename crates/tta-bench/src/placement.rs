//! Puts threads on cores, so that what crosses from one core to another does so in every run.
//!
//! Left to the scheduler, a collector runs now on its caller's core and now on another, and the
//! caller's time per span changes by a factor of two to four with it, within one run. A server has
//! its background work on another core most of the time, so that is what is measured: callers on
//! the first cores, everything else on the last.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this process may use, in ascending order.
pub(crate) struct Placement {
    cores: Vec<usize>,
}

impl Placement {
    /// Reads the cores from the affinity of the calling thread.
    pub(crate) fn of_this_process() -> Self {
        let cores = sched_getaffinity(None)
            .map_or_else(|_| Vec::new(), |set| (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect());
        Self { cores }
    }

    /// How many there are.
    pub(crate) fn cores(&self) -> usize {
        self.cores.len()
    }

    /// Puts the calling thread, and the threads that it starts later, on the background's core.
    pub(crate) fn enter_background(&self) {
        pin(self.cores.last());
    }

    /// Puts the calling thread on the core of the caller with this number.
    pub(crate) fn enter_caller(&self, caller: u32) {
        pin(self.cores.iter().cycle().nth(caller as usize));
    }
}

/// A thread that cannot be pinned stays where the scheduler puts it.
fn pin(core: Option<&usize>) {
    if let Some(&core) = core {
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(None, &set).ok();
    }
}
