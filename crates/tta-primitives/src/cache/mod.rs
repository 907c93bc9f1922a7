//! Keeping what a step has made, so that it need not be made again.
//!
//! Owns the handle, single flight, staleness and accounting. Where values are kept is a store's
//! matter: `store` is the contract, `memory` the store of this process.

mod key;
mod memory;
mod store;

pub use key::{CacheKey, CacheKeyParts, CacheKeyWriter, IntoCacheKey};
pub use memory::MemoryStore;
pub use store::{CacheStore, Entry, Found, Hit, Kept, Payload, Reply, StoreError};
