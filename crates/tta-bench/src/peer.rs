//! The interface through which an implementation of spans takes part in the comparison.

use crate::case::Fate;
use crate::workload::Attributes;

/// An implementation of spans.
///
/// The harness calls it through generics only, so that an implementation pays for nothing but
/// itself. One value exists per process.
pub trait SpanPeer: Sized + Sync {
    /// Name in the tables and in the names of cases.
    const NAME: &'static str;

    /// What [`Fate::Dropped`] means for this implementation, as a sentence of the report.
    const DROPPED: &'static str;

    /// What [`Fate::Kept`] means for this implementation, as a sentence of the report.
    const KEPT: &'static str;

    /// How many spans a calling thread may record between two calls of [`SpanPeer::settle`].
    ///
    /// Whole bursts of [`crate::run::BURST_SPANS`]. State what the implementation takes at its
    /// default settings without losing a span or blocking the caller.
    const SPANS_PER_SETTLE: u32 = crate::run::BURST_SPANS;

    /// Whether spans are recorded at all; if not, none can be lost.
    const RECORDS: bool = true;

    /// An open root span. Branches on other threads borrow it.
    type Root: Send + Sync;

    /// Sets the implementation up, before anything is measured.
    ///
    /// # Errors
    /// If it cannot be set up.
    fn start(fate: Fate) -> anyhow::Result<Self>;

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

    /// Returns when the background has handled all that was recorded so far.
    fn settle(&self);

    /// Flushes and shuts down. Returns how many spans reached the consumer.
    ///
    /// # Errors
    /// If the implementation says that it failed.
    fn finish(self) -> anyhow::Result<u64>;
}
