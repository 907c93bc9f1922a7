//! When periods begin, to the nanosecond, and what clocks that go back do to them.

use super::*;

const HOUR_NS: u64 = 3_600_000_000_000;
/// 2026-01-01T00:00:00Z.
const NEW_YEAR_NS: u64 = 1_767_225_600_000_000_000;

fn spend_at(window: &mut Window, now_ns: u64, nanos: u64) -> u128 {
    window.advance(now_ns);
    window.add(nanos);
    window.spent()
}

#[test]
fn a_day_begins_at_midnight_utc_to_the_nanosecond() {
    let mut window = Window::new(BudgetPeriod::DAY);
    assert_eq!(spend_at(&mut window, NEW_YEAR_NS + DAY_NS - 1, 5), 5);
    assert_eq!(window.end_ns(), Some(NEW_YEAR_NS + DAY_NS));
    assert!(!window.advance(NEW_YEAR_NS + DAY_NS - 1));
    assert!(window.advance(NEW_YEAR_NS + DAY_NS));
    assert_eq!((window.spent(), window.end_ns()), (0, Some(NEW_YEAR_NS + 2 * DAY_NS)));
}

#[test]
fn months_have_the_lengths_of_the_calendar() {
    // Seconds since the epoch, by `date -u -d <first of month> +%s`.
    let starts = [
        ("1970-01", 0, 2_678_400),
        ("1999-12", 944_006_400, 946_684_800),
        ("2000-02", 949_363_200, 951_868_800),
        ("2024-02", 1_706_745_600, 1_709_251_200),
        ("2024-12", 1_733_011_200, 1_735_689_600),
        ("2026-02", 1_769_904_000, 1_772_323_200),
        ("2100-02", 4_105_123_200, 4_107_542_400),
        ("2400-02", 13_572_144_000, 13_574_649_600),
    ];
    for (month, start, next) in starts {
        let (start_ns, next_ns) = (start * 1_000_000_000, next * 1_000_000_000);
        for now_ns in [start_ns, u64::midpoint(start_ns, next_ns), next_ns - 1] {
            assert_eq!(month_around(now_ns), (start_ns, next_ns), "{month}");
        }
        assert_eq!(month_around(next_ns).0, next_ns, "after {month}");
    }
}

#[test]
fn every_month_begins_where_the_one_before_it_ended() {
    let (mut at, mut months) = (0, 0);
    while at < 17_000_000_000 * 1_000_000_000 {
        let (start, next) = month_around(at);
        assert_eq!(start, at);
        assert!((28 * DAY_NS..=31 * DAY_NS).contains(&(next - start)));
        (at, months) = (next, months + 1);
    }
    // 17e9 s are in September 2508.
    assert_eq!(months, (2508 - 1970) * 12 + 9);
}

#[test]
fn a_clock_that_goes_back_reopens_no_period() {
    let mut window = Window::new(BudgetPeriod::DAY);
    spend_at(&mut window, NEW_YEAR_NS - 1, 7);
    assert_eq!(spend_at(&mut window, NEW_YEAR_NS, 1), 1);
    // A whole period back and it is still today.
    for back_ns in [1, HOUR_NS, DAY_NS] {
        assert!(!window.advance(NEW_YEAR_NS - back_ns));
        assert_eq!((window.spent(), window.end_ns()), (1, Some(NEW_YEAR_NS + DAY_NS)));
    }
    // And forward again: nothing is given twice.
    assert!(!window.advance(NEW_YEAR_NS + 1));
    assert_eq!(window.spent(), 1);
}

#[test]
fn a_clock_that_was_far_ahead_does_not_stop_the_periods_and_gives_nothing_back() {
    let mut window = Window::new(BudgetPeriod::DAY);
    spend_at(&mut window, NEW_YEAR_NS + 1_000 * DAY_NS, 7);
    assert!(!window.advance(NEW_YEAR_NS));
    assert_eq!((window.spent(), window.end_ns()), (7, Some(NEW_YEAR_NS + DAY_NS)));
    assert!(window.advance(NEW_YEAR_NS + DAY_NS));
    assert_eq!(window.spent(), 0);
}

#[test]
fn the_end_of_time_is_no_new_period_for_ever() {
    for period in [BudgetPeriod::DAY, BudgetPeriod::Month, BudgetPeriod::Rolling(Duration::from_secs(60))] {
        let mut window = Window::new(period);
        spend_at(&mut window, u64::MAX, 3);
        assert_eq!(spend_at(&mut window, u64::MAX, 4), 7, "{period:?}");
    }
}

#[test]
fn money_leaves_a_rolling_hour_by_the_minute_and_never_early() {
    let minute_ns = HOUR_NS / 60;
    let mut window = Window::new(BudgetPeriod::Rolling(Duration::from_secs(3_600)));
    spend_at(&mut window, NEW_YEAR_NS, 1);
    assert_eq!(spend_at(&mut window, NEW_YEAR_NS + minute_ns, 10), 11);
    window.advance(NEW_YEAR_NS + HOUR_NS);
    assert_eq!(window.spent(), 11);
    window.advance(NEW_YEAR_NS + HOUR_NS + minute_ns - 1);
    assert_eq!(window.spent(), 11);
    window.advance(NEW_YEAR_NS + HOUR_NS + minute_ns);
    assert_eq!(window.spent(), 10);
    window.advance(NEW_YEAR_NS + 5 * HOUR_NS);
    assert_eq!(window.spent(), 0);
}

#[test]
fn a_rolling_period_keeps_what_was_spent_when_the_clock_goes_back() {
    let mut window = Window::new(BudgetPeriod::Rolling(Duration::from_secs(3_600)));
    spend_at(&mut window, NEW_YEAR_NS, 1);
    assert_eq!(spend_at(&mut window, NEW_YEAR_NS - HOUR_NS / 2, 2), 3);
    // Far back: it counts from then, for an hour.
    assert_eq!(spend_at(&mut window, NEW_YEAR_NS - 50 * HOUR_NS, 4), 7);
    window.advance(NEW_YEAR_NS - 49 * HOUR_NS);
    assert_eq!(window.spent(), 7);
    window.advance(NEW_YEAR_NS - 48 * HOUR_NS);
    assert_eq!(window.spent(), 0);
}

proptest::proptest! {
    /// Against a list of everything that was spent.
    #[test]
    fn a_rolling_period_holds_all_of_its_length_and_at_most_a_sixtieth_more(
        spends in proptest::collection::vec((0_u64..4_000_000_000_000, 1_u64..100), 1..60),
    ) {
        let mut window = Window::new(BudgetPeriod::Rolling(Duration::from_secs(3_600)));
        let (mut now_ns, mut all) = (NEW_YEAR_NS, Vec::new());
        for (step_ns, nanos) in spends {
            now_ns += step_ns % (2 * HOUR_NS);
            all.push((now_ns, u128::from(nanos)));
            let spent = spend_at(&mut window, now_ns, nanos);
            let since = |age_ns: u64| all.iter().filter(|(at, _)| now_ns - at < age_ns).map(|(_, n)| n).sum::<u128>();
            proptest::prop_assert!(since(HOUR_NS) <= spent && spent <= since(HOUR_NS + HOUR_NS / 60));
        }
    }
}
