//! The interfaces through which an implementation of spans takes part in the comparison.

use crate::case::{Fate, Shape};
use crate::expectation::Reports;
use crate::workload::Attributes;

/// What all implementations have in common: they start, settle and finish.
///
/// The harness calls them through generics only, so that an implementation pays for nothing but
/// itself. One value exists per process.
pub trait Peer: Sized + Sync {
    /// Name in the tables and in the names of cases.
    const NAME: &'static str;

    /// What [`Fate::Dropped`] means for this implementation, as a sentence of the report.
    const DROPPED: &'static str;

    /// What [`Fate::Kept`] means for this implementation, as a sentence of the report.
    const KEPT: &'static str;

    /// How many spans a calling thread may record between two calls of [`Peer::settle`].
    ///
    /// Whole bursts of [`crate::run::BURST_SPANS`]. State what the implementation takes at its
    /// default settings without losing a span or blocking the caller.
    const SPANS_PER_SETTLE: u32 = crate::run::BURST_SPANS;

    /// What reaches the consumer of what is to be kept.
    const REPORTS: Reports = Reports::Everything;

    /// Sets the implementation up, before anything is measured.
    ///
    /// # Errors
    /// If it cannot be set up.
    fn start(fate: Fate) -> anyhow::Result<Self>;

    /// Returns when the background has handled all that was recorded so far.
    fn settle(&self);

    /// Flushes and shuts down. Returns how many spans reached the consumer.
    ///
    /// # Errors
    /// If the implementation says that it failed.
    fn finish(self) -> anyhow::Result<u64>;
}

/// An implementation whose spans are given their parent.
pub trait SpanPeer: Peer {
    /// In which tables it takes part, of those where spans are given their parent.
    const SHAPES: &'static [Shape] = Shape::WITH_EXPLICIT_PARENTS;

    /// An open root span. Branches on other threads borrow it.
    type Root: Send + Sync;

    /// Opens the root span of a new trace.
    fn root(&self, attributes: &Attributes<'_>) -> Self::Root;

    /// Opens and closes one child of `root`.
    fn child(&self, root: &Self::Root, attributes: &Attributes<'_>);

    /// Decides the fate of the trace and closes its root.
    fn end(&self, root: Self::Root);

    /// Records a trace of one span; for an implementation to which it is less work to open a root
    /// that nothing refers to.
    #[inline]
    fn solitary(&self, attributes: &Attributes<'_>) {
        self.end(self.root(attributes));
    }
}

/// An implementation that records the spans of `tracing`'s macros, which find their parent on the
/// thread. The spans are made by the harness, the same for all.
pub trait TracingPeer: Peer {
    /// Spans of its own that each trace has besides those of the macros.
    const OWN_SPANS_PER_TRACE: u32 = 0;

    /// Opens what a trace needs around the macros' spans, calls `record`, which makes them, decides
    /// the fate of the trace and closes it.
    fn around(&self, record: impl FnOnce());
}
