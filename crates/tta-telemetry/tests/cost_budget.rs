//! Budgets: what is admitted, what is charged, when it starts afresh, who is told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use tta_telemetry::{
    Budget, BudgetAlert, BudgetBuilder, BudgetPeriod, BudgetPolicy, BudgetState, Clock, HealthStatus, Telemetry, Usd,
};

const DAY: Duration = Duration::from_secs(86_400);
/// 2026-01-01T00:00:00Z, where manual clocks begin.
const NEW_YEAR_NS: u64 = 1_767_225_600_000_000_000;

fn nanos(amount: u64) -> Usd {
    Usd::from_nanos(amount)
}

fn dollars(amount: f64) -> Usd {
    Usd::from_dollars(amount).unwrap()
}

/// A budget of 100 nano-dollars.
fn hundred(policy: BudgetPolicy) -> BudgetBuilder {
    Budget::named("llm").limit(nanos(100)).policy(policy)
}

fn hard() -> Budget {
    hundred(BudgetPolicy::Reject).build().unwrap()
}

/// Spent, reserved, remaining.
fn stand(budget: &Budget) -> (u64, u64, u64) {
    let status = budget.status();
    (status.spent.nanos(), status.reserved.nanos(), status.remaining.nanos())
}

/// Thresholds in percent, each with what was spent.
type Told = Mutex<Vec<(u32, u64)>>;

/// A callback that writes down the thresholds, and where.
fn log() -> (Arc<Told>, impl Fn(&BudgetAlert) + Send + Sync + 'static) {
    let told = Arc::new(Told::default());
    let log = Arc::clone(&told);
    let write = move |alert: &BudgetAlert| {
        let percent = (alert.threshold * 100.0).round() as u32;
        log.lock().unwrap().push((percent, alert.spent.nanos()));
    };
    (told, write)
}

fn taken(told: &Told) -> Vec<(u32, u64)> {
    std::mem::take(&mut told.lock().unwrap())
}

#[test]
fn a_hard_budget_admits_to_the_last_nano_dollar_and_not_one_more() {
    let budget = hard();
    let first = budget.try_reserve(nanos(60)).unwrap();
    let refused = budget.try_reserve(nanos(41)).unwrap_err();
    assert_eq!((refused.estimate, refused.spent, refused.reserved), (nanos(41), nanos(0), nanos(60)));
    let second = budget.try_reserve(nanos(40)).unwrap();
    assert_eq!((stand(&budget), budget.status().state), ((0, 100, 0), BudgetState::Exhausted));
    first.settle(nanos(10));
    second.settle(nanos(40));
    assert_eq!((stand(&budget), budget.status().refused), ((50, 0, 50), 1));
    assert_eq!((budget.status().used_fraction, budget.status().limit), (0.5, nanos(100)));
}

#[test]
fn a_refusal_says_what_is_left_and_when_there_is_more() {
    let (clock, hand) = Clock::manual();
    let builder = Budget::named("daily").limit(dollars(10.0)).policy(BudgetPolicy::Reject);
    let budget = builder.period(BudgetPeriod::DAY).clock(clock).build().unwrap();
    hand.advance(DAY - Duration::from_millis(90_500));
    budget.charge(dollars(9.75));
    let _run = budget.try_reserve(dollars(0.1)).unwrap();
    let refused = budget.try_reserve(dollars(0.3)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "budget `daily` has no $0.30 left: $9.75 of $10.00 spent, $0.10 reserved, next period in 91 s"
    );
    assert_eq!(refused.resets_in, Some(Duration::from_millis(90_500)));
    assert_eq!(budget.status().resets_in, refused.resets_in);
    let for_ever = hard().try_reserve(nanos(101)).unwrap_err();
    assert_eq!(
        for_ever.to_string(),
        "budget `llm` has no $0.000000101 left: $0.00 of $0.0000001 spent, $0.00 reserved"
    );
}

#[test]
fn only_a_hard_budget_refuses() {
    for policy in [BudgetPolicy::Warn, BudgetPolicy::Degrade] {
        let budget = hundred(policy).build().unwrap();
        budget.try_reserve(nanos(250)).unwrap().settle(nanos(250));
        assert!(budget.try_reserve(nanos(1)).is_ok());
        let status = budget.status();
        assert_eq!((status.used_fraction, status.state, status.refused), (2.51, BudgetState::Exhausted, 0));
    }
}

