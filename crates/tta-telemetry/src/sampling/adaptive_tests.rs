//! The adaptive rate: steps, clocks, simulated loads, bad parameters.

use super::*;

const SECOND: u64 = 1_000_000_000;

fn controller(config: AdaptiveConfig) -> AdaptiveController {
    AdaptiveController::new(config, 0).unwrap()
}

/// The rate after one interval with these measurements, from 0.5.
fn after(overhead: &[f64]) -> f64 {
    let mut controller = controller(AdaptiveConfig { default_rate: 0.5, ..AdaptiveConfig::default() });
    overhead.iter().for_each(|overhead| controller.observe(*overhead));
    controller.adjust().get()
}

#[test]
fn the_rate_moves_by_a_fifth_outside_the_band_and_stays_within_and_on_its_edges() {
    assert_eq!(after(&[0.025]), 0.4);
    assert_eq!(after(&[0.015]), 0.6);
    assert_eq!(after(&[]), 0.5);
    for inside in [0.02 * 1.2, 0.02 * 0.8, 0.02] {
        assert_eq!(after(&[inside]), 0.5, "{inside}");
    }
    assert_eq!(after(&[0.0, 0.04]), 0.5, "the mean counts");
    assert_eq!(after(&[0.0]), 0.6);
}

#[test]
fn the_rate_stops_at_its_bounds_exactly() {
    let config =
        AdaptiveConfig { default_rate: 0.1, adaptive_min_rate: 0.07, adaptive_max_rate: 0.13, ..Default::default() };
    let (mut down, mut up) = (controller(config.clone()), controller(config));
    for _ in 0..5 {
        down.observe(1.0);
        up.observe(0.0);
        down.adjust();
        up.adjust();
    }
    assert_eq!((down.rate(), up.rate()), (0.07, 0.13));
}

#[test]
fn measurements_that_are_none_are_not_counted_and_shown() {
    assert_eq!(after(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1]), 0.5);
    let mut controller = controller(AdaptiveConfig::default());
    [f64::NAN, -1.0, 0.02].into_iter().for_each(|overhead| controller.observe(overhead));
    assert_eq!(controller.stats(0, 0).refused_samples, 2);
}

#[test]
fn an_interval_ends_when_its_time_is_over_and_measurements_count_in_one_only() {
    let mut controller = controller(AdaptiveConfig::default());
    controller.observe(1.0);
    assert_eq!(controller.advance(60 * SECOND - 1), None);
    assert_eq!(controller.advance(60 * SECOND).map(Rate::get), Some(0.1 * 0.8));
    assert_eq!(controller.advance(120 * SECOND - 1), None);
    assert_eq!(controller.advance(120 * SECOND).map(Rate::get), Some(0.1 * 0.8), "nothing was measured since");
}

#[test]
fn a_clock_that_jumps_moves_the_rate_by_one_step_at_most() {
    let mut controller = controller(AdaptiveConfig::default());
    controller.observe(1.0);
    assert_eq!(controller.advance(u64::MAX).map(Rate::get), Some(0.1 * 0.8), "ten centuries are one interval");
    controller.observe(1.0);
    assert_eq!(controller.advance(5 * SECOND), None, "it went back");
    assert_eq!(controller.advance(64 * SECOND), None);
    assert_eq!(controller.advance(65 * SECOND).map(Rate::get), Some(0.1 * 0.8 * 0.8));
}

#[test]
fn stats_have_what_was_counted_and_no_division_by_zero() {
    let controller = controller(AdaptiveConfig { adaptive_max_rate: 0.2, ..AdaptiveConfig::default() });
    let stats = controller.stats(200, 30);
    let expected = AdaptiveStats {
        current_rate: 0.1,
        min_rate: 0.01,
        max_rate: 0.2,
        target_overhead: 0.02,
        total_decisions: 200,
        sampled: 30,
        actual_sample_rate: 0.15,
        refused_samples: 0,
    };
    assert_eq!(stats, expected);
    assert_eq!(controller.stats(0, 0).actual_sample_rate, 0.0);
}

