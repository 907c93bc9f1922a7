//! How traces come together, and when.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tta_telemetry::receive::{ReceiveLimits, Receiver, SpanCodec, SpanHead, SpanKind};
use tta_telemetry::sampling::{Rate, RunStart, Sampler, SamplingPolicy};
use tta_telemetry::{
    Clock, DecisionReason, MemorySink, MetricValue, Name, RuleAction, RuleName, SamplingRule, Source, SpanRecord,
    Telemetry,
};

use crate::support::{Lab, Sent, TextCodec, child, encoded, head, ids, root, source};

fn keep_all() -> Lab {
    let policy = SamplingPolicy { rate: Rate::ONE, ..SamplingPolicy::default() };
    Lab::new(policy, ReceiveLimits::default())
}

#[test]
fn pieces_of_several_services_are_one_trace_ten_seconds_after_its_root() {
    let lab = keep_all();
    let (shop, bank) = (source("shop"), source("bank"));
    assert!(lab.send(&bank, child(7, 3, 2)));
    assert!(lab.send(&shop, child(7, 2, 1)));
    assert_eq!(lab.after(8), []);
    assert!(lab.send(&shop, root(7)));
    assert_eq!(lab.after(9), []);
    assert!(lab.send(&bank, child(7, 4, 3)));
    let kept = lab.after(1);
    assert_eq!(kept.len(), 1);
    assert_eq!((ids(&kept[0]), kept[0].root_span_id.get()), (vec![1, 2, 3, 4], 1));
    assert_eq!((kept[0].incomplete, kept[0].late, kept[0].adjusted_count), (false, false, Some(1.0)));
    let services = kept[0].spans.iter().map(|span| span.received.as_ref().unwrap().service().to_string());
    assert_eq!(services.collect::<Vec<_>>(), ["shop", "shop", "bank", "bank"]);
    let status = lab.receiver.status();
    assert_eq!((status.spans, status.traces, status.waiting_traces, status.waiting_bytes), (4, 1, 0, 0));
}

#[test]
fn a_trace_without_a_root_waits_thirty_seconds_and_its_topmost_span_stands_for_it() {
    let lab = keep_all();
    let shop = source("shop");
    lab.send(&shop, child(7, 5, 4));
    lab.send(&shop, child(7, 4, 99));
    assert_eq!(lab.after(29), []);
    let kept = lab.after(1);
    assert_eq!((ids(&kept[0]), kept[0].root_span_id.get(), kept[0].incomplete), (vec![4, 5], 4, true));
    assert_eq!(lab.receiver.status().rootless, 1);
}

#[test]
fn a_root_that_comes_just_before_the_thirty_seconds_are_over_is_waited_for_ten_more() {
    let lab = keep_all();
    let shop = source("shop");
    lab.send(&shop, child(7, 2, 1));
    assert_eq!(lab.after(29), []);
    lab.send(&shop, root(7));
    assert_eq!(lab.after(9), []);
    lab.send(&shop, child(7, 3, 1));
    let kept = lab.after(1);
    assert_eq!((kept.len(), ids(&kept[0]), kept[0].incomplete), (1, vec![1, 2, 3], false));
    assert_eq!(lab.receiver.status().rootless, 0);
}

#[test]
fn a_wait_for_others_that_is_longer_than_that_for_the_root_is_kept_to() {
    let limits = ReceiveLimits { root_wait: Duration::from_secs(60), ..ReceiveLimits::default() };
    let lab = Lab::new(SamplingPolicy { rate: Rate::ONE, ..SamplingPolicy::default() }, limits);
    lab.send(&source("shop"), root(7));
    assert_eq!(lab.after(59), []);
    assert_eq!(lab.after(1).len(), 1);
}

#[test]
fn of_several_roots_the_earliest_is_the_trace_s_in_whatever_order_they_come() {
    for order in [[1, 5, 3], [5, 3, 1], [3, 1, 5]] {
        let policy = SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() };
        let lab = Lab::new(policy, ReceiveLimits::default());
        // A span's number is its start, too: only the first took long.
        let sent = |span| Sent { span, ms: if span == 1 { 2_000 } else { 1 }, ..root(7) };
        let shop = source("shop");
        order.into_iter().for_each(|span| assert!(lab.send(&shop, sent(span))));
        let kept = lab.after(10);
        assert_eq!(kept.len(), 1, "{order:?}");
        assert_eq!((kept[0].root_span_id.get(), kept[0].decision.reason), (1, DecisionReason::TailSlow));
    }
}

