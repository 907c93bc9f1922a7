//! Models of the trace log, run through every interleaving that loom finds.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p tta-telemetry --release --test loom`
#![cfg(loom)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

// The models use a part of what the recorder uses.
#[allow(unsafe_code, dead_code)]
#[path = "../src/record/log.rs"]
mod log;
#[allow(dead_code)]
#[path = "../src/record/sync.rs"]
mod sync;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use log::{Count, KIND_SHIFT, Memory, Refused, SpanLog};
use loom::model::Builder;
use loom::thread;

/// Words of a record in these models: header and two equal values, so that a torn one shows.
const WORDS: usize = 3;
const NO_LIMIT: u32 = 1_000;

/// Grants up to a number of bytes and keeps account of them. Not itself part of a model, so its
/// atomics are the standard library's.
struct Budget {
    left: AtomicUsize,
}

impl Budget {
    fn of(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
    }

    fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }
}

impl Memory for Budget {
    fn reserve(&self, bytes: usize) -> bool {
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(bytes)).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::SeqCst);
    }
}

const ENOUGH: usize = 1 << 20;

struct Model {
    log: SpanLog,
    budget: Budget,
}

impl Model {
    fn new(first_words: usize, bytes: usize) -> Arc<Self> {
        Arc::new(Self { log: SpanLog::new(first_words), budget: Budget::of(bytes) })
    }

    fn append(&self, value: u64, limit: u32) -> Result<(), Refused> {
        let header = WORDS as u64 | (1 << KIND_SHIFT);
        self.log.append(&[header, value], &[value], Count::Span, limit, &self.budget)
    }

    /// Closes the log and returns the values in it, each read whole, in order.
    fn close_and_read(&self) -> Vec<u64> {
        let extent = self.log.close().expect("one closer");
        let mut values = Vec::new();
        self.log.read(extent, |record| {
            assert_eq!(record.len(), WORDS);
            assert_eq!(record[1], record[2], "a torn record");
            values.push(record[1]);
        });
        values
    }

    /// As the recorder does when it decides early: nobody may touch the memory afterwards. Returns
    /// the values and how many bytes were freed.
    fn close_read_and_release(&self) -> (Vec<u64>, usize) {
        let extent = self.log.close().expect("one closer");
        let mut values = Vec::new();
        self.log.read(extent, |record| {
            assert_eq!(record[1], record[2], "a torn record");
            values.push(record[1]);
        });
        (values, self.log.release(extent))
    }

    /// After everybody has ended: what was freed is what the log began with and what it was granted.
    fn assert_all_is_freed(&self, first_words: usize, freed: usize) {
        assert_eq!(self.log.allocated_bytes(), 0);
        assert_eq!(freed, first_words * 8 + ENOUGH - self.budget.left());
    }
}

/// Switches away from a thread that could have gone on; bugs of such code show with two, four take
/// half a minute. `LOOM_MAX_PREEMPTIONS` says otherwise.
const PREEMPTIONS: usize = 3;

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    builder.max_branches = 100_000;
    builder.check(model);
}

fn sorted(mut values: Vec<u64>) -> Vec<u64> {
    values.sort_unstable();
    values
}

#[test]
fn two_writers_in_one_chunk_lose_and_tear_nothing() {
    check(|| {
        let model = Model::new(4 * WORDS, ENOUGH);
        let other = Arc::clone(&model);
        let writer = thread::spawn(move || {
            other.append(1, NO_LIMIT).unwrap();
            other.append(2, NO_LIMIT).unwrap();
        });
        model.append(3, NO_LIMIT).unwrap();
        model.append(4, NO_LIMIT).unwrap();
        writer.join().unwrap();
        assert_eq!(sorted(model.close_and_read()), [1, 2, 3, 4]);
    });
}

#[test]
fn two_writers_that_reach_the_end_of_a_chunk_lose_and_tear_nothing() {
    // One record fits exactly, or with a word to spare: whoever is second rolls over, or both do.
    for first_words in [WORDS, WORDS + 1] {
        check(move || {
            let model = Model::new(first_words, ENOUGH);
            let other = Arc::clone(&model);
            let writer = thread::spawn(move || {
                other.append(1, NO_LIMIT).unwrap();
                other.append(2, NO_LIMIT).unwrap();
            });
            model.append(3, NO_LIMIT).unwrap();
            writer.join().unwrap();
            assert_eq!(sorted(model.close_and_read()), [1, 2, 3]);
        });
    }
}

