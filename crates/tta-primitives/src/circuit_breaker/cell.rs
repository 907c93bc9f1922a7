//! The state machine as many threads share it.
//!
//! All changes happen under one short lock, so there is one order of them. Beside it stands one
//! word that says what needs no lock: a call to a closed circuit is admitted by one load, and its
//! success, where there is nothing to forget, is recorded by another. The word is written under
//! the lock, before it is given back: who has seen a change through the lock sees it in the word
//! too. A call that loads the word just before a change was admitted just before it, and the
//! generation it takes from the same load keeps its result out of what follows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tta_telemetry::{Clock, Ticks};

use super::answers::{Admission, Change, Rejection, Snapshot};
use super::machine::Machine;
use super::rules::Rules;
use super::window::Ended;

/// Every call is admitted and no change waits to be recorded.
const ADMITS_ALL: u64 = 1;
/// A success changes nothing.
const IGNORES_SUCCESSES: u64 = 2;
/// The generation is in the bits above.
const GENERATION: u32 = 2;

/// A breaker's live state.
pub(super) struct Cell {
    word: AtomicU64,
    machine: Mutex<Machine>,
    /// From how long on a call is slow, if that is watched.
    slow_ns: Option<u64>,
    timeline: OnceLock<Timeline>,
}

/// The breaker's time: nanoseconds on the clock of the engine it met first, since then. One clock
/// for all engines, since readings of different ones cannot be compared.
struct Timeline {
    clock: Clock,
    origin: Ticks,
}

/// What became of a call that wanted to go through.
pub(super) enum Entry<'a> {
    Allowed(Call<'a>),
    Probe(Call<'a>),
    Rejected(Rejection),
}

/// A call that was let through. Dropped without a result it counts as neither success nor failure.
pub(super) struct Call<'a> {
    cell: &'a Cell,
    generation: u64,
    probe: bool,
    started_ns: Option<u64>,
}

impl Cell {
    pub(super) fn new(rules: Rules) -> Self {
        let machine = Machine::new(rules);
        Self {
            word: AtomicU64::new(word_of(&machine)),
            machine: Mutex::new(machine),
            slow_ns: rules.rates.and_then(|rates| rates.slow).map(|(_, limit_ns)| limit_ns),
            timeline: OnceLock::new(),
        }
    }

    /// Time begins, if it has not.
    pub(super) fn meet(&self, clock: &Clock) {
        self.timeline.get_or_init(|| Timeline { clock: clock.clone(), origin: clock.ticks() });
    }

    /// 0 before time has begun: what is forced then, is forced at its beginning.
    fn now_ns(&self) -> u64 {
        self.timeline.get().map_or(0, |time| time.clock.nanos_between(time.origin, time.clock.ticks()))
    }

    fn with<R>(&self, f: impl FnOnce(&mut Machine) -> R) -> R {
        // Nothing of the user's runs inside, so the machine is whole even if this panics.
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut machine);
        self.word.store(word_of(&machine), Ordering::Release);
        result
    }

    /// Whether every call goes through without a word.
    #[inline]
    pub(super) fn admits_all(&self) -> bool {
        self.word.load(Ordering::Acquire) & ADMITS_ALL != 0
    }

    /// A call wants to go through. Also says what changed and is to be recorded by the caller.
    #[inline]
    pub(super) fn enter(&self) -> (Entry<'_>, Vec<Change>) {
        let word = self.word.load(Ordering::Acquire);
        if word & ADMITS_ALL != 0 {
            return (Entry::Allowed(self.call(word >> GENERATION, false)), Vec::new());
        }
        self.enter_locked()
    }

    #[cold]
    fn enter_locked(&self) -> (Entry<'_>, Vec<Change>) {
        // The clock is read under the lock, so that time never runs backwards for the machine.
        let (admission, changes) = self.with(|machine| (machine.admit(|| self.now_ns()), machine.take_unsaid()));
        let entry = match admission {
            Admission::Allowed { generation } => Entry::Allowed(self.call(generation, false)),
            Admission::Probe { generation } => Entry::Probe(self.call(generation, true)),
            Admission::Rejected(rejection) => Entry::Rejected(rejection),
        };
        (entry, changes)
    }

    #[inline]
    fn call(&self, generation: u64, probe: bool) -> Call<'_> {
        // A clock reading costs more than all else here: only where durations matter.
        let started_ns = self.slow_ns.map(|_| self.now_ns());
        Call { cell: self, generation, probe, started_ns }
    }

    pub(super) fn force_open(&self) {
        self.with(|machine| machine.force_open(self.now_ns()));
    }

    pub(super) fn force_closed(&self) {
        self.with(|machine| machine.force_closed(self.now_ns()));
    }

    pub(super) fn release(&self) {
        self.with(|machine| machine.release(self.now_ns()));
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.with(|machine| machine.snapshot(self.now_ns()))
    }

    /// A moment of the breaker's time as wall-clock time, in nanoseconds since the Unix epoch.
    pub(super) fn unix_ns(&self, at_ns: u64) -> Option<u64> {
        let time = self.timeline.get()?;
        let now = time.clock.ticks();
        let age_ns = time.clock.nanos_between(time.origin, now).saturating_sub(at_ns);
        Some(time.clock.unix_ns(now).saturating_sub(age_ns))
    }
}

fn word_of(machine: &Machine) -> u64 {
    let admits = if machine.admits_all() { ADMITS_ALL } else { 0 };
    let ignores = if machine.ignores_successes() { IGNORES_SUCCESSES } else { 0 };
    (machine.generation() << GENERATION) | admits | ignores
}

impl Call<'_> {
    /// Records the result, and says what changed and is to be recorded by the caller.
    #[inline]
    pub(super) fn end(self, failed: bool) -> Vec<Change> {
        let word = self.cell.word.load(Ordering::Acquire);
        let nothing_to_do = word >> GENERATION != self.generation || (!failed && word & IGNORES_SUCCESSES != 0);
        // Dropped: a probe of an earlier generation still has its place to give back.
        if nothing_to_do { Vec::new() } else { self.end_locked(failed) }
    }

    fn end_locked(mut self, failed: bool) -> Vec<Change> {
        let cell = self.cell;
        let probe = std::mem::take(&mut self.probe);
        let slow = match (cell.slow_ns, self.started_ns) {
            (Some(limit_ns), Some(started_ns)) => cell.now_ns().saturating_sub(started_ns) >= limit_ns,
            _ => false,
        };
        cell.with(|machine| {
            if probe {
                machine.free_probe();
            }
            machine.ended(self.generation, Ended { failed, slow }, || cell.now_ns());
            machine.take_unsaid()
        })
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.cell.with(Machine::free_probe);
        }
    }
}

#[cfg(test)]
#[path = "cell_tests.rs"]
mod tests;
