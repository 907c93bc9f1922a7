//! What needs no lock, and many threads at once.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::super::rules::Rates;
use super::super::state::CircuitState;
use super::super::window::Span;
use super::*;

fn rules() -> Rules {
    Rules { consecutive_failures: Some(3), rates: None, recovery_ns: 100, success_threshold: 2 }
}

fn allowed(cell: &Cell) -> Call<'_> {
    match cell.enter().0 {
        Entry::Allowed(call) => call,
        _ => panic!("the call is not let through"),
    }
}

fn word(cell: &Cell) -> (u64, bool, bool) {
    let word = cell.word.load(Ordering::SeqCst);
    (word >> GENERATION, word & ADMITS_ALL != 0, word & IGNORES_SUCCESSES != 0)
}

/// Holds the lock, so that whoever needs it would wait for ever.
#[test]
fn a_closed_circuit_without_recorded_failures_takes_no_lock() {
    let cell = Cell::new(rules());
    let held = cell.machine.lock().unwrap();
    assert!(allowed(&cell).end(false).is_empty());
    let dropped = allowed(&cell);
    drop(dropped);
    drop(held);
    assert!(allowed(&cell).end(true).is_empty());
    assert_eq!(word(&cell), (0, true, false), "a success has something to forget");
    allowed(&cell).end(false);
    assert_eq!((word(&cell), cell.snapshot().streak), ((0, true, true), 0));
}

#[test]
fn a_change_that_nobody_recorded_sends_the_next_call_past_the_lock() {
    let cell = Cell::new(rules());
    cell.force_open();
    cell.force_closed();
    assert_eq!(word(&cell), (2, false, true));
    let (entry, changes) = cell.enter();
    assert!(matches!(entry, Entry::Allowed(_)));
    let changes: Vec<_> = changes.iter().map(|change| (change.to, change.times)).collect();
    assert_eq!(changes, [(CircuitState::Open, 1), (CircuitState::Closed, 1)]);
    assert_eq!(word(&cell), (2, true, true));
}

#[test]
fn a_probe_that_ends_after_the_circuit_changed_gives_its_place_back() {
    let cell = Cell::new(rules());
    cell.force_open();
    cell.release();
    let Entry::Probe(probe) = cell.enter().0 else { panic!("it is half open") };
    cell.force_open();
    cell.release();
    assert!(matches!(cell.enter().0, Entry::Rejected(_)));
    probe.end(false);
    assert_eq!((cell.snapshot().probing, cell.snapshot().probe_successes), (false, 0));
    assert!(matches!(cell.enter().0, Entry::Probe(_)));
}

#[test]
fn only_a_breaker_that_measures_reads_the_clock_to_let_a_call_through() {
    assert!(allowed(&Cell::new(rules())).started_ns.is_none());
    let rates = Rates { span: Span::Calls(4), minimum_calls: 1, failure: None, slow: Some((1.0, 5)) };
    let cell = Cell::new(Rules { rates: Some(rates), ..rules() });
    let (clock, hand) = Clock::manual();
    cell.meet(&clock);
    let call = allowed(&cell);
    hand.advance(Duration::from_nanos(4));
    call.end(false);
    assert_eq!(cell.snapshot().tally.slow, 0);
    let call = allowed(&cell);
    hand.advance(Duration::from_nanos(5));
    assert_eq!(call.end(false).len(), 0);
    assert_eq!(cell.snapshot().tally.slow, 1);
}

#[test]
fn time_is_the_first_clocks_and_starts_when_it_is_met() {
    let cell = Cell::new(rules());
    assert_eq!(cell.unix_ns(0), None);
    cell.force_open();
    let ((clock, hand), (other, _)) = (Clock::manual(), Clock::manual());
    hand.advance(Duration::from_secs(5));
    cell.meet(&clock);
    cell.meet(&other);
    let start = clock.unix_ns(clock.ticks());
    hand.advance(Duration::from_secs(1));
    let read = cell.snapshot();
    assert_eq!((read.since_ns, read.now_ns, cell.unix_ns(0)), (0, 1_000_000_000, Some(start)));
}

