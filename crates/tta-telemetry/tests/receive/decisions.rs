//! What becomes of received traces: errors, slow ones, rules, weights, memory of decisions.

use tta_telemetry::DecisionReason;
use tta_telemetry::receive::ReceiveLimits;
use tta_telemetry::sampling::{Rate, SamplingPolicy, WorkflowPolicy};

use crate::support::{Lab, Sent, child, ids, root, source};

fn rate(rate: f64) -> SamplingPolicy {
    SamplingPolicy { rate: Rate::new(rate).unwrap(), ..SamplingPolicy::default() }
}

/// Trace ids whose last 56 bits are spread evenly.
fn spread(count: u64) -> impl Iterator<Item = u128> {
    (0..count).map(move |index| (1_u128 << 64) | ((u128::from(index) << 56) / u128::from(count)))
}

#[test]
fn at_rate_zero_failed_and_slow_traces_are_kept_whole_and_their_late_spans_too() {
    let lab = Lab::new(rate(0.0), ReceiveLimits::default());
    let shop = source("shop");
    lab.send(&shop, root(1));
    lab.send(&shop, Sent { failed: true, ..child(1, 2, 1) });
    lab.send(&shop, Sent { ms: 1_000, ..root(2) });
    lab.send(&shop, root(3));
    let kept = lab.after(10);
    let seen: Vec<_> = kept.iter().map(|trace| (trace.trace_id.get(), trace.decision.reason, ids(trace))).collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.contains(&(1, DecisionReason::TailError, vec![1, 2])), "{seen:?}");
    assert!(seen.contains(&(2, DecisionReason::TailSlow, vec![1])), "{seen:?}");
    // An error that comes when its trace is gone is counted; one of a kept trace follows it.
    lab.send(&shop, Sent { failed: true, ..child(3, 5, 1) });
    lab.send(&shop, Sent { failed: true, ..child(2, 5, 1) });
    assert_eq!(lab.after(1).iter().map(|trace| trace.trace_id.get()).collect::<Vec<_>>(), [2]);
    let counters = lab.telemetry.counters();
    assert_eq!((counters.missed_error_spans, counters.late_dropped, counters.late_kept), (1, 1, 1));
    assert_eq!((counters.traces_kept, counters.traces_dropped), (2, 1));
}

#[test]
fn chance_agrees_with_every_other_sampler_of_the_specification() {
    let lab = Lab::new(rate(0.25), ReceiveLimits::default());
    let shop = source("shop");
    spread(400).for_each(|trace| assert!(lab.send(&shop, root(trace))));
    let kept = lab.after(10);
    // The last quarter of the ids: threshold c of 16.
    assert_eq!(kept.len(), 100);
    assert!(kept.iter().all(|trace| trace.trace_id.get() as u64 & (0xff << 48) >= 0xc0 << 48));
    assert!(kept.iter().all(|trace| trace.adjusted_count == Some(4.0)));
}

#[test]
fn what_was_sampled_before_it_came_keeps_its_weight() {
    let lab = Lab::new(rate(0.5), ReceiveLimits::default());
    let shop = source("shop");
    // The sender keeps a quarter: threshold c. All of these pass ours.
    for trace in spread(400).skip(300) {
        lab.send(&shop, Sent { state: "vendor=1,ot=th:c", ..root(trace) });
    }
    let failed = Sent { failed: true, state: "ot=th:c", ..root((2 << 64) | (0xf0 << 48)) };
    lab.send(&shop, failed);
    let kept = lab.after(10);
    assert_eq!(kept.len(), 101);
    assert!(kept.iter().all(|trace| trace.adjusted_count == Some(4.0)), "{:?}", kept[0].adjusted_count);
}

#[test]
fn a_randomness_that_the_root_says_counts_and_a_threshold_it_contradicts_does_not() {
    let lab = Lab::new(rate(0.5), ReceiveLimits::default());
    let shop = source("shop");
    // By its id it would be kept; by what it says it is not.
    lab.send(&shop, Sent { state: "ot=rv:00000000000001", ..root((1 << 64) | (0xff << 48)) });
    // The other way round; and its sender cannot have kept it by this threshold.
    lab.send(&shop, Sent { state: "ot=th:ffff;rv:f0000000000000", ..root(1 << 64) });
    let kept = lab.after(10);
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].trace_id.get(), kept[0].adjusted_count), (1 << 64, Some(2.0)));
}

#[test]
fn settings_of_a_workflow_are_those_of_the_service_of_the_root() {
    let mut policy = rate(0.0);
    policy.workflows.insert("bank".into(), WorkflowPolicy { rate: Some(Rate::ONE), ..WorkflowPolicy::default() });
    let lab = Lab::new(policy, ReceiveLimits::default());
    lab.send(&source("shop"), root(1));
    lab.send(&source("bank"), root(2));
    let kept = lab.after(10);
    assert_eq!(kept.iter().map(|trace| trace.trace_id.get()).collect::<Vec<_>>(), [2]);
}

#[test]
fn rules_see_the_whole_trace() {
    let rule =
        tta_telemetry::SamplingRule::new("long", tta_telemetry::RuleAction::Keep, Some("span_count > 2")).unwrap();
    let policy = SamplingPolicy { rules: vec![rule], ..rate(0.0) };
    let lab = Lab::new(policy, ReceiveLimits::default());
    let shop = source("shop");
    (1..=2).for_each(|trace| assert!(lab.send(&shop, root(trace))));
    (2..=3).for_each(|span| assert!(lab.send(&shop, child(1, span, 1))));
    let kept = lab.after(10);
    assert_eq!((kept.len(), kept[0].decision.reason.to_string()), (1, "rule:long".to_owned()));
}

#[test]
fn the_end_of_the_engine_decides_about_all_and_refuses_what_comes_then() {
    let lab = Lab::new(rate(1.0), ReceiveLimits::default());
    let shop = source("shop");
    lab.send(&shop, root(1));
    lab.send(&shop, child(2, 2, 1));
    assert!(lab.telemetry.shutdown_blocking(std::time::Duration::from_secs(5)).complete);
    assert_eq!(lab.sink.take().len(), 2);
    assert!(!lab.send(&shop, root(3)));
    assert_eq!((lab.receiver.status().after_end, lab.receiver.status().waiting_traces), (1, 0));
}
