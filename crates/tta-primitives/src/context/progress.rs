//! Signs of life: what an idle timeout watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tta_telemetry::Ticks;

use super::Context;

/// When a part of a run last said that it makes progress.
#[derive(Debug)]
pub(crate) struct Progress {
    last: AtomicU64,
    /// Progress of a part is progress of the whole.
    parent: Option<Arc<Progress>>,
}

impl Progress {
    pub(super) fn starting_at(now: Ticks, parent: Option<Arc<Progress>>) -> Self {
        Self { last: AtomicU64::new(now), parent }
    }

    pub(crate) fn last(&self) -> Ticks {
        self.last.load(Ordering::Relaxed)
    }
}

impl Context {
    /// Says that the work makes progress: every enclosing
    /// [idle timeout](crate::TimeoutBuilder::idle_timeout) starts anew. Cheap, and does nothing
    /// when there is none.
    pub fn progress(&self) {
        let mut watched = self.0.progress.as_ref();
        if watched.is_none() {
            return;
        }
        let now = self.clock().ticks();
        while let Some(progress) = watched {
            progress.last.fetch_max(now, Ordering::Relaxed);
            watched = progress.parent.as_ref();
        }
    }
}
