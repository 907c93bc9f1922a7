//! tta on Redis: cached values and memories that processes share.
//!
//! - [`Redis`]: a handle to one server or, with the feature `cluster`, to a cluster. It connects
//!   when it is first used, and again by itself after every loss.
//! - [`RedisCache`]: a [`CacheStore`](tta_primitives::cache::CacheStore).
//! - [`RedisMemory`]: a [`MemoryBackend`](tta_primitives::MemoryBackend).
//!
//! ```no_run
//! use tta_primitives::{Context, Memory};
//! use tta_redis::{Environment, Redis, RedisMemory};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let redis = Redis::builder("redis://app@cache.internal:6379")
//!     .password("read from a secret, never written in code")
//!     .environment(Environment::Production)
//!     .build()?;
//! let facts = Memory::<String>::builder("facts").backend(RedisMemory::new(&redis, "facts")?).build()?;
//! facts.add("user:ada:city", "London".to_owned(), None, &Context::new()).await?;
//! # Ok(()) }
//! ```
//!
//! # While Redis is gone
//! Nothing blocks: an operation ends at the latest after the connect and response timeouts, and
//! at once while the handle waits between two attempts to connect. Requests that a silent server
//! leaves unanswered are bounded: at the bound, or when nothing came for a response timeout, the
//! connection is given up with all that waits in it.
//!
//! # Versions
//! Redis 7.0 or later, or Valkey. RedisMemory needs the right to run `EVAL`.
//!
//! # Features
//! - `cluster`: Redis Cluster.
//! - `messagepack`: the codec `MessagePack`.
//! - `tls`: `rediss://` URLs.
//!
//! Owns the connection, the form of what is stored, and keys. Knows nothing of HTTP, and reads
//! neither files nor environment variables.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod address;
mod cache;
mod codec;
mod config;
mod connection;
mod envelope;
mod failure;
mod handle;
mod link;
mod memory;
mod names;
mod vitals;

pub use cache::RedisCache;
#[cfg(feature = "messagepack")]
pub use codec::MessagePack;
pub use codec::{Codec, CodecError, Json};
pub use config::{Environment, RedisBuilder, RedisConfigError};
pub use handle::Redis;
pub use memory::RedisMemory;
