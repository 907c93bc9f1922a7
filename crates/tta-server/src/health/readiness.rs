//! Whether the process is to be sent requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const STARTING: u8 = 0;
const READY: u8 = 1;
const DRAINING: u8 = 2;

/// Whether the process is to be sent requests: what `/readyz` says. Clones are the same.
///
/// It starts as not ready. Once it drains it is never ready again.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    /// Everything listens. Does nothing once it drains.
    pub fn set_ready(&self) {
        let _ = self.0.compare_exchange(STARTING, READY, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The process is about to end: what is under way is finished, and nothing new should come.
    pub fn set_draining(&self) {
        self.0.store(DRAINING, Ordering::Relaxed);
    }

    /// Whether it is to be sent requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed) == READY
    }

    /// `starting`, `ready` or `draining`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self.0.load(Ordering::Relaxed) {
            STARTING => "starting",
            READY => "ready",
            _ => "draining",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drains_does_not_become_ready_again() {
        let readiness = Readiness::default();
        assert_eq!((readiness.is_ready(), readiness.as_str()), (false, "starting"));
        readiness.set_ready();
        assert_eq!((readiness.is_ready(), readiness.as_str()), (true, "ready"));
        readiness.set_draining();
        readiness.set_ready();
        assert_eq!((readiness.is_ready(), readiness.as_str()), (false, "draining"));
    }
}
