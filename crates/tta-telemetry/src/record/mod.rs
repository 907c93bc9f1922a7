//! The recorder: spans in, whole traces out.
//!
//! Owns everything between a span's start and the moment a kept [`Trace`](crate::Trace) enters the
//! sinks' queues. The only module with `unsafe` code (`log`, `words` and `inline`), and the only one that
//! the feature `record` removes.
//!
//! | part | owns |
//! |---|---|
//! | `span` | what callers hold: root, child, handle |
//! | `words`, `inline` | the encoding of records |
//! | `log` | one trace's memory and its lock-free protocol |
//! | `live` | the stages of a trace's life |
//! | `core` | what all traces of an engine share; the decision |
//! | `pool`, `evict` | reuse of memory; early decisions |
//! | `decode`, `late`, `housekeeping` | the background half |

pub(crate) mod core;
mod decode;
mod evict;
mod housekeeping;
mod late;
// An array that is written before it is read.
#[allow(unsafe_code)]
mod inline;
mod live;
// Chunk memory is freed under a protocol that the borrow checker cannot see; see its docs.
#[allow(unsafe_code)]
mod log;
mod policy;
mod pool;
mod span;
mod sync;
pub(crate) mod vitals;
// Literals are stored as pointers and read back.
#[allow(unsafe_code)]
mod words;

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use policy::ReceivedTrace;
pub use span::{ActiveTrace, OwnedSpan, Span, TraceHandle};

/// Tells a background thread to stop.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Waits up to `interval`; `true` once stopped.
    pub(crate) fn wait(&self, interval: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if *stopped {
            return true;
        }
        let (stopped, _) = self.changed.wait_timeout(stopped, interval).unwrap_or_else(PoisonError::into_inner);
        *stopped
    }

    pub(crate) fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}
