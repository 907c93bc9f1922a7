//! The series of one metric: its combinations of label values.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use hashbrown::{DefaultHashBuilder, HashTable};
use thiserror::Error;

use super::LabelLimiter;
use super::keys::LabelKey;
use crate::model::Name;

/// The label value of the series that takes what has no series of its own.
const OTHER: Name = Name::from_static("other");

/// What reports know of a metric.
#[derive(Debug)]
pub(super) struct SeriesCount {
    pub(super) metric: Name,
    pub(super) series: AtomicUsize,
    pub(super) overflow: AtomicU64,
}

/// Label values that a metric does not take.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SeriesError {
    /// There are not as many values as keys.
    #[error("metric `{metric}` is given {given} label values, accepted is {accepted}")]
    LabelCount {
        /// The metric.
        metric: Name,
        /// How many values were given.
        given: usize,
        /// How many keys the metric has.
        accepted: usize,
    },
}

/// The series of one metric, each with what is counted in it: at most `max_series_per_metric`, and
/// one with every label `other` that takes the rest.
///
/// Labels are those whose values come from outside; what has a fixed set of values, as `status`,
/// belongs into `T`. Resolve once and keep what is returned: that is the way that is quick.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use tta_telemetry::{LabelLimiter, SeriesSet};
/// let limiter = LabelLimiter::new(Default::default())?;
/// let tokens: SeriesSet<AtomicU64> = SeriesSet::new(&limiter, "tokens_total", &["model", "user"]);
/// let ada = tokens.resolve(&["small", "ada"], AtomicU64::default)?;
/// ada.fetch_add(120, Ordering::Relaxed);
/// let (labels, count) = tokens.read().remove(0);
/// assert_eq!((labels.to_vec(), count.load(Ordering::Relaxed)), (vec!["small".into(), "ada".into()], 120));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SeriesSet<T> {
    limiter: LabelLimiter,
    keys: Vec<(Name, Option<Arc<LabelKey>>)>,
    count: Arc<SeriesCount>,
    /// What is found without a lock: all series but the latest.
    published: ArcSwap<Known<T>>,
    all: Mutex<All<T>>,
    other: OnceLock<Arc<T>>,
}

/// Series by their labels, and in the order in which they were met.
struct Known<T> {
    hasher: DefaultHashBuilder,
    /// Places in `series`.
    places: HashTable<usize>,
    series: Vec<(Arc<[Name]>, Arc<T>)>,
}

/// Every series, and what speaks for publishing the latest of them: copying as many as there are is
/// worth it once as many look-ups had to come here, or a quarter more were added.
struct All<T> {
    known: Known<T>,
    published: usize,
    looked_up: usize,
}

impl<T> Known<T> {
    fn new() -> Self {
        Self { hasher: DefaultHashBuilder::default(), places: HashTable::new(), series: Vec::new() }
    }

    fn get<'l>(&self, labels: impl ExactSizeIterator<Item = &'l str> + Clone) -> Option<&Arc<T>> {
        let labels_of = |place: usize| self.series.get(place).map(|(labels, _)| labels.iter().map(Name::as_str));
        let is_it = |place: &usize| labels_of(*place).is_some_and(|known| known.eq(labels.clone()));
        let place = self.places.find(hash(&self.hasher, labels.clone()), is_it)?;
        self.series.get(*place).map(|(_, value)| value)
    }

    fn add(&mut self, labels: Arc<[Name]>, value: Arc<T>) {
        let place = self.series.len();
        let hash_of_new = hash(&self.hasher, labels.iter().map(Name::as_str));
        self.series.push((labels, value));
        let Self { hasher, places, series } = self;
        let hash_of =
            |place: &usize| series.get(*place).map_or(0, |(labels, _)| hash(hasher, labels.iter().map(Name::as_str)));
        places.insert_unique(hash_of_new, place, hash_of);
    }
}

impl<T> Clone for Known<T> {
    fn clone(&self) -> Self {
        let of = |(labels, value): &(Arc<[Name]>, Arc<T>)| (Arc::clone(labels), Arc::clone(value));
        let series = self.series.iter().map(of).collect();
        Self { hasher: self.hasher.clone(), places: self.places.clone(), series }
    }
}

impl<T> All<T> {
    /// What is to be published now, if anything.
    fn publishable(&mut self) -> Option<Arc<Known<T>>> {
        let (now, unpublished) = (self.known.series.len(), self.known.series.len() - self.published);
        let is_due = unpublished > 0 && (self.looked_up >= now || unpublished * 4 >= now);
        if !is_due {
            return None;
        }
        (self.published, self.looked_up) = (now, 0);
        Some(Arc::new(self.known.clone()))
    }
}

