//! Waiting for threads, in real time.
//!
//! The engine's clock may be paused by a test; threads run on regardless, so waiting for them is
//! the one thing that must not follow it.

use std::time::{Duration, Instant};

/// A moment by which something must be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    // The one place that may wait in real time; see the module's documentation.
    #[allow(clippy::disallowed_methods)]
    pub(crate) fn after(wait: Duration) -> Self {
        Self(Instant::now().checked_add(wait))
    }

    #[allow(clippy::disallowed_methods)]
    pub(crate) fn remaining(self) -> Duration {
        self.0.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
    }
}
