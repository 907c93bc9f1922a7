//! Requests between the engine's thread and those that send: bounded by spans and by bytes.
//!
//! Owns who waits for whom, and when a request is due. The engine's side blocks its thread, the workers' side is
//! async.
//!
//! What is added grows the newest request until that is full: requests of Protocol Buffers that are put one after
//! the other are one request with the parts of both. A request is due when it is full, when it has waited for the
//! interval, or when somebody waits: for room, or for the queue to be empty.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tta_telemetry::{Clock, Ticks};

use super::client::sleep;
use super::settings::ExportSettings;

/// A request of so many bytes grows no more: collectors take 4 MiB over gRPC unless they are told otherwise.
const FULL_BYTES: usize = 1 << 20;

/// An encoded request.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) body: Vec<u8>,
    pub(super) spans: u64,
    /// When its oldest part was added.
    since: Ticks,
}

#[derive(Debug)]
pub(super) struct Queue {
    most_spans: u64,
    most_bytes: usize,
    batch_spans: u64,
    interval: Duration,
    clock: Clock,
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
    /// Threads that wait for room or for the end of it.
    waiting: usize,
    stopped: bool,
}

/// When there is work for a worker.
enum Due {
    Now,
    In(Duration),
    Never,
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
    pub(super) fn new(settings: &ExportSettings, clock: Clock) -> Self {
        Self {
            most_spans: settings.max_queue_size as u64,
            most_bytes: settings.max_queue_bytes,
            batch_spans: settings.batch_size as u64,
            interval: settings.export_interval,
            clock,
            state: Mutex::default(),
            changed: Condvar::new(),
            work: Notify::new(),
            over: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, state: &State, spans: u64, bytes: usize) -> bool {
        state.spans + spans <= self.most_spans && state.bytes.saturating_add(bytes) <= self.most_bytes
    }

    /// Adds a request, after waiting for room at most so long. Returns the spans of the oldest requests, which gave
    /// way; of this one when there would be no room for it in an empty queue or it is over.
    pub(super) fn push(&self, body: Vec<u8>, spans: u64, patience: Duration) -> u64 {
        let bytes = body.len();
        if !self.has_room(&State::default(), spans, bytes) {
            return spans;
        }
        let is_full =
            |state: &mut State| !state.stopped && !state.jobs.is_empty() && !self.has_room(state, spans, bytes);
        let mut state = self.wait(self.state(), patience, is_full);
        let mut lost = 0;
        while !self.has_room(&state, spans, bytes) {
            let Some(oldest) = state.take() else { break };
            lost += oldest.spans;
        }
        if state.stopped {
            return lost + spans;
        }
        state.spans += spans;
        state.bytes += bytes;
        match state.jobs.back_mut() {
            Some(open) if open.spans + spans <= self.batch_spans && open.body.len() + bytes <= FULL_BYTES => {
                open.body.extend_from_slice(&body);
                open.spans += spans;
            }
            _ => state.jobs.push_back(Job { body, spans, since: self.clock.ticks() }),
        }
        drop(state);
        self.work.notify_one();
        lost
    }

    /// Waits while it is so, at most so long; what is queued is due meanwhile.
    fn wait<'s>(
        &self,
        mut state: MutexGuard<'s, State>,
        limit: Duration,
        mut is_so: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'s, State> {
        if !is_so(&mut state) {
            return state;
        }
        state.waiting += 1;
        self.work.notify_one();
        let waited = self.changed.wait_timeout_while(state, limit, is_so);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.waiting -= 1;
        state
    }

    fn due(&self, state: &State) -> Due {
        let Some(oldest) = state.jobs.front() else { return Due::Never };
        let is_full = oldest.spans >= self.batch_spans || oldest.body.len() >= FULL_BYTES || state.jobs.len() > 1;
        let left = self.interval.saturating_sub(self.clock.elapsed(oldest.since));
        if is_full || state.waiting > 0 || left.is_zero() { Due::Now } else { Due::In(left) }
    }