#[test]
fn an_estimate_of_nothing_is_refused_once_nothing_is_left() {
    let budget = hard();
    budget.try_reserve(Usd::ZERO).unwrap().settle(nanos(99));
    budget.try_reserve(Usd::ZERO).unwrap().settle(nanos(1));
    assert!(budget.try_reserve(Usd::ZERO).is_err());
}

#[test]
fn what_is_not_settled_is_charged_and_what_is_released_is_not() {
    let budget = hard();
    drop(budget.try_reserve(nanos(30)).unwrap());
    assert_eq!(stand(&budget), (30, 0, 70));
    budget.try_reserve(nanos(30)).unwrap().release();
    assert_eq!(stand(&budget), (30, 0, 70));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _run = budget.try_reserve(nanos(20)).unwrap();
        panic!("the run broke");
    }));
    assert!(panicked.is_err());
    assert_eq!(stand(&budget), (50, 0, 50));
}

#[test]
fn a_run_dearer_than_its_estimate_is_charged_in_full_and_keeps_the_next_one_out() {
    let budget = hard();
    let (cheap, dear) = (budget.try_reserve(nanos(10)).unwrap(), budget.try_reserve(nanos(10)).unwrap());
    dear.settle(nanos(95));
    assert_eq!(stand(&budget), (95, 10, 0));
    assert!(budget.try_reserve(nanos(1)).is_err());
    assert_eq!(cheap.estimate(), nanos(10));
    cheap.settle(nanos(5));
    assert_eq!((stand(&budget), budget.status().used_fraction), ((100, 0, 0), 1.0));
}

#[test]
fn amounts_that_no_sum_holds_neither_wrap_nor_wedge_the_budget() {
    let all = nanos(u64::MAX);
    let budget = Budget::named("b").limit(all).build().unwrap();
    let runs = [budget.try_reserve(all).unwrap(), budget.try_reserve(all).unwrap(), budget.try_reserve(all).unwrap()];
    assert_eq!(stand(&budget), (0, u64::MAX, 0));
    runs.into_iter().for_each(tta_telemetry::Reservation::release);
    assert_eq!(stand(&budget), (0, 0, u64::MAX));
    budget.charge(all);
    budget.charge(all);
    assert_eq!(stand(&budget), (u64::MAX, 0, 0));
    let hard = Budget::named("b").limit(all).policy(BudgetPolicy::Reject).build().unwrap();
    let _most = hard.try_reserve(nanos(u64::MAX - 1)).unwrap();
    assert!(hard.try_reserve(all).is_err() && hard.try_reserve(nanos(1)).is_ok());
}

#[test]
fn thresholds_are_told_once_in_order_and_by_what_is_spent() {
    let (told, write) = log();
    let budget = hundred(BudgetPolicy::Warn).on_threshold(write).build().unwrap();
    let run = budget.try_reserve(nanos(90)).unwrap();
    assert_eq!(taken(&told), []);
    run.settle(nanos(49));
    assert_eq!(taken(&told), []);
    budget.charge(nanos(1));
    assert_eq!(taken(&told), [(50, 50)]);
    budget.charge(nanos(29));
    assert_eq!(taken(&told), []);
    budget.charge(nanos(60));
    assert_eq!(taken(&told), [(80, 139), (100, 139)]);
    budget.charge(nanos(60));
    assert_eq!(taken(&told), []);
}

#[test]
fn thresholds_are_told_again_in_the_next_period() {
    let (told, write) = log();
    let (clock, hand) = Clock::manual();
    let builder = hundred(BudgetPolicy::Warn).period(BudgetPeriod::DAY).clock(clock);
    let budget = builder.thresholds([0.25]).on_threshold(write).build().unwrap();
    budget.charge(nanos(25));
    hand.advance(DAY - Duration::from_nanos(1));
    budget.charge(nanos(1));
    assert_eq!(taken(&told), [(25, 25)]);
    hand.advance(Duration::from_nanos(1));
    budget.charge(nanos(24));
    assert_eq!(taken(&told), []);
    budget.charge(nanos(2));
    assert_eq!(taken(&told), [(25, 26)]);
}

