//! The context: ids, limits, state, checkpoints, deadline.

use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Context, ContextError, CorrelationId, Error, ErrorKind, Result, Retry, StateError, Timeout, parallel, step,
    with_context, workflow,
};
use tta_telemetry::Value;

use super::support::{MS, SECOND, double, give_way, increment, on_runtime};

/// What a step sees of the run's ids.
async fn ids(_: u32, cx: Context) -> Result<(String, Option<String>), String> {
    let text = |id: Option<&CorrelationId>| id.map(ToString::to_string);
    Ok((text(cx.correlation_id()).ok_or("no correlation id")?, text(cx.causation_id())))
}

#[test]
fn every_root_run_has_a_new_random_uuid_unless_the_caller_gave_one() {
    let engine = TestEngine::new();
    let cx = engine.context();
    let flow = step(with_context(ids));
    let mut seen: Vec<_> = (0..3).map(|_| engine.block_on(flow.run(1, &cx)).unwrap().0).collect();
    for id in &seen {
        let shape: String = id.chars().map(|c| if c.is_ascii_hexdigit() { 'h' } else { c }).collect();
        assert_eq!(shape, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh", "{id}");
        assert_eq!(id.as_bytes()[14], b'4', "the version of {id}");
        assert!(b"89ab".contains(&id.as_bytes()[19]), "the variant of {id}");
    }
    seen.dedup();
    assert_eq!(seen.len(), 3);
    assert_eq!(cx.correlation_id(), None, "the caller's own context stays as it is");

    let given = Context::builder().telemetry(engine.telemetry().clone()).correlation_id("order 7").build().unwrap();
    assert_eq!(engine.block_on(flow.run(1, &given)).unwrap().0, "order 7");
    assert_eq!(engine.block_on(flow.run(1, &given)).unwrap().0, "order 7");
}

#[test]
fn everything_inside_a_run_inherits_its_ids() {
    async fn inner_run(_: u32, cx: Context) -> Result<(String, Option<String>)> {
        workflow("by hand", with_context(ids)).run(1, &cx).await
    }
    let engine = TestEngine::new();
    let nested = workflow("nested", with_context(ids));
    let flow = workflow("outer", step(with_context(ids)) | nested | with_context(inner_run));
    let (own, nested, by_hand) = engine.block_on(flow.run(1, &engine.context())).unwrap();
    assert_eq!((&own, &own), (&nested, &by_hand));
    let root = engine.traces()[0].root().unwrap().attribute("correlation.id").map(ToString::to_string);
    assert_eq!(Some(own.0), root);
    assert_eq!(engine.traces().len(), 1, "a workflow run with a run's context is a part of that run");
}

#[test]
fn the_ids_the_caller_gave_stand_on_the_root_and_are_seen_by_steps() {
    async fn all(_: u32, cx: Context) -> Result<String> {
        Ok(format!("{:?} {:?} {:?}", cx.workflow_id(), cx.session_id(), cx.user_id()))
    }
    let engine = TestEngine::new();
    let builder = Context::builder().telemetry(engine.telemetry().clone());
    let builder = builder.workflow_id("w-1").session_id("s-1").user_id("u-1").correlation_id("c-1").causation_id("c-0");
    let cx = builder.build().unwrap();
    let said = engine.block_on(workflow("known", with_context(all)).run(1, &cx)).unwrap();
    assert_eq!(said, r#"Some("w-1") Some("s-1") Some("u-1")"#);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    known
    │  workflow.id = w-1
    │  session.id = s-1
    │  user.id = u-1
    │  correlation.id = c-1
    │  causation.id = c-0
    ╰─ all
    ");
}

#[test]
fn a_caused_run_names_the_run_that_caused_it_and_shares_its_surroundings_only() {
    async fn cause(_: u32, cx: Context) -> Result<(String, (String, Option<String>), String)> {
        cx.state().set("secret", 1_u8).map_err(Error::from_any)?;
        let caused = cx.caused();
        let around = format!(
            "{:?} {:?} {:?} {:?} {:?}",
            caused.session_id(),
            caused.baggage("tenant"),
            caused.tag("tier"),
            caused.remaining(),
            caused.state().get::<u8>("secret"),
        );
        let own = cx.correlation_id().map(ToString::to_string).unwrap_or_default();
        Ok((own, workflow("effect", with_context(ids)).run(1, &caused).await?, around))
    }
    let engine = TestEngine::new();
    let builder = Context::builder().telemetry(engine.telemetry().clone()).session_id("s-1");
    let cx = builder.baggage("tenant", "acme").tag("tier", "gold").deadline(SECOND).build().unwrap();
    let (own, (effect, cause), around) = engine.block_on(workflow("cause", with_context(cause)).run(1, &cx)).unwrap();
    assert_ne!(own, effect);
    assert_eq!(cause, Some(own));
    assert_eq!(around, r#"Some("s-1") Some("acme") Some("gold") None Ok(None)"#);
    let mut roots: Vec<_> = engine.traces().iter().map(|trace| trace.root().unwrap().name.to_string()).collect();
    roots.sort();
    assert_eq!(roots, ["cause", "effect"]);
}

#[test]
fn baggage_tags_and_metadata_reach_every_step() {
    async fn look(_: u32) -> Result<String, String> {
        let cx = Context::current().ok_or("no context")?;
        let (baggage, tags): (Vec<_>, Vec<_>) = (cx.baggage_entries().collect(), cx.tags().collect());
        Ok(format!("{baggage:?} {tags:?} {:?} {:?}", cx.metadata("retries"), cx.baggage("absent")))
    }
    let engine = TestEngine::new();
    let builder = Context::builder().telemetry(engine.telemetry().clone()).baggage("tenant", "acme").baggage("a", "b");
    let cx = builder.tag("tier", "gold").metadata("retries", Value::I64(3)).build().unwrap();
    assert_eq!(
        engine.block_on(step(look).run(1, &cx)).unwrap(),
        r#"[("tenant", "acme"), ("a", "b")] [("tier", "gold")] Some(I64(3)) None"#
    );
}

#[test]
fn more_entries_or_bytes_than_a_context_may_hold_are_refused_by_name() {
    let filled = |count: usize, value: &str| {
        (0..count).fold(Context::builder(), |builder, i| builder.baggage(format!("{i:04}"), value)).build()
    };
    assert!(filled(64, "v").is_ok());
    let refused = |count, value: &str| filled(count, value).unwrap_err().to_string();
    assert_eq!(refused(65, "v"), "baggage entry `0064` would be number 65, accepted are at most 64");
    assert!(refused(1, &"v".repeat(5_000)).starts_with("baggage entry `0000` takes 5005 bytes, accepted are at most"));
    let malformed = Context::builder().baggage("two words", "").baggage("fine", "").build().unwrap_err();
    assert!(malformed.to_string().starts_with("baggage key `two words` is not accepted"), "{malformed}");
    let error = Context::builder().tag("t".repeat(5_000), "").build().unwrap_err();
    assert_eq!(error, ContextError::TooLong { what: "tags", key: "t".repeat(40), given: 5_000 });
    let tags = (0..65).fold(Context::builder(), |builder, i| builder.tag(i.to_string(), ""));
    assert_eq!(tags.build().unwrap_err().to_string(), "context has 65 entries of tags, accepted are at most 64");
    let metadata = (0..65).fold(Context::builder(), |builder, i| builder.metadata(i.to_string(), Value::Bool(true)));
    assert_eq!(metadata.build().unwrap_err(), ContextError::TooMany { what: "metadata", given: 65 });
}

/// Adds to the shared counter and says what it is now.
async fn count(x: u32, cx: Context) -> Result<u32> {
    give_way().await;
    cx.state()
        .update("count", |count: &mut u32| {
            *count += x;
            *count
        })
        .map_err(Error::from_any)
}

#[test]
fn state_is_one_for_steps_branches_nested_workflows_and_attempts() {
    async fn flaky(_: u32, cx: Context) -> Result<u32> {
        match count(100, cx).await? {
            few if few < 300 => Err(Error::new(ErrorKind::App, "not yet")),
            enough => Ok(enough),
        }
    }
    let engine = TestEngine::new();
    let again = Retry::new().build().unwrap();
    let nested = workflow("nested", with_context(count)).timeout(Timeout::after(SECOND).build().unwrap());
    let flow = workflow("counts", with_context(count)) >> (step(with_context(count)) | nested);
    let flow = flow.map(|(a, b)| a.min(b)) >> step(with_context(flaky)).retry(again);
    // 1 by the first step, 1 by each branch, 100 by each attempt.
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 303);
}

#[test]
fn an_update_is_atomic_between_branches_on_several_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let cx = TestEngine::new().context();
    let busy = |_: u32, cx: Context| async move {
        for _ in 0..500 {
            count(1, cx.clone()).await?;
        }
        Ok::<_, Error>(())
    };
    let fan = parallel((0..8).map(|_| step(with_context(busy))).collect()).spawned();
    let total = step(fan).then(|_| async {
        let state = Context::current().ok_or("no context")?;
        state.state().get::<u32>("count").map_err(|error| error.to_string())
    });
    assert_eq!(runtime.block_on(total.run(0, &cx)).unwrap(), Some(4_000));
}

#[test]
fn a_value_of_another_type_is_refused_with_both_types() {
    async fn confuse(x: u32, cx: Context) -> Result<u32, StateError> {
        cx.state().set("x", x)?;
        cx.state().update("x", |text: &mut String| text.push('!'))?;
        Ok(x)
    }
    let engine = TestEngine::new();
    let error = engine.block_on(step(with_context(confuse)).run(1, &engine.context())).unwrap_err();
    assert_eq!(error.to_string(), "run state `x` holds a `u32`, asked for was a `alloc::string::String`");
    assert!(matches!(error.downcast_ref(), Some(StateError::WrongType { .. })));
}

#[test]
fn checkpoints_say_when_they_were_reached_and_stand_on_the_steps_span() {
    async fn reach(x: u32, cx: Context) -> Result<Vec<(String, Duration)>> {
        cx.checkpoint("loaded");
        cx.sleep(30 * MS).await;
        cx.checkpoint(format!("{x} rows"));
        Ok(cx.checkpoints().into_iter().map(|point| (point.name.to_string(), point.elapsed)).collect())
    }
    let engine = TestEngine::new();
    let cx = super::support::context(&engine);
    engine.clock().advance(5 * MS);
    let reached = engine.block_on(workflow("import", with_context(reach)).run(7, &cx)).unwrap();
    assert_eq!(reached, [("loaded".to_owned(), 5 * MS), ("7 rows".to_owned(), 35 * MS)]);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    import
    │  correlation.id = c-1
    ╰─ reach
          • loaded
          • 7 rows
    ");
}

#[test]
fn checkpoints_beyond_the_bound_are_counted_and_not_kept() {
    let cx = TestEngine::new().context();
    for i in 0..1_030 {
        cx.checkpoint(i.to_string());
    }
    let kept = cx.checkpoints();
    assert_eq!((kept.len(), kept[1_023].name.as_str(), cx.dropped_checkpoints()), (1_024, "1023", 6));
}

async fn left(_: u32, cx: Context) -> Result<Option<Duration>> {
    Ok(cx.remaining())
}

async fn pause(x: u32, cx: Context) -> Result<u32> {
    cx.sleep(300 * MS).await;
    Ok(x)
}

#[test]
fn a_deadline_is_inherited_shortened_by_a_timeout_and_never_lengthened() {
    let engine = TestEngine::new();
    let cx = Context::builder().telemetry(engine.telemetry().clone()).deadline(SECOND).build().unwrap();
    let within = |timeout| step(with_context(left)).timeout(Timeout::after(timeout).build().unwrap());
    let nested = workflow("nested", with_context(left));
    let flow = workflow("hurried", with_context(pause))
        >> (step(with_context(left)) | nested | within(100 * MS) | within(10 * SECOND));
    let (own, nested, shorter, longer) = engine.block_on(flow.run(1, &cx)).unwrap();
    assert_eq!((own, nested), (Some(700 * MS), Some(700 * MS)));
    assert_eq!((shorter, longer), (Some(100 * MS), Some(700 * MS)));
    engine.clock().advance(10 * SECOND);
    assert_eq!(cx.remaining(), Some(Duration::ZERO));
}

#[test]
fn a_timeout_gives_what_is_inside_a_deadline_where_the_run_has_none() {
    let engine = TestEngine::new();
    let inside = (step(with_context(pause)) >> with_context(left)).timeout(Timeout::after(SECOND).build().unwrap());
    let flow = workflow("free", inside)
        >> |inside: Option<Duration>| async move {
            let cx = Context::current().ok_or("no context")?;
            Ok::<_, String>((inside, cx.remaining()))
        };
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), (Some(700 * MS), None));
}

