//! Theoretical arrival times by key, for a bounded number of keys.
//!
//! A key whose time has passed is as good as unknown: it may have its whole burst again. When
//! there is no room for a new key, the one with the earliest time goes: first those that have
//! nothing to remember, then, at a loss, those that are nearest to it.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;

use super::gcra::{Moment, Quota, Step};

/// Keys that are looked at to make room for one: bounds how long one call holds the lock.
const MOST_LOOKED_AT: usize = 16;

/// What calls can be told apart by: see [`Workflow::rate_limit_by`](crate::Workflow::rate_limit_by).
/// Every type that is `Hash + Eq + Clone + Send + Sync + 'static` is one.
pub trait RateKey: Hash + Eq + Clone + Send + Sync + 'static {}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> RateKey for K {}

#[derive(Debug)]
pub(crate) struct Keys<K> {
    times: HashMap<K, Moment>,
    /// Every key once, with a time that it had; put right when it comes to the top.
    earliest: BinaryHeap<Aged<K>>,
    expired: u64,
    evicted: u64,
}

/// How many keys there are, and went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyCounts {
    pub(super) keys: usize,
    pub(super) expired: u64,
    pub(super) evicted: u64,
}

/// A key by its time, the earliest greatest.
#[derive(Debug)]
struct Aged<K> {
    time: Moment,
    key: K,
}

impl<K> PartialEq for Aged<K> {
    fn eq(&self, other: &Self) -> bool {
        self.time == other.time
    }
}

impl<K> Eq for Aged<K> {}

impl<K> PartialOrd for Aged<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Aged<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.time.cmp(&self.time)
    }
}

impl<K> Default for Keys<K> {
    fn default() -> Self {
        Self { times: HashMap::new(), earliest: BinaryHeap::new(), expired: 0, evicted: 0 }
    }
}

impl<K: RateKey> Keys<K> {
    /// Admits a call of a key, as [`Quota::take`] does.
    pub(super) fn take(
        &mut self,
        key: &K,
        quota: Quota,
        (now, longest): (Moment, u64),
        max_keys: usize,
    ) -> Result<Step, u64> {
        if let Some(time) = self.times.get_mut(key) {
            let step = quota.step(*time, now);
            if step.wait > longest {
                return Err(step.wait);
            }
            *time = step.to;
            return Ok(step);
        }
        // A key that is not known has its whole burst, so it need not wait.
        let step = quota.step(0, now);
        // The user's code first: should it panic, nothing has changed.
        let (one, other) = (key.clone(), key.clone());
        while self.times.len() >= max_keys.max(1) {
            self.make_room(now);
        }
        self.earliest.push(Aged { time: step.to, key: one });
        self.times.insert(other, step.to);
        Ok(step)
    }

    /// Undoes the last admission of a key, if it was that.
    pub(super) fn give_back(&mut self, key: &K, step: Step) {
        if let Some(time) = self.times.get_mut(key).filter(|time| **time == step.to) {
            *time = step.from;
        }
    }

    /// Drops the key with the earliest time, or nearly so: exactly the earliest unless more than a
    /// few keys at the top were used since they were put there.
    fn make_room(&mut self, now: Moment) {
        for looked_at in 1.. {
            let Some(Aged { time, key }) = self.earliest.pop() else {
                // Only a key whose hash or equality changes can be missing here.
                self.evicted += self.times.len() as u64;
                self.times.clear();
                return;
            };
            match self.times.get(&key) {
                None => {}
                Some(&used) if used > time && looked_at < MOST_LOOKED_AT => {
                    self.earliest.push(Aged { time: used, key });
                }
                Some(&last) => {
                    self.times.remove(&key);
                    *(if last <= now { &mut self.expired } else { &mut self.evicted }) += 1;
                    return;
                }
            }
        }
    }

    pub(super) fn counts(&self) -> KeyCounts {
        KeyCounts { keys: self.times.len(), expired: self.expired, evicted: self.evicted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 16_000_000_000;

    fn counts<K: RateKey>(keys: &Keys<K>) -> (usize, u64, u64) {
        let counts = keys.counts();
        (counts.keys, counts.expired, counts.evicted)
    }

    #[test]
    fn keys_that_are_refilled_go_first_and_cost_nothing() {
        let quota = Quota::per_second(1.0, 2);
        let mut keys = Keys::default();
        let mut take = |key: &'static str, second: u64| keys.take(&key, quota, (second * SECOND, 0), 2).is_ok();
        // `a` is used again and again: put there first, it is not the one to go.
        assert!(take("a", 10) && take("b", 10) && take("a", 11) && take("a", 12));
        assert!(take("c", 12), "in place of `b`, which has its burst again");
        assert!(take("a", 12) && !take("a", 12), "`a` was remembered");
        assert_eq!(counts(&keys), (2, 1, 0));
    }

    #[test]
    fn when_none_is_refilled_the_one_nearest_to_it_goes_and_is_counted() {
        let quota = Quota::per_second(1.0, 4);
        let mut keys = Keys::default();
        let mut take = |key: &'static str| keys.take(&key, quota, (10 * SECOND, 0), 2).is_ok();
        assert!(take("a") && take("a") && take("b") && take("c"));
        assert!(take("a") && take("a") && !take("a"), "`a` was remembered, `b` was not");
        assert_eq!(counts(&keys), (2, 0, 1));
    }

    #[test]
    fn one_call_looks_at_a_bounded_number_of_keys() {
        let quota = Quota::per_second(1.0, 4);
        let mut keys = Keys::default();
        for round in 0..2 {
            for key in 0..1_000_u32 {
                keys.take(&key, quota, ((10 + round) * SECOND, 0), 1_000).unwrap();
            }
        }
        keys.take(&7_000, quota, (11 * SECOND, 0), 1_000).unwrap();
        assert_eq!(counts(&keys), (1_000, 0, 1));
        // One of those looked at went, and the new one came.
        let put_right = keys.earliest.iter().filter(|aged| aged.time >= 12 * SECOND).count();
        assert_eq!(put_right, MOST_LOOKED_AT);
    }

    proptest! {
        /// Against a map without bounds: as long as no key is evicted, both decide alike.
        #[test]
        fn dropping_refilled_keys_changes_no_decision(
            calls in prop::collection::vec((0_u8..12, 0_u64..20), 1..300),
        ) {
            let quota = Quota::per_second(10.0, 3);
            let (mut bounded, mut unbounded) = (Keys::default(), Keys::default());
            let mut now = SECOND;
            for (key, gap) in calls {
                now += gap * SECOND / 100;
                let got = bounded.take(&key, quota, (now, 0), 6).is_ok();
                prop_assert!(bounded.times.len() <= 6 && bounded.earliest.len() == bounded.times.len());
                if bounded.evicted > 0 {
                    break;
                }
                prop_assert_eq!(got, unbounded.take(&key, quota, (now, 0), 1_000).is_ok());
            }
        }
    }
}
