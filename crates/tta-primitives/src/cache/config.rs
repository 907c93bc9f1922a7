//! The parameters of a cache.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{Name, Usd};

use super::Cache;
use super::memory::{Bounds, MemoryStore, Weigher};
use super::store::CacheStore;
use crate::error::Error;
use crate::policy::PolicyError;

const DAY: Duration = Duration::from_secs(86_400);
const LONGEST: Duration = Duration::from_secs(86_400 * 365);

type Predicate = Box<dyn Fn(&Error) -> bool + Send + Sync>;
type TagsOf<V> = Box<dyn Fn(&V) -> Vec<Name> + Send + Sync>;

/// What a cache goes by, checked.
pub(super) struct Policy<V> {
    pub(super) ttl: Duration,
    pub(super) stale_for: Duration,
    pub(super) negative_ttl: Duration,
    pub(super) negative_when: Option<Predicate>,
    pub(super) lookup_timeout: Duration,
    pub(super) refresh_timeout: Duration,
    pub(super) cost_per_call: Usd,
    pub(super) single_flight: bool,
    pub(super) max_flights: usize,
    pub(super) tags: Option<TagsOf<V>>,
}

/// Builds a [`Cache`]. See [`Cache::named`].
#[must_use]
pub struct CacheBuilder<V> {
    name: Name,
    policy: Policy<V>,
    capacity: Option<u64>,
    capacity_bytes: Option<u64>,
    weigh: Option<Weigher<V>>,
    store: Option<Arc<dyn CacheStore<V>>>,
}

