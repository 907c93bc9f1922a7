//! Reads the wall clock and the CPU clocks. The only place in the crate that does.

use rustix::time::{ClockId, clock_gettime};
use std::time::Instant;

/// Measures elapsed wall-clock time.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// CPU time used so far by all threads of this process, ended ones included.
pub(crate) fn process_cpu_ns() -> u64 {
    cpu_ns(ClockId::ProcessCPUTime)
}

/// CPU time used so far by the calling thread.
pub(crate) fn thread_cpu_ns() -> u64 {
    cpu_ns(ClockId::ThreadCPUTime)
}

fn cpu_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // Both fields of a CPU clock are non-negative.
    (time.tv_sec as u64) * 1_000_000_000 + time.tv_nsec as u64
}
