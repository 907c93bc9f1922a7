//! Rolling windows against the list of all requests: what the rings hold is exactly what the list
//! has in the buckets of a window, and within the stated bounds of the window itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::time::Duration;

use proptest::prelude::*;
use tta_telemetry::{Slo, SloState, SloStatus, SloTotals, SloTracker, SpanStatus};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
const START: u64 = 1_800_000_123 * SECOND + 456_789;
const THRESHOLD_NS: u64 = 1_000_000;
/// The seven windows of burn rates in seconds, and the objective's, each with its number of steps.
const WINDOWS: [(u64, u64); 8] =
    [(300, 60), (1_800, 60), (3_600, 60), (7_200, 60), (21_600, 60), (86_400, 60), (259_200, 60), (2_592_000, 360)];

fn slo() -> Slo {
    Slo::named("s").target(0.97).latency_threshold(Duration::from_nanos(THRESHOLD_NS)).build().unwrap()
}

fn tracker() -> SloTracker {
    SloTracker::new("payments", slo())
}

#[derive(Clone, Copy, Debug)]
struct Request {
    at: u64,
    failed: bool,
    slow: bool,
}

impl Request {
    fn record(self, tracker: &SloTracker) {
        let outcome = if self.failed { SpanStatus::Error } else { SpanStatus::Ok };
        tracker.record(outcome, THRESHOLD_NS + u64::from(self.slow));
    }
}

/// The requests from a moment on.
fn since(requests: &[Request], from: u64) -> SloTotals {
    let mut totals = SloTotals::default();
    for request in requests.iter().filter(|request| request.at >= from) {
        totals.total += 1;
        totals.bad += u64::from(request.failed || request.slow);
        totals.failed += u64::from(request.failed);
        totals.slow += u64::from(request.slow);
    }
    totals
}

fn held(status: &SloStatus) -> [SloTotals; 8] {
    std::array::from_fn(|ring| status.burn_rates.get(ring).map_or(status.totals, |burn| burn.totals))
}

/// Every number of a status, from the list.
fn check(status: &SloStatus, requests: &[Request], now: u64) {
    for ((window_s, steps), held) in WINDOWS.into_iter().zip(held(status)) {
        let (window, width) = (window_s * SECOND, window_s * SECOND / steps);
        // Buckets are laid out from the first moment on.
        let oldest = ((now - START) / width).saturating_sub(steps);
        assert_eq!(held, since(requests, START + oldest * width), "{window_s} s at {now}");
        let least = since(requests, (now + 1).saturating_sub(window)).total;
        let most = since(requests, now.saturating_sub(window + width)).total;
        assert!((least..=most).contains(&held.total), "{window_s} s: {least} {} {most}", held.total);
    }
    let totals = status.totals;
    let share = |bad: u64| if totals.total == 0 { 1.0 } else { 1.0 - bad as f64 / totals.total as f64 };
    assert_eq!((status.compliance, status.availability), (share(totals.bad), share(totals.failed)));
    assert_eq!(status.latency_compliance, Some(share(totals.slow)));
    let budget = if totals.total == 0 { 1.0 } else { 1.0 - totals.bad as f64 / (totals.total as f64 * 0.03) };
    assert!((status.error_budget_remaining - budget).abs() < 1e-9, "{budget}");
    for burn in &status.burn_rates {
        let share = burn.totals.bad as f64 / burn.totals.total.max(1) as f64;
        assert!((burn.rate - share / 0.03).abs() < 1e-9);
    }
}

/// The same tracker after a restart.
fn restarted(tracker: &SloTracker, now: u64) -> SloTracker {
    let text = SloState::encode(&[tracker.state(now)]);
    let after = self::tracker();
    after.restore(&SloState::decode(&text).unwrap()[0]).unwrap();
    after
}