    /// The next job, which is in flight from now on; `None` when it is over.
    ///
    /// # Cancel safety
    /// Nothing is taken by a call that is dropped.
    pub(super) async fn next(&self) -> Option<Job> {
        loop {
            let due = {
                let mut state = self.state();
                if state.stopped {
                    return None;
                }
                let due = self.due(&state);
                if matches!(due, Due::Now)
                    && let Some(job) = state.take()
                {
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
                due
            };
            match due {
                Due::In(left) => tokio::select! {
                    () = self.work.notified() => {}
                    () = sleep(&self.clock, left) => {}
                },
                Due::Now | Due::Never => self.work.notified().await,
            }
        }
    }

    /// What was in flight has been sent or given up.
    pub(super) fn done(&self, spans: u64) {
        let mut state = self.state();
        state.in_flight = state.in_flight.saturating_sub(spans);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until nothing is left, at most so long; what is left then, in spans.
    pub(super) fn wait_idle(&self, limit: Duration) -> u64 {
        let state = self.wait(self.state(), limit, |state| !state.stopped && !state.is_idle());
        state.spans + state.in_flight
    }

    /// Ends it for both sides; the spans that are left.
    pub(super) fn stop(&self) -> u64 {
        let mut state = self.state();
        if state.stopped {
            return 0;
        }
        state.stopped = true;
        let left = state.spans + state.in_flight;
        *state = State { stopped: true, waiting: state.waiting, ..State::default() };
        drop(state);
        self.changed.notify_all();
        self.work.notify_waiters();
        self.over.notify_waiters();
        left
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
    use std::time::Duration;

    use super::*;

    /// Ten spans and a thousand bytes; four spans in a request; due at once, or after a minute.
    fn queue(interval: Duration, clock: Clock) -> Queue {
        let settings = ExportSettings {
            max_queue_size: 10,
            max_queue_bytes: 1_000,
            batch_size: 4,
            export_interval: interval,
            ..ExportSettings::default()
        };
        Queue::new(&settings, clock)
    }

    fn at_once() -> Queue {
        queue(Duration::ZERO, Clock::system())
    }

    impl Queue {
        fn add(&self, spans: u64, bytes: usize) -> u64 {
            self.push(vec![0; bytes], spans, Duration::ZERO)
        }
    }

    fn next(queue: &Queue) -> Option<Job> {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(queue.next())
    }

    fn is_due(queue: &Queue) -> bool {
        matches!(queue.due(&queue.state()), Due::Now)
    }

    #[test]
    fn the_oldest_give_way_to_spans_and_to_bytes() {
        let queue = at_once();
        assert_eq!(queue.add(4, 10), 0);
        assert_eq!(queue.add(6, 10), 0);
        assert_eq!(queue.add(1, 10), 4);
        assert_eq!(queue.add(4, 975), 6);
        // What never fits takes nobody's place.
        assert_eq!((queue.add(1, 1_001), queue.push(vec![0], 11, Duration::MAX)), (1, 11));
        assert_eq!(queue.lengths(), (5, 0));
    }

    #[test]
    fn what_is_taken_is_in_flight_until_it_is_done() {
        let queue = at_once();
        queue.add(4, 10);
        assert_eq!(next(&queue).unwrap().spans, 4);
        assert_eq!((queue.lengths(), queue.wait_idle(Duration::ZERO)), ((0, 4), 4));
        queue.done(4);
        assert_eq!((queue.lengths(), queue.wait_idle(Duration::MAX)), ((0, 0), 0));
    }

    #[test]
    fn small_requests_are_sent_as_one_when_it_is_full() {
        let queue = queue(Duration::from_secs(60), Clock::manual().0);
        for first in 1..=3_u8 {
            queue.push(vec![first; 2], 1, Duration::ZERO);
            assert!(!is_due(&queue));
        }
        queue.push(vec![4; 2], 1, Duration::ZERO);
        let job = next(&queue).unwrap();
        assert_eq!((job.spans, job.body), (4, vec![1, 1, 2, 2, 3, 3, 4, 4]));
        // What does not fit into one that is not full makes that due as well.
        queue.add(3, 1);
        queue.add(2, 1);
        assert_eq!(next(&queue).unwrap().spans, 3);
        assert!(!is_due(&queue));
    }

    #[test]
    fn the_interval_counts_from_the_oldest_part() {
        let (clock, hand) = Clock::manual();
        let queue = queue(Duration::from_secs(60), clock);
        queue.add(1, 1);
        hand.advance(Duration::from_secs(59));
        queue.add(1, 1);
        assert!(!is_due(&queue));
        hand.advance(Duration::from_secs(1));
        assert_eq!(next(&queue).unwrap().spans, 2);
    }

    #[test]
    fn a_worker_wakes_when_the_interval_is_over() {
        let (clock, hand) = Clock::manual();
        let queue = queue(Duration::from_secs(60), clock);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let spans = runtime.block_on(async {
            let (job, ()) = tokio::join!(queue.next(), async {
                queue.add(1, 1);
                while hand.sleepers() == 0 {
                    tokio::task::yield_now().await;
                }
                hand.advance(Duration::from_secs(60));
            });
            job.unwrap().spans
        });
        assert_eq!(spans, 1);
    }

    #[test]
    fn what_somebody_waits_for_is_due() {
        let queue = queue(Duration::from_secs(60), Clock::manual().0);
        queue.add(1, 600);
        std::thread::scope(|scope| {
            let room = scope.spawn(|| queue.push(vec![0; 600], 1, Duration::MAX));
            assert_eq!(next(&queue).unwrap().spans, 1);
            assert_eq!(room.join().unwrap(), 0, "nothing gave way");
            queue.done(1);
            let empty = scope.spawn(|| queue.wait_idle(Duration::MAX));
            let job = next(&queue).unwrap();
            queue.done(job.spans);
            assert_eq!(empty.join().unwrap(), 0);
        });
        queue.add(1, 1);
        assert!(!is_due(&queue), "nobody waits any more");
    }

    #[test]
    fn after_the_end_nothing_is_taken_and_what_was_left_is_told_once() {
        let queue = at_once();
        queue.add(4, 10);
        assert_eq!((queue.stop(), queue.stop()), (4, 0));
        assert_eq!((queue.push(vec![0], 3, Duration::MAX), queue.lengths()), (3, (0, 0)));
        assert!(next(&queue).is_none());
    }
}
