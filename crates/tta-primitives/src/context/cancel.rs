//! Telling a run, or a part of it, to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// A run's cancellation. Parts of a run are children: stopping one leaves the rest alone.
#[derive(Clone, Debug)]
pub(super) struct Cancellation(Arc<Part>);

#[derive(Debug)]
struct Part {
    parent: Option<Cancellation>,
    // Made when somebody first waits or cancels: most parts of most runs never need one.
    token: OnceLock<CancellationToken>,
    // Set once anything in the run was cancelled. Steps look at it at every start; the token's own
    // answer takes a mutex, which this saves as long as nothing was.
    any: Arc<AtomicBool>,
}

/// Tells a run, or the part of it that its context belonged to, to stop.
#[derive(Clone, Debug)]
pub struct CancelHandle(Cancellation);

impl Cancellation {
    pub(super) fn new() -> Self {
        Self(Arc::new(Part { parent: None, token: OnceLock::new(), any: Arc::default() }))
    }

    pub(super) fn child(&self) -> Self {
        let any = Arc::clone(&self.0.any);
        Self(Arc::new(Part { parent: Some(self.clone()), token: OnceLock::new(), any }))
    }

    /// The token; a child's is derived from its parent's, so that it is cancelled with it, before
    /// or after.
    fn token(&self) -> &CancellationToken {
        self.0.token.get_or_init(|| match &self.0.parent {
            Some(parent) => parent.token().child_token(),
            None => CancellationToken::new(),
        })
    }

    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        self.0.any.load(Ordering::Acquire) && self.token().is_cancelled()
    }

    pub(super) async fn cancelled(&self) {
        self.token().cancelled().await;
    }

    pub(super) fn handle(&self) -> CancelHandle {
        CancelHandle(self.clone())
    }
}

impl CancelHandle {
    /// Tells the run to stop: steps that watch the context wind up, and no further step starts.
    /// A step that ignores it goes on to its end.
    pub fn cancel(&self) {
        // First: whoever the token wakes asks whether it was cancelled.
        self.0.0.any.store(true, Ordering::Release);
        self.0.token().cancel();
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
