//! When a budget's sum starts afresh.
//!
//! Knows no clock: it is told the time, which may go back.

use std::time::Duration;

const DAY_NS: u64 = 86_400_000_000_000;
/// Parts of a rolling period; money leaves it by the part.
const PARTS: u64 = 60;
/// What was spent in each, and in the one that is under way.
type Parts = [u128; PARTS as usize + 1];

/// Over what time a budget's limit holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BudgetPeriod {
    /// For ever: what is spent stays spent.
    #[default]
    Forever,
    /// Periods of this length, one after the other, counted from the Unix epoch in UTC: a day
    /// begins at midnight UTC, an hour with the hour, a week on Thursday.
    Every(Duration),
    /// Calendar months in UTC.
    Month,
    /// The time just past, of this length: at no moment was more spent in it. Money leaves it in
    /// sixtieths, so it counts for up to a sixtieth longer.
    Rolling(Duration),
}

impl BudgetPeriod {
    /// Days, from midnight to midnight UTC.
    pub const DAY: Self = Self::Every(Duration::from_nanos(DAY_NS));
    /// Hours of the wall clock.
    pub const HOUR: Self = Self::Every(Duration::from_secs(3_600));

    pub(super) fn length(self) -> Option<Duration> {
        match self {
            BudgetPeriod::Every(length) | BudgetPeriod::Rolling(length) => Some(length),
            BudgetPeriod::Forever | BudgetPeriod::Month => None,
        }
    }
}

/// What was spent in the period that the clock has reached.
#[derive(Debug)]
pub(super) enum Window {
    Forever { spent: u128 },
    Fixed { period: Fixed, start_ns: u64, end_ns: u64, spent: u128 },
    Rolling { part_ns: u64, newest: u64, parts: Box<Parts> },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fixed {
    Every(u64),
    Month,
}

impl Window {
    /// Begins with the first [`Window::advance`].
    pub(super) fn new(period: BudgetPeriod) -> Self {
        let nanos = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX).max(1);
        let fixed = |period| Window::Fixed { period, start_ns: 0, end_ns: 0, spent: 0 };
        match period {
            BudgetPeriod::Forever => Window::Forever { spent: 0 },
            BudgetPeriod::Every(length) => fixed(Fixed::Every(nanos(length))),
            BudgetPeriod::Month => fixed(Fixed::Month),
            BudgetPeriod::Rolling(length) => {
                Window::Rolling { part_ns: nanos(length).div_ceil(PARTS), newest: 0, parts: Box::new([0; 61]) }
            }
        }
    }

    /// Moves to the period of `now_ns`; whether that is a new one.
    pub(super) fn advance(&mut self, now_ns: u64) -> bool {
        match self {
            Window::Forever { .. } => false,
            Window::Fixed { period, start_ns, end_ns, spent } => {
                let is_far_back = now_ns < *start_ns && *start_ns - now_ns > *end_ns - *start_ns;
                if now_ns < *end_ns && !is_far_back {
                    return false;
                }
                let old_start_ns = *start_ns;
                (*start_ns, *end_ns) = period.around(now_ns);
                let is_new = *start_ns > old_start_ns;
                if is_new {
                    *spent = 0;
                }
                is_new
            }
            Window::Rolling { part_ns, newest, parts } => {
                let part = now_ns / *part_ns;
                if part < *newest && *newest - part > PARTS {
                    // Far back: what is known counts from now.
                    let spent = parts.iter().sum();
                    **parts = [0; 61];
                    *newest = part;
                    put(parts, part, spent);
                }
                for expired in (*newest + 1..=part).take(PARTS as usize + 1) {
                    // Any 61 parts in a row are all of them, so it does not matter which.
                    if let Some(amount) = parts.get_mut((expired % (PARTS + 1)) as usize) {
                        *amount = 0;
                    }
                }
                *newest = part.max(*newest);
                false
            }
        }
    }

    pub(super) fn add(&mut self, nanos: u64) {
        match self {
            Window::Forever { spent } | Window::Fixed { spent, .. } => *spent += u128::from(nanos),
            Window::Rolling { newest, parts, .. } => put(parts, *newest, nanos.into()),
        }
    }

    /// Spent in the period, in nano-dollars. `u128`: sums of `u64` do not reach its end.
    pub(super) fn spent(&self) -> u128 {
        match self {
            Window::Forever { spent } | Window::Fixed { spent, .. } => *spent,
            Window::Rolling { parts, .. } => parts.iter().sum(),
        }
    }

    /// When the next period begins, for those that begin at once.
    pub(super) fn end_ns(&self) -> Option<u64> {
        match self {
            Window::Fixed { end_ns, .. } => Some(*end_ns),
            Window::Forever { .. } | Window::Rolling { .. } => None,
        }
    }
}

fn put(parts: &mut Parts, part: u64, nanos: u128) {
    if let Some(amount) = parts.get_mut((part % (PARTS + 1)) as usize) {
        *amount += nanos;
    }
}

impl Fixed {
    /// The period that a time lies in: its start, and the start of the next.
    fn around(self, now_ns: u64) -> (u64, u64) {
        match self {
            Fixed::Every(length_ns) => {
                let start_ns = now_ns - now_ns % length_ns;
                (start_ns, start_ns.saturating_add(length_ns))
            }
            Fixed::Month => month_around(now_ns),
        }
    }
}

/// The start of the calendar month of a time and of the next, in UTC.
///
/// Days to months as in Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013: years
/// begin in March, so that the day that comes and goes is the last one; then month `m` begins on
/// day (153 m + 2) / 5 of its year. Worked example: 2026-02-10 is day 345 of the year that began on
/// 2025-03-01; (5 x 345 + 2) / 153 = 11, the twelfth month of that year, which began on day 337.
fn month_around(now_ns: u64) -> (u64, u64) {
    // Days since 0000-03-01.
    let day = now_ns / DAY_NS + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let year_start = 365 * year + year / 4 - year / 100;
    let month = (5 * (of_era - year_start) + 2) / 153;
    let month_start = |month: u64| era * 146_097 + year_start + (153 * month + 2) / 5;
    let start = month_start(month);
    // February, the last month, ends where the next year begins, which says how long it is.
    let next = if month < 11 {
        month_start(month + 1)
    } else {
        let year = year + 1;
        let leap = u64::from(year == 400);
        era * 146_097 + 365 * year + year / 4 - year / 100 + leap
    };
    let ns = |day: u64| day.saturating_sub(719_468).saturating_mul(DAY_NS);
    (ns(start), ns(next))
}

#[cfg(test)]
#[path = "period_tests.rs"]
mod tests;
