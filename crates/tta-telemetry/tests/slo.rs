//! Objectives as their users see them: the numbers, the edges of windows, budgets, callbacks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tta_telemetry::{Slo, SloBuilder, SloSet, SloTotals, SloTracker, SpanStatus};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 86_400 * SECOND;
const START: u64 = 1_800_000_000 * SECOND;

fn slo() -> SloBuilder {
    Slo::named("s")
}

fn tracker(slo: SloBuilder) -> SloTracker {
    SloTracker::new("payments", slo.build().unwrap())
}

fn record(tracker: &SloTracker, good: u64, bad: u64) {
    (0..good).for_each(|_| tracker.record(SpanStatus::Ok, 1));
    (0..bad).for_each(|_| tracker.record(SpanStatus::Error, 1));
}

#[test]
fn without_requests_everything_is_well() {
    let tracker = tracker(slo().latency_threshold(Duration::from_millis(1)));
    tracker.record(SpanStatus::Cancelled, u64::MAX);
    let status = tracker.status(START);
    assert_eq!((status.compliance, status.availability, status.latency_compliance), (1.0, 1.0, Some(1.0)));
    assert_eq!((status.error_budget_remaining, status.is_compliant), (1.0, true));
    assert_eq!((status.totals, status.has_minimum_events), (SloTotals::default(), false));
    assert!(status.burn_rates.iter().all(|burn| burn.rate == 0.0 && !burn.has_minimum_events));
    assert_eq!((status.observed, status.is_incomplete), (Duration::ZERO, true));
    assert_eq!((status.subject.as_str(), status.slo.name().as_str(), status.as_of_unix_ns), ("payments", "s", START));
}

#[test]
fn availability_and_latency_are_told_apart_and_cancelled_requests_do_not_count() {
    let tracker = tracker(slo().target(0.5).latency_threshold(Duration::from_millis(1)));
    let at_threshold = 1_000_000;
    let seen = [
        (SpanStatus::Ok, at_threshold, 5),
        (SpanStatus::Ok, at_threshold + 1, 2),
        (SpanStatus::Error, at_threshold, 1),
        (SpanStatus::Error, at_threshold + 1, 2),
        (SpanStatus::Cancelled, at_threshold, 100),
    ];
    for (outcome, duration_ns, times) in seen {
        (0..times).for_each(|_| tracker.record(outcome, duration_ns));
    }
    let status = tracker.status(START);
    assert_eq!(status.totals, SloTotals { total: 10, bad: 5, failed: 3, slow: 4 });
    assert_eq!((status.compliance, status.availability, status.latency_compliance), (0.5, 0.7, Some(0.6)));
    assert_eq!((status.error_budget_remaining, status.is_compliant), (0.0, true), "the target is just met");
    tracker.record(SpanStatus::Error, 0);
    assert!(!tracker.status(START).is_compliant);
}

#[test]
fn without_a_threshold_nothing_is_slow_and_latency_is_not_judged() {
    let tracker = tracker(slo());
    tracker.record(SpanStatus::Ok, u64::MAX);
    let status = tracker.status(START);
    assert_eq!((status.totals.slow, status.compliance, status.latency_compliance), (0, 1.0, None));
}

/// `1.0 - 0.99` is 0.010000000000000009: computed so, the burn rate would fall short of 1.
#[test]
fn at_the_sustainable_rate_every_burn_rate_is_exactly_one_and_the_budget_exactly_spent() {
    for (target, good, bad) in [(0.99, 99, 1), (0.999, 999, 1), (0.9, 9, 1), (0.95, 190, 10), (0.7, 7, 3)] {
        let tracker = tracker(slo().target(target));
        for minute in 0..10 {
            record(&tracker, good, bad);
            tracker.advance(START + minute * MINUTE);
        }
        let status = tracker.status(START + 10 * MINUTE);
        assert_eq!(status.burn_rates.map(|burn| burn.rate), [1.0; 7], "{target}");
        assert_eq!((status.error_budget_remaining, status.is_compliant), (0.0, true), "{target}");
    }
}

#[test]
fn an_overspent_budget_is_below_zero_and_the_burn_rate_says_how_fast() {
    let tracker = tracker(slo());
    record(&tracker, 50, 50);
    let status = tracker.status(START);
    assert_eq!((status.error_budget_remaining, status.is_compliant), (-49.0, false));
    assert_eq!(status.burn_rate(Duration::from_secs(3_600)).unwrap().rate, 50.0);
    assert_eq!(tracker.last_budget_remaining(), -49.0);
    assert_eq!(status.burn_rate(Duration::from_secs(1)), None);
}

