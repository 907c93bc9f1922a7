//! The side of the comparison that runs on mimalloc. The driver starts it, one case at a time.
#![forbid(unsafe_code)]

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    tta_bench::main(None)
}
