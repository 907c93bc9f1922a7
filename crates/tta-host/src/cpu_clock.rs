//! CPU time, as the operating system counts it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tta_telemetry::CpuTime;

/// The CPU time of the process and of its threads, for
/// [`TelemetryBuilder::cpu_time`](tta_telemetry::TelemetryBuilder::cpu_time). A reading takes some
/// hundred nanoseconds.
///
/// ```
/// use tta_host::CpuClock;
/// let telemetry = tta_telemetry::Telemetry::builder().cpu_time(CpuClock).build()?;
/// # Ok::<(), tta_telemetry::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuClock;

impl CpuTime for CpuClock {
    fn process(&self) -> Option<Duration> {
        read(ClockId::ProcessCPUTime)
    }

    fn thread(&self) -> Option<Duration> {
        read(ClockId::ThreadCPUTime)
    }
}

fn read(clock: ClockId) -> Option<Duration> {
    Duration::try_from(clock_gettime(clock)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_for_the_thread_that_does_it_and_for_the_process() {
        let before = (CpuClock.process().unwrap(), CpuClock.thread().unwrap());
        let work = || (0..2_000_000_u64).fold(0, |sum, i| std::hint::black_box(sum ^ i));
        std::thread::spawn(work).join().unwrap();
        let elsewhere = CpuClock.thread().unwrap() - before.1;
        work();
        let (process, thread) = (CpuClock.process().unwrap() - before.0, CpuClock.thread().unwrap() - before.1);
        assert!(thread > elsewhere && process > thread, "{process:?} {thread:?} {elsewhere:?}");
    }
}
