//! Whatever arrives, memory stays within its bound, and what that costs is counted.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tta_telemetry::receive::{ReceiveLimits, SpanCodec};
use tta_telemetry::sampling::{Rate, SamplingPolicy};
use tta_telemetry::{DecisionReason, Source, SpanRecord, TraceClass};

use crate::support::{Lab, Sent, TextCodec, child, encoded, head, ids, root, source};

fn small() -> ReceiveLimits {
    ReceiveLimits { live_bytes: 64 << 10, ..ReceiveLimits::default() }
}

#[test]
fn at_the_bound_of_memory_traces_are_decided_early_and_failed_ones_are_kept() {
    let lab = Lab::new(SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() }, small());
    let shop = source("shop");
    let mut most = 0;
    for trace in 1..=5_000 {
        lab.send(&shop, Sent { failed: trace % 50 == 0, ..root(trace) });
        most = most.max(lab.receiver.status().waiting_bytes);
    }
    assert!((32 << 10..(64 << 10) + 1_000).contains(&most), "{most}");
    assert_eq!(lab.after(10).len(), 100);
    let status = lab.receiver.status();
    assert!(status.evicted > 4_000, "{status:?}");
    assert_eq!((status.traces, status.waiting_bytes), (5_000, 0));
}

#[test]
fn a_trace_that_goes_on_for_ever_stays_within_its_bounds() {
    let limits = ReceiveLimits { spans_per_trace: 100, ..ReceiveLimits::default() };
    let lab = Lab::new(SamplingPolicy { rate: Rate::ONE, ..SamplingPolicy::default() }, limits);
    let shop = source("shop");
    let taken = (1..=1_000).filter(|span| lab.send(&shop, child(7, *span, span - 1))).count();
    assert_eq!((taken, lab.receiver.status().over_span_limit), (100, 900));
    let kept = lab.after(10);
    assert_eq!((kept[0].spans.len(), kept[0].dropped.over_span_limit), (100, 900));
}

#[test]
fn a_root_beyond_the_limit_of_its_trace_is_known_of_nevertheless() {
    let limits = ReceiveLimits { spans_per_trace: 3, ..ReceiveLimits::default() };
    let lab = Lab::new(SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() }, limits);
    let shop = source("shop");
    (2..=4).for_each(|span| assert!(lab.send(&shop, child(7, span, 1))));
    // Roots end last, and so they come last.
    assert!(!lab.send(&shop, Sent { ms: 2_000, ..root(7) }));
    let kept = lab.after(10);
    assert_eq!((kept.len(), ids(&kept[0]), kept[0].root_span_id.get()), (1, vec![2, 3, 4], 2));
    assert_eq!((kept[0].decision.reason, kept[0].dropped.over_span_limit), (DecisionReason::TailSlow, 1));
}

#[test]
fn a_giant_trace_gives_way_before_every_other_is_decided_at_its_first_span() {
    let lab = Lab::new(SamplingPolicy { rate: Rate::ONE, ..SamplingPolicy::default() }, small());
    let shop = source("shop");
    let giant = vec![b'x'; 63 << 10];
    assert!(lab.send_bytes(&shop, child(16, 2, 1), &giant));
    for trace in 17..=26 {
        lab.send(&shop, child(trace, 2, 1));
    }
    assert_eq!((lab.receiver.status().evicted, lab.receiver.status().waiting_traces), (1, 10));
}

#[test]
fn a_giant_span_alone_does_not_stay_above_the_bound() {
    let lab = Lab::new(SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() }, small());
    let shop = source("shop");
    (1..=20).for_each(|trace| assert!(lab.send_bytes(&shop, child(trace, 2, 1), &[b'x'; 2_000])));
    assert!(lab.send_bytes(&shop, child(21, 2, 1), &vec![b'x'; 60 << 10]));
    let waiting = lab.receiver.status().waiting_bytes;
    assert!(waiting <= 64 << 10, "{waiting}");
}

#[test]
fn a_source_that_many_traces_shared_counts_as_memory_when_one_of_them_is_left() {
    let limits = ReceiveLimits { rootless_wait: Duration::from_secs(3_600), ..small() };
    let lab = Lab::new(SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() }, limits);
    for request in 0..100 {
        let mut fat = (*source("fat")).clone();
        fat.scope.schema_url = "x".repeat(4 << 10);
        let fat = Arc::new(fat);
        for trace in 1..=50 {
            let sent = root(request * 100 + trace);
            lab.send(&fat, if trace == 50 { Sent { parent: 9, ..sent } } else { sent });
        }
        // Those with a root are decided about.
        lab.after(10);
        let waiting = lab.receiver.status().waiting_traces;
        assert!(waiting <= 70, "{waiting}");
    }
}

#[test]
fn a_source_that_comes_with_each_span_counts_as_memory() {
    let lab = Lab::new(SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() }, small());
    let mut fat = (*source("fat")).clone();
    fat.scope.schema_url = "x".repeat(10_000);
    for trace in 1..=1_000 {
        lab.send(&Arc::new(fat.clone()), root(trace));
        assert!(lab.receiver.status().waiting_traces <= 7);
    }
    assert!(lab.receiver.status().evicted > 900);
}

