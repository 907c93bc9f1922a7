//! Errors in fields, and values that do harm when they are formatted.

use std::cell::Cell;
use std::error::Error;
use std::fmt;

use tracing::field::Empty;
use tracing::{error, info, info_span};
use tta_telemetry::{SpanStatus, Value};

use crate::support::{attributes, engine, find, in_run, only_trace};

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

fn chain() -> Failure {
    Failure("query failed", Some(Box::new(Failure("disk full", Some(Box::new(Failure("ENOSPC", None)))))))
}

fn causes() -> Value {
    Value::List(vec!["disk full".into(), "ENOSPC".into()])
}

#[test]
fn an_error_in_a_field_fails_the_span_and_brings_its_causes() {
    let engine = engine();
    in_run(&engine, |_| {
        let failure = chain();
        drop(info_span!("typed", error = &failure as &(dyn Error + 'static)));
        drop(info_span!("text", error = "refused"));
        drop(info_span!("flag", error = true));
        let later = info_span!("later", error = Empty);
        later.record("error", tracing::field::display(&failure));
        drop(info_span!("other name", cause = &failure as &(dyn Error + 'static)));
        drop(info_span!("fine", error = false, exception.message = ?None::<u32>));
        drop(info_span!("said fine", otel.status_code = "ok", error = "handled"));
    });
    let trace = only_trace(&engine);
    let of = |name| {
        let span = find(&trace, name);
        (span.status, span.attribute("error.message").map(ToString::to_string))
    };
    assert_eq!(of("typed"), (SpanStatus::Error, Some("query failed".into())));
    assert_eq!(find(&trace, "typed").attribute("error.chain"), Some(&causes()));
    assert_eq!(of("text"), (SpanStatus::Error, Some("refused".into())));
    assert_eq!(of("flag"), (SpanStatus::Error, None));
    assert_eq!(of("later"), (SpanStatus::Error, Some("query failed".into())));
    assert_eq!(of("other name"), (SpanStatus::Ok, None));
    assert_eq!(attributes(find(&trace, "fine")), ["error=Bool(false)", "exception.message=Str(\"None\")"]);
    assert_eq!(find(&trace, "fine").status, SpanStatus::Ok);
    assert_eq!(of("said fine"), (SpanStatus::Ok, Some("handled".into())));
    // The step went on.
    assert_eq!(find(&trace, "run").status, SpanStatus::Ok);
}

#[tracing::instrument(err, name = "instrumented")]
fn instrumented(rows: u32) -> Result<u32, Failure> {
    if rows > 3 { Err(chain()) } else { Ok(rows) }
}

#[test]
fn an_error_that_an_instrumented_function_returns_is_an_exception_in_its_span() {
    let engine = engine();
    in_run(&engine, |_| assert!(instrumented(4).is_err()));
    let trace = only_trace(&engine);
    let span = find(&trace, "instrumented");
    assert_eq!(
        (span.status, attributes(span)),
        (SpanStatus::Error, vec!["rows=I64(4)".into(), "error.message=Str(\"query failed\")".into()])
    );
    let event = &span.events[0];
    assert_eq!((event.name.as_str(), event.attributes[0].key.as_str()), ("exception", "exception.message"));
    assert_eq!(event.attributes[0].value, Value::Str("query failed".into()));
}

#[test]
fn an_event_of_level_error_fails_the_library_span_it_is_in_and_no_other() {
    let engine = engine();
    in_run(&engine, |_| {
        let outer = info_span!("outer").entered();
        info_span!("plain").in_scope(|| error!("connection {} lost", 7));
        info_span!("said").in_scope(|| {
            error!(error = "broken pipe", "lost again");
            error!(error = &chain() as &(dyn Error + 'static));
        });
        info_span!("pinned", otel.status_code = "ok").in_scope(|| error!("no matter"));
        info_span!("calm").in_scope(|| info!(error = "only told of", "fine"));
        error!(parent: &info_span!("explicit"), "from outside");
        drop(outer);
        error!("directly in the step");
    });
    let trace = only_trace(&engine);
    let of = |name| {
        let span = find(&trace, name);
        (span.status.as_str(), span.attribute("error.message").map(ToString::to_string).unwrap_or_default())
    };
    assert_eq!(of("outer"), ("ok", String::new()));
    assert_eq!(of("plain"), ("error", "connection 7 lost".into()));
    assert_eq!(of("said"), ("error", "query failed".into()));
    assert_eq!(of("pinned"), ("ok", "no matter".into()));
    assert_eq!(of("calm"), ("ok", String::new()));
    assert_eq!(of("explicit"), ("error", "from outside".into()));
    assert_eq!(of("run"), ("ok", String::new()));
    let said = find(&trace, "said");
    assert_eq!(said.events[1].name, "exception");
    let chain = said.events[1].attributes.iter().find(|attribute| attribute.key == "error.chain").unwrap();
    assert_eq!(chain.value, causes());
    assert_eq!(find(&trace, "run").events[0].name, "directly in the step");
}

/// Panics in every way a value can.
struct Bomb;

impl fmt::Debug for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("so far")?;
        panic!("a bomb in Debug")
    }
}

impl fmt::Display for Bomb {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::panic::panic_any(Sulker)
    }
}

/// A panic's payload that panics again when it is dropped.
struct Sulker;

impl Drop for Sulker {
    fn drop(&mut self) {
        panic!("and again")
    }
}

impl Error for Bomb {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        panic!("a bomb in source")
    }
}

#[test]
fn a_value_that_panics_while_it_is_formatted_leaves_a_note_and_the_run_goes_on() {
    let engine = engine();
    in_run(&engine, |_| {
        let span = info_span!("span", before = 1, debug = ?Bomb, display = %Bomb, after = 2, late = Empty);
        span.record("late", tracing::field::debug(Bomb));
        let _entered = span.entered();
        info!(event = ?Bomb, "told");
        error!(error = &Bomb as &(dyn Error + 'static));
        drop(info_span!("child"));
    });
    let trace = only_trace(&engine);
    let span = find(&trace, "span");
    let unknown = "<panicked: panicked with a value that is not a message>";
    assert_eq!(
        attributes(span),
        [
            "before=I64(1)".to_owned(),
            "debug=Str(\"<panicked: a bomb in Debug>\")".into(),
            format!("display=Str({unknown:?})"),
            "after=I64(2)".into(),
            "late=Str(\"<panicked: a bomb in Debug>\")".into(),
            format!("error.message=Str({unknown:?})"),
        ]
    );
    assert_eq!(span.events[0].attributes[0].value, Value::Str("<panicked: a bomb in Debug>".into()));
    assert_eq!(span.events[1].name, "exception");
    assert_eq!(trace.spans.len(), 3);
}

/// Writes for ever unless it is stopped.
struct Endless<'a>(&'a Cell<u32>);

impl fmt::Debug for Endless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        while self.0.get() < 1_000_000 {
            self.0.set(self.0.get() + 1);
            f.write_str("0123456789")?;
        }
        Ok(())
    }
}

struct Refuses;

impl fmt::Debug for Refuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("so far")?;
        Err(fmt::Error)
    }
}

#[test]
fn values_that_write_too_much_are_stopped_and_counted_and_those_that_fail_are_kept_so_far() {
    let engine = engine();
    let written = Cell::new(0);
    in_run(&engine, |_| drop(info_span!("span", endless = ?Endless(&written), refuses = ?Refuses)));
    let trace = only_trace(&engine);
    let span = find(&trace, "span");
    assert_eq!(span.attribute("endless").unwrap().as_str().map(str::len), Some(4_096));
    assert_eq!((span.truncated_attributes, span.attribute("refuses").unwrap().as_str()), (1, Some("so far")));
    assert!(written.get() < 20_000, "{} writes", written.get());
}

/// An error whose causes never end.
#[derive(Debug)]
struct Cyclic;

impl fmt::Display for Cyclic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("again")
    }
}

impl Error for Cyclic {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Cyclic)
    }
}

#[test]
fn a_chain_of_causes_that_never_ends_is_cut() {
    let engine = engine();
    in_run(&engine, |_| drop(info_span!("span", error = &Cyclic as &(dyn Error + 'static))));
    let trace = only_trace(&engine);
    let Some(Value::List(causes)) = find(&trace, "span").attribute("error.chain") else { panic!("no causes") };
    assert_eq!((causes.len(), causes[31].as_str()), (32, "again"));
}
