//! The contract of cache stores.
// Placeholder until the cache itself is merged; on a conflict take the other side, whole.

mod key;
mod store;

pub use key::CacheKey;
pub use store::{CacheStore, Entry, Found, Hit, Kept, Payload, Reply, StoreError};
