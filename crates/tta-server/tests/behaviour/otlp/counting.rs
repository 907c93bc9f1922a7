//! What is counted of received spans, whatever becomes of their traces, and what those stand for.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use tonic::Code;
use tta_server::ServerLimits;
use tta_telemetry::{CardinalityLimits, MetricValue, Slo, Usd};

use super::messages::{failed, pair, request, span, text};
use super::support::{Lab, rate, settings};

async fn keeping_none() -> Lab {
    Lab::of(|builder| builder.sampling_policy(rate(0.0)), &settings(ServerLimits::default())).await
}

#[tokio::test]
async fn requests_errors_and_durations_are_exact_by_service_and_operation() {
    let lab = keeping_none().await;
    for trace in 1..=10 {
        let error = pair("error.type", text("timeout"));
        let charge = Span { end_time_unix_nano: 5_001_002, ..span(trace, 2, 1, "charge") };
        let charge = if trace <= 3 { failed(Span { attributes: vec![error], ..charge }) } else { charge };
        lab.take(&request("shop", vec![span(trace, 1, 0, "GET /cart")])).await;
        assert_eq!(lab.export(&request("bank", vec![charge])).await.said(), (Code::Ok, ""));
    }
    let charge = [("workflow", "bank"), ("primitive_name", "charge"), ("primitive_type", "server")];
    let of = |family: &str, more: &[(&str, &str)]| lab.count(family, &[&charge[..], more].concat());
    assert_eq!(of("primitive_requests_total", &[("status", "success")]), Some(7.0));
    assert_eq!(of("primitive_requests_total", &[("status", "failure")]), Some(3.0));
    assert_eq!(of("primitive_errors_total", &[("error_type", "timeout")]), Some(3.0));
    let metrics = lab.telemetry.metrics("charge").unwrap();
    assert_eq!((metrics.basic.total_executions, metrics.basic.failed_executions), (10, 3));
    assert_eq!(metrics.basic.total_duration_ns, 10 * 5_000_000);
    // The failed ones were kept, the others were counted all the same.
    assert_eq!(lab.after(10).len(), 3);
    assert_eq!(lab.telemetry.metrics("GET /cart").unwrap().basic.total_executions, 10);
}

#[tokio::test]
async fn a_span_that_does_not_say_when_it_began_took_no_time_rather_than_all_since_1970() {
    let lab = keeping_none().await;
    let end_time_unix_nano = 1_767_225_600_000_000_000;
    let unknown = Span { start_time_unix_nano: 0, end_time_unix_nano, ..span(1, 1, 0, "charge") };
    lab.take(&request("bank", vec![unknown])).await;
    assert_eq!(lab.telemetry.metrics("charge").unwrap().basic.total_duration_ns, 0);
    assert_eq!(lab.after(10).len(), 0, "it is not kept as a slow one");
}

