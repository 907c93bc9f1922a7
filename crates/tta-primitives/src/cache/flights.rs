//! Single flight: of several executions that want the same value at once, one makes it.
//!
//! The first is the leader and holds the flight's only permit; followers queue for it. A leader
//! that has a result leaves it in the flight and closes the queue, which wakes all followers at
//! once. A leader that is dropped without one only gives its permit back: the follower next in the
//! queue has it then and leads. So nobody is stranded, and at no time do two lead.

use std::collections::HashMap;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::future::{Either, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::key::CacheKey;
use crate::context::Context;
use crate::error::{Error, ErrorKind, NeverMade, Result};
use crate::workflow::stopped;

/// The flights of a cache.
#[derive(Debug)]
pub(super) struct Flights<V> {
    known: Mutex<HashMap<CacheKey, Arc<Flight<V>>>>,
    most: usize,
    ended: AtomicU64,
}

#[derive(Debug)]
struct Flight<V> {
    turn: Arc<Semaphore>,
    result: OnceLock<Result<V>>,
    /// How many are in it. Changed only under the lock of the map.
    aboard: AtomicU64,
}

/// A place in a flight, given back when dropped.
#[derive(Debug)]
struct Seat<V> {
    flights: Arc<Flights<V>>,
    flight: Arc<Flight<V>>,
    key: CacheKey,
}

/// Makes the value. Dropped before it has told a result, it hands over to a follower.
#[derive(Debug)]
pub(super) struct Lead<V> {
    // Before the permit: a flight that nobody else is in is gone before its permit is free.
    seat: Seat<V>,
    _permit: OwnedSemaphorePermit,
}

/// Waits for the value.
#[derive(Debug)]
pub(super) struct Follower<V>(Seat<V>);

/// What became of one who wants a value.
pub(super) enum Joined<V> {
    Leads(Lead<V>),
    Follows(Follower<V>),
    /// There are too many flights.
    Full,
}

/// What became of a follower.
pub(super) enum Waited<V> {
    Told(Result<V>),
    Leads(Lead<V>),
    /// Its own run was told to stop, or its deadline passed.
    GaveUp(Error),
}

impl<V: Clone> Flights<V> {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { known: Mutex::default(), most, ended: AtomicU64::new(0) })
    }

    /// How many flights have ended: when that is more than before a lookup, the lookup may have
    /// been just too early.
    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    pub(super) fn join(self: &Arc<Self>, key: &CacheKey) -> Joined<V> {
        let mut known = self.lock();
        if let Some(flight) = known.get(key) {
            flight.aboard.fetch_add(1, Ordering::Relaxed);
            return Joined::Follows(Follower(self.seat(key, flight)));
        }
        self.begin(&mut known, key).map_or(Joined::Full, Joined::Leads)
    }

    /// Leads, if nobody does and there is room.
    pub(super) fn try_lead(self: &Arc<Self>, key: &CacheKey) -> Option<Lead<V>> {
        let mut known = self.lock();
        if known.contains_key(key) { None } else { self.begin(&mut known, key) }
    }

    fn begin(self: &Arc<Self>, known: &mut HashMap<CacheKey, Arc<Flight<V>>>, key: &CacheKey) -> Option<Lead<V>> {
        if known.len() >= self.most {
            return None;
        }
        let turn = Arc::new(Semaphore::new(1));
        // New, so there is one.
        let permit = Arc::clone(&turn).try_acquire_owned().ok()?;
        let flight = Arc::new(Flight { turn, result: OnceLock::new(), aboard: AtomicU64::new(1) });
        known.insert(key.clone(), Arc::clone(&flight));
        Some(Lead { seat: self.seat(key, &flight), _permit: permit })
    }

    fn seat(self: &Arc<Self>, key: &CacheKey, flight: &Arc<Flight<V>>) -> Seat<V> {
        Seat { flights: Arc::clone(self), flight: Arc::clone(flight), key: key.clone() }
    }

    /// Those who come from now on begin anew; those aboard go on. Whether there is anybody aboard.
    pub(super) fn forget(&self, key: &CacheKey) -> bool {
        self.lock().remove(key).is_some()
    }

    /// The same for all.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }
}

impl<V> Flights<V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, Arc<Flight<V>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Lead<V> {
    /// Gives the result to all followers, also to those who come while it is being kept.
    pub(super) fn tell(&self, result: Result<V>) {
        let flight = &self.seat.flight;
        let _ = flight.result.set(result);
        flight.turn.close();
    }
}

impl<V: Clone> Follower<V> {
    /// Waits for the leader, for being the next one, or for the end of its own time.
    ///
    /// # Cancel safety
    /// Dropping it leaves the flight; a permit that was just handed over goes to the next.
    pub(super) async fn wait(self, cx: &Context) -> Waited<V> {
        let Self(seat) = self;
        let turn = pin!(Arc::clone(&seat.flight.turn).acquire_owned());
        let (cancelled, deadline) = (pin!(cx.cancelled()), pin!(deadline(cx)));
        let stop = select(cancelled, deadline);
        match select(turn, stop).await {
            Either::Left((Ok(permit), _)) => Waited::Leads(Lead { seat, _permit: permit }),
            Either::Left((Err(_closed), _)) => match seat.flight.result.get() {
                Some(result) => Waited::Told(result.clone()),
                None => Waited::GaveUp(crate::node::missing_value()),
            },
            Either::Right((Either::Left(_), _)) => Waited::GaveUp(stopped()),
            Either::Right((Either::Right(_), _)) => Waited::GaveUp(too_late()),
        }
    }
}

async fn deadline(cx: &Context) {
    match cx.remaining() {
        Some(left) => cx.sleep(left).await,
        None => pending().await,
    }
}

#[cold]
fn too_late() -> Error {
    let message = "the deadline passed while waiting for another execution that makes the same value";
    Error::new(ErrorKind::Timeout, NeverMade(message.to_owned())).by_deadline()
}

impl<V> Drop for Seat<V> {
    fn drop(&mut self) {
        let mut known = self.flights.lock();
        let is_last = self.flight.aboard.fetch_sub(1, Ordering::Relaxed) == 1;
        // Once there is a result it is the leader who takes the flight out, when the value is kept:
        // a follower's seat may be given back before that.
        if is_last && known.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            known.remove(&self.key);
            self.flights.ended.fetch_add(1, Ordering::Release);
        }
    }
}

impl<V> Drop for Lead<V> {
    fn drop(&mut self) {
        if self.seat.flight.result.get().is_none() {
            return;
        }
        let flights = &self.seat.flights;
        let mut known = flights.lock();
        if known.get(&self.seat.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.seat.flight)) {
            known.remove(&self.seat.key);
            flights.ended.fetch_add(1, Ordering::Release);
        }
    }
}