fn hash<'l>(hasher: &DefaultHashBuilder, labels: impl Iterator<Item = &'l str>) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut state = hasher.build_hasher();
    // Each text ends in a byte that no text has, so that no two lists of labels run together.
    labels.for_each(|label| label.hash(&mut state));
    state.finish()
}

impl<T> SeriesSet<T> {
    /// A metric without a series yet. As long as it lives it is in the limiter's reports.
    #[must_use]
    pub fn new(limiter: &LabelLimiter, metric: impl Into<Name>, keys: &[&str]) -> Self {
        let key = |key: &&str| (Name::from((*key).to_owned()), limiter.key(key));
        let count =
            Arc::new(SeriesCount { metric: metric.into(), series: AtomicUsize::new(0), overflow: AtomicU64::new(0) });
        limiter.watch(&count);
        Self {
            limiter: limiter.clone(),
            keys: keys.iter().map(key).collect(),
            count,
            published: ArcSwap::from_pointee(Known::new()),
            all: Mutex::new(All { known: Known::new(), published: 0, looked_up: 0 }),
            other: OnceLock::new(),
        }
    }

    /// What is counted under these label values, one for each key and in the keys' order; made when
    /// it is met for the first time. Values are limited first.
    ///
    /// # Errors
    /// A number of values that is not the number of keys.
    pub fn resolve(&self, values: &[&str], make: impl FnOnce() -> T) -> Result<Arc<T>, SeriesError> {
        if values.len() != self.keys.len() {
            let (metric, given, accepted) = (self.count.metric.clone(), values.len(), self.keys.len());
            return Err(SeriesError::LabelCount { metric, given, accepted });
        }
        // What is known was let in before, so it need not be limited again.
        if let Some(known) = self.published.load().get(values.iter().copied()) {
            return Ok(Arc::clone(known));
        }
        self.resolve_new(values, make)
    }

    /// Label values that have no series of their own yet, or never get one.
    fn resolve_new(&self, values: &[&str], make: impl FnOnce() -> T) -> Result<Arc<T>, SeriesError> {
        let limits = self.limiter.limits();
        let limit = |((name, key), value): (&(Name, Option<Arc<LabelKey>>), &&str)| match key {
            Some(key) => key.limit(value, &limits, self.limiter.redactor()),
            None => Name::from(format!("{name}_other")),
        };
        let labels: Vec<Name> = self.keys.iter().zip(values).map(limit).collect();
        let mut all = self.all();
        if let Some(known) = all.known.get(labels.iter().map(Name::as_str)).map(Arc::clone) {
            all.looked_up += 1;
            self.publish(&mut all);
            return Ok(known);
        }
        if all.known.series.len() < limits.max_series_per_metric {
            // Made before anything is changed: it may panic.
            let value = Arc::new(make());
            all.known.add(labels.into(), Arc::clone(&value));
            self.count.series.store(all.known.series.len(), Ordering::Relaxed);
            self.publish(&mut all);
            return Ok(value);
        }
        drop(all);
        self.count.overflow.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::clone(self.other.get_or_init(|| Arc::new(make()))))
    }

    /// What is counted under these labels, if they were met before; nothing is limited or made.
    pub(crate) fn find(&self, labels: &[Name]) -> Option<Arc<T>> {
        let published = self.published.load().get(labels.iter().map(Name::as_str)).map(Arc::clone);
        published.or_else(|| self.all().known.get(labels.iter().map(Name::as_str)).map(Arc::clone))
    }

    fn all(&self) -> MutexGuard<'_, All<T>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, all: &mut All<T>) {
        if let Some(known) = all.publishable() {
            self.published.store(known);
        }
    }

    /// The label keys.
    pub fn keys(&self) -> impl Iterator<Item = &Name> {
        self.keys.iter().map(|(name, _)| name)
    }

    /// Every series with its label values, in the order in which they were met; last the one that
    /// takes the rest, if there is any.
    #[must_use]
    pub fn read(&self) -> Vec<(Arc<[Name]>, Arc<T>)> {
        let mut series = self.all().known.series.clone();
        if let Some(other) = self.other.get() {
            series.push((self.keys.iter().map(|_| OTHER).collect(), Arc::clone(other)));
        }
        series
    }

    /// How often label values were resolved to the series that takes the rest.
    #[must_use]
    pub fn overflow(&self) -> u64 {
        self.count.overflow.load(Ordering::Relaxed)
    }
}

