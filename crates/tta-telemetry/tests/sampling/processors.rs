//! Processors of the program in an engine: who is called, in which order, and what reaches sinks.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tta_telemetry::sampling::{IsolatedProcessor, TraceEdit, TraceProcessor};
use tta_telemetry::{HealthStatus, Limits, Sampling, SpanStatus, Telemetry, Trace, TraceStart, Value};

use super::support::{Does, Log, does, engine, policy, taken};

fn texts(trace: &Trace) -> Vec<String> {
    let attributes = trace.spans.iter().flat_map(|span| &span.attributes);
    attributes.map(|attribute| format!("{}={}", attribute.key, attribute.value)).collect()
}

#[test]
fn those_of_the_workflow_come_first_each_in_the_order_of_adding_and_see_what_came_before() {
    let log = Log::default();
    let of = |name, edit| Does { log: Arc::clone(&log), ..does(name, edit) };
    let append = |trace: &mut TraceEdit<'_>| {
        let before = trace.spans()[0].attributes[0].value.as_str().unwrap().to_owned();
        assert!(trace.set(0, "tenant", &*format!("{before}+")));
    };
    let engine = engine(|builder| {
        builder
            .processor(of("all-1", append))
            .workflow_processor("import", of("own-1", append))
            .processor(of("all-2", append))
            .workflow_processor("import", of("own-2", append))
            .workflow_processor("other", of("other", append))
    });
    engine.run("import");
    assert_eq!(texts(&engine.kept()[0]), ["tenant=acme++++"]);
    assert_eq!(taken(&log), ["own-1", "own-2", "all-1", "all-2"]);
    engine.run("crawl");
    assert_eq!(texts(&engine.kept()[0]), ["tenant=acme++"]);
    assert_eq!(taken(&log), ["all-1", "all-2"]);
}

#[test]
fn only_kept_traces_are_processed() {
    let log = Log::default();
    let engine = engine(|builder| {
        builder.sampling(Sampling::KeepFailed).processor(Does { log: Arc::clone(&log), ..does("all", |_| {}) })
    });
    engine.run("crawl");
    engine.run_with("crawl", &TraceStart::default(), SpanStatus::Error, 1);
    assert_eq!((engine.kept().len(), taken(&log).len()), (1, 1));
}

#[test]
fn a_secret_that_a_processor_adds_reaches_no_sink() {
    let engine = engine(|builder| {
        builder.processor(does("leaks", |trace| {
            trace.set(0, "password", "hunter2");
            trace.set(1, "note", "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl");
        }))
    });
    engine.run("crawl");
    let all = texts(&engine.kept()[0]).join(" ");
    assert!(all.contains("password=") && all.contains("note="), "{all}");
    assert!(!all.contains("hunter2") && !all.contains("c2lnbmF0dXJl"), "{all}");
    assert_eq!(engine.telemetry.counters().redacted, 2);
}

#[test]
fn one_that_panics_leaves_the_trace_as_it_was_then_to_the_next() {
    let shaky = IsolatedProcessor::new(does("shaky", |trace| {
        trace.set(0, "half", true);
        if trace.trace().spans[0].name == "crawl" {
            panic!("password hunter2");
        }
    }));
    let engine = engine(|builder| {
        builder.processor(shaky.clone()).processor(does("next", |trace| {
            trace.set(0, "next", true);
        }))
    });
    engine.run("crawl");
    assert_eq!(texts(&engine.kept()[0]), ["tenant=acme", "half=true", "next=true"]);
    assert_eq!(engine.hooks_health().0, HealthStatus::Healthy);
    (0..2).for_each(|_| engine.run("crawl"));
    assert_eq!(engine.kept().len(), 2);
    let reason = "processor `shaky` panics again and again, 3 times so far";
    assert_eq!(engine.hooks_health(), (HealthStatus::Degraded, reason.to_owned()));
    assert_eq!((engine.telemetry.counters().processor_panics, shaky.panics()), (3, 3));
    let dropped = [("what", "processor_calls"), ("cause", "panicked")];
    assert_eq!(engine.metric("telemetry_dropped_total", &dropped), 3.0);
    (0..30).for_each(|_| engine.run("page"));
    assert_eq!(engine.kept().len(), 30);
    assert_eq!(engine.hooks_health().0, HealthStatus::Healthy);
}

#[test]
fn attributes_without_room_or_span_are_refused_and_counted() {
    let limits = Limits { attributes_per_span: 2, ..Limits::default() };
    let engine = engine(|builder| {
        builder.limits(limits).processor(does("greedy", |trace| {
            assert!(trace.set(0, "one", 1));
            assert!(!trace.set(0, "two", 2));
            assert!(!trace.set(9, "none", 0));
        }))
    });
    engine.run("crawl");
    assert_eq!(texts(&engine.kept()[0]), ["tenant=acme", "one=1"]);
    assert_eq!(engine.telemetry.counters().processor_edits_refused, 2);
    let dropped = [("what", "attributes"), ("cause", "processor_edit_refused")];
    assert_eq!(engine.metric("telemetry_dropped_total", &dropped), 2.0);
}

