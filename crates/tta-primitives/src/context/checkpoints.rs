//! Named instants of a run.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tta_telemetry::{Clock, Name, Ticks};

/// Checkpoints kept per run.
const MAX_CHECKPOINTS: usize = 1_024;

/// A point that a run has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its name.
    pub name: Name,
    /// Time since the context was made.
    pub elapsed: Duration,
}

pub(super) struct Checkpoints {
    start: Ticks,
    reached: Mutex<(Vec<Checkpoint>, u64)>,
}

impl Checkpoints {
    pub(super) fn starting_at(start: Ticks) -> Self {
        Self { start, reached: Mutex::default() }
    }

    pub(super) fn start(&self) -> Ticks {
        self.start
    }

    pub(super) fn add(&self, name: Name, clock: &Clock) {
        let elapsed = clock.elapsed(self.start);
        let (reached, dropped) = &mut *self.reached();
        if reached.len() < MAX_CHECKPOINTS {
            reached.push(Checkpoint { name, elapsed });
        } else {
            *dropped += 1;
        }
    }

    pub(super) fn list(&self) -> Vec<Checkpoint> {
        self.reached().0.clone()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.reached().1
    }

    fn reached(&self) -> MutexGuard<'_, (Vec<Checkpoint>, u64)> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
