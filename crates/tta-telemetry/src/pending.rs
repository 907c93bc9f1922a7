//! Work that must be over before the engine ends, such as compensations of runs that are gone.
//!
//! Owns who is at work, by name, and the wait for them. Neither starts work nor stops it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::model::Name;
use crate::redaction::{Redactor, SharedRedactor};

/// Names that are kept; more work is waited for and counted, without its name.
const MAX_NAMES: usize = 1_000;
/// Of a shutdown's deadline, one part in so many is left to the sinks, whatever the work takes.
const SINKS_PART: u32 = 4;
/// They need no more than this.
const SINKS_MOST: Duration = Duration::from_secs(5);

/// Work under way that a shutdown waits for, until this is dropped. See
/// [`Telemetry::pending_work`](crate::Telemetry::pending_work).
#[derive(Debug)]
#[must_use = "the work counts as under way until this is dropped"]
pub struct PendingWork {
    registry: Arc<PendingRegistry>,
    /// `None` for work whose name was not kept.
    number: Option<u64>,
}

/// The work of one engine.
#[derive(Debug, Default)]
pub(crate) struct PendingRegistry {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// By number, so in the order of starting.
    named: BTreeMap<u64, Name>,
    next: u64,
    unnamed: u64,
}

impl PendingRegistry {
    pub(crate) fn start(self: &Arc<Self>, name: Name) -> PendingWork {
        let mut state = self.state();
        let number = (state.named.len() < MAX_NAMES).then_some(state.next);
        match number {
            Some(number) => {
                state.named.insert(number, name);
                state.next += 1;
            }
            None => state.unnamed += 1,
        }
        drop(state);
        PendingWork { registry: Arc::clone(self), number }
    }

    /// Waits until nothing is under way, also what starts in the meantime, and not longer than a
    /// shutdown may; the names of what is left then.
    pub(crate) fn wait(&self, deadline: Duration, redactor: &SharedRedactor) -> Vec<String> {
        let until = Deadline::after(deadline - (deadline / SINKS_PART).min(SINKS_MOST));
        let mut state = self.state();
        while !state.is_idle() {
            let remaining = until.remaining();
            if remaining.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, remaining).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.names(&redactor.current())
    }

    fn end(&self, number: Option<u64>) {
        let mut state = self.state();
        match number {
            Some(number) => {
                state.named.remove(&number);
            }
            None => state.unnamed -= 1,
        }
        let is_idle = state.is_idle();
        drop(state);
        if is_idle {
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.named.is_empty() && self.unnamed == 0
    }

    fn names(&self, redactor: &Redactor) -> Vec<String> {
        let more = (self.unnamed > 0).then(|| format!("and {} more", self.unnamed));
        self.named.values().map(|name| redactor.redact_text(name).into_owned()).chain(more).collect()
    }
}

impl Drop for PendingWork {
    fn drop(&mut self) {
        self.registry.end(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn start(registry: &Arc<PendingRegistry>, name: &'static str) -> PendingWork {
        registry.start(Name::from_static(name))
    }

    #[test]
    fn nothing_under_way_is_not_waited_for() {
        let registry = Arc::<PendingRegistry>::default();
        assert!(registry.wait(LONG, &SharedRedactor::default()).is_empty());
        drop(start(&registry, "over"));
        assert!(registry.wait(LONG, &SharedRedactor::default()).is_empty());
    }

    #[test]
    fn what_is_left_at_the_deadline_is_named_in_the_order_of_starting() {
        let registry = Arc::<PendingRegistry>::default();
        let (b, a, c) = (start(&registry, "b"), start(&registry, "a"), start(&registry, "c"));
        drop(a);
        assert_eq!(registry.wait(Duration::ZERO, &SharedRedactor::default()), ["b", "c"]);
        assert_eq!(registry.wait(Duration::from_millis(4), &SharedRedactor::default()), ["b", "c"]);
        drop((b, c));
        assert!(registry.wait(LONG, &SharedRedactor::default()).is_empty());
    }

    #[test]
    fn the_wait_ends_with_the_last_one_also_when_it_began_during_the_wait() {
        let registry = Arc::<PendingRegistry>::default();
        let (first, others) = (start(&registry, "first"), Arc::clone(&registry));
        let worker = std::thread::spawn(move || {
            let second = start(&others, "second");
            drop(first);
            drop(second);
        });
        assert!(registry.wait(Duration::MAX, &SharedRedactor::default()).is_empty());
        worker.join().unwrap();
    }

    #[test]
    fn more_work_than_names_are_kept_for_is_counted_and_waited_for() {
        let registry = Arc::<PendingRegistry>::default();
        let mut all: Vec<_> = (0..MAX_NAMES + 2).map(|_| start(&registry, "w")).collect();
        let left = registry.wait(Duration::ZERO, &SharedRedactor::default());
        assert_eq!((left.len(), left.last().map(String::as_str)), (MAX_NAMES + 1, Some("and 2 more")));
        let unnamed = all.split_off(MAX_NAMES);
        all.clear();
        assert_eq!(registry.wait(Duration::ZERO, &SharedRedactor::default()), ["and 2 more"]);
        // There is room for names again.
        let named = start(&registry, "late");
        assert_eq!(registry.wait(Duration::ZERO, &SharedRedactor::default()), ["late", "and 2 more"]);
        drop((named, unnamed));
        assert!(registry.wait(LONG, &SharedRedactor::default()).is_empty());
    }
}