#[test]
fn early_and_late_parts_of_a_trace_go_through_the_processors_of_its_workflow() {
    let engine = engine(|builder| {
        builder.workflow_processor(
            "crawl",
            does("own", |trace| {
                let (late, incomplete) = (trace.trace().late, trace.trace().incomplete);
                trace.set(0, "part", &*format!("late {late}, incomplete {incomplete}"));
            }),
        )
    });
    let run = engine.telemetry.start_trace("crawl");
    let handle = run.handle();
    let span = handle.span(handle.root_span_id(), "outlives", "lambda");
    run.end();
    engine.hand.advance(Duration::from_secs(11));
    assert_eq!(texts(&engine.kept()[0]), ["part=late false, incomplete true"]);
    span.end();
    assert_eq!(texts(&engine.kept()[0]), ["part=late true, incomplete false"]);
}

#[test]
fn a_new_policy_and_new_redaction_keep_the_processors() {
    let log = Log::default();
    let engine = engine(|builder| builder.processor(Does { log: Arc::clone(&log), ..does("all", |_| {}) }));
    engine.telemetry.set_sampling_policy(policy(1.0)).unwrap();
    engine.run("crawl");
    engine.telemetry.set_redaction(&tta_telemetry::Redaction::default());
    engine.run("crawl");
    assert_eq!((engine.kept().len(), taken(&log).len()), (2, 2));
}

/// Does with its own engine what would come back to it or wait for it.
struct Reentrant(Arc<OnceLock<Telemetry>>, Arc<Mutex<Vec<bool>>>);

impl TraceProcessor for Reentrant {
    fn name(&self) -> &str {
        "reentrant"
    }

    fn process(&self, trace: &mut TraceEdit<'_>) {
        let telemetry = self.0.get().unwrap();
        let run = telemetry.start_trace("inside");
        let recorded = run.is_recording();
        run.end();
        let flushed = telemetry.flush_blocking(Duration::from_secs(600)).complete;
        let ended = telemetry.shutdown_blocking(Duration::from_secs(600)).complete;
        self.1.lock().unwrap().extend([recorded, flushed, ended]);
        trace.set(0, "inside", Value::Bool(true).as_str().unwrap_or("done"));
    }
}

#[test]
fn what_a_processor_does_with_its_own_engine_neither_comes_back_to_it_nor_hangs() {
    let (own, seen) = (Arc::new(OnceLock::new()), Arc::new(Mutex::new(Vec::new())));
    let engine = engine(|builder| builder.processor(Reentrant(Arc::clone(&own), Arc::clone(&seen))));
    own.set(engine.telemetry.clone()).unwrap();
    engine.run("crawl");
    assert_eq!(texts(&engine.kept()[0]), ["tenant=acme", "inside=done"]);
    assert_eq!(*seen.lock().unwrap(), [false, false, false]);
    assert_eq!(engine.telemetry.counters().runs_unrecorded, 1);
    engine.run("crawl");
    assert_eq!(engine.kept().len(), 1, "the engine goes on");
}

/// Ends the last handle of the trace that it is given.
struct Ends(Arc<Mutex<Option<tta_telemetry::TraceHandle>>>);

impl TraceProcessor for Ends {
    fn name(&self) -> &str {
        "ends"
    }

    fn process(&self, _: &mut TraceEdit<'_>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn the_last_handle_of_a_trace_may_end_while_that_trace_is_processed() {
    let place = Arc::new(Mutex::new(None));
    let engine = engine(|builder| builder.processor(Ends(Arc::clone(&place))));
    let run = engine.telemetry.start_trace("crawl");
    *place.lock().unwrap() = Some(run.handle());
    run.end();
    engine.hand.advance(Duration::from_secs(11));
    assert_eq!(engine.kept().len(), 1);
    assert!(place.lock().unwrap().is_none());
    engine.run("crawl");
    assert_eq!(engine.kept().len(), 1);
    let counters = engine.telemetry.counters();
    assert_eq!((counters.traces_kept, counters.traces_incomplete), (2, 1));
    assert!(engine.telemetry.shutdown_blocking(Duration::from_secs(60)).complete);
    assert_eq!(engine.telemetry.counters().live_bytes, 0, "its memory came back");
}

#[test]
fn a_processor_that_records_at_the_byte_bound_makes_no_room_for_itself() {
    // Each trace holds far more than the bound divided by their number.
    let limits = Limits { live_bytes: 64 * 1024, ..Limits::default() };
    let (own, log) = (Arc::new(OnceLock::<tta_telemetry::TraceHandle>::new()), Log::default());
    struct Annotates(Arc<OnceLock<tta_telemetry::TraceHandle>>, Log);
    impl TraceProcessor for Annotates {
        fn name(&self) -> &str {
            "annotates"
        }
        fn process(&self, _: &mut TraceEdit<'_>) {
            self.1.lock().unwrap().push(String::new());
            if let Some(handle) = self.0.get() {
                (0..200).for_each(|_| handle.span(handle.root_span_id(), "inside", "lambda").end());
            }
        }
    }
    let engine = engine(|builder| builder.limits(limits).processor(Annotates(Arc::clone(&own), Arc::clone(&log))));
    let long = engine.telemetry.start_trace("long");
    own.set(long.handle()).unwrap();
    let runs: Vec<_> = (0..40)
        .map(|_| {
            engine.hand.advance(Duration::from_millis(1));
            let run = engine.telemetry.start_trace("run");
            (0..100).for_each(|_| run.span("step", "lambda").end());
            run
        })
        .collect();
    drop(runs);
    drop(long);
    let counters = engine.telemetry.counters();
    assert!(counters.traces_evicted > 0 && taken(&log).len() as u64 >= counters.traces_evicted, "{counters:?}");
}
