//! Composable async primitives that observe themselves.
//!
//! Write plain async functions, compose them with `>>` (then) and `|` (side by side), and run the
//! result: every run is one trace, every step one span with its duration, outcome and decisions.
//!
//! ```
//! use tta_primitives::{Context, Result, step, workflow};
//!
//! async fn validate(text: String) -> Result<String, String> {
//!     if text.is_empty() { Err("the text is empty".to_owned()) } else { Ok(text) }
//! }
//! async fn words(text: String) -> Result<usize, String> { Ok(text.split_whitespace().count()) }
//! async fn letters(text: String) -> Result<usize, String> { Ok(text.chars().filter(|c| c.is_alphabetic()).count()) }
//! async fn report((words, letters): (usize, usize)) -> Result<String, String> {
//!     Ok(format!("{letters} letters in {words} words"))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let triage = workflow("triage", validate) >> (step(words) | letters) >> report;
//! let said = triage.run("to be or not to be".to_owned(), &Context::new()).await?;
//! assert_eq!(said, "13 letters in 6 words");
//! # Result::<()>::Ok(()) }).unwrap();
//! ```
//!
//! # The rules of composition
//! - The first operand of a chain or a fan is wrapped, `workflow(name, f)` or `step(f)`: Rust
//!   allows operators on a crate's own types only. What follows stands bare.
//! - `a >> b | c` means `(a >> b) | c`. Write `a >> (step(b) | c) >> d` to fan out after `a`.
//! - A bare async function names its step. A closure behind an operator needs the type of its
//!   argument; [`Workflow::then`], [`Workflow::map`] and [`Workflow::try_map`] infer it. Only the
//!   last operand may be a bare closure: `a >> |x| f(x) >> b` is one closure.
//! - [`with_context`], [`sync`] and [`blocking`] turn other functions into steps;
//!   [`Context::current`] gives the context inside any step.
//! - A step that panics fails with [`ErrorKind::Panic`]; siblings and process go on. This needs
//!   `panic = "unwind"`, Rust's default.
//!
//! # Features
//! - `record` (default): recording. Without it primitives run and nothing is recorded.
//! - `tower`: tower services as steps, `service`, and workflows as services,
//!   `Workflow::into_service`.
//! - `test-util`: the test kit, `testing`.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod budget;
mod bulkhead;
pub mod cache;
mod causes;
mod circuit_breaker;
mod clip;
mod conditional;
mod context;
mod decide;
mod engines;
mod error;
mod fallback;
mod graph;
mod hedge;
mod instrument;
pub mod interop;
mod lambda;
mod live_percentile;
mod memory;
mod named;
mod node;
mod observe;
mod parallel;
mod per_engine;
mod policy;
mod primitive;
mod rate_limit;
mod repeat;
mod retry;
mod router;
mod saga;
mod switch;
#[cfg(feature = "test-util")]
pub mod testing;
mod time;
mod timeout;
#[cfg(feature = "tower")]
mod tower;
mod workflow;

pub use budget::{BudgetSource, UnknownBudget};
pub use bulkhead::{Bulkhead, BulkheadBuilder, BulkheadFullError, BulkheadFullReason, BulkheadStats};
pub use cache::{
    Cache, CacheBuilder, CacheKey, CacheKeyParts, CacheKeyWriter, CacheStats, CacheStore, CachedFailure, IntoCacheKey,
};
pub use circuit_breaker::{
    CircuitBreaker, CircuitBreakerBuilder, CircuitOpenError, CircuitReason, CircuitState, CircuitStats,
};
pub use conditional::{Either, When, either, when};
pub use context::{
    CancelHandle, Checkpoint, Context, ContextBuilder, ContextError, CorrelationId, RunState, StateError,
};
pub use error::{BoxError, Error, ErrorKind, IntoError, Result, RetryHint};
pub use fallback::{Fallback, FallbackError, fallback};
pub use graph::Graph;
pub use hedge::{Hedge, HedgeBuilder, HedgeError, HedgeStats};
pub use instrument::{Run, Spawned, Traced, traced, traced_fn, try_traced};
pub use lambda::{Blocking, SyncFn, WithContext, blocking, sync, with_context};
pub use memory::{
    LocalMemory, Made, Memory, MemoryBackend, MemoryBuilder, MemoryCounts, MemoryEntry, MemoryError, MemoryFuture,
    MemoryQuery, MemoryRecord, Search,
};
pub use named::{Named, named};
#[doc(hidden)]
pub use node::Steps;
pub use parallel::{FanOut, JoinError, Joined, Parallel, UniformFanOut, parallel};
pub use policy::PolicyError;
pub use primitive::Primitive;
pub use rate_limit::{KeyedRateLimit, RateKey, RateLimit, RateLimitBuilder, RateLimitStats, RateLimitedError};
pub use repeat::{Repeat, RepeatBuilder};
pub use retry::{Jitter, Retry, RetryBudget, RetryBuilder};
pub use router::{
    Route, RouteChoice, RouteOutcome, RouteReason, RouteStats, Router, RouterBuilder, RouterError, RouterHandle,
    RouterStats, RoutingDecision, complexity, router,
};
pub use saga::{FailedCompensation, Saga, SagaBuilder, SagaError, SagaStep, saga};
pub use switch::{Switch, SwitchWithoutDefault, switch};
pub use timeout::{Timeout, TimeoutBuilder};
#[cfg(feature = "tower")]
pub use tower::{ServiceStep, WorkflowService, service};
pub use workflow::{RunReport, Workflow, step, workflow};
