//! Spans that are taken together become what they become one by one.

use proptest::prelude::*;
use tta_telemetry::receive::{ReceiveLimits, Refused};
use tta_telemetry::sampling::{Rate, SamplingPolicy};
use tta_telemetry::{StatusCode, TraceClass};

use crate::support::{Lab, Sent, child, encoded, head, ids, root, source};

fn lab(rate: Rate, limits: ReceiveLimits) -> Lab {
    Lab::new(SamplingPolicy { rate, ..SamplingPolicy::default() }, limits)
}

fn send_together(lab: &Lab, spans: &[Sent]) -> Refused {
    let (shop, bank) = (source("shop"), source("bank"));
    let mut intake = lab.receiver.intake();
    for &sent in spans {
        let source = if sent.span % 3 == 0 { &bank } else { &shop };
        intake.receive(source, &head(sent), encoded(sent).as_bytes());
    }
    intake.finish()
}

/// What was kept, as far as it can differ.
fn kept(lab: &Lab) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    let mut traces = lab.after(10);
    traces.extend(lab.after(30));
    traces.sort_by_key(|trace| trace.trace_id);
    let services = |trace: &tta_telemetry::Trace| -> Vec<String> {
        let received = trace.spans.iter().filter_map(|span| span.received.as_deref());
        received.map(|received| received.service().to_string()).collect()
    };
    traces
        .iter()
        .map(|trace| {
            let said = (trace.class, trace.adjusted_count, trace.dropped.over_span_limit, trace.incomplete);
            (trace.trace_id, trace.root_span_id, ids(trace), services(trace), said)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_spans_are_cut_into_requests_their_traces_are_the_same(
        spans in prop::collection::vec((1..4_u128, prop::bool::weighted(0.2), prop::bool::weighted(0.1), 0..4_usize), 1..60),
        most in 1..20_usize,
    ) {
        let states = ["", "ot=th:8", "ot=th:c;rv:ffffffffffffff", "other=1"];
        let spans: Vec<Sent> = spans.into_iter().zip(1..).map(|((trace, is_root, failed, state), span)| {
            Sent { trace, span, parent: if is_root { 0 } else { 1_000 }, failed, state: states[state], ..root(trace) }
        }).collect();
        let (single, together) = (lab(Rate::ONE, ReceiveLimits::default()), lab(Rate::ONE, ReceiveLimits::default()));
        for sent in &spans {
            prop_assert_eq!(send_together(&single, &[*sent]), Refused::default());
        }
        for request in spans.chunks(most) {
            prop_assert_eq!(send_together(&together, request), Refused::default());
        }
        prop_assert_eq!(together.receiver.status().spans, spans.len() as u64);
        prop_assert_eq!(kept(&single), kept(&together));
        prop_assert_eq!(single.receiver.status(), together.receiver.status());
    }
}

#[test]
fn the_limit_of_a_trace_cuts_through_what_comes_together() {
    let lab = lab(Rate::ONE, ReceiveLimits { spans_per_trace: 5, ..ReceiveLimits::default() });
    let spans: Vec<Sent> = (1..=12).map(|span| child(7, span, span - 1)).collect();
    let over = |over_span_limit| Refused { over_span_limit, after_end: 0 };
    assert_eq!(send_together(&lab, &spans[..3]), over(0));
    assert_eq!(send_together(&lab, &spans[3..7]), over(2));
    assert_eq!(send_together(&lab, &[Sent { failed: true, ..spans[7] }]), over(1));
    assert_eq!(send_together(&lab, &spans[8..]), over(4));
    assert_eq!((lab.receiver.status().spans, lab.receiver.status().over_span_limit), (5, 7));
    let kept = lab.after(10);
    assert_eq!((ids(&kept[0]), kept[0].dropped.over_span_limit), (vec![1, 2, 3, 4, 5], 7));
    assert_eq!(kept[0].class, TraceClass::Failed, "a span that is refused has failed nevertheless");
}

#[test]
fn what_comes_together_after_a_decision_is_counted_one_by_one_and_after_the_end_refused() {
    let lab = lab(Rate::ZERO, ReceiveLimits::default());
    assert_eq!(send_together(&lab, &[root(9)]), Refused::default());
    assert_eq!(lab.after(10).len(), 0);
    let late = [2, 3, 4].map(|span| Sent { failed: span == 3, ..child(9, span, 1) });
    assert_eq!(head(late[1]).status, StatusCode::Error);
    assert_eq!(send_together(&lab, &late), Refused::default());
    let status = lab.receiver.status();
    assert_eq!((status.spans, status.late_dropped, status.missed_error_spans), (4, 3, 1));
    drop(lab.telemetry.shutdown_blocking(std::time::Duration::from_secs(5)));
    assert_eq!(send_together(&lab, &late), Refused { over_span_limit: 0, after_end: 3 });
}

#[test]
fn the_limit_of_a_trace_holds_for_what_comes_of_it_first() {
    let lab = lab(Rate::ONE, ReceiveLimits { spans_per_trace: 5, ..ReceiveLimits::default() });
    let spans: Vec<Sent> = (1..=12).map(|span| child(7, span, span - 1)).collect();
    assert_eq!(send_together(&lab, &spans), Refused { over_span_limit: 7, after_end: 0 });
    let kept = lab.after(10);
    assert_eq!((ids(&kept[0]), kept[0].dropped.over_span_limit), (vec![1, 2, 3, 4, 5], 7));
}