impl<T> fmt::Debug for SeriesSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesSet").field("count", &self.count).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cardinality::{CardinalityLimits, MetricSeries};
    use crate::health::{HealthComponent, HealthStatus};

    fn add(set: &SeriesSet<AtomicU64>, values: &[&str]) {
        set.resolve(values, AtomicU64::default).unwrap().fetch_add(1, Ordering::Relaxed);
    }

    fn read(set: &SeriesSet<AtomicU64>) -> Vec<String> {
        let show = |(labels, count): (Arc<[Name]>, Arc<AtomicU64>)| {
            format!(
                "{} {}",
                labels.iter().map(Name::as_str).collect::<Vec<_>>().join(","),
                count.load(Ordering::Relaxed)
            )
        };
        set.read().into_iter().map(show).collect()
    }

    #[test]
    fn combinations_beyond_the_limit_share_one_series_that_is_counted() {
        let limits = CardinalityLimits { max_series_per_metric: 2, ..CardinalityLimits::default() };
        let limiter = LabelLimiter::new(limits).unwrap();
        let set = SeriesSet::new(&limiter, "calls_total", &["model", "user"]);
        for values in [["a", "x"], ["b", "x"], ["a", "x"], ["a", "y"], ["b", "y"], ["b", "x"]] {
            add(&set, &values);
        }
        assert_eq!(read(&set), ["a,x 2", "b,x 2", "other,other 2"]);
        assert_eq!(set.keys().map(Name::as_str).collect::<Vec<_>>(), ["model", "user"]);
        assert_eq!(limiter.series(), [MetricSeries { metric: "calls_total".into(), series: 2, overflow: 2 }]);
        assert_eq!(limiter.health().status, HealthStatus::Degraded);
        assert_eq!(limiter.health().reason.unwrap(), "metric `calls_total` has all of at most 2 series");

        limiter.set_limits(CardinalityLimits::default()).unwrap();
        assert_eq!(limiter.health().status, HealthStatus::Healthy);
        add(&set, &["a", "y"]);
        assert_eq!(read(&set), ["a,x 2", "b,x 2", "a,y 1", "other,other 2"]);
        drop(set);
        assert_eq!(limiter.series(), []);
    }

    #[test]
    fn a_wrong_number_of_values_is_refused_and_none_is_one_series() {
        let limiter = LabelLimiter::new(CardinalityLimits::default()).unwrap();
        let set = SeriesSet::new(&limiter, "calls_total", &["user"]);
        let error = set.resolve(&["a", "b"], AtomicU64::default).unwrap_err();
        assert_eq!(error.to_string(), "metric `calls_total` is given 2 label values, accepted is 1");
        let plain = SeriesSet::new(&limiter, "plain_total", &[]);
        (0..3).for_each(|_| add(&plain, &[]));
        assert_eq!(read(&plain), [" 3"]);
    }

    #[test]
    fn a_maker_that_panics_leaves_the_set_as_it_was() {
        let limiter = LabelLimiter::new(CardinalityLimits::default()).unwrap();
        let set = SeriesSet::new(&limiter, "calls_total", &["user"]);
        let make = std::panic::AssertUnwindSafe(|| set.resolve(&["a"], || panic!("no")));
        assert!(std::panic::catch_unwind(make).is_err());
        assert_eq!(read(&set), [""; 0]);
        add(&set, &["a"]);
        assert_eq!(read(&set), ["a 1"]);
    }

    #[test]
    fn tens_of_thousands_of_series_are_added_in_time_that_grows_with_their_number() {
        let limits = CardinalityLimits {
            max_series_per_metric: 60_000,
            max_label_values: 60_000,
            ..CardinalityLimits::default()
        };
        let set = SeriesSet::new(&LabelLimiter::new(limits).unwrap(), "calls_total", &["user"]);
        // The whole is copied each time that a quarter more is there: logarithmically often.
        let (mut copies, mut before) = (0, 0);
        for user in 0..50_000 {
            add(&set, &[&user.to_string()]);
            let now = set.published.load().series.len();
            copies += u32::from(now != before);
            before = now;
        }
        assert!((20..60).contains(&copies), "{copies}");
        // As many more times as it takes to be worth it, and the last one is found without a lock.
        (0..50_000).for_each(|_| add(&set, &["49999"]));
        assert_eq!(set.published.load().series.len(), 50_000);
        assert_eq!(set.read().len(), 50_000);
    }

    #[test]
    fn threads_that_meet_a_series_at_once_share_it() {
        let limits = CardinalityLimits { max_series_per_metric: 10, ..CardinalityLimits::default() };
        let set = SeriesSet::new(&LabelLimiter::new(limits).unwrap(), "calls_total", &["user"]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|i| add(&set, &[&(i % 20).to_string()])));
            }
        });
        let series = set.read();
        assert_eq!((series.len(), set.overflow()), (11, 2_000));
        let counts: Vec<u64> = series.iter().map(|(_, count)| count.load(Ordering::Relaxed)).collect();
        assert_eq!(counts, [[200; 10].as_slice(), &[2_000]].concat());
    }
}
