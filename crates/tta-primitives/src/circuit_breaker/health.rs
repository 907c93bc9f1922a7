//! How a circuit looks in the health report, and which engines report it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tta_telemetry::{Health, HealthComponent, HealthStatus, Name};

use super::state::CircuitState;
use super::{CircuitBreaker, Inner};

/// Engines remembered beside the first; one that is forgotten is told again, which does nothing.
const MAX_OTHERS: usize = 64;

/// The engines that report a breaker.
#[derive(Debug, Default)]
pub(super) struct Engines {
    /// The first one met; 0 is none, and ids begin at 1.
    first: AtomicU64,
    others: Mutex<VecDeque<u64>>,
}

impl Engines {
    /// The usual case, of one engine: one load.
    #[inline]
    pub(super) fn is_first(&self, engine: u64) -> bool {
        self.first.load(Ordering::Acquire) == engine
    }

    /// Whether this is the first time that an engine is met.
    #[cold]
    pub(super) fn meet(&self, engine: u64) -> bool {
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

impl HealthComponent for Inner {
    fn name(&self) -> Name {
        Name::from(format!("circuit:{}", self.name))
    }

    /// An open circuit is degraded, not unhealthy: it works, with loss, and recovers by itself
    /// when the cause ends. The same for one forced open: somebody wants it so, and a process
    /// must not be taken out of service for it.
    fn health(&self) -> Health {
        let stats = self.stats();
        let forced = if stats.forced { "forced " } else { "" };
        let why = match stats.reason {
            Some(reason) if !stats.forced => format!(" ({reason})"),
            _ => String::new(),
        };
        let rejected = stats.rejected;
        let mut health = match stats.state {
            CircuitState::Closed => {
                Health { reason: stats.forced.then(|| "forced closed".to_owned()), ..Health::healthy() }
            }
            CircuitState::Open => Health::degraded(format!("{forced}open{why}, {rejected} calls rejected so far")),
            CircuitState::HalfOpen => Health::degraded(format!("half open{why}, {rejected} calls rejected so far")),
        };
        if health.status != HealthStatus::Healthy || stats.forced {
            health.since_unix_ns = stats.since_unix_ns;
        }
        health
    }
}

impl HealthComponent for CircuitBreaker {
    fn name(&self) -> Name {
        HealthComponent::name(&*self.0)
    }

    fn health(&self) -> Health {
        self.0.health()
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