#[test]
fn a_rolling_budget_tells_again_when_it_was_less_in_between() {
    let (told, write) = log();
    let (clock, hand) = Clock::manual();
    let builder = hundred(BudgetPolicy::Reject).period(BudgetPeriod::Rolling(DAY)).clock(clock);
    let budget = builder.thresholds([0.5]).on_threshold(write).build().unwrap();
    budget.charge(nanos(60));
    hand.advance(DAY);
    budget.charge(nanos(20));
    assert_eq!((taken(&told), budget.try_reserve(nanos(21)).is_err()), (vec![(50, 60)], true));
    hand.advance(DAY / 60);
    assert_eq!(stand(&budget), (20, 0, 80));
    budget.charge(nanos(30));
    assert_eq!((taken(&told), budget.status().resets_in), (vec![(50, 50)], None));
}

#[test]
fn a_callback_that_panics_is_counted_and_the_others_are_told() {
    let told = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&told);
    let builder = hundred(BudgetPolicy::Warn).on_threshold(move |alert| {
        count.fetch_add(1, Ordering::Relaxed);
        assert!(alert.threshold > 0.6, "cannot cope");
    });
    let budget = builder.build().unwrap();
    budget.charge(nanos(100));
    assert_eq!((told.load(Ordering::Relaxed), budget.status().callback_panics), (3, 1));
    assert_eq!(stand(&budget), (100, 0, 0));
    // Also while the run itself is being unwound.
    let budget = hundred(BudgetPolicy::Warn).on_threshold(|_| panic!("cannot cope")).build().unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _run = budget.try_reserve(nanos(80)).unwrap();
        panic!("the run broke");
    }));
    assert!(unwound.is_err());
    assert_eq!((stand(&budget), budget.status().callback_panics), ((80, 0, 20), 2));
}

#[test]
fn a_callback_may_use_the_budget() {
    let known = Arc::new(Mutex::new(None::<Budget>));
    let inside = Arc::clone(&known);
    let spends = move |_: &BudgetAlert| {
        let budget = inside.lock().unwrap().clone().unwrap();
        budget.try_reserve(nanos(1)).unwrap().release();
    };
    let budget = hundred(BudgetPolicy::Warn).thresholds([0.5]).on_threshold(spends).build().unwrap();
    *known.lock().unwrap() = Some(budget.clone());
    budget.charge(nanos(50));
    assert_eq!((stand(&budget), budget.status().callback_panics), ((50, 0, 50), 0));
}

#[test]
fn a_router_is_told_to_save_by_what_is_spent_or_reserved() {
    let degraded = |policy: BudgetPolicy, amount: u64| {
        let budget = hundred(policy).build().unwrap();
        budget.charge(nanos(50));
        let _run = budget.try_reserve(nanos(amount - 50)).unwrap();
        (budget.is_degraded(), budget.status().state)
    };
    assert_eq!(degraded(BudgetPolicy::Degrade, 79), (false, BudgetState::Normal));
    assert_eq!(degraded(BudgetPolicy::Degrade, 80), (true, BudgetState::Degraded));
    assert_eq!(degraded(BudgetPolicy::Reject, 80), (true, BudgetState::Degraded));
    assert_eq!(degraded(BudgetPolicy::Reject, 100), (true, BudgetState::Exhausted));
    assert_eq!(degraded(BudgetPolicy::Warn, 120), (false, BudgetState::Exhausted));
    let early = hundred(BudgetPolicy::Degrade).degrade_at(0.3).build().unwrap();
    early.charge(nanos(30));
    assert!(early.is_degraded());
}

#[test]
fn what_is_reserved_when_a_period_ends_is_charged_to_the_next() {
    let (clock, hand) = Clock::manual();
    let builder = hundred(BudgetPolicy::Reject).period(BudgetPeriod::DAY).clock(clock);
    let budget = builder.build().unwrap();
    budget.charge(nanos(40));
    let run = budget.try_reserve(nanos(60)).unwrap();
    hand.advance(DAY - Duration::from_nanos(1));
    assert!(budget.try_reserve(nanos(1)).is_err());
    assert_eq!((stand(&budget), budget.status().refused), ((40, 60, 0), 1));
    hand.advance(Duration::from_nanos(1));
    assert_eq!((stand(&budget), budget.status().refused), ((0, 60, 40), 0));
    assert!(budget.try_reserve(nanos(41)).is_err());
    run.settle(nanos(55));
    assert_eq!(stand(&budget), (55, 0, 45));
}

