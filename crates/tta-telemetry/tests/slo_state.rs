//! The state of objectives: its text, what is refused, and what restoring does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use tta_telemetry::{Slo, SloBuilder, SloSet, SloState, SloStateError, SloTracker, SpanStatus};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;
const START: u64 = 1_800_000_000 * SECOND;

fn slo() -> SloBuilder {
    Slo::named("quick").latency_threshold(Duration::from_millis(250))
}

fn tracker(slo: SloBuilder) -> SloTracker {
    SloTracker::new("payments", slo.build().unwrap())
}

/// One request of each class, and one of each ten minutes later.
fn used() -> SloTracker {
    let tracker = tracker(slo());
    for at in [START, START + 600 * SECOND] {
        for (outcome, duration_ns) in [(SpanStatus::Ok, 0), (SpanStatus::Error, 0), (SpanStatus::Error, u64::MAX)] {
            tracker.record(outcome, duration_ns);
        }
        tracker.advance(at);
    }
    tracker
}

fn text() -> String {
    SloState::encode(&[used().state(START + 600 * SECOND)])
}

#[test]
fn the_text_is_as_documented() {
    let lines = [
        "tta-slo-states 1 1",
        "subject payments",
        "slo quick",
        "latency_threshold_ns 250000000",
        "window_ns 2592000000000000",
        "as_of_unix_ns 1800000600000000000",
        "elapsed_ns 600000000000",
        "ring 5m 1",
        "0 1 1 0 1",
        "ring 30m 2",
        "0 1 1 0 1",
        "20 1 1 0 1",
        "ring 1h 2",
        "0 1 1 0 1",
        "10 1 1 0 1",
        "ring 2h 2",
        "0 1 1 0 1",
        "5 1 1 0 1",
        "ring 6h 2",
        "0 1 1 0 1",
        "1 1 1 0 1",
        "ring 1d 1",
        "0 2 2 0 2",
        "ring 3d 1",
        "0 2 2 0 2",
        "ring window 1",
        "0 2 2 0 2",
    ];
    let text = text();
    let (body, checksum) = text.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(body, lines.join("\n"));
    assert!(checksum.starts_with("checksum ") && checksum.len() == 25, "{checksum}");
}

#[test]
fn names_of_any_kind_come_back() {
    for subject in ["a\nb\r\\n", "", "ring 5m 1", "日本 語"] {
        let tracker = SloTracker::new(subject.to_owned(), Slo::named("s \\ #1").build().unwrap());
        let state = tracker.state(START);
        let back = SloState::decode(&SloState::encode(std::slice::from_ref(&state))).unwrap();
        assert_eq!(back, [state]);
        assert_eq!((back[0].subject().as_str(), back[0].slo().as_str()), (subject, "s \\ #1"));
        assert_eq!(back[0].as_of_unix_ns(), START);
    }
    assert_eq!(SloState::decode(&SloState::encode(&[])).unwrap(), []);
}

