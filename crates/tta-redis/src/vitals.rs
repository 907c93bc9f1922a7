//! What is known of the server's state, from the operations themselves: nothing polls.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tta_telemetry::{Clock, Health, HealthStatus, Ticks};

use crate::config::Environment;
use crate::failure::Failure;

/// What an operation needs of the server: one that is out of memory still reads and forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading and forgetting.
    Plain,
    /// Keeping something.
    Store,
}

#[derive(Debug)]
pub(crate) struct Vitals {
    clock: Clock,
    /// The reading of the last success; 0 before the first.
    last_success: AtomicU64,
    /// Whether `troubles` holds any, so that success in good times takes no lock.
    is_troubled: AtomicBool,
    troubles: Mutex<Troubles>,
    /// What is wrong for as long as the settings are these.
    standing: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Troubles {
    /// No answer comes.
    unreachable: Option<Trouble>,
    /// Reading is refused.
    plain: Option<Trouble>,
    /// Keeping is refused.
    store: Option<Trouble>,
}

#[derive(Clone, Debug)]
struct Trouble {
    reason: String,
    since: Ticks,
}

impl Vitals {
    pub(crate) fn new(clock: Clock, environment: Environment, has_password: bool) -> Self {
        let is_open = environment == Environment::Production && !has_password;
        let (last_success, is_troubled) = (AtomicU64::new(0), AtomicBool::new(false));
        let standing = is_open.then_some("no password is set in the production environment");
        Self { clock, last_success, is_troubled, troubles: Mutex::default(), standing }
    }

    pub(crate) fn succeeded(&self, access: Access) {
        self.last_success.store(self.clock.ticks().max(1), Ordering::Relaxed);
        if self.is_troubled.load(Ordering::Acquire) {
            let mut troubles = self.troubles();
            troubles.unreachable = None;
            troubles.of(access).take();
            self.sum_up(&troubles);
        }
    }

    pub(crate) fn failed(&self, failure: &Failure, access: Access) {
        let mut troubles = self.troubles();
        let (place, reason) = match failure {
            Failure::Refused(_) => {
                // It was refused by somebody, so somebody is there.
                troubles.unreachable = None;
                (troubles.of(access), failure.text())
            }
            Failure::Unavailable(_) | Failure::TimedOut(_) => (&mut troubles.unreachable, failure.text()),
        };
        let since = place.as_ref().map_or_else(|| self.clock.ticks(), |trouble| trouble.since);
        *place = Some(Trouble { reason, since });
        self.sum_up(&troubles);
    }

    fn sum_up(&self, troubles: &Troubles) {
        self.is_troubled.store(troubles.worst().is_some(), Ordering::Release);
    }

    pub(crate) fn health(&self) -> Health {
        let last = self.last_success.load(Ordering::Relaxed);
        let last_success = (last > 0).then(|| self.clock.unix_ns(last));
        let trouble = self.troubles().worst().cloned();
        let health = match (trouble, self.standing) {
            (Some(trouble), _) => Health::degraded(trouble.reason).since(self.clock.unix_ns(trouble.since)),
            (None, Some(standing)) => Health::degraded(standing),
            (None, None) => Health::healthy(),
        };
        debug_assert!(health.status <= HealthStatus::Degraded, "what is lost is looked up or computed anew");
        health.last_success(last_success)
    }

    fn troubles(&self) -> MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Troubles {
    fn of(&mut self, access: Access) -> &mut Option<Trouble> {
        match access {
            Access::Plain => &mut self.plain,
            Access::Store => &mut self.store,
        }
    }

    fn worst(&self) -> Option<&Trouble> {
        self.unreachable.as_ref().or(self.plain.as_ref()).or(self.store.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn refused() -> Failure {
        Failure::Refused("OOM".to_owned())
    }

    #[test]
    fn a_full_server_stays_degraded_while_only_reading_works() {
        let (clock, hand) = Clock::manual();
        let vitals = Vitals::new(clock.clone(), Environment::Production, true);
        assert_eq!(vitals.health(), Health::healthy());
        hand.advance(Duration::from_secs(1));
        vitals.failed(&refused(), Access::Store);
        let since = clock.unix_ns(clock.ticks());
        hand.advance(Duration::from_secs(1));
        vitals.failed(&refused(), Access::Store);
        vitals.succeeded(Access::Plain);
        let health = vitals.health();
        assert_eq!((health.status, health.reason.as_deref()), (HealthStatus::Degraded, Some("refused: OOM")));
        assert_eq!((health.since_unix_ns, health.last_success_unix_ns), (Some(since), Some(since + 1_000_000_000)));
        vitals.succeeded(Access::Store);
        assert_eq!(vitals.health().status, HealthStatus::Healthy);
    }

    #[test]
    fn any_answer_ends_silence_and_silence_hides_a_refusal_only_while_it_lasts() {
        let vitals = Vitals::new(Clock::manual().0, Environment::Development, false);
        vitals.failed(&refused(), Access::Store);
        vitals.failed(&Failure::TimedOut(Duration::from_secs(1)), Access::Plain);
        assert_eq!(vitals.health().reason.as_deref(), Some("no answer within 1s"));
        vitals.succeeded(Access::Plain);
        assert_eq!(vitals.health().reason.as_deref(), Some("refused: OOM"));
    }

    #[test]
    fn in_production_a_server_without_a_password_is_never_healthy() {
        let vitals = Vitals::new(Clock::manual().0, Environment::Production, false);
        vitals.succeeded(Access::Store);
        let health = vitals.health();
        assert_eq!(health.reason.as_deref(), Some("no password is set in the production environment"));
        assert_eq!(health.status, HealthStatus::Degraded);
        let development = Vitals::new(Clock::manual().0, Environment::Development, false);
        assert_eq!(development.health().status, HealthStatus::Healthy);
    }
}
