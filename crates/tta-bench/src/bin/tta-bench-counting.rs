//! Counts allocations and takes no times: two shared atomic additions on every call of the
//! allocator would be charged to whoever allocates, and the more so on two threads.
#![forbid(unsafe_code)]

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use tta_bench::AllocationCount;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> anyhow::Result<()> {
    tta_bench::main(Some(|| {
        let stats = GLOBAL.stats();
        AllocationCount {
            calls: (stats.allocations + stats.reallocations) as u64,
            bytes: stats.bytes_allocated as u64,
            live_bytes: stats.bytes_allocated.saturating_sub(stats.bytes_deallocated) as u64,
        }
    }))
}
