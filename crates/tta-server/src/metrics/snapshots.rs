//! Readings of an engine's metrics, shared by those that scrape at the same time.
//!
//! One reading is made at a time. Who asks meanwhile waits for the next one, together with all
//! others that do: nobody gets a reading that began before it was asked for, and a hundred that
//! ask at once cost two readings. At most [`MOST`] readings are held; when all of them are still
//! being sent, the next one waits until one is done, or one is so old, or has been left alone for so
//! long, that it is given up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tta_telemetry::{MetricFamily, Telemetry};

/// Readings that are held at the same time.
const MOST: usize = 8;
/// How old a reading is before it may be given up for another: as long as Prometheus itself waits
/// for a page unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same when nobody has taken a piece of it meanwhile: those that read it are stuck.
const STUCK: Duration = Duration::from_secs(2);

/// The readings of one engine.
#[derive(Debug)]
pub(super) struct Snapshots {
    telemetry: Telemetry,
    making: tokio::sync::Mutex<()>,
    /// How many readings were begun; their numbers.
    begun: AtomicU64,
    held: Mutex<Vec<Held>>,
    freed: Notify,
    given_up: AtomicU64,
}

#[derive(Debug)]
struct Held {
    number: u64,
    families: Arc<[MetricFamily]>,
    made: Instant,
    /// When a piece was taken.
    used: Instant,
    readers: usize,
}

impl Held {
    /// From when on it may be given up.
    fn gives_way(&self) -> Instant {
        (self.made + PATIENCE).min(self.used + STUCK)
    }
}

/// The right to a reading, until this is dropped or the reading is given up.
#[derive(Debug)]
pub(super) struct Lease {
    snapshots: Arc<Snapshots>,
    number: u64,
}

impl Snapshots {
    pub(super) fn new(telemetry: Telemetry) -> Self {
        Self {
            telemetry,
            making: tokio::sync::Mutex::default(),
            begun: AtomicU64::new(0),
            held: Mutex::default(),
            freed: Notify::new(),
            given_up: AtomicU64::new(0),
        }
    }

    /// Readings that were given up while they were being sent.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }

    /// A reading that begins after this is called. `None` when reading panicked or the runtime ends.
    pub(super) async fn lease(self: &Arc<Self>) -> Option<Lease> {
        let earlier = self.begun.load(Ordering::Acquire);
        let _turn = self.making.lock().await;
        if let Some(lease) = self.join(earlier) {
            return Some(lease);
        }
        self.make_room().await;
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let telemetry = self.telemetry.clone();
        // Sources are the program's, and a reading of very many series takes a while.
        let families = tokio::task::spawn_blocking(move || telemetry.collect_metrics()).await.ok()?;
        let now = Instant::now();
        let held = Held { number, families: families.into(), made: now, used: now, readers: 1 };
        self.with_held(|all| all.push(held));
        Some(self.lease_of(number))
    }

    /// A share in a reading that began after `earlier`.
    fn join(self: &Arc<Self>, earlier: u64) -> Option<Lease> {
        self.with_held(|all| {
            let last = all.last_mut().filter(|held| held.number > earlier)?;
            last.readers += 1;
            Some(last.number)
        })
        .map(|number| self.lease_of(number))
    }

    fn lease_of(self: &Arc<Self>, number: u64) -> Lease {
        Lease { snapshots: Arc::clone(self), number }
    }

    async fn make_room(&self) {
        loop {
            // From here on nothing that is freed is missed.
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            let now = Instant::now();
            let until = self.with_held(|all| {
                let ways = all.iter().map(Held::gives_way).enumerate();
                let (place, way) = ways.min_by_key(|(_, way)| *way).filter(|_| all.len() >= MOST)?;
                if way > now {
                    return Some(way);
                }
                self.given_up.fetch_add(1, Ordering::Relaxed);
                all.remove(place);
                None
            });
            let Some(until) = until else { return };
            // Either way there is another look.
            let _ = tokio::time::timeout_at(until, freed).await;
        }
    }

