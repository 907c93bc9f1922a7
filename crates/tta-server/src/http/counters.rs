//! What a server counts of its connections.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a server has seen of connections so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerCounters {
    /// Connections that were accepted.
    pub accepted: u64,
    /// Connections that had to wait for others to end.
    pub waited: u64,
    /// Connections that were closed because a request's head did not come, or not in time, or they
    /// were idle.
    pub idle_closed: u64,
    /// Connections that were cut off because their client took nothing of what was sent.
    pub stuck_cut: u64,
    /// Connections that ended otherwise than they should: closed half-way, or not speaking HTTP.
    pub broken: u64,
    /// Pages that were given up, since others waited for memory, while they were being sent.
    pub pages_given_up: u64,
    /// Times that the system would not give a connection, as when too many files are open.
    pub accept_failures: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Cells {
    pub(crate) accepted: AtomicU64,
    pub(crate) waited: AtomicU64,
    pub(crate) idle_closed: AtomicU64,
    pub(crate) stuck_cut: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) accept_failures: AtomicU64,
}

impl Cells {
    pub(crate) fn read(&self) -> ServerCounters {
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        ServerCounters {
            accepted: read(&self.accepted),
            waited: read(&self.waited),
            idle_closed: read(&self.idle_closed),
            stuck_cut: read(&self.stuck_cut),
            broken: read(&self.broken),
            pages_given_up: 0,
            accept_failures: read(&self.accept_failures),
        }
    }
}

pub(crate) fn count(cell: &AtomicU64) {
    cell.fetch_add(1, Ordering::Relaxed);
}
