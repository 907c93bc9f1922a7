//! The store of kept traces that an engine was built with.

use std::fmt;
use std::sync::Arc;

use super::{Telemetry, TelemetryBuilder};
use crate::health::HealthComponent;
use crate::sink::Sink;
use crate::store::TraceStore;

/// A store as the builder has it: who is given traces, and who is asked.
pub(crate) struct StoreGiven {
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) kept: StoreKept,
}

/// A store as its engine has it. Health is asked of whoever lives: this is what keeps it alive.
pub(crate) struct StoreKept {
    asked: Arc<dyn TraceStore>,
    health: Arc<dyn HealthComponent>,
}

impl fmt::Debug for StoreKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreKept").field("name", &self.health.name()).finish_non_exhaustive()
    }
}

impl TelemetryBuilder {
    /// Gives the engine the store in which its kept traces are found again: it gets them as a
    /// [`Sink`], its health is in the engine's, and whatever serves the engine finds it by
    /// [`Telemetry::trace_store`]. The last one that is given counts. Default: none.
    ///
    /// ```
    /// use tta_telemetry::Telemetry;
    /// use tta_telemetry::store::{MemoryTraceStore, TraceStore};
    ///
    /// let telemetry = Telemetry::builder().trace_store(MemoryTraceStore::new("shop")).build()?;
    /// assert_eq!(telemetry.trace_store().map(|store| store.status().traces), Some(0));
    /// assert!(telemetry.health().component("trace-store").is_some());
    /// # Ok::<(), tta_telemetry::BuildError>(())
    /// ```
    pub fn trace_store(mut self, store: impl TraceStore + Sink + HealthComponent + Clone) -> Self {
        let asked = Arc::new(store.clone());
        let health = Arc::clone(&asked);
        let kept = StoreKept { asked, health };
        self.store = Some(StoreGiven { sink: Box::new(store), kept });
        self
    }
}

impl Telemetry {
    /// The store that the engine was [built with](TelemetryBuilder::trace_store). Works also when nothing
    /// is recorded: it is empty then.
    #[must_use]
    pub fn trace_store(&self) -> Option<Arc<dyn TraceStore>> {
        self.0.store().get().map(|kept| Arc::clone(&kept.asked))
    }

    /// Once, by the builder.
    pub(super) fn keep_store(&self, kept: StoreKept) {
        self.watch_health(&kept.health);
        // The first stays; there is no second.
        let _ = self.0.store().set(kept);
    }
}