    fn with_held<R>(&self, with: impl FnOnce(&mut Vec<Held>) -> R) -> R {
        with(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Lease {
    /// What was read; `None` when it was given up for others.
    pub(super) fn families(&self) -> Option<Arc<[MetricFamily]>> {
        let (number, now) = (self.number, Instant::now());
        self.snapshots.with_held(|all| {
            let held = all.iter_mut().find(|held| held.number == number)?;
            held.used = now;
            Some(Arc::clone(&held.families))
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let number = self.number;
        // What is removed is dropped after the lock is free.
        let done = self.snapshots.with_held(|all| {
            let place = all.iter().position(|held| held.number == number)?;
            let held = all.get_mut(place)?;
            held.readers -= 1;
            (held.readers == 0).then(|| all.remove(place))
        });
        if done.is_some() {
            self.snapshots.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshots() -> Arc<Snapshots> {
        Arc::new(Snapshots::new(Telemetry::builder().build().unwrap()))
    }

    fn held(snapshots: &Snapshots) -> Vec<(u64, usize)> {
        snapshots.with_held(|all| all.iter().map(|held| (held.number, held.readers)).collect())
    }

    #[tokio::test]
    async fn who_asks_while_a_reading_is_made_shares_the_next() {
        let snapshots = snapshots();
        let first = snapshots.lease().await.unwrap();
        let making = snapshots.making.lock().await;
        let (second, third, ()) = tokio::join!(snapshots.lease(), snapshots.lease(), async { drop(making) });
        let numbers = [&second, &third].map(|lease| lease.as_ref().unwrap().number);
        assert_eq!((first.number, numbers), (1, [2, 2]));
        assert_eq!(held(&snapshots), [(1, 1), (2, 2)]);
        // One that asks afterwards has a reading of its own.
        let later = snapshots.lease().await.unwrap();
        assert_eq!(held(&snapshots), [(1, 1), (2, 2), (3, 1)]);
        assert!(!later.families().unwrap().is_empty());
        drop((first, second, third));
        assert_eq!(held(&snapshots), [(3, 1)]);
        drop(later);
        assert_eq!(held(&snapshots), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_is_stuck_is_given_up_when_its_place_is_needed() {
        let snapshots = snapshots();
        let mut leases = Vec::new();
        for _ in 0..MOST {
            leases.push(snapshots.lease().await.unwrap());
        }
        let start = Instant::now();
        // Pieces are taken of all but the fourth.
        tokio::time::advance(STUCK / 2).await;
        let is_held = |lease: &Lease| lease.families().is_some();
        assert!(leases.iter().enumerate().all(|(place, lease)| place == 3 || is_held(lease)));
        let next = snapshots.lease().await.unwrap();
        assert!(start.elapsed() >= STUCK && start.elapsed() < PATIENCE);
        assert_eq!((held(&snapshots).len(), snapshots.given_up()), (MOST, 1));
        assert!(!is_held(&leases[3]) && is_held(&leases[0]) && is_held(&next));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_is_old_is_given_up_when_its_place_is_needed() {
        let snapshots = snapshots();
        let mut leases = Vec::new();
        for _ in 0..MOST {
            leases.push(snapshots.lease().await.unwrap());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let start = Instant::now();
        let (next, ()) = tokio::join!(snapshots.lease(), async {
            // Pieces of all are taken again and again, but slowly.
            while leases[0].families().is_some() {
                assert_eq!(leases.iter().filter(|lease| lease.families().is_none()).count(), 0);
                tokio::time::advance(STUCK / 2).await;
            }
        });
        let next = next.unwrap();
        assert!(start.elapsed() + Duration::from_millis(8) >= PATIENCE && next.families().is_some());
        assert_eq!((held(&snapshots).len(), snapshots.given_up()), (MOST, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_freed_is_taken_at_once() {
        let snapshots = snapshots();
        let mut leases = Vec::new();
        for _ in 0..MOST {
            leases.push(snapshots.lease().await.unwrap());
        }
        let start = Instant::now();
        let (next, ()) = tokio::join!(snapshots.lease(), async {
            tokio::task::yield_now().await;
            drop(leases.pop());
        });
        assert_eq!((next.unwrap().number, snapshots.given_up()), (MOST as u64 + 1, 0));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
