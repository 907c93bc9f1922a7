//! The test kit: an engine that does nothing by itself, a clock that moves when told to, mock
//! steps, and traces as text.
//!
//! ```
//! use std::time::Duration;
//! use tta_primitives::testing::{Mock, TestEngine};
//! use tta_primitives::{Retry, step};
//!
//! let engine = TestEngine::new();
//! let fetch = Mock::new("fetch").fails(2, "no route to host").returns(7);
//! let flow = step(fetch.clone()).retry(Retry::new().build()?).named("load");
//!
//! // Two backoffs of about a second each pass in no time.
//! let result = engine.block_on(flow.run("key", &engine.context()));
//! assert_eq!(result?, 7);
//! assert_eq!(fetch.calls(), ["key", "key", "key"]);
//! # #[cfg(feature = "record")]
//! assert_eq!(engine.tree(), "\
//! load
//! ╰─ fetch (mock)
//!    ├─ attempt ✗ handled
//!    │     app: no route to host
//!    ├─ attempt ✗ handled
//!    │     app: no route to host
//!    ╰─ attempt
//! ");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Owns nothing that production code needs. The kit panics where a test has gone wrong.

pub mod cache_conformance;
mod engine;
mod memory_conformance;
mod mock;

pub use engine::TestEngine;
pub use memory_conformance::memory_conformance;
pub use mock::Mock;
pub use tta_telemetry::{ManualClock, MemorySink, TraceTree};