/// The rates of 200 intervals under a load whose overhead is `base + per_rate * rate`, with noise of
/// a tenth in each measurement. `per_rate` may change with time.
fn simulate(seed: u64, base: f64, per_rate: impl Fn(u32) -> f64) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut controller = controller(AdaptiveConfig { adaptive_min_rate: 0.001, ..AdaptiveConfig::default() });
    let mut rates = Vec::new();
    for interval in 0..200 {
        for _ in 0..12 {
            let noise = 0.9 + 0.2 * random.f64();
            controller.observe((base + per_rate(interval) * controller.rate()) * noise);
        }
        rates.push(controller.adjust().get());
    }
    rates
}

#[test]
fn under_a_steady_load_the_rate_converges_into_the_band_and_rests_there() {
    // Full sampling costs 5 %, 40 % and 300 % of the process; the target is 2 %.
    for (seed, cost) in [(1, 0.05), (2, 0.4), (3, 3.0)] {
        let rates = simulate(seed, 0.002, |_| cost);
        let settled = &rates[40..];
        for rate in settled {
            let overhead = 0.002 + cost * rate;
            // The band, and what the noise of a mean of 12 adds to it.
            assert!((0.0155..=0.0248).contains(&overhead), "{cost}: {rate} costs {overhead}");
        }
        let moves = settled.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(moves <= 2, "{cost}: {moves} moves");
    }
}

#[test]
fn when_the_load_changes_the_rate_goes_over_in_one_direction_and_rests_again() {
    let rates = simulate(4, 0.0, |interval| if interval < 100 { 0.1 } else { 1.0 });
    // Ten times dearer: the rate falls from about 0.2 to about 0.02 without a swing upwards.
    let (before, after) = (rates[99], rates[199]);
    assert!((0.15..=0.25).contains(&before) && (0.015..=0.025).contains(&after), "{before} {after}");
    assert!(rates[100..].is_sorted_by(|a, b| a >= b), "{:?}", &rates[100..130]);
    assert!((0.015..=0.025).contains(&rates[115]), "and it is there within 15 intervals: {}", rates[115]);
}

#[test]
fn an_overhead_that_sampling_cannot_bring_down_ends_at_the_least_rate() {
    assert_eq!(simulate(5, 0.05, |_| 0.1).last(), Some(&0.001));
    assert_eq!(simulate(6, 0.0, |_| 0.001).last(), Some(&1.0));
}

#[test]
fn parameters_out_of_range_are_named_with_what_is_accepted() {
    let problems =
        |config: AdaptiveConfig| config.problems().iter().map(std::string::ToString::to_string).collect::<Vec<_>>();
    let defaults = AdaptiveConfig::default;
    assert_eq!(problems(defaults()), Vec::<String>::new());
    assert_eq!(
        problems(AdaptiveConfig { adaptive_min_rate: 0.5, adaptive_max_rate: 0.2, ..defaults() }),
        ["`adaptive_min_rate` is 0.5, accepted is at most adaptive_max_rate, which is 0.2"]
    );
    for default_rate in [0.001, 0.9] {
        assert_eq!(
            problems(AdaptiveConfig { default_rate, adaptive_max_rate: 0.2, ..defaults() }),
            [format!(
                "`default_rate` is {default_rate}, accepted is adaptive_min_rate to adaptive_max_rate, which is 0.01 \
                 to 0.2"
            )]
        );
    }
    assert_eq!(
        problems(AdaptiveConfig {
            default_rate: f64::NAN,
            adaptive_min_rate: -0.5,
            adaptive_max_rate: 2.0,
            adaptive_target_overhead: 1.5,
            adjustment_interval: Duration::from_millis(999),
        }),
        [
            "`default_rate` is NaN, accepted is 0 to 1",
            "`adaptive_min_rate` is -0.5, accepted is 0 to 1",
            "`adaptive_max_rate` is 2, accepted is 0 to 1",
            "`adaptive_target_overhead` is 1.5, accepted is 0 to 1",
            "`adjustment_interval_seconds` is 0.999, accepted is at least 1",
        ]
    );
    let error = AdaptiveController::new(AdaptiveConfig { adaptive_max_rate: 0.0, ..defaults() }, 0).unwrap_err();
    assert_eq!(error.field, "adaptive_min_rate");
}