#[test]
fn a_budget_at_given_times_ignores_a_clock_that_goes_back() {
    let (clock, _) = Clock::manual();
    let builder = hundred(BudgetPolicy::Reject).period(BudgetPeriod::HOUR).clock(clock);
    let budget = builder.build().unwrap();
    let run = budget.try_reserve_at(nanos(100), NEW_YEAR_NS).unwrap();
    run.settle_at(nanos(100), NEW_YEAR_NS + 5);
    assert!(budget.try_reserve_at(nanos(1), NEW_YEAR_NS - 1).is_err());
    assert_eq!(budget.status_at(NEW_YEAR_NS - 1).resets_in, Some(Duration::from_nanos(3_600_000_000_001)));
    assert!(budget.try_reserve_at(nanos(1), NEW_YEAR_NS + 3_599_999_999_999).is_err());
    assert!(budget.try_reserve_at(nanos(1), NEW_YEAR_NS + 3_600_000_000_000).is_ok());
}

#[test]
fn the_systems_time_serves_when_no_other_is_given() {
    let budget = hundred(BudgetPolicy::Warn).period(BudgetPeriod::Month).build().unwrap();
    budget.charge(nanos(1));
    let left = budget.status().resets_in.unwrap();
    assert!(!left.is_zero() && left <= 31 * DAY);
}

#[test]
fn the_health_report_says_what_is_gone_and_recovers_with_the_period() {
    let (clock, hand) = Clock::manual();
    let telemetry = Telemetry::builder().clock(clock.clone()).build().unwrap();
    let health = |name: &str| telemetry.health().component(name).cloned().unwrap();
    let hourly = hundred(BudgetPolicy::Reject).period(BudgetPeriod::HOUR).clock(clock).build().unwrap();
    telemetry.watch_health(&hourly.health_component());
    telemetry.watch_health(&hourly.health_component());
    hourly.charge(nanos(79));
    let components = telemetry.health().components;
    let budgets = components.iter().filter(|component| component.name.starts_with("budget:")).count();
    assert_eq!((health("budget:llm").status, budgets), (HealthStatus::Healthy, 1));
    hourly.charge(nanos(1));
    let reason = health("budget:llm").reason.unwrap();
    assert_eq!(reason, "$0.00000008 of $0.0000001 spent, $0.00 reserved");
    assert!(hourly.try_reserve(nanos(21)).is_err());
    assert!(health("budget:llm").reason.unwrap().ends_with("reserved, 1 refused"));
    assert_eq!(telemetry.health().status, HealthStatus::Degraded);
    hand.advance(Duration::from_secs(3_600));
    assert_eq!((health("budget:llm").status, health("budget:llm").reason), (HealthStatus::Healthy, None));
    // One that only warns is degraded when nothing is left.
    let soft = Budget::named("soft").limit(nanos(100)).build().unwrap();
    telemetry.watch_health(&soft.health_component());
    soft.charge(nanos(99));
    assert_eq!(health("budget:soft").status, HealthStatus::Healthy);
    soft.charge(nanos(1));
    assert_eq!(health("budget:soft").status, HealthStatus::Degraded);
}

