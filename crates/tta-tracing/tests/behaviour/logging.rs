//! What a log line holds.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tracing::{Level, debug, error, event, info, info_span, warn};
use tracing_subscriber::prelude::*;
use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, Result, with_context, workflow};
use tta_telemetry::{Clock, SpanStatus, Telemetry};
use tta_tracing::logging::{LogFormat, Logging, LoggingCounts};

use crate::support::{Lines, find, only_trace};

/// Runs `f` with logs of every level, and returns the lines.
pub(crate) fn logged(format: LogFormat, f: impl FnOnce()) -> String {
    let lines = Lines::default();
    let logging = Logging::builder()
        .level("trace".parse().unwrap())
        .format(format)
        .writer(lines.clone())
        .clock(Clock::manual().0)
        .build();
    let subscriber = tracing_subscriber::registry().with(tta_tracing::layer()).with(logging.layer());
    tracing::subscriber::with_default(subscriber, f);
    lines.text()
}

/// Each line as JSON.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect("a line is one JSON object")).collect()
}

#[derive(Debug)]
struct Failure(&'static str, Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

fn every_kind_of_value() {
    let failure = Failure("query failed", Some(Box::new(Failure("disk full", None))));
    warn!(
        target: "pool",
        truth = true,
        negative = -5,
        largest = u64::MAX,
        huge = u128::MAX,
        half = 0.5,
        whole = 2.0,
        not_a_number = f64::NAN,
        text = "two words",
        empty = "",
        word = "word",
        debug = ?Some("a \"b\""),
        quoted = ?"already quoted",
        display = %"trace_id=forged",
        error = &failure as &(dyn Error + 'static),
        "{} left",
        3
    );
}

#[test]
fn a_json_line_keeps_the_types_of_its_fields() {
    let text = logged(LogFormat::Json, every_kind_of_value);
    let expected = json!({
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "level": "WARN",
        "target": "pool",
        "message": "3 left",
        "fields": {
            "truth": true,
            "negative": -5,
            "largest": u64::MAX,
            "huge": "340282366920938463463374607431768211455",
            "half": 0.5,
            "whole": 2.0,
            "not_a_number": "NaN",
            "text": "two words",
            "empty": "",
            "word": "word",
            "debug": "Some(\"a \\\"b\\\"\")",
            "quoted": "\"already quoted\"",
            "display": "trace_id=forged",
            "error": "query failed",
            "error.chain": ["disk full"],
        },
    });
    assert_eq!(objects(&text), [expected]);
    // As they are written, in order.
    assert!(text.starts_with(r#"{"timestamp":"2026-01-01T00:00:00.000000Z","level":"WARN","target":"pool","message":"3 left","fields":{"truth":true,"negative":-5,"#), "{text}");
}

#[test]
fn a_text_line_quotes_what_could_be_taken_for_more_than_one_value() {
    let text = logged(LogFormat::Text, every_kind_of_value);
    assert_eq!(
        text,
        "2026-01-01T00:00:00.000000Z  WARN pool: 3 left truth=true negative=-5 largest=18446744073709551615 \
         huge=340282366920938463463374607431768211455 half=0.5 whole=2.0 not_a_number=NaN text=\"two words\" \
         empty=\"\" word=word debug=\"Some(\\\"a \\\\\\\"b\\\\\\\"\\\")\" quoted=\"already quoted\" \
         display=\"trace_id=forged\" error=\"query failed\" error.chain=\"disk full\"\n"
    );
}

#[test]
fn a_line_written_inside_a_run_carries_its_ids_and_its_time() {
    let engine = TestEngine::new();
    engine.clock().advance(Duration::from_micros(1_500_001));
    let work = |format| {
        let cx = Context::builder().telemetry(engine.telemetry().clone()).correlation_id("order 7").build().unwrap();
        logged(format, || {
            async fn load(x: u32, cx: Context) -> Result<u32> {
                info!(x, "in the step");
                info_span!("transaction").in_scope(|| {
                    info_span!("query").in_scope(|| info!("in the library"));
                });
                cx.sleep(Duration::from_secs(1)).await;
                info!("later");
                Ok(x)
            }
            let flow = workflow("orders", with_context(load));
            engine.block_on(flow.run(1, &cx)).unwrap();
            info!("outside");
        })
    };
    let lines = objects(&work(LogFormat::Json));
    let trace = only_trace(&engine);
    let id = |name: &str| find(&trace, name).span_id.to_string();
    let with = |time: &str, message: &str, span: &str| {
        json!({
            "timestamp": format!("2026-01-01T00:00:{time}Z"),
            "level": "INFO",
            "target": module_path!(),
            "message": message,
            "trace_id": trace.trace_id.to_string(),
            "span_id": id(span),
            "correlation_id": "order 7",
        })
    };
    let mut in_step = with("01.500001", "in the step", "load");
    in_step["fields"] = json!({"x": 1});
    let mut in_library = with("01.500001", "in the library", "query");
    in_library["spans"] = json!(["transaction", "query"]);
    assert_eq!(lines[..3], [in_step, in_library, with("02.500001", "later", "load")]);
    assert_eq!(lines[3]["timestamp"], "2026-01-01T00:00:00.000000Z");
    let keys: Vec<_> = lines[3].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["level", "message", "target", "timestamp"]);

    let text = work(LogFormat::Text);
    let traces = engine.traces();
    let ids = |name| format!("trace_id={} span_id={}", traces[1].trace_id, find(&traces[1], name).span_id);
    let here = module_path!();
    let lines: Vec<_> = text.lines().collect();
    let expected = [
        format!("2026-01-01T00:00:02.500001Z  INFO {here}: in the step x=1 {} correlation_id=\"order 7\"", ids("load")),
        format!(
            "2026-01-01T00:00:02.500001Z  INFO {here}: in the library {} correlation_id=\"order 7\" \
             spans=transaction:query",
            ids("query")
        ),
    ];
    assert_eq!(lines[..2], expected);
    assert_eq!(lines[3], format!("2026-01-01T00:00:00.000000Z  INFO {here}: outside"));
}

#[test]
fn a_line_of_a_run_that_is_not_recorded_carries_the_ids_that_propagate() {
    let run = Context::on(Telemetry::disabled()).start_run("run", "test");
    let text = logged(LogFormat::Json, || run.context().in_scope(|| info!("here")));
    let line = &objects(&text)[0];
    assert_eq!(line["trace_id"], run.context().trace_id().unwrap().to_string());
    assert_eq!(line["correlation_id"], run.context().correlation_id().unwrap().to_string());
    assert_eq!(line.get("span_id"), None);
    run.end_as(SpanStatus::Ok);
}

#[test]
fn every_event_of_the_level_is_one_line_and_no_other() {
    let lines = Lines::default();
    let logging = Logging::builder().level("info,pool=debug,noisy=off".parse().unwrap()).writer(lines.clone()).build();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(logging.layer()), || {
        debug!("left out");
        debug!(target: "pool::inner", "kept");
        error!(target: "noisy", "left out");
        event!(name: "cache.miss", Level::INFO, key = "a");
    });
    let text = lines.text();
    let ends: Vec<_> = text.lines().map(|line| line.split_once("Z ").unwrap().1).collect();
    assert_eq!(ends, ["DEBUG pool::inner: kept", &format!(" INFO {}: key=a", module_path!())]);
    assert_eq!(logging.counters().read(), LoggingCounts { written_lines: 2, ..LoggingCounts::default() });
}

#[test]
fn the_time_outside_a_run_is_the_systems_unless_a_clock_is_given() {
    let lines = Lines::default();
    let logging = Logging::builder().writer(lines.clone()).build();
    let subscriber = tracing_subscriber::registry().with(logging.layer());
    tracing::subscriber::with_default(subscriber, || info!("now"));
    let clock = Clock::system();
    let now = clock.unix_ns(clock.ticks()) / 1_000_000_000;
    let text = lines.text();
    let (time, _) = text.split_once("Z ").unwrap();
    let (date, clock) = time.split_once('T').unwrap();
    let numbers =
        |text: &str, by: char| -> Vec<u64> { text.split(['.', by]).map(|number| number.parse().unwrap()).collect() };
    let (date, clock) = (numbers(date, '-'), numbers(clock, ':'));
    // Days since 2000-03-01 by another algorithm than the one that wrote them.
    let year_of_march = date[0] - 2_000 - u64::from(date[1] < 3);
    let month_of_march = (date[1] + 9) % 12;
    let days = year_of_march * 365 + year_of_march / 4 - year_of_march / 100
        + year_of_march / 400
        + (month_of_march * 306 + 5) / 10
        + date[2]
        - 1;
    let seconds = (days + 11_017) * 86_400 + clock[0] * 3_600 + clock[1] * 60 + clock[2];
    assert!(now.abs_diff(seconds) < 100, "{text} is {seconds}, now is {now}");
}

#[test]
fn colours_are_for_text_and_only_when_asked_for() {
    let logged = |format, color| {
        let lines = Lines::default();
        let builder = Logging::builder().format(format).writer(lines.clone()).clock(Clock::manual().0);
        let logging = if color { builder.color(true) } else { builder }.build();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(logging.layer()), || {
            error!(target: "pool", rows = 1, "lost");
        });
        lines.text()
    };
    assert!(!logged(LogFormat::Json, true).contains('\u{1b}'));
    assert_eq!(logged(LogFormat::Text, false), "2026-01-01T00:00:00.000000Z ERROR pool: lost rows=1\n");
    assert_eq!(
        logged(LogFormat::Text, true),
        "\u{1b}[2m2026-01-01T00:00:00.000000Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m \u{1b}[2mpool:\u{1b}[0m lost rows=1\
         \u{1b}[2m\u{1b}[0m\n"
    );
}

#[test]
fn a_record_of_the_log_crate_is_logged_under_its_own_target() {
    let text = logged(LogFormat::Json, || {
        let mut record = log::Record::builder();
        record.target("pool").level(log::Level::Warn).file(Some("pool.rs")).line(Some(7)).module_path(Some("db"));
        tracing_log::format_trace(&record.args(format_args!("{} left", 3)).build()).unwrap();
    });
    let expected = json!({
        "timestamp": "2026-01-01T00:00:00.000000Z", "level": "WARN", "target": "pool", "message": "3 left",
    });
    assert_eq!(objects(&text), [expected]);
}