/// Many threads call, fail, drop and force at random, while time passes: at most one probe is ever
/// under way, and every change of state is handed to exactly one of them.
#[test]
fn no_interleaving_lets_two_probes_through_or_loses_a_change() {
    const THREADS: u64 = 8;
    const CALLS: u64 = 4_000;
    let rates = Rates { span: Span::Calls(8), minimum_calls: 4, failure: Some(0.5), slow: None };
    for rates in [None, Some(rates)] {
        let rules = Rules { consecutive_failures: Some(2), rates, recovery_ns: 3, success_threshold: 2 };
        let cell = Arc::new(Cell::new(rules));
        let (clock, hand) = Clock::manual();
        cell.meet(&clock);
        let (probes, most) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
        let (said, let_through) = (Arc::new([const { AtomicU64::new(0) }; 3]), Arc::new(AtomicU64::new(0)));
        let started = Arc::new(Barrier::new(THREADS as usize));
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (cell, hand, started) = (Arc::clone(&cell), hand.clone(), Arc::clone(&started));
                let (probes, most, said) = (Arc::clone(&probes), Arc::clone(&most), Arc::clone(&said));
                let let_through = Arc::clone(&let_through);
                std::thread::spawn(move || {
                    let mut random = fastrand::Rng::with_seed(thread);
                    let say = |changes: Vec<Change>| {
                        for change in changes {
                            said[change.to as usize].fetch_add(change.times, Ordering::SeqCst);
                        }
                    };
                    started.wait();
                    for _ in 0..CALLS {
                        match random.u32(..200) {
                            0 => cell.force_open(),
                            1 => cell.force_closed(),
                            2..6 => cell.release(),
                            6..12 => drop(cell.snapshot()),
                            _ => hand.advance(Duration::from_nanos(random.u64(..2))),
                        }
                        let (entry, changes) = cell.enter();
                        say(changes);
                        let (call, probe) = match entry {
                            Entry::Allowed(call) => (call, false),
                            Entry::Probe(call) => (call, true),
                            Entry::Rejected(_) => continue,
                        };
                        let_through.fetch_add(1, Ordering::SeqCst);
                        if probe {
                            most.fetch_max(probes.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        }
                        if random.u32(..4) == 0 {
                            std::thread::yield_now();
                        }
                        if probe {
                            probes.fetch_sub(1, Ordering::SeqCst);
                        }
                        match random.u32(..10) {
                            0 => drop(call),
                            1..4 => say(call.end(true)),
                            _ => say(call.end(false)),
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        for change in cell.enter().1 {
            said[change.to as usize].fetch_add(change.times, Ordering::SeqCst);
        }
        let read = cell.snapshot();
        assert_eq!(most.load(Ordering::SeqCst), 1, "probes at once");
        assert!(!read.probing, "every place was given back");
        let entered = [read.entered.closed, read.entered.opened, read.entered.half_opened];
        let said = [0, 1, 2].map(|state: usize| said[state].load(Ordering::SeqCst));
        assert_eq!(said, entered);
        assert!(entered.iter().all(|times| *times > 100), "it went through every state: {entered:?}");
        // Every call was let through or rejected; the last one is the one just above.
        let calls = let_through.load(Ordering::SeqCst) + read.rejected;
        assert!((THREADS * CALLS..=THREADS * CALLS + 1).contains(&calls), "{calls}");
    }
}

/// Threads that see the circuit open must not be let through, whatever the word said before.
#[test]
fn who_has_seen_it_open_is_rejected() {
    for _ in 0..2_000 {
        let cell = Arc::new(Cell::new(rules()));
        let watcher = std::thread::spawn({
            let cell = Arc::clone(&cell);
            move || {
                while cell.snapshot().state != CircuitState::Open {
                    std::hint::spin_loop();
                }
                matches!(cell.enter().0, Entry::Rejected(_))
            }
        });
        cell.force_open();
        assert!(watcher.join().unwrap());
    }
}
