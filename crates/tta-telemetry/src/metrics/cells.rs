//! Cells that one thread writes and any thread reads.
//!
//! A thread with an index is the only writer of its cells, so adding is a plain load and store
//! (under 1 ns) instead of a locked instruction (7 ns); threads without one share an overflow cell
//! and pay for the locked instruction. Nothing is lost either way.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::buckets::{PAGE, PAGES, locate};
use super::histogram::Histogram;
use crate::thread_index::{MAX_THREADS, thread_index};

/// Adds to a cell, cheaply when no other thread writes it.
#[inline]
pub(super) fn add(cell: &AtomicU64, by: u64, only_writer: bool) {
    if only_writer {
        cell.store(cell.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    } else {
        cell.fetch_add(by, Ordering::Relaxed);
    }
}

/// One value per thread, created when the thread first needs it.
#[derive(Debug)]
pub(crate) struct PerThread<T> {
    own: Box<[OnceLock<Box<CachePadded<T>>>]>,
    shared: CachePadded<T>,
}

impl<T: Default> PerThread<T> {
    pub(crate) fn new() -> Self {
        Self { own: (0..MAX_THREADS).map(|_| OnceLock::new()).collect(), shared: CachePadded::default() }
    }

    /// This thread's value, and whether this thread is its only writer.
    #[inline]
    pub(crate) fn mine(&self) -> (&T, bool) {
        match thread_index().and_then(|index| self.own.get(index)) {
            Some(slot) => (slot.get_or_init(Box::default), true),
            None => (&self.shared, false),
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        let own = self.own.iter().filter_map(|slot| slot.get().map(|value| &***value));
        own.chain(std::iter::once(&*self.shared))
    }

    /// Without what the values hold themselves.
    pub(super) fn heap_bytes(&self) -> usize {
        let made = self.own.iter().filter(|slot| slot.get().is_some()).count();
        size_of_val(&*self.own) + made * size_of::<CachePadded<T>>()
    }
}

/// A counter that threads add to without contention.
#[derive(Debug)]
pub(crate) struct ShardedCounter(PerThread<AtomicU64>);

impl Default for ShardedCounter {
    fn default() -> Self {
        Self(PerThread::new())
    }
}

impl ShardedCounter {
    #[inline]
    pub(crate) fn add(&self, by: u64) {
        let (cell, only_writer) = self.0.mine();
        add(cell, by, only_writer);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.all().map(|cell| cell.load(Ordering::Relaxed)).sum()
    }
}

/// `N` counters that are added to together: one allocation per thread that counts.
#[derive(Debug)]
pub(crate) struct CounterArray<const N: usize>(PerThread<CounterRow<N>>);

#[derive(Debug)]
struct CounterRow<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for CounterRow<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Default for CounterArray<N> {
    fn default() -> Self {
        Self(PerThread::new())
    }
}

impl<const N: usize> CounterArray<N> {
    #[inline]
    pub(crate) fn add(&self, at: usize, by: u64) {
        let (row, only_writer) = self.0.mine();
        if let Some(cell) = row.0.get(at) {
            add(cell, by, only_writer);
        }
    }

    /// Adds to neighbours, for the price of finding this thread's row once.
    #[inline]
    pub(crate) fn add_each<const K: usize>(&self, at: usize, by: [u64; K]) {
        let (row, only_writer) = self.0.mine();
        let cells = row.0.iter().skip(at);
        cells.zip(by).for_each(|(cell, by)| add(cell, by, only_writer));
    }

    pub(crate) fn read(&self) -> [u64; N] {
        let mut totals = [0; N];
        for row in self.0.all() {
            totals.iter_mut().zip(&row.0).for_each(|(total, cell)| *total += cell.load(Ordering::Relaxed));
        }
        totals
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

/// The values that one thread has seen: a histogram that grows only.
#[derive(Debug)]
pub(super) struct ValueCell {
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
    pages: [OnceLock<Box<[AtomicU64; PAGE]>>; PAGES],
}

impl Default for ValueCell {
    fn default() -> Self {
        Self {
            sum: AtomicU64::new(0),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
            pages: std::array::from_fn(|_| OnceLock::new()),
        }
    }
}

impl ValueCell {
    /// The bucket comes last and is read first, so that a value that is seen in its bucket is seen
    /// in the sum, too, on processors that keep the order of stores. Returns the bucket.
    #[inline]
    pub(super) fn record(&self, value: u64, only_writer: bool) -> (usize, usize) {
        add(&self.sum, value, only_writer);
        if value < self.min.load(Ordering::Relaxed) {
            self.min.fetch_min(value, Ordering::Relaxed);
        }
        if value > self.max.load(Ordering::Relaxed) {
            self.max.fetch_max(value, Ordering::Relaxed);
        }
        let (page, within) = locate(value);
        if let Some(slot) = self.pages.get(page) {
            let counts = slot.get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU64::new(0))));
            if let Some(bucket) = counts.get(within) {
                add(bucket, 1, only_writer);
            }
        }
        (page, within)
    }

    pub(super) fn read_into(&self, total: &mut Histogram) {
        let mut count = 0;
        for (page, slot) in self.pages.iter().enumerate() {
            let Some(counts) = slot.get() else { continue };
            for (within, bucket) in counts.iter().enumerate() {
                let bucket = bucket.load(Ordering::Relaxed);
                total.add(page, within, bucket);
                count += bucket;
            }
        }
        let (min, max) = (self.min.load(Ordering::Relaxed), self.max.load(Ordering::Relaxed));
        total.absorb(count, self.sum.load(Ordering::Relaxed), min, max);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.pages.iter().filter(|page| page.get().is_some()).count() * size_of::<[AtomicU64; PAGE]>()
    }
}

/// All threads' values of one series.
#[derive(Debug)]
pub(super) struct ValueCells(PerThread<ValueCell>);

impl ValueCells {
    pub(super) fn new() -> Self {
        Self(PerThread::new())
    }

    #[inline]
    pub(super) fn record(&self, value: u64) {
        let (cell, only_writer) = self.0.mine();
        cell.record(value, only_writer);
    }

    /// Everything that was recorded since the start.
    pub(super) fn read(&self) -> Histogram {
        let mut total = Histogram::default();
        self.0.all().for_each(|cell| cell.read_into(&mut total));
        total
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes() + self.0.all().map(ValueCell::heap_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_threads_that_have_ended_are_kept_and_none_is_lost() {
        let cells = ValueCells::new();
        let counter = ShardedCounter::default();
        std::thread::scope(|scope| {
            for _ in 0..100 {
                scope.spawn(|| {
                    for i in 1..=100 {
                        cells.record(i * 1_000);
                        counter.add(2);
                    }
                    cells.record(5);
                });
            }
        });
        let values = cells.read();
        assert_eq!((values.count(), values.sum()), (10_100, 100 * (5_050_000 + 5)));
        assert_eq!((values.min(), values.max()), (Some(5), Some(100_000)));
        assert_eq!(counter.get(), 20_000);
    }

    #[test]
    fn cells_and_the_plain_histogram_agree_bucket_for_bucket() {
        let cells = ValueCells::new();
        let mut plain = Histogram::default();
        for value in (0..5_000_u64).map(|i| i * i) {
            cells.record(value);
            plain.record(value);
        }
        assert_eq!(cells.read(), plain);
    }
}
