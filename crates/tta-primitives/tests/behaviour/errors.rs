//! Errors: what a step may return, what a workflow returns, what is recorded.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use tta_primitives::testing::TestEngine;
use tta_primitives::{Context, Error, ErrorKind, IntoError, Result, RetryHint, step, workflow};
use tta_telemetry::Telemetry;

use super::support::{context, double, increment, refuse};

/// An error with two sources below it.
#[derive(Debug)]
struct LoadFailed(ParseFailed);

#[derive(Debug)]
struct ParseFailed(std::num::ParseIntError);

impl fmt::Display for LoadFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot load the profile")
    }
}

impl fmt::Display for ParseFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("line 3 is no number")
    }
}

impl StdError for LoadFailed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

impl StdError for ParseFailed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

async fn load(_: u32) -> Result<u32, LoadFailed> {
    "three".parse().map_err(|error| LoadFailed(ParseFailed(error)))
}

async fn open(_: u32) -> Result<u32, std::io::Error> {
    Err(std::io::Error::new(std::io::ErrorKind::NotFound, "no such profile"))
}

async fn guess(_: u32) -> anyhow::Result<u32> {
    Err(anyhow::anyhow!("disk on fire")).map_err(|error: anyhow::Error| error.context("cannot guess"))
}

async fn limited(_: u32) -> Result<u32> {
    Err("too many calls".with_kind(ErrorKind::RateLimited).retry_after(Duration::from_secs(7)))
}

/// What an error says of itself: kind, hint, message, sources and path.
fn facts(error: &Error) -> String {
    format!("{} {:?}: {} {:?} at {:?}", error.kind(), error.retry_hint(), error, error.chain(), error.path())
}