#[test]
fn burn_rates_forget_by_their_windows() {
    let tracker = tracker(slo());
    record(&tracker, 0, 100);
    tracker.advance(START);
    let labels = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];
    let minutes = [5, 30, 60, 120, 360, 1_440, 4_320];
    for (nth, window) in minutes.into_iter().enumerate() {
        let at_the_end = tracker.status(START + window * MINUTE);
        let burning = |status: &tta_telemetry::SloStatus| {
            status.burn_rates.iter().filter(|burn| burn.rate > 0.0).map(|burn| burn.label).collect::<Vec<_>>()
        };
        assert_eq!(burning(&at_the_end), labels[nth..]);
        assert_eq!(at_the_end.burn_rates[nth].window, Duration::from_nanos(window * MINUTE));
        let past_it = tracker.status(START + window * MINUTE + window * SECOND);
        assert_eq!(burning(&past_it), labels[nth + 1..]);
    }
    assert_eq!(tracker.status(START + 30 * DAY).totals.bad, 100);
    assert_eq!(tracker.status(START + 30 * DAY + DAY / 12).totals.bad, 0);
}

#[test]
fn every_request_weighs_the_same_however_they_are_spread() {
    let tracker = tracker(slo());
    record(&tracker, 990, 0);
    tracker.advance(START);
    record(&tracker, 0, 10);
    let status = tracker.status(START + 20 * DAY);
    assert_eq!((status.compliance, status.error_budget_remaining), (0.99, 0.0));
}

#[test]
fn it_says_since_when_it_counts() {
    let tracker = tracker(slo().window(Duration::from_secs(3_600)));
    tracker.advance(START);
    let status = tracker.status(START + 59 * MINUTE);
    assert_eq!((status.observed, status.is_incomplete), (Duration::from_secs(59 * 60), true));
    let status = tracker.status(START + 61 * MINUTE);
    assert_eq!((status.observed, status.is_incomplete), (Duration::from_secs(3_600), false));
}

#[test]
fn a_window_shorter_than_those_of_the_burn_rates_works() {
    let tracker = tracker(slo().window(Duration::from_secs(60)));
    record(&tracker, 0, 100);
    tracker.advance(START);
    let status = tracker.status(START + 2 * MINUTE);
    assert_eq!((status.error_budget_remaining, status.burn_rates[0].rate), (1.0, 100.0));
}

/// A callback that counts its calls and keeps the budgets it was told of.
fn counting(tracker: &SloTracker, fraction: f64) -> Arc<Mutex<Vec<f64>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let also = Arc::clone(&told);
    tracker.on_budget_below(fraction, move |status| also.lock().unwrap().push(status.error_budget_remaining)).unwrap();
    told
}

#[test]
fn a_callback_fires_once_per_crossing_and_again_after_the_budget_has_recovered() {
    let tracker = tracker(slo().target(0.9).window(Duration::from_secs(3_600)));
    let (half, spent) = (counting(&tracker, 0.5), counting(&tracker, 0.0));
    record(&tracker, 95, 5);
    tracker.advance(START);
    assert_eq!(half.lock().unwrap().len(), 0, "at the fraction is not below it");
    record(&tracker, 0, 3);
    tracker.advance(START + SECOND);
    tracker.advance(START + 2 * SECOND);
    record(&tracker, 0, 1);
    tracker.advance(START + 3 * SECOND);
    assert_eq!((half.lock().unwrap().len(), spent.lock().unwrap().len()), (1, 0));
    // All of it leaves the window, and the budget is spent anew.
    record(&tracker, 100, 0);
    tracker.advance(START + 120 * MINUTE);
    record(&tracker, 0, 100);
    tracker.advance(START + 121 * MINUTE);
    assert_eq!(half.lock().unwrap()[1..], [-4.0]);
    assert_eq!(spent.lock().unwrap()[..], [-4.0]);
}

#[test]
fn with_too_few_requests_no_callback_fires() {
    let tracker = tracker(slo().minimum_events(10));
    let told = counting(&tracker, 0.5);
    record(&tracker, 0, 9);
    let status = tracker.status(START);
    assert_eq!((status.has_minimum_events, status.is_compliant, told.lock().unwrap().len()), (false, false, 0));
    record(&tracker, 1, 0);
    let status = tracker.status(START);
    assert!(status.has_minimum_events && status.burn_rates[6].has_minimum_events);
    assert_eq!(told.lock().unwrap().len(), 1);
}

#[test]
fn a_callback_that_panics_is_counted_and_hurts_nobody() {
    let tracker = tracker(slo().minimum_events(0));
    tracker.on_budget_below(1.0, |_| panic!("told on purpose")).unwrap();
    let told = counting(&tracker, 1.0);
    record(&tracker, 0, 1);
    tracker.advance(START);
    assert_eq!(told.lock().unwrap().len(), 1);
    let status = tracker.status(START);
    assert_eq!((status.callback_panics, status.totals.bad), (1, 1));
}

