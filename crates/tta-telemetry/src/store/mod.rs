//! Kept traces, to be found again: what a store answers, and the store in memory.
//!
//! Owns questions ([`TraceQuery`]), answers ([`TraceSummary`], [`StoredTrace`]), the contract of
//! stores ([`TraceStore`]), the one in memory ([`MemoryTraceStore`]) and the feed of live traces
//! ([`LiveFeed`]). Does not own wire forms, disks or the decision which traces are kept.

mod error;
mod live;
mod matching;
mod memory;
mod query;
mod stored;
mod tags;

pub use error::{QueryError, StoreError};
pub use live::{LiveEvent, LiveFeed, LiveId, LiveTraces};
pub use memory::{MemoryTraceStore, MemoryTraceStoreBuilder};
pub use query::{TagFilter, TagScope, TraceQuery};
pub use stored::{ServiceSpans, StoredTrace, TraceSummary};
pub use tags::{TagNames, TagValues};

use crate::id::TraceId;
use crate::model::Name;

/// Kept traces, to be found again.
///
/// Calls may block, as a disk does: asynchronous programs call from threads for that. Every answer
/// is bounded.
pub trait TraceStore: Send + Sync + 'static {
    /// Traces that the query describes, the latest kept first.
    ///
    /// Pages are stable: the order is that in which traces were first kept, which does not change, so that
    /// following [`TracePage::next_cursor`] shows every trace that matches from the first page to the
    /// last exactly once, whatever is kept and evicted meanwhile. What is kept later is on no later page.
    ///
    /// # Errors
    /// A query or cursor that is none, or the store does not answer.
    fn search(&self, query: &TraceQuery) -> Result<TracePage, StoreError>;

    /// All that was kept of one trace; `None` when there is nothing.
    ///
    /// # Errors
    /// The store does not answer.
    fn trace(&self, trace_id: TraceId) -> Result<Option<StoredTrace>, StoreError>;

    /// Services that recorded spans of stored traces, by name.
    ///
    /// # Errors
    /// The store does not answer.
    fn services(&self) -> Result<Vec<Name>, StoreError>;

    /// What one service did: the names of its spans with their kinds, by name and kind.
    ///
    /// # Errors
    /// The store does not answer.
    fn operations(&self, service: &str) -> Result<Vec<Operation>, StoreError>;

    /// Keys of attributes in the latest traces, by name; at most 1,000.
    ///
    /// # Errors
    /// The store does not answer.
    fn tag_names(&self) -> Result<TagNames, StoreError>;

    /// Values of one key in the latest traces, as text, in order; at most 1,000.
    ///
    /// # Errors
    /// The store does not answer.
    fn tag_values(&self, scope: TagScope, name: &str) -> Result<TagValues, StoreError>;

    /// What sort of store it is, for reports: `memory`, `disk`, or a word of a program's own. Default: `other`.
    fn kind(&self) -> &'static str {
        "other"
    }

    /// How much is stored.
    fn status(&self) -> StoreStatus;

    /// Where traces are told of as soon as they are kept.
    fn live(&self) -> &LiveFeed;
}

/// Some of the traces that a query describes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracePage {
    /// The latest kept first.
    pub traces: Vec<TraceSummary>,
    /// The [`TraceQuery::cursor`] of the next page; `None` on the last.
    pub next_cursor: Option<String>,
}

/// What a service did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// The spans' name.
    pub name: String,
    /// Their kind.
    pub kind: String,
}

/// How much a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStatus {
    /// Traces.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// What they take, with what finds them again.
    pub bytes: u64,
    /// What they may take; `None` when that is not bounded by the store itself.
    pub capacity_bytes: Option<u64>,
    /// The start of the trace that was kept first, in nanoseconds since the Unix epoch.
    pub oldest_unix_ns: Option<u64>,
    /// The start of the trace that was kept last, in nanoseconds since the Unix epoch.
    pub newest_unix_ns: Option<u64>,
    /// Traces that had to give way to later ones.
    pub evicted_traces: u64,
    /// Traces, or later parts of them, that are too large to be stored.
    pub refused_traces: u64,
}