fn pauses() -> impl Strategy<Value = u64> {
    // Of all the sizes that matter to some window, from nanoseconds to days.
    prop_oneof![0..SECOND, 0..60 * SECOND, 0..3_600 * SECOND, 0..DAY, 0..5 * DAY]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn windows_hold_exactly_what_the_list_of_requests_has(
        steps in prop::collection::vec((pauses(), any::<bool>(), any::<bool>(), 0_u8..12), 1..120),
    ) {
        let mut tracker = tracker();
        tracker.advance(START);
        let (mut now, mut requests) = (START, Vec::new());
        for (pause, failed, slow, what) in steps {
            // A pause after which nothing can be left makes a tracker begin anew; tested apart.
            now += pause;
            match what {
                0 => check(&tracker.status(now), &requests, now),
                1 => tracker = restarted(&tracker, now),
                2 => tracker.advance(now),
                times => {
                    let request = Request { at: now, failed, slow };
                    (3..=times).for_each(|_| request.record(&tracker));
                    requests.extend((3..=times).map(|_| request));
                    tracker.advance(now);
                }
            }
        }
        check(&tracker.status(now), &requests, now);
    }

    /// Wrong clocks may age requests too early or too late, and nothing else.
    #[test]
    fn no_clock_breaks_anything(
        steps in prop::collection::vec((wrong_times(), any::<bool>(), 0_u64..5), 1..60),
        after in 0..DAY,
    ) {
        let mut tracker = tracker();
        let mut recorded = 0;
        for (now, restart, times) in steps {
            let request = Request { at: now, failed: true, slow: false };
            (0..times).for_each(|_| request.record(&tracker));
            recorded += times;
            if restart {
                tracker = restarted(&tracker, now);
            }
            let held = held(&tracker.status(now)).map(|totals| totals.total);
            prop_assert!(held.is_sorted() && held[7] <= recorded, "{:?} of {}", held, recorded);
            prop_assert!(held[0] >= times, "what has just come is in every window");
        }
        // Once the clock is right it stays usable.
        tracker.advance(START);
        tracker.advance(START + 40 * DAY);
        Request { at: 0, failed: true, slow: false }.record(&tracker);
        tracker.advance(START + 40 * DAY);
        let status = tracker.status(START + 40 * DAY + after);
        prop_assert_eq!(status.totals.total, 1);
        prop_assert_eq!(status.burn_rates[0].totals.total, u64::from(after < 305 * SECOND));
    }
}

fn wrong_times() -> impl Strategy<Value = u64> {
    let near = (0..200 * SECOND).prop_map(|ahead| START + ahead);
    prop_oneof![near, START - 60 * DAY..START + 60 * DAY, any::<u64>(), Just(0), Just(u64::MAX)]
}

/// 40 days of a request every 97 s, taken over every five minutes, with a restart in the middle of it and
/// an outage on the 20th day.
#[test]
fn forty_days_go_by_with_a_restart_in_between() {
    let mut tracker = tracker();
    tracker.advance(START);
    let (mut requests, mut next) = (Vec::new(), START);
    let outage = START + 20 * DAY..START + 20 * DAY + DAY / 8;
    for minute in (0..40 * 1_440).step_by(5) {
        let now = START + minute * 60 * SECOND;
        while next <= now {
            let nth = requests.len();
            let failed = nth % 50 == 0 || outage.contains(&now);
            let request = Request { at: now, failed, slow: nth % 80 == 0 };
            request.record(&tracker);
            requests.push(request);
            next += 97 * SECOND;
        }
        tracker.advance(now);
        if minute == 17 * 1_440 + 605 {
            tracker = restarted(&tracker, now);
        }
        if minute % 1_995 == 0 {
            check(&tracker.status(now), &requests, now);
        }
    }
    let end = START + 40 * DAY;
    let status = tracker.status(end);
    check(&status, &requests, end);
    assert!((26_700..26_800).contains(&status.totals.total), "{:?}", status.totals);
    assert!(!status.is_incomplete && !status.is_compliant);
    assert_eq!(tracker.heap_bytes(), 25_216 + 1_024 + 128);
}

#[test]
fn the_time_that_a_restart_takes_counts() {
    let tracker = tracker();
    let request = Request { at: START, failed: true, slow: false };
    request.record(&tracker);
    let after = restarted(&tracker, START);
    let status = after.status(START + 2 * DAY);
    check(&status, &[request], START + 2 * DAY);
    assert_eq!((status.burn_rates[5].totals.total, status.burn_rates[6].totals.total), (0, 1));
    assert_eq!(status.observed, Duration::from_secs(2 * 86_400));
    let long_after = restarted(&tracker, START).status(START + 100 * DAY);
    assert_eq!((long_after.totals.total, long_after.observed), (0, Duration::ZERO));
}
