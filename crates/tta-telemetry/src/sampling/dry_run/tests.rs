//! Decisions about stored traces, and what is said of them.

use std::time::Duration;

use super::*;
use crate::id::{IdSource, SpanId, TraceId};
use crate::model::{Attribute, SamplingDecision, TraceCounts};
use crate::sampling::{Rate, RateBudgetConfig, SamplingHash, TailPolicy, WorkflowPolicy};

const MS: u64 = 1_000_000;
const START: u64 = 1_700_000_000_000_000_000;

/// A trace of one span that took a millisecond and ended at `START`.
fn stored(id: TraceId, workflow: &'static str) -> Trace {
    let root_span_id = SpanId::new(1).unwrap();
    let root = SpanRecord {
        start_unix_ns: START - MS,
        duration_ns: MS,
        ..SpanRecord::new(root_span_id, workflow.into(), "workflow".into())
    };
    let reason = DecisionReason::RateOne;
    Trace {
        trace_id: id,
        root_span_id,
        spans: vec![root],
        decision: SamplingDecision { keep: true, rate: 1.0, reason, sampler: "keep_all" },
        adjusted_count: Some(1.0),
        class: TraceClass::Normal,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}

fn took(ms: u64, trace: Trace) -> Trace {
    let mut trace = trace;
    trace.spans[0].duration_ns = ms * MS;
    trace.spans[0].start_unix_ns = START - ms * MS;
    trace
}

fn ended_after(passed: Duration, trace: Trace) -> Trace {
    let mut trace = trace;
    trace.spans[0].start_unix_ns += passed.as_nanos() as u64;
    trace
}

fn ids(count: usize) -> Vec<TraceId> {
    let source = IdSource::seeded(11);
    (0..count).map(|_| source.trace_id()).collect()
}

fn policy(rate: f64, rules: &[&str]) -> SamplingPolicy {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    SamplingPolicy { rate: Rate::new(rate).unwrap(), rules, ..SamplingPolicy::default() }
}

/// Every trace takes 100 bytes.
fn report(policy: SamplingPolicy, traces: impl IntoIterator<Item = Trace>) -> DryRunReport {
    let mut dry_run = DryRun::new(policy).unwrap();
    for trace in traces {
        let _ = dry_run.add(&trace, 100);
    }
    dry_run.report()
}

fn rows(report: &DryRunReport) -> Vec<(&str, u64, u64)> {
    report.rows.iter().map(|row| (row.reason.as_str(), row.traces, row.kept)).collect()
}

#[test]
fn what_is_always_kept_comes_before_rules_and_rules_before_chance() {
    let id = ids(7);
    let of_class = |id, class| Trace { class, ..stored(id, "crawl") };
    let traces = [
        of_class(id[0], TraceClass::Failed),
        of_class(id[1], TraceClass::Cancelled),
        took(1_000, stored(id[2], "crawl")),
        stored(id[3], "health"),
        took(50, stored(id[4], "crawl")),
        stored(id[5], "crawl"),
        took(50, stored(id[6], "health")),
    ];
    let rules =
        ["health: drop when workflow == \"health\"", "long: keep when duration > 10ms", "never: keep when handled"];
    let report = report(policy(0.0, &rules), traces);
    let want = [
        ("tail_error", 1, 1),
        ("cancelled", 1, 1),
        ("tail_slow", 1, 1),
        ("rule:health", 2, 0),
        ("rule:long", 1, 1),
        ("rule:never", 0, 0),
        ("sampling_rate_zero", 1, 0),
    ];
    assert_eq!(rows(&report), want);
    assert_eq!((report.total.traces, report.total.kept, report.total.bytes, report.total.kept_bytes), (7, 4, 700, 400));
    // The slow one and the long one of `health` match as well, but are decided about before.
    let of_rules: Vec<_> = report.rules.iter().map(|rule| (rule.name.as_str(), rule.matched, rule.decided)).collect();
    assert_eq!(of_rules, [("health", 2, 2), ("long", 3, 1), ("never", 0, 0)]);
    assert_eq!((report.lost_errors, report.first_lost), (0, vec![]));
}

#[test]
fn chance_keeps_the_traces_that_an_engine_would_keep() {
    let head = HeadSampler::new(SamplingHash::Otel, Rate::new(0.3).unwrap());
    let kept = ids(1_000).into_iter().filter(|id| head.decide(&RunStart::root(*id)).keep).count() as u64;
    let report = report(policy(0.3, &[]), ids(1_000).into_iter().map(|id| stored(id, "crawl")));
    assert_eq!(rows(&report), [("probabilistic_hash", 1_000, kept)]);
    assert!((250..350).contains(&kept), "{kept}");
}

#[test]
fn a_sampled_file_is_weighed_so_that_a_smaller_rate_is_not_taken_for_a_larger_one() {
    // One in ten was kept; at half that rate half of these stay, of all runs one in twenty.
    let tenth = Threshold::from_probability(0.1).unwrap();
    let kept = ids(20_000).into_iter().filter(|id| RemoteSampling::root(*id).randomness.get() >= tenth.get());
    let traces: Vec<_> = kept.map(|id| Trace { adjusted_count: Some(10.0), ..stored(id, "crawl") }).collect();
    let stored = traces.len() as f64;
    let report = report(policy(0.05, &[]), traces);
    let row = &report.rows[0];
    assert!((row.kept as f64 / stored - 0.5).abs() < 0.05, "{row:?}");
    assert_eq!(row.stands_for.value, 10.0 * stored);
    assert!((row.expected_kept - 0.5 * stored).abs() < 1e-6, "{row:?}");
    assert!((row.expected_kept_bytes - 50.0 * stored).abs() < 1e-3, "{row:?}");
}

#[test]
fn weights_that_cannot_be_are_unknown() {
    let weights = [None, Some(f64::NAN), Some(f64::INFINITY), Some(0.5), Some(-3.0), Some(1e300), Some(2.0)];
    let traces = ids(7).into_iter().zip(weights);
    let report =
        report(policy(1.0, &[]), traces.map(|(id, weight)| Trace { adjusted_count: weight, ..stored(id, "c") }));
    let total = &report.total;
    assert_eq!((total.of_unknown_weight, total.stands_for.value, total.expected_kept), (6, 2.0, 8.0));
}

#[test]
fn failed_traces_that_would_be_lost_are_counted_and_the_first_are_named() {
    let tail = TailPolicy { always_sample_errors: false, ..TailPolicy::default() };
    let failed = ids(25).into_iter().map(|id| Trace { class: TraceClass::Failed, ..stored(id, "crawl") });
    let report = report(SamplingPolicy { tail, ..policy(0.0, &["bad: drop when class == failed"]) }, failed);
    assert_eq!((report.lost_errors, report.first_lost), (25, ids(10)));
}

#[test]
fn settings_of_workflows_hold_and_those_of_none_are_named_with_the_nearest() {
    let own = WorkflowPolicy { rate: Some(Rate::ONE), tail: None };
    let workflows = [("crawl".into(), own), ("chekout".into(), own)].into();
    let traces = ids(4).into_iter().zip(["crawl", "crawl", "checkout", "import"]).map(|(id, name)| stored(id, name));
    let report = report(SamplingPolicy { workflows, ..policy(0.0, &[]) }, traces);
    assert_eq!(rows(&report), [("sampling_rate_one", 2, 2), ("sampling_rate_zero", 2, 0)]);
    let nearest = Some("checkout".to_owned());
    assert_eq!(report.unknown_workflows, [UnknownName { name: "chekout".into(), nearest }]);
}

#[test]
fn attributes_that_no_trace_has_are_named_with_the_nearest() {
    let mut trace = stored(ids(1)[0], "crawl");
    let attributes = [("tenant", "acme"), ("region", "eu")];
    trace.spans[0].attributes =
        attributes.map(|(key, value)| Attribute { key: key.into(), value: Value::Str(value.into()) }).into();
    let rules = [
        "a: keep when root.attr(\"tennant\") == \"acme\"",
        "b: keep when attr(\"region\") exists or attr(\"zzz\") exists",
    ];
    let report = report(policy(0.0, &rules), [trace]);
    let unknown =
        |name: &str, nearest: Option<&str>| UnknownName { name: name.into(), nearest: nearest.map(Into::into) };
    assert_eq!(report.unknown_attributes, [unknown("tennant", Some("tenant")), unknown("zzz", None)]);
    assert_eq!(report.rules.iter().map(|rule| rule.matched).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn what_was_asked_for_or_kept_by_a_caller_stays_so() {
    let id = ids(3);
    let because = |id, reason, weight| {
        let mut trace = Trace { adjusted_count: weight, ..stored(id, "crawl") };
        trace.decision.reason = reason;
        trace
    };
    let traces = [
        because(id[0], DecisionReason::Forced, Some(1.0)),
        because(id[1], DecisionReason::ParentSampled, Some(8.0)),
        because(id[2], DecisionReason::ParentSampled, None),
    ];
    let report = report(policy(0.0, &[]), traces);
    assert_eq!(rows(&report), [("forced", 1, 1), ("parent_sampled", 2, 2)]);
    let row = &report.rows[1];
    assert_eq!((row.stands_for.value, row.of_unknown_weight, row.expected_kept), (8.0, 1, 2.0));
}

#[test]
fn the_hash_of_the_original_takes_the_correlation_id() {
    // The first eight digits of the MD5 of "a" are 0cc175b9, of "d" 8277e091.
    let with = |id, key: &'static str| {
        let mut trace = stored(id, "crawl");
        trace.spans[0].attributes = vec![Attribute { key: "correlation.id".into(), value: Value::Str(key.into()) }];
        trace
    };
    let mut dry_run = DryRun::new(SamplingPolicy { hash: SamplingHash::Md5, ..policy(0.5, &[]) }).unwrap();
    let mut keeps = |key| dry_run.add(&with(ids(1)[0], key), 1).unwrap().decision.keep;
    assert_eq!([keeps("a"), keeps("d")], [true, false]);
}

#[test]
fn late_parts_follow_their_trace_and_are_in_no_row() {
    let id = ids(1)[0];
    let late = Trace { late: true, class: TraceClass::Failed, ..stored(id, "crawl") };
    let report = report(policy(0.0, &[]), [stored(id, "crawl"), late]);
    assert_eq!((report.total.traces, report.late_parts, report.late_bytes, report.lost_errors), (1, 1, 100, 0));
}

#[test]
fn quantiles_are_those_of_the_traces_before_and_forgotten_after_five_minutes() {
    let rules = ["tail: keep when duration >= p99"];
    let passed = Duration::from_secs;
    let hundred = ids(100).into_iter().map(|id| took(10, stored(id, "crawl")));
    // A reading is good for a second, so what follows after one is compared with the hundred.
    let later = |seconds, ms, workflow| ended_after(passed(seconds), took(ms, stored(ids(1)[0], workflow)));
    let followers = [later(2, 9, "crawl"), later(4, 11, "crawl"), later(4, 11, "import"), later(800, 500, "crawl")];
    let mut dry_run = DryRun::new(policy(0.0, &rules)).unwrap();
    for trace in hundred {
        let _ = dry_run.add(&trace, 1);
    }
    let kept = followers.map(|trace| dry_run.add(&trace, 1).unwrap().decision.keep);
    assert_eq!(kept, [false, true, false, false]);
}

#[test]
fn of_more_workflows_than_are_remembered_quantiles_are_unknown_and_that_is_counted() {
    let mut dry_run = DryRun::new(policy(0.0, &["tail: keep when duration >= p50"])).unwrap();
    for number in 0..300 {
        let mut trace = stored(ids(1)[0], "");
        trace.spans[0].name = format!("w{number}").into();
        dry_run.add(&trace, 1);
    }
    assert_eq!(dry_run.report().without_quantiles, 44);
}

#[test]
fn a_budget_holds_by_the_ends_of_the_traces_and_weighs_them() {
    let budget = RateBudgetConfig { max_traces_per_second: Some(10.0), ..RateBudgetConfig::default() };
    let kept_of = |weight: f64, seconds_between: u64| {
        // A hundred a second, a hundred seconds of them.
        let traces = ids(10_000).into_iter().enumerate().map(|(place, id)| {
            let passed = Duration::from_secs(place as u64 / 100 * seconds_between);
            ended_after(passed, Trace { adjusted_count: Some(weight), ..stored(id, "crawl") })
        });
        report(SamplingPolicy { budget: budget.clone(), ..policy(1.0, &[]) }, traces)
    };
    // The first second passes, of each further one about 10 do.
    let each = kept_of(1.0, 1);
    assert!((900..1_300).contains(&each.total.kept), "{}", each.total.kept);
    assert_eq!(each.budget_dropped + each.total.kept, 10_000);
    assert!((100..330).contains(&kept_of(10.0, 1).total.kept));
    // Nothing came in the second before: all pass.
    assert_eq!(kept_of(1.0, 3).total.kept, 10_000);
}

#[test]
fn a_policy_outside_its_range_is_refused() {
    let tail = TailPolicy { slow_threshold_ms: -1.0, ..TailPolicy::default() };
    let error = DryRun::new(SamplingPolicy { tail, ..SamplingPolicy::default() }).unwrap_err();
    assert!(error.to_string().contains("slow_threshold_ms"), "{error}");
}
