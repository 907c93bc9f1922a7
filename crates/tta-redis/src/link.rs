//! Being connected: when there is a connection, when to try for one, when to give one up.
//!
//! One attempt to connect runs at a time, as a task of its own, so that callers who give up do
//! not end it. Between failed attempts there is a pause, in which operations fail at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redis::RedisError;
use tokio::sync::watch;
use tta_telemetry::{Clock, Ticks};

use crate::connection::{Connection, Target};
use crate::failure::Failure;
use crate::vitals::{Access, Vitals};

pub(crate) struct Link {
    pub(crate) target: Target,
    pub(crate) vitals: Vitals,
    pub(crate) timing: Timing,
    pub(crate) clock: Clock,
    /// Cut out of messages.
    pub(crate) password: Option<String>,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
pub(crate) struct Timing {
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) min_reconnect_delay: Duration,
    pub(crate) max_reconnect_delay: Duration,
    pub(crate) max_unanswered: u64,
}

enum State {
    /// Not connected. After failures there is a pause, from `since` on.
    Down { failures: u32, since: Ticks, last: Option<Failure> },
    /// An attempt runs.
    Connecting { attempt: Attempt, failures: u32 },
    /// Connected.
    Up(Arc<Established>),
}

/// What an attempt came to, once it has ended.
type Attempt = watch::Receiver<Option<Result<Arc<Established>, Failure>>>;

/// A connection, and how many of its requests nobody waits for any more.
///
/// Answers come in the order of the requests, so any answer says that all earlier requests have
/// left the connection.
pub(crate) struct Established {
    pub(crate) connection: Connection,
    unanswered: AtomicU64,
    silent_since: AtomicU64,
}

impl Established {
    pub(crate) fn answered(&self) {
        // Nothing is written in the usual case, so that callers do not share a cache line.
        if self.unanswered.load(Ordering::Relaxed) != 0 {
            self.unanswered.store(0, Ordering::Relaxed);
        }
    }
}

impl Link {
    pub(crate) fn new(target: Target, vitals: Vitals, timing: Timing, clock: Clock, password: Option<String>) -> Self {
        let state = Mutex::new(State::Down { failures: 0, since: 0, last: None });
        Self { target, vitals, timing, clock, password, state }
    }

    pub(crate) fn failure(&self, error: &RedisError) -> Failure {
        Failure::of(error, self.timing.response_timeout, self.password.as_deref())
    }

    /// The connection, or the next one.
    ///
    /// # Cancel safety
    /// Dropping it gives up waiting; the attempt goes on.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<Arc<Established>, Failure> {
        // The client's timers would panic without one.
        let runtime = tokio::runtime::Handle::try_current();
        let runtime = runtime.map_err(|_| Failure::Unavailable("there is no tokio runtime here".to_owned()))?;
        let mut attempt = {
            let mut state = self.state();
            match &*state {
                State::Up(established) => return Ok(Arc::clone(established)),
                State::Connecting { attempt, .. } => attempt.clone(),
                State::Down { failures, since, last } => {
                    if let Some(last) = last
                        && self.clock.elapsed(*since) < self.pause(*failures)
                    {
                        return Err(last.clone());
                    }
                    let failures = *failures;
                    let attempt = self.start(&runtime);
                    *state = State::Connecting { attempt: attempt.clone(), failures };
                    attempt
                }
            }
        };
        let ended = attempt.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
        // The attempt's task is gone without a word only when its runtime is: the next may start.
        ended.unwrap_or_else(|| {
            self.abandon(&attempt);
            Err(Failure::Unavailable("the runtime that was connecting has ended".to_owned()))
        })
    }

    /// Starts an attempt.
    fn start(self: &Arc<Self>, runtime: &tokio::runtime::Handle) -> Attempt {
        let (ended, attempt) = watch::channel(None);
        let (link, target) = (Arc::downgrade(self), self.target.clone());
        let (connect, response) = (self.timing.connect_timeout, self.timing.response_timeout);
        runtime.spawn(async move {
            // For clusters, whose client bounds only each part of connecting; and the greeting.
            let connecting = tokio::time::timeout(connect, target.connect(connect, response));
            let result =
                connecting.await.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()));
            let _ = ended.send(Some(Self::connected(&link, result, connect)));
        });
        attempt
    }

    fn connected(
        link: &Weak<Self>,
        result: Result<Connection, RedisError>,
        connect_timeout: Duration,
    ) -> Result<Arc<Established>, Failure> {
        let Some(link) = link.upgrade() else {
            return Err(Failure::Unavailable("nobody needs the connection any more".to_owned()));
        };
        let mut state = link.state();
        match result {
            Ok(connection) => {
                let (unanswered, silent_since) = (AtomicU64::new(0), AtomicU64::new(0));
                let established = Arc::new(Established { connection, unanswered, silent_since });
                *state = State::Up(Arc::clone(&established));
                Ok(established)
            }
            Err(error) => {
                let failure = match Failure::of(&error, connect_timeout, link.password.as_deref()) {
                    Failure::TimedOut(limit) => Failure::Unavailable(format!("no connection within {limit:?}")),
                    failure => failure,
                };
                let failures = match &*state {
                    State::Connecting { failures, .. } => failures.saturating_add(1),
                    _ => 1,
                };
                *state = State::Down { failures, since: link.clock.ticks(), last: Some(failure.clone()) };
                link.vitals.failed(&failure, Access::Plain);
                Err(failure)
            }
        }
    }

    /// The pause after so many failures in a row.
    fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.timing.min_reconnect_delay.saturating_mul(1 << doublings).min(self.timing.max_reconnect_delay)
    }

    fn abandon(&self, attempt: &Attempt) {
        let mut state = self.state();
        if let State::Connecting { attempt: current, .. } = &*state
            && current.same_channel(attempt)
        {
            *state = State::Down { failures: 0, since: 0, last: None };
        }
    }

    /// Gives a connection up, with all that waits in it; the next operation connects anew.
    pub(crate) fn lost(&self, established: &Arc<Established>) {
        let mut state = self.state();
        if let State::Up(current) = &*state
            && Arc::ptr_eq(current, established)
        {
            *state = State::Down { failures: 0, since: 0, last: None };
        }
    }

    /// A request was given up by its caller, and stays in the connection. Too many of them, or
    /// too long a silence, and the connection is taken for dead.
    pub(crate) fn unanswered(&self, established: &Arc<Established>, sent: Ticks) {
        let count = established.unanswered.fetch_add(1, Ordering::Relaxed) + 1;
        if count == 1 {
            established.silent_since.store(sent, Ordering::Relaxed);
        }
        let silent_for = self.clock.elapsed(established.silent_since.load(Ordering::Relaxed));
        if count >= self.timing.max_unanswered || silent_for >= self.timing.response_timeout {
            self.lost(established);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