#[test]
fn ids_time_and_randomness_come_from_the_context_so_the_same_run_is_the_same_again() {
    let run = || {
        let engine = TestEngine::new();
        let again = Retry::new().build().unwrap();
        let flow = workflow("again", Mock::new("flaky").fails(2, "not yet").returns(1_u32)).retry(again)
            >> (step(double) | increment);
        on_runtime(&engine, flow.run((), &engine.context())).unwrap();
        engine.traces()
    };
    let (first, second) = (run(), run());
    assert!(first[0].duration_ns() > 0, "it waited between attempts");
    assert_eq!(first, second);
}

#[test]
fn the_debug_form_says_where_a_context_stands() {
    async fn show(_: u32, cx: Context) -> Result<(String, String)> {
        Ok((format!("{cx:?}"), cx.span_id().map(|id| id.to_string()).unwrap_or_default()))
    }
    let engine = TestEngine::new();
    let cx = super::support::context(&engine);
    let (text, span) = engine.block_on(workflow("shown", with_context(show)).run(1, &cx)).unwrap();
    let trace = &engine.traces()[0];
    assert_eq!(span, trace.find("show").unwrap().span_id.to_string());
    assert_eq!(
        text,
        format!(
            "Context {{ trace_id: Some(TraceId({})), span_id: Some(SpanId({span})), workflow: \"shown\", \
             correlation_id: Some(\"c-1\"), remaining: None, .. }}",
            trace.trace_id
        )
    );
}
