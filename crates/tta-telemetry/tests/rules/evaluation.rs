//! What matches a finished trace.

use std::time::Duration;

use tta_telemetry::{Quantile, RuleContext, SpanRecord, Trace, TraceClass, Value};

use crate::support::{checkout, span, text, trace, when};

/// A condition about a trace whose workflow has a 99th percentile of 800 ms, and no other.
fn beside_p99(condition: &str, trace: &Trace) -> bool {
    let latency = |root: &SpanRecord, quantile: Quantile| {
        (root.name == *"checkout" && quantile.get() == 0.99).then_some(800_000_000)
    };
    when(condition).matches(trace, &RuleContext::default().latency(&latency))
}

#[test]
fn a_duration_is_compared_with_the_quantile_of_its_workflow() {
    for (ms, want) in
        [(799, [false, false, true, true]), (800, [true, false, false, true]), (801, [true, true, false, false])]
    {
        let mut root = span(1, "checkout", &[]);
        root.duration_ns = ms * 1_000_000;
        let trace = trace(TraceClass::Normal, vec![root]);
        let found = [">=", ">", "<", "<="].map(|order| beside_p99(&format!("duration {order} p99"), &trace));
        assert_eq!(found, want, "{ms} ms");
    }
}

#[test]
fn a_quantile_that_nobody_knows_makes_each_test_of_it_false() {
    let (here, elsewhere) = (checkout(), trace(TraceClass::Normal, vec![span(1, "elsewhere", &[])]));
    let mut rootless = checkout();
    rootless.spans.remove(0);
    for order in [">=", ">", "<", "<="] {
        let condition = format!("duration {order} p99");
        assert!(!when(&condition).matches(&here, &RuleContext::default()), "{condition}");
        assert!(!beside_p99(&condition, &elsewhere) && !beside_p99(&condition, &rootless), "{condition}");
        assert!(!beside_p99(&format!("duration {order} p50"), &here), "{condition}");
        assert!(beside_p99(&format!("not duration {order} p50"), &here), "{condition}");
    }
}

fn assert_each(want: bool, conditions: &[&str]) {
    let trace = checkout();
    for condition in conditions {
        assert_eq!(when(condition).matches(&trace, &RuleContext::default()), want, "{condition}");
    }
}

#[test]
fn attributes_are_looked_for_in_every_span_and_in_the_root_alone() {
    assert_each(
        true,
        &[
            r#"attr("tenant") == "acme""#,
            r#"root.attr("tenant") == "acme""#,
            r#"attr("http.status_code") >= 500"#,
            r#"attr("http.status_code") == 200"#,
            r#"attr("http.status_code") != 200"#,
            r#"attr("http.status_code") in [404, 503]"#,
            r#"attr("http.status_code") == "503""#,
            r#"attr("ratio") > 0.25 and attr("ratio") < 1"#,
            r#"attr("http.status_code") < 200.5"#,
            r#"attr("cached") == true and attr("cached") == "true" and attr("cached") != false"#,
            r#"attr("nan") exists and attr("nan") != 1"#,
            r#"attr("tenant") contains "cm" and attr("tenant") starts_with "ac" and attr("tenant") ends_with "me""#,
            r#"attr("tenant") matches /^a.m/"#,
            r#"attr("models") == "large" and attr("models") contains "mal" and attr("models") exists"#,
            r#"attr("tenant") in [1, "acme"]"#,
        ],
    );
    assert_each(
        false,
        &[
            r#"root.attr("http.status_code") exists"#,
            r#"attr("tenant") == "Acme""#,
            r#"attr("tenant") > 1"#,
            r#"attr("tenant") == true"#,
            r#"attr("http.status_code") contains "50""#,
            r#"attr("nan") > 1 or attr("nan") <= 1 or attr("nan") == 1"#,
            r#"attr("ratio") in [1, 2]"#,
            r#"attr("tenant") matches /^b/"#,
        ],
    );
}

