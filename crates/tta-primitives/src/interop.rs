//! For bridges to other tracing systems: where in which run a thread is, as a value.
//!
//! Users do not need this; see [`Context::scope`](crate::Context::scope) and
//! [`traced`](crate::traced). `tta-tracing` uses it to hang a library's spans below the step they
//! are made in, and steps below a library's span.

pub use crate::context::{Before, Place};

use crate::context::Context;
use tta_telemetry::TraceHandle;

impl Place {
    /// The trace of the run, to record into.
    #[must_use]
    pub fn trace(&self) -> &TraceHandle {
        self.context().trace()
    }
}

/// Calls `f` with the context of the run that this thread is in, without cloning it. Its
/// `span_id` is the innermost span's. Inside `f` the thread is in no run.
pub fn with_current<R>(f: impl FnOnce(Option<&Context>) -> R) -> R {
    crate::context::with_current(f)
}
