//! What a server counts of its connections and of what it refuses.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a server has seen of connections and refused of requests so far.
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
    /// Connections, and streams of HTTP/2, that were cut off because their client took nothing of
    /// what was sent.
    pub stuck_cut: u64,
    /// Connections that ended otherwise than they should: closed half-way, or not speaking HTTP.
    pub broken: u64,
    /// Pages that were given up, since others waited for memory, while they were being sent.
    pub pages_given_up: u64,
    /// Times that the system would not give a connection, as when too many files are open.
    pub accept_failures: u64,
    /// Connections that did not complete their TLS handshake, or not in time.
    pub handshakes_failed: u64,
    /// Requests that were passed on to the routes.
    pub requests: u64,
    /// Requests without a token, or with an unknown one (401).
    pub unauthorized: u64,
    /// Requests whose token has another scope (403).
    pub forbidden: u64,
    /// Requests for a host that is not this machine, at a server that is for this machine only (421).
    pub misdirected: u64,
    /// Requests with too many headers (431).
    pub too_many_headers: u64,
    /// Requests whose body was too large, as sent or decompressed (413).
    pub too_large: u64,
    /// Requests whose body was compressed by something else than gzip (415).
    pub unknown_coding: u64,
    /// Requests whose body ended too early or was not what its coding says (400).
    pub broken_bodies: u64,
    /// Requests whose body took too long to arrive (408).
    pub slow_bodies: u64,
    /// Requests whose reply took too long to be made (503).
    pub slow_replies: u64,
    /// Requests whose route panicked (500).
    pub panics: u64,
    /// Requests of a client beyond its rate (429).
    pub over_rate: u64,
    /// Requests that came while too many others were being answered (503).
    pub over_requests: u64,
    /// Requests whose body did not fit beside those of others (503).
    pub over_memory: u64,
    /// Requests whose client was not in the table of rates, which was full: these share one rate.
    pub untracked: u64,
}

macro_rules! cells {
    ($($name:ident),* $(,)?) => {
        #[derive(Debug, Default)]
        pub(crate) struct Cells {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Cells {
            pub(crate) fn read(&self) -> ServerCounters {
                ServerCounters { $($name: self.$name.load(Ordering::Relaxed),)* pages_given_up: 0 }
            }
        }
    };
}

cells!(
    accepted,
    waited,
    idle_closed,
    stuck_cut,
    broken,
    accept_failures,
    handshakes_failed,
    requests,
    unauthorized,
    forbidden,
    misdirected,
    too_many_headers,
    too_large,
    unknown_coding,
    broken_bodies,
    slow_bodies,
    slow_replies,
    panics,
    over_rate,
    over_requests,
    over_memory,
    untracked,
);

pub(crate) fn count(cell: &AtomicU64) {
    cell.fetch_add(1, Ordering::Relaxed);
}
