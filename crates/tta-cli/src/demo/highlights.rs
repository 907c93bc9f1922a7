//! The two traces worth showing: the slowest run and the first failed one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tta::telemetry::{Sink, SinkError, Trace};

/// A sink that keeps two traces out of any number. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Highlights(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    slowest: Option<Arc<Trace>>,
    first_failed: Option<Arc<Trace>>,
}

impl Highlights {
    pub(super) fn slowest(&self) -> Option<Arc<Trace>> {
        self.kept().slowest.clone()
    }

    pub(super) fn first_failed(&self) -> Option<Arc<Trace>> {
        self.kept().first_failed.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Highlights {
    fn name(&self) -> &str {
        "highlights"
    }

    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError> {
        let mut kept = self.kept();
        for trace in traces {
            if kept.slowest.as_ref().is_none_or(|slowest| trace.duration_ns() > slowest.duration_ns()) {
                kept.slowest = Some(Arc::clone(trace));
            }
            // Traces arrive in the order in which they ended, not began.
            let earlier = |first: &Arc<Trace>| start(trace) < start(first);
            if trace.failed() && kept.first_failed.as_ref().is_none_or(earlier) {
                kept.first_failed = Some(Arc::clone(trace));
            }
        }
        Ok(())
    }
}

fn start(trace: &Trace) -> u64 {
    trace.root().map_or(u64::MAX, |root| root.start_unix_ns)
}