impl<V: Clone + Send + Sync + 'static> CacheBuilder<V> {
    pub(super) fn new(name: Name) -> Self {
        let policy = Policy {
            ttl: Duration::from_secs(3_600),
            stale_for: Duration::ZERO,
            negative_ttl: Duration::ZERO,
            negative_when: None,
            lookup_timeout: Duration::from_millis(50),
            refresh_timeout: Duration::from_secs(30),
            cost_per_call: Usd::ZERO,
            single_flight: true,
            max_flights: 10_000,
            tags: None,
        };
        Self { name, policy, capacity: None, capacity_bytes: None, weigh: None, store: None }
    }

    /// How long a value is good. Default one hour; above 0, at most 365 days.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.policy.ttl = ttl;
        self
    }

    /// How long after its TTL a value is still shown, at once, while it is made anew in the
    /// background. Default 0, which is never; at most 365 days.
    ///
    /// The refresh is a task of the run that met the stale value, at most one per key and 64 per
    /// cache; it needs a tokio runtime. It may outlive the run, by at most
    /// [`refresh_timeout`](CacheBuilder::refresh_timeout), which it has in place of the run's
    /// deadline, never fails it, and is told to stop when the run is cancelled. When it fails, the stale value stays and the next one who meets it
    /// begins another refresh.
    pub fn stale_while_revalidate(mut self, stale_for: Duration) -> Self {
        self.policy.stale_for = stale_for;
        self
    }

    /// How long a refresh may take before it is dropped. Default 30 s; above 0, at most one day.
    pub fn refresh_timeout(mut self, timeout: Duration) -> Self {
        self.policy.refresh_timeout = timeout;
        self
    }

    /// How long a failure is kept and given to those who ask for the same. Default 0, which is not
    /// at all; at most 365 days.
    ///
    /// Kept are errors of the kinds app, invalid input and upstream that do not ask to be tried
    /// again; [`negative_when`](CacheBuilder::negative_when) chooses others. Kind and message are
    /// kept, the error's own type and sources are not: [`CachedFailure`](crate::CachedFailure).
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.policy.negative_ttl = ttl;
        self
    }

    /// Which errors are kept under a [`negative_ttl`](CacheBuilder::negative_ttl), instead of the
    /// default. It is asked only for errors of the kinds app, invalid input, upstream and limit
    /// reached: others, as cancelled, timeout or panic, are about a run, not about the value.
    pub fn negative_when(mut self, predicate: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.policy.negative_when = Some(Box::new(predicate));
        self
    }

    /// How long an operation of the store may take: a read before the step runs without it, a write
    /// before the result is returned unkept. A store that answers at once needs no timer. Default
    /// 50 ms; above 0, at most 60 s.
    pub fn lookup_timeout(mut self, timeout: Duration) -> Self {
        self.policy.lookup_timeout = timeout;
        self
    }

    /// What one execution of the step costs, for [`CacheStats::savings`](crate::CacheStats), the
    /// engine's [cost report](tta_telemetry::Telemetry::cost_report) (category `cache`) and its
    /// metrics. What executions cost is not entered by the cache. Default nothing: no savings are
    /// reported.
    pub fn cost_per_call(mut self, cost: Usd) -> Self {
        self.policy.cost_per_call = cost;
        self
    }

    /// Whether of several executions that want the same at once only one runs the step. Default
    /// true. A step that runs its own workflow again with the same key would wait for itself.
    pub fn single_flight(mut self, on: bool) -> Self {
        self.policy.single_flight = on;
        self
    }

    /// How many keys may be under way at once; executions beyond run without single flight. Default
    /// 10,000; 1 to 1,000,000.
    pub fn max_flights(mut self, flights: usize) -> Self {
        self.policy.max_flights = flights;
        self
    }

    /// What a value can be invalidated by, [`Cache::invalidate_tag`]; at most 64 tags. Default
    /// none. A value whose tags cannot be told, because this panics or there are more, is not kept.
    pub fn tags(mut self, tags: impl Fn(&V) -> Vec<Name> + Send + Sync + 'static) -> Self {
        self.policy.tags = Some(Box::new(tags));
        self
    }

    /// How many entries the memory store may hold. Default 10,000; 1 to 100,000,000. Refused
    /// together with a store of the caller's, which has its own bound.
    pub fn capacity(mut self, entries: u64) -> Self {
        self.capacity = Some(entries);
        self
    }

    /// How many bytes the values in the memory store may take together, as
    /// [`weigh`](CacheBuilder::weigh) counts them. Default no bound; above 0. A larger value is not
    /// kept.
    pub fn capacity_bytes(mut self, bytes: u64) -> Self {
        self.capacity_bytes = Some(bytes);
        self
    }

    /// How many bytes a value takes. Needed for a bound on bytes; without one it only counts.
    pub fn weigh(mut self, weigh: impl Fn(&V) -> u64 + Send + Sync + 'static) -> Self {
        self.weigh = Some(Arc::new(weigh));
        self
    }

    /// Where values are kept. Default: the memory of this process.
    pub fn store(mut self, store: impl CacheStore<V>) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// The first parameter outside its range, or that contradicts another.
    pub fn build(self) -> Result<Cache<V>, PolicyError> {
        let policy = &self.policy;
        let check = |parameter, given: &dyn fmt::Debug, accepted, within| {
            PolicyError::check("cache", parameter, given, accepted, within)
        };
        check("name", &&*self.name, "1 to 100 bytes", (1..=100).contains(&self.name.len()))?;
        check("ttl", &policy.ttl, "above 0, at most 365 days", !policy.ttl.is_zero() && policy.ttl <= LONGEST)?;
        let stale_for = policy.stale_for;
        check("stale_while_revalidate", &stale_for, "0 (off) to 365 days", stale_for <= LONGEST)?;
        check("negative_ttl", &policy.negative_ttl, "0 (off) to 365 days", policy.negative_ttl <= LONGEST)?;
        let timeout = policy.lookup_timeout;
        let in_range = !timeout.is_zero() && timeout <= Duration::from_secs(60);
        check("lookup_timeout", &timeout, "above 0, at most 60 s", in_range)?;
        let timeout = policy.refresh_timeout;
        check("refresh_timeout", &timeout, "above 0, at most one day", !timeout.is_zero() && timeout <= DAY)?;
        let flights = policy.max_flights;
        check("max_flights", &flights, "1 to 1000000", (1..=1_000_000).contains(&flights))?;
        let store = match self.store {
            Some(store) => {
                for (parameter, given) in [("capacity", self.capacity), ("capacity_bytes", self.capacity_bytes)] {
                    check(parameter, &given, "None with a store of your own", given.is_none())?;
                }
                store
            }
            None => Arc::new(memory(self.capacity, self.capacity_bytes, self.weigh)?),
        };
        Ok(Cache::with(self.name, self.policy, store))
    }
}