#[test]
fn a_span_that_does_not_know_when_it_began_makes_no_trace_slow() {
    let policy = SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() };
    let lab = Lab::new(policy, ReceiveLimits::default());
    let shop = source("shop");
    let year_2026_ns = 1_767_225_600_000_000_000;
    for (span, start_unix_ns) in [(2, 0), (3, year_2026_ns)] {
        let own = child(7, span, 1);
        assert!(lab.receiver.receive(&shop, &SpanHead { start_unix_ns, ..head(own) }, encoded(own).as_bytes()));
    }
    assert_eq!(lab.after(30), []);
}

#[test]
fn a_trace_of_which_nothing_can_be_read_is_none_where_rules_look_at_it_either() {
    let rule = SamplingRule::new("all", RuleAction::Keep, Some("span_count >= 0")).unwrap();
    let policy = SamplingPolicy { rate: Rate::ONE, rules: vec![rule], ..SamplingPolicy::default() };
    let lab = Lab::new(policy, ReceiveLimits::default());
    lab.send_bytes(&source("shop"), root(8), &[0xff; 10]);
    assert_eq!(lab.after(10), []);
    assert_eq!(lab.receiver.status().undecodable, 1);
}

/// Sends one more span of a trace when the trace is decided about.
#[derive(Default)]
struct Interrupts(Arc<OnceLock<Receiver>>);

impl Sampler for Interrupts {
    fn name(&self) -> RuleName {
        "interrupts".parse().unwrap()
    }

    fn head(&self, _: &Name, start: &RunStart<'_>) -> Option<Rate> {
        let own = Sent { failed: true, ..child(start.trace_id.get(), 9, 1) };
        let receiver = self.0.get().unwrap();
        assert!(receiver.receive(&source("shop"), &head(own), encoded(own).as_bytes()));
        None
    }
}

#[test]
fn a_span_that_comes_while_its_trace_is_decided_about_follows_the_decision() {
    let (clock, time) = Clock::manual();
    let (sink, told) = (MemorySink::new(), Arc::<OnceLock<Receiver>>::default());
    let policy = SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() };
    let builder = Telemetry::builder().clock(clock).sampling_policy(policy).sink(sink.clone());
    let telemetry = builder.sampler(Interrupts(Arc::clone(&told))).by_hand().build().unwrap();
    let receiver = telemetry.receiver(TextCodec, ReceiveLimits::default()).unwrap();
    told.set(receiver.clone()).unwrap();
    let lab = Lab { telemetry, receiver, sink, time };
    lab.send(&source("shop"), root(7));
    // Dropped; and what came meanwhile is not a second trace, though as one it would be kept.
    assert_eq!((lab.after(10), lab.after(30)), (vec![], vec![]));
    let status = lab.receiver.status();
    assert_eq!((status.traces, status.late_dropped, status.missed_error_spans, status.spans), (1, 1, 1, 2));
}

#[test]
fn late_spans_follow_the_decision_and_come_together() {
    let lab = keep_all();
    let shop = source("shop");
    lab.send(&shop, root(7));
    assert_eq!(ids(&lab.after(10)[0]), [1]);
    lab.send(&shop, child(7, 2, 1));
    lab.send(&shop, child(7, 3, 1));
    let late = lab.after(1);
    assert_eq!((late.len(), ids(&late[0]), late[0].late, late[0].adjusted_count), (1, vec![2, 3], true, Some(1.0)));
    let status = lab.receiver.status();
    assert_eq!((status.spans, status.late_kept, status.traces), (3, 2, 1));
}

#[test]
fn a_span_that_is_sent_twice_is_there_once_and_one_that_is_none_is_left_out() {
    let lab = keep_all();
    let shop = source("shop");
    lab.send(&shop, root(7));
    lab.send(&shop, root(7));
    lab.send_bytes(&shop, child(7, 2, 1), b"what is this");
    lab.send_bytes(&shop, root(8), &[0xff; 10]);
    let kept = lab.after(10);
    assert_eq!((kept.len(), ids(&kept[0])), (1, vec![1]));
    let counters = lab.telemetry.counters().received;
    assert_eq!((counters.duplicates, counters.undecodable, counters.spans), (1, 2, 4));
}

