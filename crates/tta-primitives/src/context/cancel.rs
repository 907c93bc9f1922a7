//! Telling a run, or a part of it, to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// A run's cancellation. Parts of a run are children: stopping one leaves the rest alone.
#[derive(Clone, Debug)]
pub(super) struct Cancellation {
    token: CancellationToken,
    // Set once anything in the run was cancelled. Steps look at it at every start; the token's own
    // answer takes a mutex, which this saves as long as nothing was.
    any: Arc<AtomicBool>,
}

/// Tells a run, or the part of it that its context belonged to, to stop.
#[derive(Clone, Debug)]
pub struct CancelHandle(Cancellation);

impl Cancellation {
    pub(super) fn new() -> Self {
        Self { token: CancellationToken::new(), any: Arc::default() }
    }

    pub(super) fn child(&self) -> Self {
        Self { token: self.token.child_token(), any: Arc::clone(&self.any) }
    }

    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        self.any.load(Ordering::Relaxed) && self.token.is_cancelled()
    }

    pub(super) async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    pub(super) fn handle(&self) -> CancelHandle {
        CancelHandle(self.clone())
    }
}

impl CancelHandle {
    /// Tells the run to stop: steps that watch the context wind up, and no further step starts.
    /// A step that ignores it goes on to its end.
    pub fn cancel(&self) {
        self.0.any.store(true, Ordering::Relaxed);
        self.0.token.cancel();
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
