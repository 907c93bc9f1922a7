//! What events become, and where.

use tracing::{Level, debug, event, info, info_span};
use tta_telemetry::{SpanEvent, Value};

use crate::support::{engine, find, in_run, only_trace};

/// The event's attributes as text, without those that tell where in the source it was.
fn own(event: &SpanEvent) -> Vec<String> {
    let own = event.attributes.iter().filter(|attribute| !attribute.key.starts_with("code."));
    own.map(|attribute| format!("{}={:?}", attribute.key, attribute.value)).collect()
}

#[test]
fn an_event_is_recorded_in_the_span_the_thread_is_in() {
    let engine = engine();
    let outside = info_span!("outside");
    info!("before the run");
    in_run(&engine, |_| {
        info!("in the step");
        let span = info_span!("span");
        span.in_scope(|| {
            info!("in the span");
            info_span!("inner").in_scope(|| {
                info!(parent: None, "without a parent");
                info!(parent: &outside, "of an unrecorded span");
            });
        });
        info!(parent: &span, "of the span");
        std::thread::scope(|scope| {
            scope.spawn(|| info!(parent: &span, "from elsewhere"));
        });
    });
    info!("after the run");
    let trace = only_trace(&engine);
    let names = |name| find(&trace, name).events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names("run"), ["in the step"]);
    assert_eq!(names("span"), ["in the span", "of the span", "from elsewhere"]);
    assert_eq!(names("inner"), ["of an unrecorded span"]);
}

#[test]
fn an_event_is_called_by_its_message_and_keeps_its_fields() {
    let engine = engine();
    in_run(&engine, |_| {
        debug!(target: "pool", rows = 3, who = %"you", "hello {}", "world");
        event!(name: "cache.miss", target: "cache", Level::TRACE, key = "a");
        info!(message = 5, "");
        info!(error = "only told of", "with a message");
        info!(error = "alone");
        info!(error = ?None::<u32>, flag = false);
    });
    let trace = only_trace(&engine);
    let events = &find(&trace, "run").events;
    let of = |at: usize| (events[at].name.as_str(), own(&events[at]));
    let site = |level: &str, target: &str| {
        [format!("tracing.level=Str({level:?})"), format!("tracing.target=Str({target:?})")]
    };
    let with = |own: &[&str], level, target| {
        let own: Vec<String> = own.iter().map(|text| (*text).to_owned()).collect();
        [own, site(level, target).to_vec()].concat()
    };
    let here = module_path!();
    assert_eq!(of(0), ("hello world", with(&["rows=I64(3)", "who=Str(\"you\")"], "DEBUG", "pool")));
    assert_eq!(of(1), ("cache.miss", with(&["key=Str(\"a\")"], "TRACE", "cache")));
    assert!(events[2].name.starts_with("event "), "{}", events[2].name);
    assert_eq!(of(3), ("with a message", with(&["error=Str(\"only told of\")"], "INFO", here)));
    assert_eq!(of(4), ("exception", with(&["exception.message=Str(\"alone\")"], "INFO", here)));
    assert_eq!(own(&events[5]), with(&["error=Str(\"None\")", "flag=Bool(false)"], "INFO", here));
    assert!(events[5].name.starts_with("event "), "{}", events[5].name);
    let location: Vec<_> = events[0].attributes.iter().rev().take(3).map(|a| (a.key.as_str(), &a.value)).collect();
    assert_eq!(location[0].0, "code.line.number");
    assert_eq!(location[1], ("code.file.path", &Value::Str(file!().into())));
    assert_eq!(location[2], ("code.module.name", &Value::Str(here.into())));
}

#[test]
fn a_long_message_is_a_short_name_and_a_whole_attribute() {
    let engine = engine();
    let long = "ä".repeat(200);
    in_run(&engine, |_| info!(rows = 1, "{long}"));
    let trace = only_trace(&engine);
    let event = &find(&trace, "run").events[0];
    assert_eq!(event.name.as_str(), "ä".repeat(128));
    assert_eq!(event.attributes[1].key, "message");
    assert_eq!(event.attributes[1].value, Value::Str(long.into()));
}

#[test]
fn an_event_with_many_fields_keeps_all_of_them() {
    let engine = engine();
    in_run(&engine, |_| {
        info!(a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9, j = 10, k = 11, l = 12, m = 13, n = 14);
    });
    let trace = only_trace(&engine);
    let attributes = &find(&trace, "run").events[0].attributes;
    let numbers: Vec<_> = attributes.iter().take(14).map(|a| a.value.as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=14).collect::<Vec<i64>>());
    assert_eq!(attributes.last().unwrap().key, "code.line.number");
}

#[test]
fn a_record_of_the_log_crate_says_where_it_was_made_itself() {
    let engine = engine();
    in_run(&engine, |_| {
        let mut record = log::Record::builder();
        record.target("pool").level(log::Level::Warn).file(Some("pool.rs")).line(Some(7)).module_path(Some("db::pool"));
        tracing_log::format_trace(&record.args(format_args!("{} left", 3)).build()).unwrap();
    });
    let trace = only_trace(&engine);
    let event = &find(&trace, "run").events[0];
    let facts: Vec<_> = event.attributes.iter().map(|a| format!("{}={}", a.key, a.value)).collect();
    assert_eq!(event.name, "3 left");
    assert_eq!(
        facts,
        [
            "tracing.level=WARN",
            "tracing.target=pool",
            "code.module.name=db::pool",
            "code.file.path=pool.rs",
            "code.line.number=7"
        ]
    );
}