#[test]
fn parents_in_a_circle_make_a_trace_nevertheless() {
    let lab = keep_all();
    let shop = source("shop");
    lab.send(&shop, child(7, 2, 3));
    lab.send(&shop, child(7, 3, 2));
    assert_eq!(ids(&lab.after(30)[0]).len(), 2);
}

#[test]
fn every_span_is_counted_by_service_name_and_kind_whatever_becomes_of_its_trace() {
    let policy = SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() };
    let lab = Lab::new(policy, ReceiveLimits::default());
    let shop = source("shop");
    for trace in 1..=10 {
        lab.send(&shop, root(trace));
        lab.send(&shop, Sent { failed: trace == 1, ..child(trace, 2, 1) });
    }
    lab.after(10);
    let statistics = lab.telemetry.step_statistics();
    let step = statistics.iter().find(|step| step.workflow == "shop").unwrap();
    assert_eq!((step.name.as_str(), step.kind.as_str()), ("op", "server"));
    assert_eq!((step.success, step.failure), (19, 1));
    assert_eq!(lab.telemetry.metrics("op").unwrap().basic.total_executions, 20);
}

#[test]
fn a_span_that_says_it_took_centuries_does_not_end_the_sum_of_all_durations() {
    let lab = keep_all();
    let shop = source("shop");
    for trace in 1..=3 {
        let own = root(trace);
        let long = SpanHead { duration_ns: u64::MAX, ..head(own) };
        assert!(lab.receiver.receive(&shop, &long, encoded(own).as_bytes()));
    }
    let total = lab.telemetry.metrics("op").unwrap().basic.total_duration_ns;
    assert_eq!(u128::from(total), Duration::from_secs(3 * 30 * 86_400).as_nanos());
}

#[test]
fn exemplars_of_received_spans_point_at_kept_traces_at_the_service_that_they_are_counted_at() {
    let lab = keep_all();
    let own = root(7);
    let named = SpanHead { name: "op 1", ..head(own) };
    assert!(lab.receiver.receive(&source("shop"), &named, encoded(own).as_bytes()));
    assert_eq!(lab.after(10).len(), 1);
    let families = lab.telemetry.collect_metrics();
    let durations = families.iter().find(|family| family.name == *"primitive_duration_seconds").unwrap();
    let exemplars = durations.points.iter().flat_map(|point| match &point.value {
        MetricValue::Histogram(read) => read.exemplars.iter().flatten().map(|it| it.trace_id.get()).collect(),
        _ => Vec::new(),
    });
    assert_eq!(exemplars.collect::<Vec<_>>(), [7]);
}

#[test]
fn the_two_sides_of_a_call_that_share_an_id_are_both_there() {
    // As Zipkin has it: the server goes on with the span that its client began.
    let lab = keep_all();
    let shop = source("shop");
    for kind in [SpanKind::Client, SpanKind::Server, SpanKind::Server] {
        let text = format!("{}{}", encoded(root(7)), if kind == SpanKind::Client { "|client" } else { "" });
        assert!(lab.receiver.receive(&shop, &SpanHead { kind, ..head(root(7)) }, text.as_bytes()));
    }
    let kept = lab.after(10);
    let kinds: Vec<&str> = kept[0].spans.iter().map(|span| span.kind.as_str()).collect();
    assert_eq!((kinds, lab.receiver.status().duplicates), (vec!["client", "server"], 1));
}

/// Panics at every span but the first of a trace.
struct Fragile;

impl SpanCodec for Fragile {
    fn decode(&self, source: &Arc<Source>, bytes: &[u8]) -> Option<SpanRecord> {
        let span = TextCodec.decode(source, bytes)?;
        assert_eq!(span.span_id.get(), 1, "broken on purpose");
        Some(span)
    }
}

#[test]
fn a_codec_that_panics_costs_the_span_and_nothing_else() {
    let lab = keep_all();
    let receiver = lab.telemetry.receiver(Fragile, ReceiveLimits::default()).unwrap();
    let lab = Lab { receiver, ..lab };
    let shop = source("shop");
    lab.send(&shop, root(7));
    lab.send(&shop, child(7, 2, 1));
    assert_eq!(ids(&lab.after(10)[0]), [1]);
    assert_eq!(lab.receiver.status().undecodable, 1);
}
