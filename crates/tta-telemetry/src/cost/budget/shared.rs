//! A budget behind its lock: time, thresholds told, health.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::book::Book;
use super::error::BudgetExceeded;
use super::period::BudgetPeriod;
use super::status::{BudgetAlert, BudgetPolicy, BudgetState, BudgetStatus};
use arc_swap::ArcSwap;

use crate::clock::{Clock, Ticks};
use crate::health::{Health, HealthComponent};
use crate::model::Name;
use crate::money::Usd;

pub(super) type Callback = Arc<dyn Fn(&BudgetAlert) + Send + Sync>;

/// How long a clock of the budget's own goes without being pinned to the wall clock afresh.
const RE_ANCHOR_AFTER_NS: u64 = 10_000_000_000;

pub(super) struct Shared {
    pub(super) name: Name,
    pub(super) period: BudgetPeriod,
    /// Exchanged under the book's lock only.
    pub(super) terms: ArcSwap<Terms>,
    pub(super) time: Time,
    pub(super) on_threshold: Option<Callback>,
    pub(super) book: Mutex<Book>,
    pub(super) callback_panics: AtomicU64,
}

/// What can be changed while it is spent from.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) limit: Usd,
    pub(super) policy: BudgetPolicy,
    pub(super) thresholds: Box<[f64]>,
    pub(super) degrade_at: Usd,
}

/// Where a budget's time comes from.
pub(super) enum Time {
    /// The budget has no use for it.
    None,
    /// Somebody else's, who keeps it right.
    Given(Clock),
    /// Its own, last pinned to the wall clock then.
    Own(Clock, AtomicU64),
}

impl Time {
    pub(super) fn own() -> Self {
        let clock = Clock::system();
        let pinned = AtomicU64::new(clock.ticks());
        Time::Own(clock, pinned)
    }

    fn unix_ns(&self) -> u64 {
        match self {
            Time::None => 0,
            Time::Given(clock) => clock.unix_ns(clock.ticks()),
            Time::Own(clock, pinned) => {
                let now: Ticks = clock.ticks();
                if clock.nanos_between(pinned.load(Ordering::Relaxed), now) > RE_ANCHOR_AFTER_NS {
                    pinned.store(now, Ordering::Relaxed);
                    clock.re_anchor();
                }
                clock.unix_ns(now)
            }
        }
    }
}

/// An amount that fits.
fn usd(nanos: u128) -> Usd {
    Usd::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl Shared {
    /// The book in the period of now, and now. The time is read under the lock: threads enter the
    /// book in the order of their times, so none takes another's period back.
    fn open(&self, now_unix_ns: Option<u64>) -> (MutexGuard<'_, Book>, u64) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ns = now_unix_ns.unwrap_or_else(|| self.time.unix_ns());
        book.advance(now_ns);
        (book, now_ns)
    }

    pub(super) fn reserve(&self, estimate: Usd, now_unix_ns: Option<u64>) -> Result<(), BudgetExceeded> {
        let (mut book, now_ns) = self.open(now_unix_ns);
        let terms = self.terms.load();
        if book.reserve(estimate.nanos(), terms.policy == BudgetPolicy::Reject) {
            return Ok(());
        }
        Err(BudgetExceeded {
            name: self.name.clone(),
            estimate,
            limit: terms.limit,
            spent: usd(book.spent()),
            reserved: usd(book.reserved()),
            resets_in: resets_in(&book, now_ns),
        })
    }

    pub(super) fn settle(&self, estimate: Usd, actual: Usd, now_unix_ns: Option<u64>) {
        let (news, spent) = {
            let (mut book, _) = self.open(now_unix_ns);
            (book.settle(estimate.nanos(), actual.nanos()), usd(book.spent()))
        };
        if news != 0 {
            self.tell(news, spent);
        }
    }

    /// Without the lock: a callback may ask the budget, and spend from it.
    #[cold]
    fn tell(&self, news: u32, spent: Usd) {
        let Some(on_threshold) = &self.on_threshold else { return };
        let terms = self.terms.load_full();
        for (at, threshold) in terms.thresholds.iter().enumerate() {
            if news >> at & 1 == 0 {
                continue;
            }
            let (budget, threshold) = (self.name.clone(), *threshold);
            let alert = BudgetAlert { budget, threshold, limit: terms.limit, spent, policy: terms.policy };
            if catch_unwind(AssertUnwindSafe(|| on_threshold(&alert))).is_err() {
                self.callback_panics.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Goes by other terms from now on. What was spent and reserved stays so.
    #[cfg(feature = "config")]
    pub(super) fn set_terms(&self, terms: Terms) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.set_limit(terms.limit.nanos(), terms.parts());
        self.terms.store(Arc::new(terms));
    }

    pub(super) fn status(&self, now_unix_ns: Option<u64>) -> BudgetStatus {
        let (book, now_ns) = self.open(now_unix_ns);
        let terms = self.terms.load();
        let (spent, taken) = (usd(book.spent()), usd(book.taken()));
        let state = match taken {
            taken if taken >= terms.limit => BudgetState::Exhausted,
            taken if taken >= terms.degrade_at => BudgetState::Degraded,
            _ => BudgetState::Normal,
        };
        BudgetStatus {
            limit: terms.limit,
            spent,
            reserved: usd(book.reserved()),
            remaining: terms.limit.saturating_sub(taken),
            used_fraction: spent.nanos() as f64 / terms.limit.nanos() as f64,
            state,
            refused: book.refused(),
            callback_panics: self.callback_panics.load(Ordering::Relaxed),
            resets_in: resets_in(&book, now_ns),
        }
    }
}

fn resets_in(book: &Book, now_ns: u64) -> Option<Duration> {
    book.end_ns().map(|end_ns| Duration::from_nanos(end_ns.saturating_sub(now_ns)))
}

/// Degraded when the budget's state is (with [`BudgetPolicy::Warn`]: when it is exhausted). It is
/// healthy again with the next period, or when money comes back.
impl HealthComponent for Shared {
    fn name(&self) -> Name {
        Name::from(format!("budget:{}", self.name))
    }

    fn health(&self) -> Health {
        let status = self.status(None);
        let bad =
            if self.terms.load().policy == BudgetPolicy::Warn { BudgetState::Exhausted } else { BudgetState::Degraded };
        if status.state < bad {
            return Health::healthy();
        }
        let BudgetStatus { limit, spent, reserved, refused, .. } = status;
        let refused = if refused > 0 { format!(", {refused} refused") } else { String::new() };
        Health::degraded(format!("{spent} of {limit} spent, {reserved} reserved{refused}"))
    }
}
