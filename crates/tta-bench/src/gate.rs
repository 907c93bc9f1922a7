//! Makes two calling threads begin at the same moment, and accounts for what that costs.

use crate::clock::thread_cpu_ns;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};

/// A meeting point that all calling threads pass together.
///
/// A barrier wakes its threads one after the other, tens of microseconds apart, which is as long as
/// a burst. So the threads meet twice: asleep at the barrier, then spinning.
pub(crate) struct Gate {
    threads: u32,
    barrier: Barrier,
    arrived: AtomicU32,
}

impl Gate {
    pub(crate) fn new(threads: u32) -> Self {
        Self { threads, barrier: Barrier::new(threads as usize), arrived: AtomicU32::new(0) }
    }

    /// Waits for the other threads, if there are any. Returns the CPU time that it used.
    pub(crate) fn pass(&self) -> u64 {
        if self.threads == 1 {
            return 0;
        }
        let before_ns = thread_cpu_ns();
        // The barrier orders the rounds: none can begin before all have seen the last one complete.
        self.barrier.wait();
        let arrival = self.arrived.fetch_add(1, Ordering::AcqRel);
        let all = (arrival / self.threads + 1) * self.threads;
        while self.arrived.load(Ordering::Acquire) < all {
            std::hint::spin_loop();
        }
        thread_cpu_ns() - before_ns
    }
}
