//! Which engines a thing that several may share was used from, so that it makes itself known to
//! each once: to its health report, to its metrics.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Engines remembered beside the first; one that is forgotten is met again, which must do nothing.
const MAX_OTHERS: usize = 64;

/// The engines that something shared was used from.
#[derive(Debug, Default)]
pub(crate) struct Engines {
    /// The first one met; 0 is none, and ids begin at 1.
    first: AtomicU64,
    others: Mutex<VecDeque<u64>>,
}

impl Engines {
    /// The usual case, of one engine: one load.
    #[inline]
    pub(crate) fn is_first(&self, engine: u64) -> bool {
        self.first.load(Ordering::Acquire) == engine
    }

    /// Whether this is the first time that an engine is met.
    #[cold]
    pub(crate) fn meet(&self, engine: u64) -> bool {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        match self.first.load(Ordering::Acquire) {
            0 => {
                self.first.store(engine, Ordering::Release);
                return true;
            }
            first if first == engine => return false,
            _ => {}
        }
        if others.contains(&engine) {
            return false;
        }
        if others.len() >= MAX_OTHERS {
            others.pop_front();
        }
        others.push_back(engine);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_met_once_and_the_memory_of_engines_is_bounded() {
        let engines = Engines::default();
        assert!(!engines.is_first(7));
        assert!(engines.meet(7) && engines.is_first(7) && !engines.meet(7));
        assert!(engines.meet(8) && !engines.meet(8) && !engines.is_first(8));
        let met = (100..100 + 2 * MAX_OTHERS as u64).filter(|engine| engines.meet(*engine)).count();
        assert_eq!((met, engines.others.lock().unwrap().len()), (2 * MAX_OTHERS, MAX_OTHERS));
        assert!(engines.meet(8), "it was forgotten and is told again");
        assert!(engines.is_first(7));
    }
}
