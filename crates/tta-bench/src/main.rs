//! The driver, and the side of the comparison that runs on the platform's own allocator.
#![forbid(unsafe_code)]

fn main() -> anyhow::Result<()> {
    tta_bench::main(None)
}