#[tokio::test]
async fn a_flood_of_operations_makes_as_many_series_as_there_may_be() {
    const REQUESTS: u64 = 4;
    const EACH: u64 = 25_000;
    let limits = CardinalityLimits { max_label_values: 50, max_series_per_metric: 60, ..CardinalityLimits::default() };
    let lab =
        Lab::of(|builder| builder.sampling_policy(rate(0.0)).cardinality(limits), &settings(ServerLimits::default()))
            .await;
    for number in 0..REQUESTS {
        let name = |index: u64| format!("GET /item/{}", number * EACH + index);
        let spans = (0..EACH).map(|index| span(1 + number * EACH + index, 1, 0, &name(index))).collect();
        lab.take(&request("shop", spans)).await;
    }
    let families = lab.telemetry.collect_metrics();
    let requests = families.iter().find(|family| family.name == *"primitive_requests_total").unwrap();
    let total: u64 = requests
        .points
        .iter()
        .map(|point| match point.value {
            MetricValue::Count(count) => count,
            ref other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(total, REQUESTS * EACH);
    // Three statuses of each operation, and of those that were one too many.
    let series = requests.points.len();
    assert!((30..=3 * 61).contains(&series), "{series}");
    assert_eq!(lab.receiver.status().spans, REQUESTS * EACH);
    assert!(lab.receiver.status().waiting_bytes <= 4 << 20);
    assert!(lab.telemetry.health().component("cardinality").unwrap().reason.is_some());
}

#[tokio::test]
async fn what_a_call_of_a_model_cost_is_in_the_cost_report() {
    let lab = keeping_none().await;
    let cost = |attributes| Span { attributes, ..span(1, 1, 0, "chat") };
    let dollars = |amount| pair("gen_ai.usage.cost.amount", Any::DoubleValue(amount));
    lab.take(&request("agent", vec![cost(vec![dollars(0.0042)]), cost(vec![dollars(0.0008)])])).await;
    // Of another currency nobody knows what it is in dollars.
    let euro = cost(vec![dollars(5.0), pair("gen_ai.usage.cost.currency", text("EUR"))]);
    assert_eq!(lab.export(&request("agent", vec![euro])).await.said(), (Code::Ok, ""));
    let report = lab.telemetry.cost_report();
    assert_eq!((report.total.cost, report.total.entries), (Usd::from_micros(5_000), 2));
    let by_workflow: Vec<_> = report.by_workflow.iter().map(|line| (&*line.name, line.totals.cost)).collect();
    assert_eq!(by_workflow, [("agent", Usd::from_micros(5_000))]);
}

#[tokio::test]
async fn an_objective_for_an_operation_counts_received_spans() {
    let lab = keeping_none().await;
    let slo = Slo::named("quick").target(0.9).latency_threshold(std::time::Duration::from_millis(3)).build().unwrap();
    lab.telemetry.configure_slo("charge", slo).unwrap();
    let slow = Span { end_time_unix_nano: 9_000_000, ..span(1, 2, 1, "charge") };
    let spans = vec![slow, failed(span(1, 3, 1, "charge")), span(1, 4, 1, "charge"), span(1, 5, 1, "charge")];
    lab.take(&request("bank", spans)).await;
    lab.take(&request("shop", vec![span(1, 1, 0, "other")])).await;
    let statuses = lab.telemetry.slo_statuses();
    let [quick] = statuses.as_slice() else { panic!("{statuses:?}") };
    assert_eq!((quick.totals.total, quick.totals.failed, quick.totals.slow, quick.totals.bad), (4, 1, 1, 2));
    assert_eq!(quick.compliance, 0.5);
}

#[tokio::test]
async fn a_weight_that_a_sender_gave_is_kept() {
    let lab = Lab::of(|builder| builder.sampling_policy(rate(0.5)), &settings(ServerLimits::default())).await;
    // The sender kept a quarter of its traces; these ids pass its threshold and ours.
    let quarter = Span { trace_state: "vendor=1,ot=th:c".to_owned(), ..span(1, 1, 0, "work") };
    lab.take(&request("shop", vec![quarter])).await;
    lab.take(&request("shop", vec![span(2, 1, 0, "work")])).await;
    let mut kept = lab.after(10);
    kept.sort_by_key(|trace| trace.trace_id);
    assert_eq!(kept.iter().map(|trace| trace.adjusted_count).collect::<Vec<_>>(), [Some(4.0), Some(2.0)]);
}

#[tokio::test]
async fn pieces_over_both_protocols_are_one_trace_that_is_decided_about_once() {
    let lab = keeping_none().await;
    lab.take(&request("shop", vec![span(1, 1, 0, "GET /cart"), span(1, 2, 1, "call bank")])).await;
    assert_eq!(lab.export(&request("bank", vec![failed(span(1, 3, 2, "charge"))])).await.said(), (Code::Ok, ""));
    assert_eq!(lab.after(9).len(), 0);
    let kept = lab.after(1);
    let [trace] = kept.as_slice() else { panic!("{} traces", kept.len()) };
    let services: Vec<_> =
        trace.spans.iter().map(|span| span.received.as_deref().map(|of| of.service().to_string())).collect();
    assert_eq!(services, [Some("shop".to_owned()), Some("shop".to_owned()), Some("bank".to_owned())]);
    // What comes later follows that decision, whichever way it comes.
    assert_eq!(lab.export(&request("bank", vec![span(1, 4, 3, "audit")])).await.said(), (Code::Ok, ""));
    let late = lab.after(1);
    assert_eq!((late.len(), late[0].late, late[0].spans[0].name.as_str()), (1, true, "audit"));
    assert_eq!((lab.receiver.status().traces, lab.receiver.status().late_kept), (1, 1));
}