#[test]
fn steps_fail_with_whatever_error_they_like_and_it_comes_out_whole() {
    let engine = TestEngine::new();
    let cx = engine.context();
    let failed = |flow: tta_primitives::Workflow<u32, u32>| facts(&engine.block_on(flow.run(3, &cx)).unwrap_err());
    assert_eq!(failed(step(refuse)), r#"app Unspecified: 3 is refused [] at ["refuse"]"#);
    assert_eq!(failed(step(open)), r#"app Unspecified: no such profile [] at ["open"]"#);
    assert_eq!(failed(step(guess)), r#"app Unspecified: cannot guess ["disk on fire"] at ["guess"]"#);
    assert_eq!(
        failed(step(load)),
        "app Unspecified: cannot load the profile [\"line 3 is no number\", \"invalid digit found in string\"] at \
         [\"load\"]"
    );
    assert_eq!(failed(step(limited)), r#"rate_limited After(7s): too many calls [] at ["limited"]"#);
}

#[test]
fn the_steps_own_error_can_be_had_back() {
    let engine = TestEngine::new();
    let error = engine.block_on(step(load).run(3, &engine.context())).unwrap_err();
    assert_eq!(error.downcast_ref::<LoadFailed>().unwrap().0.to_string(), "line 3 is no number");
    assert!(error.downcast_ref::<ParseFailed>().is_none(), "that is a source, not the error");
    let source = error.source().unwrap().downcast_ref::<ParseFailed>().unwrap();
    assert_eq!(source.source().unwrap().to_string(), "invalid digit found in string");
    let error = engine.block_on(step(open).run(3, &engine.context())).unwrap_err();
    assert_eq!(error.downcast_ref::<std::io::Error>().map(std::io::Error::kind), Some(std::io::ErrorKind::NotFound));
}

#[test]
fn a_workflow_error_that_passes_through_a_step_is_not_wrapped_again() {
    async fn in_a_box(x: u32) -> Result<u32, Box<dyn StdError + Send + Sync>> {
        Ok(limited(x).await?)
    }
    let engine = TestEngine::new();
    let error = engine.block_on(step(in_a_box).run(1, &engine.context())).unwrap_err();
    assert_eq!(facts(&error), r#"rate_limited After(7s): too many calls [] at ["in_a_box"]"#);
    assert!(error.source().is_none());
}

#[test]
fn the_path_leads_from_the_outermost_step_to_the_one_that_failed() {
    let engine = TestEngine::new();
    let inner = workflow("inner", increment) >> (step(double) | (step(double) >> refuse)) >> sum;
    let flow = workflow("outer", double) >> inner;
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!(facts(&error), r#"app Unspecified: 6 is refused [] at ["inner", "parallel", "sequential", "refuse"]"#);
    assert_eq!(format!("{error:#}"), "inner: parallel: sequential: refuse: 6 is refused");
    assert_eq!(format!("{error:?}"), "app error in `inner > parallel > sequential > refuse`: 6 is refused");
}

async fn sum((a, b): (u32, u32)) -> Result<u32, String> {
    Ok(a + b)
}

#[test]
fn a_classifier_sets_the_kind_and_leaves_all_else_alone() {
    let engine = TestEngine::new();
    let by_type = |error: &Error| error.downcast_ref::<std::io::Error>().map(|_| ErrorKind::Upstream);
    let classified = |flow: tta_primitives::Workflow<u32, u32>| {
        facts(&engine.block_on(flow.classify(by_type).run(3, &engine.context())).unwrap_err())
    };
    assert_eq!(classified(step(open)), r#"upstream Unspecified: no such profile [] at ["open"]"#);
    assert_eq!(classified(step(limited)), r#"rate_limited After(7s): too many calls [] at ["limited"]"#);
    assert_eq!(
        classified(step(double) >> open),
        r#"upstream Unspecified: no such profile [] at ["sequential", "open"]"#
    );
    assert_eq!(engine.block_on(step(double).classify(by_type).run(3, &engine.context())).unwrap(), 6);
}

#[test]
fn kind_and_hint_can_be_set_on_any_error() {
    let kept = "gone".never_retry();
    assert_eq!(facts(&kept), "app Never: gone [] at []");
    let io = std::io::Error::other("slow").with_kind(ErrorKind::Upstream);
    assert_eq!(facts(&io), "upstream Unspecified: slow [] at []");
    assert_eq!(facts(&io.clone().with_retry_hint(RetryHint::Retry)), "upstream Retry: slow [] at []");
    assert_eq!(facts(&io.retry_after(Duration::from_millis(5))), "upstream After(5ms): slow [] at []");
    assert_eq!(
        facts(&anyhow::anyhow!("no").with_kind(ErrorKind::InvalidInput)),
        "invalid_input Unspecified: no [] at []"
    );
}

#[test]
fn the_question_mark_turns_it_into_other_error_types() {
    async fn with_anyhow(cx: &Context) -> anyhow::Result<u32> {
        Ok(step(limited).run(1, cx).await?)
    }
    async fn with_box(cx: &Context) -> Result<u32, Box<dyn StdError>> {
        Ok(step(limited).run(1, cx).await?)
    }
    let engine = TestEngine::new();
    let error = engine.block_on(with_anyhow(&engine.context())).unwrap_err();
    assert_eq!(error.downcast_ref::<Error>().map(Error::kind), Some(ErrorKind::RateLimited));
    let error = engine.block_on(with_box(&engine.context())).unwrap_err();
    assert_eq!(error.downcast_ref::<Error>().map(Error::kind), Some(ErrorKind::RateLimited));
}

#[test]
fn spans_carry_the_type_the_message_and_where_it_arose_the_sources() {
    let engine = TestEngine::new();
    let flow = workflow("profile", double) >> workflow("storage", load) >> double;
    let error = engine.block_on(flow.run(3, &context(&engine))).unwrap_err();
    assert_eq!(error.path(), ["storage", "load"]);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    profile ✗
    │  app: cannot load the profile
    │  correlation.id = c-1
    │  error.path = storage > load
    ├─ double
    │     step.index = 0
    │     step.total = 3
    ╰─ storage ✗
       │  app: cannot load the profile
       │  step.index = 1
       │  step.total = 3
       ╰─ load ✗
             app: cannot load the profile
             caused by: line 3 is no number
             caused by: invalid digit found in string
    ");
    let traces = engine.traces();
    let of = |name: &str, key: &str| traces[0].find(name).unwrap().attribute(key).map(ToString::to_string);
    assert_eq!(of("profile", "error.path").as_deref(), Some("storage > load"));
    assert_eq!(of("load", "error.chain").as_deref(), Some("line 3 is no number <- invalid digit found in string"));
    assert_eq!(of("storage", "error.chain"), None);
}

#[test]
fn the_message_is_the_steps_own_whether_the_run_is_recorded_or_not() {
    let on = TestEngine::new();
    let off = TestEngine::with(|builder| builder.enabled(false));
    let flow = workflow("profile", double) >> (step(load) | double) >> sum;
    let told = |engine: &TestEngine| {
        let error = engine.block_on(flow.run(3, &engine.context())).unwrap_err();
        (facts(&error), format!("{error:#}"), format!("{error:?}"))
    };
    let recorded = told(&on);
    assert_eq!(
        recorded.1,
        "parallel: load: cannot load the profile: line 3 is no number: invalid digit found in string"
    );
    assert_eq!(recorded, told(&off));
    let disabled = Context::on(Telemetry::disabled());
    let error = on.block_on(flow.run(3, &disabled)).unwrap_err();
    assert_eq!(recorded.0, facts(&error));
    assert_eq!((on.traces().len(), off.traces().len()), (1, 0));
}