#[test]
fn a_parameter_outside_its_range_is_named_with_value_and_range() {
    let one = || Budget::named("b").limit(nanos(1));
    let every = |length| one().period(BudgetPeriod::Every(length));
    let range = "accepted is 1 s to 366 days";
    let shares = "accepted is each above 0, at most 1";
    let cases = [
        (Budget::named("").limit(nanos(1)), "budget ``: `name` is \"\", accepted is not empty".to_owned()),
        (Budget::named("b"), "budget `b`: `limit` is $0.00, accepted is above $0.00".to_owned()),
        (every(Duration::ZERO), format!("budget `b`: `period` is 0ns, {range}")),
        (every(366 * DAY + Duration::from_nanos(1)), format!("budget `b`: `period` is 31622400.000000001s, {range}")),
        (
            one().period(BudgetPeriod::Rolling(Duration::from_millis(999))),
            format!("budget `b`: `period` is 999ms, {range}"),
        ),
        (one().thresholds([0.0]), format!("budget `b`: `thresholds` is [0.0], {shares}")),
        (one().thresholds([0.5, 1.01]), format!("budget `b`: `thresholds` is [0.5, 1.01], {shares}")),
        (one().thresholds([f64::NAN]), format!("budget `b`: `thresholds` is [NaN], {shares}")),
        (
            one().thresholds([0.8, 0.5]),
            "budget `b`: `thresholds` is [0.8, 0.5], accepted is ascending, each once".into(),
        ),
        (
            one().thresholds([0.5, 0.5]),
            "budget `b`: `thresholds` is [0.5, 0.5], accepted is ascending, each once".into(),
        ),
        (one().thresholds([0.5; 1_000]), "budget `b`: `thresholds` is 33, accepted is at most 32 of them".into()),
        (one().degrade_at(0.0), "budget `b`: `degrade_at` is 0, accepted is above 0, at most 1".into()),
        (one().degrade_at(f64::NAN), "budget `b`: `degrade_at` is NaN, accepted is above 0, at most 1".into()),
    ];
    for (builder, want) in cases {
        assert_eq!(builder.build().unwrap_err().to_string(), want);
    }
    let many = (1..=32).map(|i| f64::from(i) / 32.0);
    assert!(one().thresholds(many).build().is_ok() && one().thresholds([]).build().is_ok());
    assert!(every(Duration::from_secs(1)).build().is_ok() && every(366 * DAY).build().is_ok());
}

#[test]
fn the_last_of_32_thresholds_is_told() {
    let (told, write) = log();
    let budget = hundred(BudgetPolicy::Warn).thresholds((69..=100).map(|i| f64::from(i) / 100.0));
    let budget = budget.on_threshold(write).build().unwrap();
    budget.charge(nanos(99));
    assert_eq!(taken(&told).len(), 31);
    budget.charge(nanos(1));
    assert_eq!(taken(&told), [(100, 100)]);
}

#[test]
fn the_whole_of_a_limit_is_the_whole_also_where_floats_are_coarse() {
    let (told, write) = log();
    let limit = (1 << 53) + 1;
    let budget = Budget::named("b").limit(nanos(limit)).thresholds([1.0]).on_threshold(write).build().unwrap();
    budget.charge(nanos(limit - 1));
    assert_eq!(taken(&told), []);
    budget.charge(nanos(1));
    assert_eq!(taken(&told), [(100, limit)]);
}

#[test]
fn stable_words_do_not_change() {
    let policies = [BudgetPolicy::Warn, BudgetPolicy::Degrade, BudgetPolicy::Reject].map(|policy| policy.to_string());
    assert_eq!(policies, ["warn", "degrade", "reject"]);
    let states = [BudgetState::Normal, BudgetState::Degraded, BudgetState::Exhausted].map(|state| state.to_string());
    assert_eq!(states, ["normal", "degraded", "exhausted"]);
    assert_eq!(
        format!("{:?}", hard().try_reserve(nanos(5)).unwrap()),
        "Reservation { budget: Some(\"llm\"), estimate: Usd($0.000000005) }"
    );
}