#[test]
fn two_threads_that_send_pieces_of_the_same_traces_lose_nothing() {
    let lab = Lab::new(SamplingPolicy { rate: Rate::ONE, ..SamplingPolicy::default() }, ReceiveLimits::default());
    std::thread::scope(|scope| {
        for part in 0..4_u64 {
            let lab = &lab;
            scope.spawn(move || {
                let shop = source("shop");
                for trace in 1..=200 {
                    let sent = if part == 0 { root(trace) } else { child(trace, part + 1, 1) };
                    assert!(lab.send(&shop, sent));
                }
            });
        }
    });
    let kept = lab.after(10);
    assert_eq!(kept.len(), 200);
    assert!(kept.iter().all(|trace| ids(trace) == [1, 2, 3, 4]));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send { trace: u8, span: u8, parent: u8, failed: bool },
    Wait(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6_u8, 1..8_u8, 0..8_u8, prop::bool::weighted(0.1))
            .prop_map(|(trace, span, parent, failed)| Step::Send { trace, span, parent, failed }),
        1 => (0..20_u8).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever the order of pieces and of time: every span that was taken is in exactly one kept
    /// trace, was dropped with its trace, or is a duplicate; and in the end nothing is held.
    #[test]
    fn every_span_is_accounted_for(steps in prop::collection::vec(step(), 1..200), rate in 0..=1_u8) {
        let policy = SamplingPolicy { rate: Rate::new(f64::from(rate)).unwrap(), ..SamplingPolicy::default() };
        let lab = Lab::new(policy, ReceiveLimits { live_bytes: 64 << 10, ..ReceiveLimits::default() });
        let shop = source("shop");
        let (mut sent, mut kept) = (0_u64, Vec::new());
        for step in steps {
            match step {
                Step::Send { trace, span, parent, failed } => {
                    let own = Sent { failed, ..child(u128::from(trace) + 1, span.into(), parent.into()) };
                    prop_assert!(lab.send_bytes(&shop, own, encoded(own).as_bytes()));
                    sent += 1;
                }
                Step::Wait(seconds) => kept.extend(lab.after(seconds.into())),
            }
        }
        prop_assert!(lab.telemetry.shutdown_blocking(Duration::from_secs(5)).complete);
        kept.extend(lab.sink.take());
        let status = lab.receiver.status();
        let in_kept: u64 = kept.iter().map(|trace| trace.spans.len() as u64).sum();
        prop_assert_eq!((status.spans, status.waiting_traces, status.waiting_bytes), (sent, 0, 0));
        if rate == 1 {
            prop_assert_eq!(in_kept + status.duplicates, sent);
        } else {
            prop_assert!(kept.iter().all(|trace| trace.late || trace.class == TraceClass::Failed));
        }
    }
}

#[test]
fn health_tells_of_what_was_cut_short_for_a_minute_and_of_the_end_for_ever() {
    let lab = Lab::new(SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() }, small());
    let status = |component: &str| {
        let health = lab.telemetry.health().component(component).cloned().unwrap();
        (health.status.as_str(), health.reason)
    };
    lab.after(1);
    for component in ["receiver", "recorder", "sampler", "clock", "sink:memory"] {
        assert_eq!(status(component), ("healthy", None), "{component}");
    }
    let shop = source("shop");
    (1..=1_000).for_each(|trace| assert!(lab.send(&shop, root(trace))));
    lab.after(1);
    let evicted = lab.receiver.status().evicted;
    let said = format!("{evicted} spans or whole traces cut short in the last minute");
    assert_eq!(status("receiver"), ("degraded", Some(said)));
    lab.after(60);
    assert_eq!(status("receiver"), ("healthy", None));
    assert!(lab.telemetry.shutdown_blocking(Duration::from_secs(5)).complete);
    assert_eq!(status("recorder"), ("unhealthy", Some("the engine has ended".to_owned())));
}

/// Counts how many of it there are.
struct Counted {
    _one_of: Arc<()>,
}

impl SpanCodec for Counted {
    fn decode(&self, source: &Arc<Source>, bytes: &[u8]) -> Option<SpanRecord> {
        TextCodec.decode(source, bytes)
    }
}

#[test]
fn receivers_that_are_gone_are_forgotten_when_their_traces_are_decided_about_and_not_before() {
    let lab = Lab::new(SamplingPolicy { rate: Rate::ONE, ..SamplingPolicy::default() }, ReceiveLimits::default());
    let (codecs, shop) = (Arc::new(()), source("shop"));
    let mut kept = 0;
    for trace in 1..=50 {
        let receiver =
            lab.telemetry.receiver(Counted { _one_of: Arc::clone(&codecs) }, ReceiveLimits::default()).unwrap();
        assert!(receiver.receive(&shop, &head(root(trace)), encoded(root(trace)).as_bytes()));
        drop(receiver);
        kept += lab.after(5).len();
        // This one and those whose traces wait for ten seconds.
        assert!(Arc::strong_count(&codecs) <= 1 + 3, "{}", Arc::strong_count(&codecs));
    }
    kept += lab.after(10).len();
    let received = lab.telemetry.counters().received;
    assert_eq!((kept, received.spans, received.traces, received.waiting_traces), (50, 50, 50, 0));
}
