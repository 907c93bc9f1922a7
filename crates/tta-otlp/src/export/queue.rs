//! Requests between the engine's thread and those that send: bounded by spans and by bytes.
//!
//! Owns who waits for whom. The engine's side blocks its thread, the workers' side is async.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// An encoded request.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) body: Vec<u8>,
    pub(super) spans: u64,
}

#[derive(Debug)]
pub(super) struct Queue {
    most_spans: u64,
    most_bytes: usize,
    state: Mutex<State>,
    /// For the engine's thread: there is room, or nothing left.
    changed: Condvar,
    /// For one worker: there is work.
    work: Notify,
    /// For all: it is over.
    over: Notify,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    spans: u64,
    bytes: usize,
    in_flight: u64,
    stopped: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.in_flight == 0
    }

    fn take(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.spans -= job.spans;
        self.bytes -= job.body.len();
        Some(job)
    }
}

impl Queue {
    pub(super) fn new(most_spans: usize, most_bytes: usize) -> Self {
        Self {
            most_spans: most_spans as u64,
            most_bytes,
            state: Mutex::default(),
            changed: Condvar::new(),
            work: Notify::new(),
            over: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, state: &State, job: &Job) -> bool {
        state.spans + job.spans <= self.most_spans && state.bytes.saturating_add(job.body.len()) <= self.most_bytes
    }

    /// Adds a job, after waiting for room at most so long. Returns the spans of the oldest jobs, which gave way;
    /// of this one when there would be no room for it in an empty queue or it is over.
    pub(super) fn push(&self, job: Job, patience: Duration) -> u64 {
        if !self.has_room(&State::default(), &job) {
            return job.spans;
        }
        let state = self.state();
        let is_full = |state: &mut State| !state.stopped && !state.jobs.is_empty() && !self.has_room(state, &job);
        let waited = self.changed.wait_timeout_while(state, patience, is_full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let mut lost = 0;
        while !self.has_room(&state, &job) {
            let Some(oldest) = state.take() else { break };
            lost += oldest.spans;
        }
        if state.stopped {
            return lost + job.spans;
        }
        state.spans += job.spans;
        state.bytes += job.body.len();
        state.jobs.push_back(job);
        drop(state);
        self.work.notify_one();
        lost
    }

    /// The next job, which is in flight from now on; `None` when it is over.
    ///
    /// # Cancel safety
    /// Nothing is taken by a call that is dropped.
    pub(super) async fn next(&self) -> Option<Job> {
        loop {
            {
                let mut state = self.state();
                if state.stopped {
                    return None;
                }
                if let Some(job) = state.take() {
                    state.in_flight += job.spans;
                    let more = !state.jobs.is_empty();
                    drop(state);
                    if more {
                        // A permit is one, however many were added since.
                        self.work.notify_one();
                    }
                    self.changed.notify_all();
                    return Some(job);
                }
            }
            self.work.notified().await;
        }
    }

    /// What was in flight has been sent or given up. `false`: it is over, and these spans were told as left.
    pub(super) fn done(&self, spans: u64) -> bool {
        let mut state = self.state();
        let is_in_time = !state.stopped;
        state.in_flight = state.in_flight.saturating_sub(spans);
        drop(state);
        self.changed.notify_all();
        is_in_time
    }

    /// Waits until nothing is left, at most so long; what is left then, in spans.
    pub(super) fn wait_idle(&self, limit: Duration) -> u64 {
        let waited = self.changed.wait_timeout_while(self.state(), limit, |state| !state.stopped && !state.is_idle());
        let state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.spans + state.in_flight
    }

    /// Ends it for both sides, and tells of the spans that are left, once, before anybody hears from
    /// [`done`](Self::done) that they were.
    pub(super) fn stop(&self, tell: impl FnOnce(u64)) {
        let mut state = self.state();
        if state.stopped {
            return;
        }
        tell(state.spans + state.in_flight);
        *state = State { stopped: true, ..State::default() };
        drop(state);
        self.changed.notify_all();
        self.work.notify_waiters();
        self.over.notify_waiters();
    }

    /// Waits until it is over.
    pub(super) async fn stopped(&self) {
        loop {
            let told = self.over.notified();
            if self.state().stopped {
                return;
            }
            told.await;
        }
    }

    /// Spans that wait, and spans in flight.
    pub(super) fn lengths(&self) -> (u64, u64) {
        let state = self.state();
        (state.spans, state.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(spans: u64, bytes: usize) -> Job {
        Job { body: vec![0; bytes], spans }
    }

    fn next(queue: &Queue) -> Option<Job> {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(queue.next())
    }

    #[test]
    fn the_oldest_give_way_to_spans_and_to_bytes() {
        let queue = Queue::new(10, 1_000);
        assert_eq!(queue.push(job(4, 10), Duration::ZERO), 0);
        assert_eq!(queue.push(job(6, 10), Duration::ZERO), 0);
        assert_eq!(queue.push(job(1, 10), Duration::ZERO), 4);
        assert_eq!(queue.push(job(1, 985), Duration::ZERO), 6);
        // What never fits takes nobody's place.
        assert_eq!((queue.push(job(1, 1_001), Duration::ZERO), queue.push(job(11, 1), Duration::MAX)), (1, 11));
        assert_eq!(queue.lengths(), (2, 0));
    }

    #[test]
    fn what_is_taken_is_in_flight_until_it_is_done() {
        let queue = Queue::new(10, 1_000);
        queue.push(job(4, 10), Duration::ZERO);
        assert_eq!(next(&queue).unwrap().spans, 4);
        assert_eq!((queue.lengths(), queue.wait_idle(Duration::ZERO)), ((0, 4), 4));
        assert!(queue.done(4));
        assert_eq!((queue.lengths(), queue.wait_idle(Duration::MAX)), ((0, 0), 0));
    }

    #[test]
    fn what_is_done_after_the_end_is_known_to_have_been_told_as_left() {
        let queue = Queue::new(10, 1_000);
        queue.push(job(4, 10), Duration::ZERO);
        queue.push(job(2, 10), Duration::ZERO);
        assert_eq!(next(&queue).unwrap().spans, 4);
        let mut left = 0;
        queue.stop(|spans| left = spans);
        assert_eq!((left, queue.done(4)), (6, false));
    }

    #[test]
    fn after_the_end_nothing_is_taken_and_what_was_left_is_told_once() {
        let queue = Queue::new(10, 1_000);
        queue.push(job(4, 10), Duration::ZERO);
        let mut told = Vec::new();
        queue.stop(|spans| told.push(spans));
        queue.stop(|spans| told.push(spans));
        assert_eq!(told, [4]);
        assert_eq!((queue.push(job(3, 10), Duration::MAX), queue.lengths()), (3, (0, 0)));
        assert!(next(&queue).is_none());
    }
}