#[test]
fn damage_is_refused_and_named() {
    let text = text();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        SloState::decode(&text.replacen(from, to, 1)).unwrap_err().to_string()
    };
    assert_eq!(
        refused("states 1 1", "states 2 1"),
        "SLO state has version 2, accepted is version 1",
        "whatever else has changed in it"
    );
    let line =
        |number, expected: &str, found| format!("SLO state, line {number}: expected {expected}, found `{found}`");
    let cases = [
        ("tta-slo", "tta-sla", line(1, "`tta-slo-states` and a value", "tta-sla-states 1 1")),
        ("states 1 1", "states 1 x", line(1, "the number of states", "x")),
        (
            "states 1 1",
            "states 1 2",
            line(28, "`subject` and a value", text[text.find("checksum").unwrap()..].trim_end()),
        ),
        ("subject", "object", line(2, "`subject` and a value", "object payments")),
        ("payments", "pay\\ments", line(2, "only \\\\, \\n and \\r after a backslash", "pay\\\\ments")),
        ("250000000", "0.25", line(4, "nanoseconds or none", "0.25")),
        ("elapsed_ns 600", "elapsed_ns 99999999600", line(7, "a number", "99999999600000000000")),
        ("elapsed_ns 600", "elapsed_ns 9999999600", line(7, "at most a hundred years", "9999999600000000000")),
        ("ring 5m", "ring 6m", line(8, "the ring 5m", "6m 1")),
        ("0 1 1 0 1", "0 1 1 0", line(9, "an age and four counts", "0 1 1 0")),
        ("0 1 1 0 1", "0 1 -1 0 1", line(9, "an age and four counts", "0 1 -1 0 1")),
        ("0 1 1 0 1", "0 999999999999999 1 0 1", line(9, "counts of at most 2^48", "0 999999999999999 1 0 1")),
        ("0 1 1 0 1", "61 1 1 0 1", line(9, "an age from 0 to 60", "61 1 1 0 1")),
        ("20 1 1 0 1", "0 1 1 0 1", line(12, "an age from 1 to 60", "0 1 1 0 1")),
        ("\nchecksum ", "\nchecksum x", {
            let written = text.trim_end().rsplit_once(' ').unwrap().1;
            format!("SLO state, line 28: expected a checksum, found `x{written}`")
        }),
    ];
    for (from, to, error) in cases {
        assert_eq!(refused(from, to), error);
    }
    assert!(refused("0 1 1 0 1", "0 1 2 0 1").starts_with("SLO state is damaged: its checksum is "));
    let more = SloState::decode(&format!("{text}\u{1b}[31m")).unwrap_err().to_string();
    assert_eq!(more, line(29, "the end", "\\u{1b}[31m"));
    assert_eq!(SloState::decode("").unwrap_err().to_string(), line(1, "a line", ""));
}

#[test]
fn a_text_cut_short_anywhere_is_refused() {
    let text = text();
    for end in 0..text.len() {
        assert!(SloState::decode(&text[..end]).is_err(), "{end}");
    }
}

#[test]
fn a_checksum_in_capitals_is_not_what_was_written() {
    let text = text();
    let (facts, checksum) = text.rsplit_once(' ').unwrap();
    let capitals = checksum.to_uppercase();
    assert_ne!(capitals, checksum, "the checksum has no letters: choose another state");
    assert!(SloState::decode(&format!("{facts} {capitals}")).is_err());
}

proptest! {
    #[test]
    fn one_changed_byte_is_refused_and_any_text_is_survived(at in 0_usize..400, byte in 32_u8..127, any in ".{0,200}") {
        let text = text();
        let mut bytes = text.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(SloState::decode(&changed).is_ok(), changed == text);
        prop_assert!(SloState::decode(&any).is_err());
    }
}

#[test]
fn a_restored_tracker_goes_on_as_if_nothing_had_happened() {
    let (before, after) = (used(), tracker(slo()));
    let at = START + 600 * SECOND;
    after.restore(&before.state(at)).unwrap();
    assert_eq!(after.last_budget_remaining(), before.last_budget_remaining(), "before the first advance");
    assert_eq!(after.status(at), before.status(at));
    for later in [at + 1, at + 299 * SECOND, at + 3_000 * SECOND, at + 29 * DAY, at + 31 * DAY] {
        for tracker in [&before, &after] {
            tracker.record(SpanStatus::Ok, 7);
        }
        assert_eq!(after.status(later), before.status(later));
        assert_eq!(after.state(later), before.state(later));
    }
}

#[test]
fn restoring_keeps_what_was_counted_meanwhile() {
    let after = tracker(slo());
    let now = START + 1_200 * SECOND;
    after.record(SpanStatus::Ok, 0);
    after.advance(now);
    after.record(SpanStatus::Error, 0);
    after.restore(&used().state(START + 600 * SECOND)).unwrap();
    let status = after.status(now);
    assert_eq!((status.totals.total, status.totals.bad), (8, 5));
    assert_eq!((status.burn_rates[0].totals.total, status.burn_rates[1].totals.total), (2, 8));
    assert_eq!(status.observed, Duration::from_secs(1_200));
}

