//! Lets the background catch up between bursts, and accounts for what the asking costs.
//!
//! The leading caller asks; the process's first thread, on the background's core, does it, because
//! an implementation may do the work in the thread that asks or in one that this thread starts.

use crate::clock::{process_cpu_ns, thread_cpu_ns};
use crate::peer::Peer;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How often an idle background is asked, to learn what asking costs.
const IDLE_SETTLES: u64 = 100;

enum Request {
    Settle,
    /// Everything before this does not count.
    Calibrate,
}

/// The side of the leading caller.
pub(crate) struct Settler {
    requests: SyncSender<Request>,
    answers: Receiver<u64>,
}

/// The side of the process's first thread.
pub(crate) struct Service {
    requests: Receiver<Request>,
    answers: SyncSender<u64>,
}

pub(crate) fn pair() -> (Settler, Service) {
    let (ask, requests) = sync_channel(1);
    let (answer, answers) = sync_channel(1);
    (Settler { requests: ask, answers }, Service { requests, answers: answer })
}

impl Settler {
    /// Returns when the background has caught up: the CPU time that this thread used.
    pub(crate) fn settle(&self) -> u64 {
        let before_ns = thread_cpu_ns();
        self.ask(Request::Settle);
        thread_cpu_ns() - before_ns
    }

    /// CPU time of the process that one [`Peer::settle`] takes when there is nothing to do.
    pub(crate) fn idle_settle_cpu_ns(&self) -> u64 {
        self.ask(Request::Settle);
        self.ask(Request::Calibrate)
    }

    fn ask(&self, request: Request) -> u64 {
        self.requests.send(request).ok();
        self.answers.recv().unwrap_or(0)
    }
}

impl Service {
    /// Answers until the caller has gone. Returns the CPU time that this thread used for anything
    /// but settling since it calibrated.
    pub(crate) fn serve<P: Peer>(self, peer: &P) -> u64 {
        let mut used_ns = 0;
        let mut since_ns = thread_cpu_ns();
        for request in self.requests {
            used_ns += thread_cpu_ns() - since_ns;
            let answer = match request {
                Request::Settle => {
                    peer.settle();
                    0
                }
                Request::Calibrate => {
                    used_ns = 0;
                    idle_settle_cpu_ns(peer)
                }
            };
            since_ns = thread_cpu_ns();
            self.answers.send(answer).ok();
        }
        used_ns + thread_cpu_ns() - since_ns
    }
}

fn idle_settle_cpu_ns<P: Peer>(peer: &P) -> u64 {
    let before_ns = process_cpu_ns();
    for _ in 0..IDLE_SETTLES {
        peer.settle();
    }
    (process_cpu_ns() - before_ns) / IDLE_SETTLES
}