#[test]
fn a_callback_may_use_its_tracker() {
    let tracker = Arc::new(tracker(slo().minimum_events(0)));
    let bad = Arc::new(AtomicUsize::new(0));
    let (weak, seen) = (Arc::downgrade(&tracker), Arc::clone(&bad));
    let ask = move |_: &_| {
        let status = weak.upgrade().unwrap().status(START);
        seen.store(status.totals.bad as usize, Ordering::Relaxed);
    };
    tracker.on_budget_below(0.0, ask).unwrap();
    record(&tracker, 0, 7);
    tracker.advance(START);
    assert_eq!(bad.load(Ordering::Relaxed), 7);
}

#[test]
fn callbacks_are_bounded_and_their_fractions_checked() {
    let tracker = tracker(slo());
    for wrong in [1.1, -100.1, f64::NAN] {
        let error = tracker.on_budget_below(wrong, |_| ()).unwrap_err();
        assert_eq!(error.to_string(), format!("SLO `s`: `on_budget_below` is {wrong:?}, accepted is -100 to 1"));
    }
    (0..16).for_each(|_| tracker.on_budget_below(0.5, |_| ()).unwrap());
    let error = tracker.on_budget_below(0.5, |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "SLO `s`: `budget callbacks` is 17, accepted is at most 16");
}

#[test]
fn threads_that_record_while_others_read_lose_nothing_and_a_crossing_fires_once() {
    const EACH: u64 = 20_000;
    let tracker = tracker(slo().target(0.5));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let tracker = &tracker;
            scope.spawn(move || {
                for request in 0..EACH {
                    let failed = (request + thread) % 4 == 0;
                    tracker.record(if failed { SpanStatus::Error } else { SpanStatus::Ok }, 1);
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                for tenth in 0..2_000 {
                    let totals = tracker.status(START + tenth * SECOND / 10).totals;
                    assert!(totals.total >= last && totals.bad <= totals.total);
                    last = totals.total;
                }
            });
        }
    });
    let told = counting(&tracker, 0.0);
    record(&tracker, 0, 100_000);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| tracker.advance(START + 200 * SECOND)));
        }
    });
    let status = tracker.status(START + 200 * SECOND);
    assert_eq!((status.totals.total, status.totals.bad), (8 * EACH + 100_000, 2 * EACH + 100_000));
    assert_eq!(told.lock().unwrap().len(), 1);
}

#[test]
fn memory_is_as_stated_however_much_is_counted_by_however_many_threads() {
    let tracker = tracker(slo());
    assert_eq!(tracker.heap_bytes(), 25_216 + 1_024);
    for day in 0..100 {
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| record(&tracker, 10, 1));
            }
        });
        tracker.advance(START + day * DAY);
    }
    let all_at_once = std::sync::Barrier::new(70);
    std::thread::scope(|scope| {
        for _ in 0..70 {
            scope.spawn(|| {
                record(&tracker, 1, 0);
                all_at_once.wait();
            });
        }
    });
    let bytes = tracker.heap_bytes();
    assert!((25_216 + 1_024 + 60 * 128..=SloTracker::MAX_HEAP_BYTES).contains(&bytes), "{bytes}");
    assert_eq!(SloTracker::MAX_HEAP_BYTES, 36_480);
    assert_eq!(tracker.status(START + 99 * DAY).totals.total, 31 * 20 * 11 + 70);
}

#[test]
fn a_set_counts_each_request_against_every_objective() {
    let slos = SloSet::new("payments")
        .with(slo().build().unwrap())
        .and_then(|set| set.with(Slo::named("quick").latency_threshold(Duration::from_micros(1)).build().unwrap()))
        .unwrap();
    slos.record(SpanStatus::Ok, 1_001);
    slos.record(SpanStatus::Error, 1);
    slos.advance(START);
    let bad: Vec<_> =
        slos.statuses(START).into_iter().map(|status| (status.slo.name().clone(), status.totals.bad)).collect();
    assert_eq!(bad, [("s".into(), 1), ("quick".into(), 2)]);
    assert_eq!(slos.tracker("quick").unwrap().subject().as_str(), "payments");
    assert!(slos.tracker("other").is_none());
}

#[test]
fn a_set_refuses_a_name_twice_and_a_ninth_objective() {
    let mut slos = SloSet::new("payments");
    for nth in 0..8 {
        slos = slos.with(Slo::named(format!("s{nth}")).build().unwrap()).unwrap();
    }
    let ninth = slos.clone().with(slo().build().unwrap()).unwrap_err();
    assert_eq!(ninth.to_string(), "SLO `s`: `objectives` is 9, accepted is at most 8");
    let twice = slos.with(Slo::named("s0").build().unwrap()).unwrap_err();
    assert_eq!(twice.to_string(), "SLO `s0`: `name` is \"s0\", accepted is a name that no other has");
}
