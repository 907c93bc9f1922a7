//! Budgets: limits met, softness, clocks, bad parameters.

use std::time::Duration;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn budget(traces: Option<f64>, bytes: Option<f64>) -> RateBudget {
    let config =
        RateBudgetConfig { max_traces_per_second: traces, max_bytes_per_second: bytes, ..RateBudgetConfig::default() };
    RateBudget::new(config, 0).unwrap()
}

fn offer(budget: &RateBudget, traces: usize, bytes: u64) {
    for _ in 0..traces {
        budget.offer(BudgetClass::Ordinary, Selection::Threshold(Threshold::ALWAYS), bytes);
    }
}

/// Within what four digits of a threshold can tell.
fn assert_close(probability: f64, expected: f64) {
    assert!((probability / expected - 1.0).abs() < 2e-4, "{probability} is not {expected}");
}

#[test]
fn the_threshold_is_that_of_the_window_before_and_is_lifted_when_the_load_is_gone() {
    let budget = budget(Some(50.0), None);
    offer(&budget, 2_000, 0);
    assert_eq!(budget.stats().ordinary_probability, 1.0, "soft by one window");
    assert!(!budget.advance(SECOND - 1));
    assert!(budget.advance(SECOND));
    assert_close(budget.stats().ordinary_probability, 0.025);
    offer(&budget, 100, 0);
    assert!(budget.advance(2 * SECOND));
    assert_close(budget.stats().ordinary_probability, 0.5);
    assert!(budget.advance(3 * SECOND));
    assert_eq!(budget.stats().ordinary_probability, 1.0);
    assert_eq!(budget.stats().ordinary_limited_windows, 2);
}

#[test]
fn the_narrower_of_both_limits_holds() {
    let narrow_bytes = budget(Some(500.0), Some(10_000.0));
    offer(&narrow_bytes, 1_000, 100);
    narrow_bytes.advance(SECOND);
    assert_close(narrow_bytes.stats().ordinary_probability, 0.1);
    let narrow_traces = budget(Some(50.0), Some(10_000.0));
    offer(&narrow_traces, 1_000, 100);
    narrow_traces.advance(SECOND);
    assert_close(narrow_traces.stats().ordinary_probability, 0.05);
}

#[test]
fn without_limits_nothing_is_held_back() {
    let free = budget(None, None);
    offer(&free, 10_000, u64::MAX);
    free.advance(SECOND);
    assert_eq!(free.stats().ordinary_probability, 1.0);
}

#[test]
fn a_window_that_is_ended_late_counts_by_its_true_length() {
    let budget = budget(Some(50.0), None);
    offer(&budget, 2_000, 0);
    assert!(budget.advance(4 * SECOND));
    assert_close(budget.stats().ordinary_probability, 0.1);
}

#[test]
fn clocks_that_jump_do_no_harm() {
    let budget = budget(Some(50.0), None);
    offer(&budget, 2_000, 0);
    assert!(budget.advance(u64::MAX));
    assert_eq!(budget.stats().ordinary_probability, 1.0);
    offer(&budget, 2_000, 0);
    assert!(!budget.advance(SECOND), "it went back: the window starts afresh");
    assert!(budget.advance(2 * SECOND));
    assert_close(budget.stats().ordinary_probability, 0.025);
}

#[test]
fn a_steady_load_is_kept_at_the_limit() {
    let budget = budget(Some(200.0), None);
    let mut random = fastrand::Rng::with_seed(1);
    let mut kept = Vec::new();
    for window in 1..=50 {
        let mut count = 0;
        for _ in 0..5_000 {
            let threshold = budget.offer(BudgetClass::Ordinary, Selection::Threshold(Threshold::ALWAYS), 0);
            let randomness = crate::sampling::Randomness::truncated(random.u64(..));
            count += u32::from(threshold.keeps(randomness));
        }
        kept.push(count);
        budget.advance(window * SECOND);
    }
    assert_eq!(kept[0], 5_000, "the first window has nothing to go by");
    let mean = f64::from(kept[1..].iter().sum::<u32>()) / 49.0;
    assert!((196.0..=204.0).contains(&mean), "{mean}");
    // Five standard deviations of chance.
    assert!(kept[1..].iter().all(|count| (130..=270).contains(count)), "{kept:?}");
}

#[test]
fn parameters_out_of_range_are_named_with_what_is_accepted() {
    let config = RateBudgetConfig {
        max_traces_per_second: Some(0.0),
        max_bytes_per_second: Some(f64::NAN),
        exempt_factor: 0.5,
        window: Duration::from_millis(99),
    };
    let problems: Vec<_> = config.problems().iter().map(std::string::ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "`max_traces_per_second` is 0, accepted is above 0, finite",
            "`max_bytes_per_second` is NaN, accepted is above 0, finite",
            "`exempt_factor` is 0.5, accepted is 1 to 1000",
            "`window` is 99ms, accepted is 100 ms to 60 s",
        ]
    );
    assert_eq!(RateBudget::new(config, 0).unwrap_err().field, "max_traces_per_second");
    let defaults = RateBudgetConfig::default();
    assert_eq!((defaults.max_traces_per_second, defaults.max_bytes_per_second), (None, None));
    assert_eq!((defaults.exempt_factor, defaults.window), (10.0, Duration::from_secs(1)));
    assert!(defaults.problems().is_empty());
}