#[test]
fn an_attribute_that_no_span_has_makes_every_test_of_it_false() {
    for test in ["== 1", "!= 1", "< 1", ">= 1", "exists", "contains \"\"", "matches /.*/", "in [1]", "!= \"a\""] {
        assert_each(false, &[&format!("attr(\"nobody\") {test}"), &format!("root.attr(\"nobody\") {test}")]);
        assert_each(true, &[&format!("not attr(\"nobody\") {test}")]);
    }
}

#[test]
fn a_run_is_judged_by_its_name_duration_size_cost_tokens_and_errors() {
    assert_each(
        true,
        &[
            r#"workflow == "checkout" and workflow starts_with "check" and workflow in ["a", "checkout"]"#,
            "duration == 1s and duration >= 1000ms and duration < 1.5s and duration != 1m",
            "span_count == 3 and span_count > 2",
            "cost == $0.06 and cost > $0.05 and cost < $0.060000001",
            "tokens == 1000 and tokens <= 1000",
            r#"error.type == "timeout" and error.type exists and error.type matches /^time/"#,
            "handled",
            "class == normal and class != failed and class in [failed, normal]",
        ],
    );
    assert_each(
        false,
        &[
            r#"workflow == "call""#,
            "duration > 1s",
            "span_count > 3",
            "cost > $0.06",
            "tokens > 1000",
            r#"error.type == "panic""#,
            "class == slow",
            "not handled",
        ],
    );
}

#[test]
fn without_cost_and_tokens_no_comparison_of_them_holds() {
    let bare = trace(TraceClass::Normal, vec![span(1, "bare", &[("cost.usd", text("unpriced"))])]);
    for condition in
        ["cost < $1", "cost >= $0", "cost != $1", "tokens < 5", "tokens >= 0", "handled", "error.type exists"]
    {
        assert!(!when(condition).matches(&bare, &RuleContext::default()), "{condition}");
    }
    let wrong = trace(TraceClass::Normal, vec![span(1, "wrong", &[("cost.usd", Value::F64(f64::NAN))])]);
    assert!(!when("cost >= $0 or cost != $1").matches(&wrong, &RuleContext::default()));
}

#[test]
fn the_class_is_slow_from_the_threshold_on_unless_the_run_failed_or_was_cancelled() {
    let slow = Some(Duration::from_secs(1));
    for (class, threshold, want) in [
        (TraceClass::Normal, slow, "slow"),
        (TraceClass::Normal, Some(Duration::from_nanos(1_000_000_001)), "normal"),
        (TraceClass::Normal, None, "normal"),
        (TraceClass::Failed, slow, "failed"),
        (TraceClass::Cancelled, slow, "cancelled"),
    ] {
        let trace = trace(class, vec![span(1, "run", &[])]);
        for name in ["failed", "slow", "cancelled", "normal"] {
            assert_eq!(
                when(&format!("class == {name}")).matches(&trace, &RuleContext::default().slow(threshold)),
                name == want,
                "{name}"
            );
            assert_eq!(
                when(&format!("class != {name}")).matches(&trace, &RuleContext::default().slow(threshold)),
                name != want,
                "{name}"
            );
        }
    }
}

#[test]
fn without_its_root_a_trace_has_a_duration_and_no_name() {
    let rest = trace(TraceClass::Normal, vec![span(2, "a", &[("k", Value::I64(1))]), span(4, "b", &[])]);
    assert!(when("duration == 500000000ns").matches(&rest, &RuleContext::default()));
    assert!(!when(r#"workflow exists or root.attr("k") exists"#).matches(&rest, &RuleContext::default()));
    let empty = trace(TraceClass::Normal, Vec::new());
    assert!(when("duration == 0s and span_count == 0").matches(&empty, &RuleContext::default()));
}

#[test]
fn words_bind_as_in_the_grammar() {
    assert_each(
        true,
        &[
            "handled or handled and span_count == 0",
            "not span_count == 0 and handled",
            "not (handled and span_count == 0)",
            "not not handled",
        ],
    );
    assert_each(false, &["(handled or handled) and span_count == 0", "not (handled or span_count == 0)"]);
}
