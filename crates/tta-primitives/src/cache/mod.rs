//! Keeping what a step has made, so that it need not be made again.
//!
//! Owns the handle, single flight, staleness and accounting. Where values are kept is a store's
//! matter: `store` is the contract, `memory` the store of this process. `run` is the way of an
//! execution through all of it, `handle` what user code does by hand, `shared` what both rest on.

mod config;
mod error;
mod flights;
mod handle;
mod invalidations;
mod key;
mod memory;
mod metrics;
mod reach;
mod refresh;
mod run;
mod shared;
mod stats;
mod store;

pub use config::CacheBuilder;
pub use error::CachedFailure;
pub use handle::Cache;
pub use key::{CacheKey, CacheKeyParts, CacheKeyWriter, IntoCacheKey};
pub use memory::MemoryStore;
pub(crate) use run::Cached;
pub use stats::CacheStats;
pub use store::{CacheStore, Entry, Found, Hit, Kept, Payload, Reply, StoreError};