#[test]
fn a_state_from_a_clock_that_ran_ahead_keeps_its_ages() {
    let after = tracker(slo());
    after.advance(START - 400 * DAY);
    after.restore(&used().state(START + 600 * SECOND)).unwrap();
    let status = after.status(START - 400 * DAY + SECOND);
    assert_eq!(status.burn_rates.map(|burn| burn.totals.total), [3, 6, 6, 6, 6, 6, 6]);
}

#[test]
fn a_state_of_something_else_is_refused_and_nothing_is_changed() {
    let state = used().state(START + 600 * SECOND);
    let refused = |tracker: SloTracker| {
        let error = tracker.restore(&state).unwrap_err().to_string();
        assert_eq!(tracker.status(START).totals.total, 0);
        error
    };
    assert_eq!(
        refused(tracker(Slo::named("slow"))),
        "state of SLO `slow`: `name` is quick, accepted is slow, as configured"
    );
    assert_eq!(
        refused(SloTracker::new("billing", slo().build().unwrap())),
        "state of SLO `quick`: `subject` is payments, accepted is billing, as configured"
    );
    assert_eq!(
        refused(tracker(Slo::named("quick"))),
        "state of SLO `quick`: `latency_threshold` is 250ms, accepted is none, as configured"
    );
    assert_eq!(
        refused(tracker(slo().window(Duration::from_secs(60)))),
        "state of SLO `quick`: `window` is 2592000s, accepted is 60s, as configured"
    );
}

#[test]
fn the_target_may_have_changed_and_a_second_state_is_refused() {
    let state = used().state(START + 600 * SECOND);
    let after = tracker(slo().target(0.5).minimum_events(1));
    after.restore(&state).unwrap();
    let status = after.status(START + 600 * SECOND);
    assert_eq!((status.totals.total, status.totals.bad), (6, 4));
    assert!((status.error_budget_remaining - (1.0 - 4.0 / 3.0)).abs() < 1e-12);
    let twice = after.restore(&state).unwrap_err();
    assert_eq!(twice, SloStateError::AlreadyRestored { slo: "quick".into() });
    assert_eq!(twice.to_string(), "SLO `quick`: a state was restored before, accepted is one");
    assert_eq!(after.status(START + 600 * SECOND).totals.total, 6);
}

#[test]
fn a_budget_that_was_low_before_the_restart_is_told_of_again() {
    let after = tracker(slo().minimum_events(1));
    let told = Arc::new(AtomicUsize::new(0));
    let also = Arc::clone(&told);
    let count = move |_: &_| {
        also.fetch_add(1, Ordering::Relaxed);
    };
    after.on_budget_below(0.5, count).unwrap();
    after.restore(&used().state(START + 600 * SECOND)).unwrap();
    (0..3).for_each(|_| after.advance(START + 601 * SECOND));
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[test]
fn a_set_restores_each_objective_and_says_what_it_refused() {
    let set = |subject: &'static str, other: SloBuilder| {
        SloSet::new(subject).with(slo().build().unwrap()).unwrap().with(other.build().unwrap()).unwrap()
    };
    let before = set("payments", Slo::named("other"));
    let stranger = set("billing", Slo::named("other"));
    for slos in [&before, &stranger] {
        slos.record(SpanStatus::Error, 0);
    }
    let states = [stranger.states(START), before.states(START)].concat();
    let after = set("payments", Slo::named("other").window(Duration::from_secs(60)));
    let refused = after.restore(&states);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].to_string().starts_with("state of SLO `other`: `window` is 2592000s"), "{}", refused[0]);
    let failed: Vec<_> = after.statuses(START).iter().map(|status| status.totals.failed).collect();
    assert_eq!(failed, [1, 0]);
}
