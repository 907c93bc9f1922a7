//! What fields of spans become.

use tracing::field::{Empty, debug, display};
use tracing::{Level, info_span};
use tracing_subscriber::prelude::*;
use tta_primitives::testing::TestEngine;
use tta_telemetry::{SpanStatus, Value};

use crate::support::{attributes, engine, find, in_run, only_trace};

#[test]
fn fields_keep_their_types() {
    let engine = engine();
    in_run(&engine, |_| {
        let text = String::from("owned");
        let absent: Option<u32> = None;
        let _span = info_span!(
            "span",
            truth = true,
            negative = -5_i8,
            whole = 7_u64,
            largest = u64::MAX,
            huge = i128::MIN,
            vast = u128::MAX,
            half = 0.5,
            literal = "text",
            text,
            debug = ?Some(3),
            display = %3.5,
            present = Some(4),
            absent,
            empty = Empty,
        );
    });
    let trace = only_trace(&engine);
    assert_eq!(
        attributes(find(&trace, "span")),
        [
            "truth=Bool(true)",
            "negative=I64(-5)",
            "whole=I64(7)",
            "largest=Str(\"18446744073709551615\")",
            "huge=Str(\"-170141183460469231731687303715884105728\")",
            "vast=Str(\"340282366920938463463374607431768211455\")",
            "half=F64(0.5)",
            "literal=Str(\"text\")",
            "text=Str(\"owned\")",
            "debug=Str(\"Some(3)\")",
            "display=Str(\"3.5\")",
            "present=I64(4)",
        ]
    );
}

#[test]
fn fields_that_are_recorded_later_are_added_and_the_last_value_wins() {
    let engine = engine();
    in_run(&engine, |_| {
        let span = info_span!("span", rows = 1, status = Empty, detail = Empty);
        span.record("rows", 2);
        span.record("status", display("done"));
        span.record("detail", debug([1, 2]));
        span.record("no such field", 1);
        span.in_scope(|| span.record("rows", 3));
        std::thread::scope(|scope| {
            scope.spawn(|| span.record("status", "from another thread"));
        });
    });
    let trace = only_trace(&engine);
    assert_eq!(
        attributes(find(&trace, "span")),
        ["rows=I64(3)", "status=Str(\"from another thread\")", "detail=Str(\"[1, 2]\")"]
    );
}

#[test]
fn a_span_says_where_it_was_made() {
    let engine = engine();
    let line = i64::from(line!()) + 2;
    in_run(&engine, |_| {
        drop(tracing::warn_span!("here"));
        drop(tracing::span!(target: "pool", Level::TRACE, "elsewhere"));
    });
    let trace = only_trace(&engine);
    let facts = |name: &str| -> Vec<(String, Value)> {
        find(&trace, name).attributes.iter().map(|a| (a.key.to_string(), a.value.clone())).collect()
    };
    let text = |text: &'static str| Value::Str(text.into());
    let module = module_path!();
    assert_eq!(
        facts("here"),
        [
            ("tracing.level".into(), text("WARN")),
            ("tracing.target".into(), text(module)),
            ("code.file.path".into(), text(file!())),
            ("code.line.number".into(), Value::I64(line)),
        ]
    );
    assert_eq!(
        facts("elsewhere"),
        [
            ("tracing.level".into(), text("TRACE")),
            ("tracing.target".into(), text("pool")),
            ("code.module.name".into(), text(module)),
            ("code.file.path".into(), text(file!())),
            ("code.line.number".into(), Value::I64(line + 1)),
        ]
    );
}

#[test]
fn the_location_can_be_left_out() {
    let engine = TestEngine::new();
    let subscriber = tracing_subscriber::registry().with(tta_tracing::layer().with_location(false));
    tracing::subscriber::with_default(subscriber, || {
        in_run(&engine, |_| {
            let _span = info_span!(target: "pool", "span").entered();
            tracing::info!(target: "pool", "event");
        });
    });
    let trace = only_trace(&engine);
    let span = find(&trace, "span");
    let keys = |attributes: &[tta_telemetry::Attribute]| -> Vec<String> {
        attributes.iter().map(|attribute| attribute.key.to_string()).collect()
    };
    assert_eq!(keys(&span.attributes), ["tracing.level", "tracing.target"]);
    assert_eq!(keys(&span.events[0].attributes), ["tracing.level", "tracing.target"]);
}

#[test]
fn the_fields_of_opentelemetry_mean_what_its_users_expect() {
    let engine = engine();
    in_run(&engine, |_| {
        let named = info_span!("static", otel.name = "GET /orders", otel.kind = "SERVER", id = 7);
        named.record("otel.status_code", "error: not declared, not recorded");
        let later = info_span!("later", otel.name = Empty, otel.kind = ?"odd", id = 8);
        later.record("otel.name", format!("POST /orders/{}", 8));
        let status = |code| info_span!("status", otel.name = code, otel.status_code = code);
        ["OK", "error", "unset"].into_iter().for_each(|code| drop(status(code)));
        drop(info_span!("described", otel.status_description = "timed out"));
        // Said to be fine: a description does not change that.
        drop(info_span!("fine", otel.status_code = "ok", otel.status_message = "never mind"));
        let changed = info_span!("changed", otel.status_code = "ok");
        changed.record("otel.status_code", display("Error"));
    });
    let trace = only_trace(&engine);
    let of = |name| (find(&trace, name).status, attributes(find(&trace, name)));
    assert_eq!(of("GET /orders"), (SpanStatus::Ok, vec!["otel.kind=Str(\"server\")".into(), "id=I64(7)".into()]));
    assert_eq!(
        of("POST /orders/8"),
        (SpanStatus::Ok, vec!["otel.kind=Str(\"\\\"odd\\\"\")".into(), "id=I64(8)".into()])
    );
    assert_eq!(of("OK"), (SpanStatus::Ok, vec![]));
    assert_eq!(of("error"), (SpanStatus::Error, vec![]));
    assert_eq!(of("unset"), (SpanStatus::Ok, vec![]));
    assert_eq!(of("described"), (SpanStatus::Error, vec!["error.message=Str(\"timed out\")".into()]));
    assert_eq!(of("fine"), (SpanStatus::Ok, vec!["error.message=Str(\"never mind\")".into()]));
    assert_eq!(of("changed").0, SpanStatus::Error);
    assert_eq!(trace.spans.len(), 9);
}