fn memory<V: Clone + Send + Sync + 'static>(
    entries: Option<u64>,
    bytes: Option<u64>,
    weigh: Option<Weigher<V>>,
) -> Result<MemoryStore<V>, PolicyError> {
    let mut bounds = Bounds::entries(entries.unwrap_or(10_000))?;
    if let Some(bytes) = bytes {
        bounds = bounds.bytes(bytes)?;
        let accepted = "`weigh`, which says how many bytes a value takes, beside it";
        PolicyError::check("cache", "capacity_bytes", bytes, accepted, weigh.is_some())?;
    }
    Ok(MemoryStore::within(match weigh {
        Some(weigh) => bounds.weigh(weigh),
        None => bounds,
    }))
}

impl<V> fmt::Debug for CacheBuilder<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder").field("name", &self.name).field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl<V> fmt::Debug for Policy<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("ttl", &self.ttl)
            .field("stale_for", &self.stale_for)
            .field("negative_ttl", &self.negative_ttl)
            .field("lookup_timeout", &self.lookup_timeout)
            .field("refresh_timeout", &self.refresh_timeout)
            .field("cost_per_call", &self.cost_per_call)
            .field("single_flight", &self.single_flight)
            .field("max_flights", &self.max_flights)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named() -> CacheBuilder<String> {
        Cache::named("answers")
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        assert_eq!(
            format!("{:?}", named().policy),
            "Policy { ttl: 3600s, stale_for: 0ns, negative_ttl: 0ns, lookup_timeout: 50ms, refresh_timeout: 30s, \
             cost_per_call: Usd($0.00), single_flight: true, max_flights: 10000, .. }"
        );
        let builder = named();
        assert!(builder.policy.tags.is_none() && builder.policy.negative_when.is_none() && builder.store.is_none());
        let store = format!("{:?}", memory::<String>(None, None, None).unwrap());
        assert!(store.contains("entries: 10000, bytes: None"), "{store}");
    }

    #[test]
    fn every_parameter_outside_its_range_is_named_with_value_and_range() {
        let day = Duration::from_secs(86_400);
        let own = || MemoryStore::new(1).unwrap();
        let bytes = "accepted is `weigh`, which says how many bytes a value takes, beside it";
        let cases = [
            (Cache::<String>::named(""), "`name` is \"\", accepted is 1 to 100 bytes".to_owned()),
            (named().ttl(Duration::ZERO), "`ttl` is 0ns, accepted is above 0, at most 365 days".to_owned()),
            (named().ttl(366 * day), "`ttl` is 31622400s, accepted is above 0, at most 365 days".to_owned()),
            (
                named().stale_while_revalidate(366 * day),
                "`stale_while_revalidate` is 31622400s, accepted is 0 (off) to 365 days".to_owned(),
            ),
            (
                named().negative_ttl(366 * day),
                "`negative_ttl` is 31622400s, accepted is 0 (off) to 365 days".to_owned(),
            ),
            (
                named().lookup_timeout(Duration::ZERO),
                "`lookup_timeout` is 0ns, accepted is above 0, at most 60 s".to_owned(),
            ),
            (named().lookup_timeout(day), "`lookup_timeout` is 86400s, accepted is above 0, at most 60 s".to_owned()),
            (
                named().refresh_timeout(Duration::ZERO),
                "`refresh_timeout` is 0ns, accepted is above 0, at most one day".to_owned(),
            ),
            (
                named().refresh_timeout(2 * day),
                "`refresh_timeout` is 172800s, accepted is above 0, at most one day".to_owned(),
            ),
            (named().max_flights(0), "`max_flights` is 0, accepted is 1 to 1000000".to_owned()),
            (named().capacity(0), "`capacity` is 0, accepted is 1 to 100000000".to_owned()),
            (named().capacity_bytes(0), "`capacity_bytes` is 0, accepted is above 0".to_owned()),
            (named().capacity_bytes(7), format!("`capacity_bytes` is 7, {bytes}")),
            (
                named().store(own()).capacity(7),
                "`capacity` is Some(7), accepted is None with a store of your own".to_owned(),
            ),
            (
                named().store(own()).capacity_bytes(7),
                "`capacity_bytes` is Some(7), accepted is None with a store of your own".to_owned(),
            ),
        ];
        for (builder, want) in cases {
            assert_eq!(builder.build().unwrap_err().to_string(), format!("cache: {want}"));
        }
    }
}