/// 1,000 runs on 16 threads against a budget for 123 of them: at no moment more is taken than there
/// is, and what is admitted is exactly what fits.
#[test]
fn a_thousand_concurrent_runs_never_exceed_a_hard_budget() {
    let (told, write) = log();
    let budget = Budget::named("llm").limit(nanos(1_234)).policy(BudgetPolicy::Reject).on_threshold(write);
    let budget = budget.build().unwrap();
    let (start, admitted) = (Barrier::new(16), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (budget, start, admitted) = (&budget, &start, &admitted);
            scope.spawn(move || {
                start.wait();
                for run in 0..1_000_usize.div_ceil(16) {
                    let reserved = budget.try_reserve(nanos(10));
                    let status = budget.status();
                    assert!((status.spent + status.reserved).nanos() <= 1_234);
                    let Ok(reserved) = reserved else { continue };
                    admitted.fetch_add(1, Ordering::Relaxed);
                    // All ways to spend it.
                    if (thread + run) % 2 == 0 { reserved.settle(nanos(10)) } else { drop(reserved) }
                }
            });
        }
    });
    let status = budget.status();
    assert_eq!((status.spent.nanos(), status.reserved.nanos(), admitted.into_inner()), (1_230, 0, 123));
    assert_eq!(status.refused, 16 * 63 - 123);
    // 1,230 is short of 100 %.
    let mut percents: Vec<_> = taken(&told).into_iter().map(|(percent, _)| percent).collect();
    percents.sort_unstable();
    assert_eq!(percents, [50, 80]);
}

#[derive(Clone, Debug)]
enum Step {
    Reserve(u64),
    Settle(usize, u64),
    Drop(usize),
    Release(usize),
    Charge(u64),
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..60).prop_map(Step::Reserve),
        (0_usize..9, 0_u64..70).prop_map(|(which, actual)| Step::Settle(which, actual)),
        (0_usize..9).prop_map(Step::Drop),
        (0_usize..9).prop_map(Step::Release),
        (0_u64..20).prop_map(Step::Charge),
        (0_u64..40).prop_map(Step::Advance),
    ]
}

proptest! {
    /// Against plain numbers: an hour of 100 nano-dollars, time in minutes.
    #[test]
    fn a_budget_agrees_with_a_ledger_kept_by_hand(steps in prop::collection::vec(step(), 0..120)) {
        let (clock, hand) = Clock::manual();
        let (told, write) = log();
        let builder = hundred(BudgetPolicy::Reject).period(BudgetPeriod::HOUR).clock(clock);
        let budget = builder.on_threshold(write).build().unwrap();
        let (mut minute, mut spent, mut refused) = (0, 0, 0);
        let mut held = Vec::new();
        let mut want_told: Vec<(u32, u64)> = Vec::new();
        let mut in_period: Vec<u32> = Vec::new();
        for step in steps {
            let reserved: u64 = held.iter().map(|run: &tta_telemetry::Reservation| run.estimate().nanos()).sum();
            let take = |held: &mut Vec<_>, which: usize| (!held.is_empty()).then(|| held.remove(which % held.len()));
            let mut paid = None;
            match step {
                Step::Reserve(estimate) => {
                    let fits = spent + reserved < 100 && spent + reserved + estimate <= 100;
                    let got = budget.try_reserve(nanos(estimate));
                    prop_assert_eq!(got.is_ok(), fits);
                    refused += u64::from(!fits);
                    held.extend(got);
                }
                Step::Settle(which, actual) => if let Some(run) = take(&mut held, which) {
                    run.settle(nanos(actual));
                    paid = Some(actual);
                },
                Step::Drop(which) => if let Some(run) = take(&mut held, which) {
                    paid = Some(run.estimate().nanos());
                    drop(run);
                },
                Step::Release(which) => if let Some(run) = take(&mut held, which) {
                    run.release();
                },
                Step::Charge(cost) => {
                    budget.charge(nanos(cost));
                    paid = Some(cost);
                }
                Step::Advance(minutes) => {
                    hand.advance(Duration::from_secs(60 * minutes));
                    if (minute + minutes) / 60 > minute / 60 {
                        (spent, refused) = (0, 0);
                        in_period.clear();
                    }
                    minute += minutes;
                }
            }
            spent += paid.unwrap_or_default();
            for percent in [50, 80, 100] {
                if spent >= u64::from(percent) && !in_period.contains(&percent) {
                    in_period.push(percent);
                    want_told.push((percent, spent));
                }
            }
            let reserved: u64 = held.iter().map(|run| run.estimate().nanos()).sum();
            prop_assert_eq!(stand(&budget), (spent, reserved, 100_u64.saturating_sub(spent + reserved)));
            prop_assert_eq!(budget.status().refused, refused);
            prop_assert_eq!(budget.is_degraded(), spent + reserved >= 80);
        }
        prop_assert_eq!(taken(&told), want_told);
    }
}
