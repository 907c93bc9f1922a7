//! How traces come together, and when.

use tta_telemetry::receive::ReceiveLimits;
use tta_telemetry::sampling::{Rate, SamplingPolicy};

use crate::support::{Lab, child, ids, root, source};

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
        lab.send(&shop, crate::support::Sent { failed: trace == 1, ..child(trace, 2, 1) });
    }
    lab.after(10);
    let statistics = lab.telemetry.step_statistics();
    let step = statistics.iter().find(|step| step.workflow == "shop").unwrap();
    assert_eq!((step.name.as_str(), step.kind.as_str()), ("op", "server"));
    assert_eq!((step.success, step.failure), (19, 1));
    assert_eq!(lab.telemetry.metrics("op").unwrap().basic.total_executions, 20);
}
