//! Where in the trace a library's span hangs.

use insta::assert_snapshot;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};
use tracing_subscriber::filter::{FilterExt, FilterFn, LevelFilter};
use tracing_subscriber::prelude::*;
use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, Result, step, traced, with_context, workflow};

use crate::support::{engine, find, here, in_run, only_trace, parent};

/// A library that knows nothing of tta.
async fn library(id: u32) -> u32 {
    let connection = info_span!("acquire").in_scope(|| info_span!("connect").in_scope(|| id));
    async move { connection * 2 }.instrument(info_span!("query", table = "orders", id)).await
}

async fn load(id: u32) -> Result<u32> {
    Ok(library(id).await)
}

#[test]
fn library_spans_hang_below_the_step_they_are_made_in() {
    let engine = engine();
    let flow = workflow("orders", load) >> load;
    assert_eq!(engine.block_on(flow.run(3, &engine.context())).unwrap(), 12);
    assert_snapshot!(engine.tree(), @r"
    orders
    ├─ load
    │  ├─ acquire (tracing)
    │  │  ╰─ connect (tracing)
    │  ╰─ query (tracing)
    ╰─ load
       ├─ acquire (tracing)
       │  ╰─ connect (tracing)
       ╰─ query (tracing)
    ");
}

#[test]
fn steps_and_what_users_record_hang_below_the_library_span_they_are_made_in() {
    let engine = engine();
    async fn outer(id: u32, cx: Context) -> Result<u32> {
        let inside = async {
            let here = Context::current().unwrap();
            assert_eq!(here.span_id(), cx.span_id());
            here.set("user.key", "on the library's span");
            traced("own", async {}).await;
            step(load).run(id, &cx).await
        };
        inside.instrument(info_span!("transaction")).await
    }
    engine.block_on(workflow("orders", with_context(outer)).run(3, &engine.context())).unwrap();
    assert_snapshot!(engine.tree(), @r"
    orders
    ╰─ outer
       ╰─ transaction (tracing)
          ├─ own (span)
          ╰─ load
             ├─ acquire (tracing)
             │  ╰─ connect (tracing)
             ╰─ query (tracing)
    ");
    let trace = only_trace(&engine);
    let value = find(&trace, "transaction").attribute("user.key").unwrap();
    assert_eq!(value.to_string(), "on the library's span");
}

#[test]
fn an_explicit_parent_counts_if_it_is_recorded_and_the_place_of_the_thread_otherwise() {
    let engine = engine();
    let unrecorded = info_span!("outside");
    in_run(&engine, |_| {
        let pool = info_span!("pool");
        info_span!("current").in_scope(|| {
            drop(info_span!(parent: &pool, "below pool"));
            drop(info_span!(parent: &unrecorded, "below current"));
        });
        // From a thread that is in no run.
        std::thread::scope(|scope| {
            scope.spawn(|| drop(info_span!(parent: &pool, "from elsewhere")));
        });
    });
    let trace = only_trace(&engine);
    assert_eq!(parent(&trace, "below pool"), "pool");
    assert_eq!(parent(&trace, "below current"), "current");
    assert_eq!(parent(&trace, "from elsewhere"), "pool");
    assert_eq!(trace.spans.len(), 6);
}

#[test]
fn what_is_made_without_a_parent_is_no_part_of_the_step() {
    let engine = engine();
    in_run(&engine, |_| {
        let step = here();
        let connection = info_span!(parent: None, "connection");
        info_span!("a").in_scope(|| {
            let place = here();
            connection.in_scope(|| {
                assert_eq!(here(), place);
                drop(info_span!("in the connection"));
                tracing::error!(parent: None, "of nothing");
            });
        });
        // Nor what is made in it, unless the thread is in the run.
        std::thread::scope(|scope| {
            scope.spawn(|| connection.in_scope(|| drop(info_span!("elsewhere"))));
        });
        assert_eq!(here(), step);
    });
    assert_snapshot!(engine.tree_with_attributes().lines().filter(|line| !line.contains(" = ")).collect::<Vec<_>>().join("\n"), @r"
    run (test)
    ╰─ a (tracing)
       ╰─ in the connection (tracing)
    ");
}

#[test]
fn follows_from_is_a_link_if_both_are_recorded() {
    let engine = engine();
    let outside = info_span!("outside");
    in_run(&engine, |cx| {
        let (first, second) = (info_span!("first"), info_span!("second"));
        second.follows_from(&first);
        second.follows_from(&outside);
        outside.follows_from(&first);
        assert!(cx.trace_id().is_some());
    });
    let trace = only_trace(&engine);
    let links = &find(&trace, "second").links;
    let first = find(&trace, "first").span_id;
    assert_eq!(links.iter().map(|link| (link.trace_id, link.span_id)).collect::<Vec<_>>(), [(trace.trace_id, first)]);
    assert_eq!(trace.spans.iter().map(|span| span.links.len()).sum::<usize>(), 1);
}

#[test]
fn filters_decide_for_the_layer_alone_and_what_they_keep_hangs_below_what_is_left() {
    let engine = TestEngine::new();
    let of_this_crate = FilterFn::new(|metadata| metadata.target() != "noisy");
    let layer = tta_tracing::layer().with_filter(LevelFilter::INFO.and(of_this_crate));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        in_run(&engine, |_| {
            let _info = info_span!("info").entered();
            let _debug = tracing::debug_span!("debug").entered();
            let _noisy = info_span!(target: "noisy", "noisy").entered();
            let inner = info_span!("inner", late = Empty).entered();
            inner.record("late", 1);
            tracing::debug!("left out");
            tracing::info!("kept");
        });
    });
    assert_snapshot!(engine.tree(), @r"
    run (test)
    ╰─ info (tracing)
       ╰─ inner (tracing)
    ");
    let trace = only_trace(&engine);
    let inner = find(&trace, "inner");
    assert_eq!(inner.attribute("late").unwrap().as_i64(), Some(1));
    assert_eq!(inner.events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["kept"]);
}

#[test]
fn a_cloned_handle_keeps_the_span_open_until_the_last_is_dropped() {
    let engine = engine();
    in_run(&engine, |_| {
        let span = info_span!("span");
        let clone = span.clone();
        drop(span);
        engine.clock().advance(std::time::Duration::from_millis(5));
        clone.in_scope(|| drop(info_span!("child")));
        drop(clone);
        assert!(Span::current().is_none());
    });
    let trace = only_trace(&engine);
    assert_eq!(find(&trace, "span").duration_ns, 5_000_000);
    assert_eq!((parent(&trace, "child"), trace.spans.len()), ("span", 3));
}
