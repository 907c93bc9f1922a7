//! Where theoretical arrival times are kept: one for each clock, or one for each key and clock.
//!
//! Moments of different clocks cannot be compared. All system clocks of a process read the same
//! counter, so engines on the system clock share one limit. A paused clock is a test's: each engine
//! that has one is limited by itself.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::gcra::{Moment, Quota, Step, give_back};
use super::keys::Keys;
use crate::context::Context;

/// Engines with a paused clock that one limit keeps apart; the one met first is dropped.
const MOST_PAUSED: usize = 64;

/// One thing for the system's clock, and one for each engine whose clock is paused.
#[derive(Debug)]
pub(super) struct PerClock<T> {
    system: T,
    paused: Mutex<Vec<(u64, Arc<T>)>>,
    forgotten: AtomicU64,
}

#[derive(Debug)]
pub(crate) enum OfClock<'a, T> {
    System(&'a T),
    Paused(Arc<T>),
}

impl<T> Deref for OfClock<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match self {
            OfClock::System(system) => system,
            OfClock::Paused(paused) => paused,
        }
    }
}

impl<T: Default> Default for PerClock<T> {
    fn default() -> Self {
        Self { system: T::default(), paused: Mutex::default(), forgotten: AtomicU64::new(0) }
    }
}

impl<T: Default> PerClock<T> {
    #[inline]
    pub(super) fn of(&self, cx: &Context) -> OfClock<'_, T> {
        match cx.clock().as_manual() {
            None => OfClock::System(&self.system),
            Some(_) => OfClock::Paused(self.paused(cx.telemetry().engine_id())),
        }
    }

    fn paused(&self, engine: u64) -> Arc<T> {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = paused.iter().find(|(id, _)| *id == engine) {
            return Arc::clone(known);
        }
        if paused.len() >= MOST_PAUSED {
            paused.remove(0);
            self.forgotten.fetch_add(1, Ordering::Relaxed);
        }
        let fresh = Arc::<T>::default();
        paused.push((engine, Arc::clone(&fresh)));
        fresh
    }

    /// Engines whose state was dropped.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }

    /// Everything there is.
    pub(super) fn all(&self) -> impl Iterator<Item = OfClock<'_, T>> {
        let paused: Vec<_> = {
            let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
            paused.iter().map(|(_, one)| OfClock::Paused(Arc::clone(one))).collect()
        };
        std::iter::once(OfClock::System(&self.system)).chain(paused)
    }
}

/// The one number that decides about a call.
pub(crate) trait Lane: Send {
    /// See [`Quota::take`].
    fn take(&self, quota: Quota, now: Moment, longest: u64) -> Result<Step, u64>;

    /// See [`give_back`].
    fn give_back(&self, step: Step);
}

/// Of all calls.
pub(crate) struct Whole<'a>(pub(super) OfClock<'a, AtomicU64>);

impl Lane for Whole<'_> {
    #[inline]
    fn take(&self, quota: Quota, now: Moment, longest: u64) -> Result<Step, u64> {
        quota.take(&self.0, now, longest)
    }

    fn give_back(&self, step: Step) {
        give_back(&self.0, step);
    }
}

/// Of the calls with one key.
pub(crate) struct OneKey<'a, K> {
    pub(super) keys: OfClock<'a, Mutex<Keys<K>>>,
    pub(super) key: K,
    pub(super) max_keys: usize,
}

impl<K: super::RateKey> Lane for OneKey<'_, K> {
    fn take(&self, quota: Quota, now: Moment, longest: u64) -> Result<Step, u64> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.take(&self.key, quota, (now, longest), self.max_keys)
    }

    fn give_back(&self, step: Step) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).give_back(&self.key, step);
    }
}
