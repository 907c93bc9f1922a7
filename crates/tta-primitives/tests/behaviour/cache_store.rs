//! The memory store against the suite that every store of the cache passes.

use tta_primitives::cache::MemoryStore;
use tta_primitives::testing::{TestEngine, cache_conformance};

#[test]
fn the_memory_store_passes_every_case() {
    let make = || async { MemoryStore::new(10_000).unwrap() };
    TestEngine::new().block_on(cache_conformance::all(&make));
}

#[test]
fn so_does_one_that_weighs_its_values() {
    let make = || async {
        let store = MemoryStore::new(10_000).unwrap();
        store.bounded_bytes(1 << 30, |text: &String| text.len() as u64).unwrap()
    };
    TestEngine::new().block_on(cache_conformance::all(&make));
}