#[test]
fn two_writers_that_grow_at_once_ask_for_the_memory_of_one_chunk() {
    check(|| {
        let next_chunk = 2 * 4 * 8;
        let model = Model::new(4, next_chunk);
        model.append(1, NO_LIMIT).unwrap();
        let other = Arc::clone(&model);
        let writer = thread::spawn(move || other.append(2, NO_LIMIT));
        // There is memory for both of them, as long as neither asks for its own.
        model.append(3, NO_LIMIT).unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!(model.budget.left(), 0);
        assert_eq!(sorted(model.close_and_read()), [1, 2, 3]);
    });
}

#[test]
fn a_writer_that_gets_no_memory_leaves_the_others_records_readable() {
    check(|| {
        let model = Model::new(WORDS + 1, 0);
        let other = Arc::clone(&model);
        let writer = thread::spawn(move || other.append(1, NO_LIMIT));
        let mine = model.append(2, NO_LIMIT);
        let theirs = writer.join().unwrap();
        let written: Vec<u64> =
            [(theirs, 1), (mine, 2)].into_iter().filter(|(r, _)| r.is_ok()).map(|(_, v)| v).collect();
        assert_eq!(written.len(), 1);
        assert!([theirs, mine].contains(&Err(Refused::Memory)));
        assert_eq!(model.close_and_read(), written);
    });
}

#[test]
fn a_closer_sees_a_whole_record_or_its_writer_is_refused_and_the_memory_can_go_at_once() {
    check(|| {
        let model = Model::new(4 * WORDS, ENOUGH);
        let other = Arc::clone(&model);
        let writer = thread::spawn(move || other.append(7, NO_LIMIT));
        let (seen, freed) = model.close_read_and_release();
        match writer.join().unwrap() {
            Ok(()) => assert_eq!(seen, [7]),
            Err(refused) => assert_eq!((refused, seen), (Refused::Closed, vec![])),
        }
        model.assert_all_is_freed(4 * WORDS, freed);
    });
}

#[test]
fn a_writer_may_grow_the_log_while_a_closer_releases_it() {
    check(|| {
        let model = Model::new(WORDS + 1, ENOUGH);
        model.append(1, NO_LIMIT).unwrap();
        let other = Arc::clone(&model);
        let writer = thread::spawn(move || other.append(2, NO_LIMIT));
        let (seen, freed) = model.close_read_and_release();
        let written = writer.join().unwrap();
        match written {
            Ok(()) => assert_eq!(seen, [1, 2]),
            Err(refused) => assert_eq!((refused, seen), (Refused::Closed, vec![1])),
        }
        model.assert_all_is_freed(WORDS + 1, freed);
    });
}

#[test]
fn two_writers_may_grow_the_log_while_a_closer_releases_it() {
    check(|| {
        let model = Model::new(WORDS + 1, ENOUGH);
        model.append(1, NO_LIMIT).unwrap();
        let writers: Vec<_> = [2, 3]
            .into_iter()
            .map(|value| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.append(value, NO_LIMIT).map(|()| value))
            })
            .collect();
        let (seen, freed) = model.close_read_and_release();
        let seen = sorted(seen);
        let written: Vec<u64> = writers.into_iter().filter_map(|writer| writer.join().unwrap().ok()).collect();
        assert_eq!(seen[1..], written);
        model.assert_all_is_freed(WORDS + 1, freed);
    });
}

#[test]
fn the_limit_is_exact_for_two_writers_within_a_chunk_and_across_its_end() {
    for first_words in [8 * WORDS, WORDS + 1] {
        check(move || {
            let model = Model::new(first_words, ENOUGH);
            let other = Arc::clone(&model);
            let writer = thread::spawn(move || [other.append(1, 2), other.append(2, 2)]);
            let mine = [model.append(3, 2)];
            let results: Vec<_> = writer.join().unwrap().into_iter().chain(mine).collect();
            let refused: Vec<_> = results.iter().filter(|result| result.is_err()).collect();
            assert_eq!(refused, [&Err(Refused::Limit)]);
            let written: Vec<u64> = (1..).zip(&results).filter(|(_, result)| result.is_ok()).map(|(v, _)| v).collect();
            assert_eq!(sorted(model.close_and_read()), written);
        });
    }
}

#[test]
fn of_two_closers_one_gets_the_extent() {
    check(|| {
        let model = Model::new(4 * WORDS, ENOUGH);
        model.append(1, NO_LIMIT).unwrap();
        let other = Arc::clone(&model);
        let closer = thread::spawn(move || other.log.close().is_some());
        let mine = model.log.close().is_some();
        assert!(mine ^ closer.join().unwrap());
    });
}
