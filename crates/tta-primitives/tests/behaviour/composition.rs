//! Chains, fans, nesting, names and types.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tta_primitives::testing::TestEngine;
use tta_primitives::{
    Context, Primitive, Result, Retry, Workflow, blocking, parallel, step, sync, with_context, workflow,
};

use super::support::{Counted, context, double, give_way, increment, on_runtime};

async fn validate(text: String) -> Result<String, String> {
    if text.is_empty() { Err("the text is empty".to_owned()) } else { Ok(text) }
}

async fn words(text: String) -> Result<usize, String> {
    Ok(text.split_whitespace().count())
}

async fn letters(text: String) -> Result<usize, std::io::Error> {
    Ok(text.chars().filter(|c| c.is_alphabetic()).count())
}

async fn longest(text: String) -> Result<String> {
    Ok(text.split_whitespace().max_by_key(|word| word.len()).unwrap_or_default().to_owned())
}

async fn report((words, letters, longest): (usize, usize, String)) -> Result<String, anyhow::Error> {
    Ok(format!("{words} words, {letters} letters, longest: {longest}"))
}

#[test]
fn a_chain_with_a_fan_in_it_runs_as_it_reads_and_is_one_trace() {
    let engine = TestEngine::new();
    let triage = workflow("triage", validate) >> (step(words) | letters | longest) >> report;
    let said = engine.block_on(triage.run("all is well that ends".to_owned(), &context(&engine)));
    assert_eq!(said.unwrap(), "5 words, 17 letters, longest: ends");
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    triage
    │  correlation.id = c-1
    ├─ validate
    │     step.index = 0
    │     step.total = 3
    ├─ parallel
    │  │  step.index = 1
    │  │  step.total = 3
    │  ├─ words
    │  │     branch.index = 0
    │  │     branch.total = 3
    │  ├─ letters
    │  │     branch.index = 1
    │  │     branch.total = 3
    │  ╰─ longest
    │        branch.index = 2
    │        branch.total = 3
    ╰─ report
          step.index = 2
          step.total = 3
    ");
}

async fn is_even(x: u32) -> Result<bool, String> {
    Ok(x.is_multiple_of(2))
}

async fn text(x: u32) -> Result<String, String> {
    Ok(x.to_string())
}

macro_rules! fans_are_flat {
    ($($name:ident: $fan:expr => $want:expr;)+) => {
        $(#[test]
        fn $name() {
            let engine = TestEngine::new();
            assert_eq!(engine.block_on(step($fan).run(7_u32, &engine.context())).unwrap(), $want);
        })+
    };
}

fans_are_flat! {
    a_fan_of_two_gives_a_flat_tuple: step(double) | text => (14, "7".into());
    a_fan_of_three_gives_a_flat_tuple: step(double) | text | is_even => (14, "7".into(), false);
    a_fan_of_four_gives_a_flat_tuple: step(double) | text | is_even | double => (14, "7".into(), false, 14);
    a_fan_of_five_gives_a_flat_tuple:
        step(double) | text | is_even | double | text => (14, "7".into(), false, 14, "7".into());
    a_fan_of_six_gives_a_flat_tuple:
        step(double) | text | is_even | double | text | is_even => (14, "7".into(), false, 14, "7".into(), false);
    a_fan_of_seven_gives_a_flat_tuple:
        step(double) | text | is_even | double | text | is_even | increment
        => (14, "7".into(), false, 14, "7".into(), false, 8);
    a_fan_of_eight_gives_a_flat_tuple:
        step(double) | text | is_even | double | text | is_even | increment | text
        => (14, "7".into(), false, 14, "7".into(), false, 8, "7".into());
    a_fan_of_nine_gives_a_flat_tuple:
        step(double) | text | is_even | double | text | is_even | increment | text | is_even
        => (14, "7".into(), false, 14, "7".into(), false, 8, "7".into(), false);
    a_fan_of_ten_gives_a_flat_tuple:
        step(double) | text | is_even | double | text | is_even | increment | text | is_even | increment
        => (14, "7".into(), false, 14, "7".into(), false, 8, "7".into(), false, 8);
    a_fan_of_eleven_gives_a_flat_tuple:
        step(double) | text | is_even | double | text | is_even | increment | text | is_even | increment | text
        => (14, "7".into(), false, 14, "7".into(), false, 8, "7".into(), false, 8, "7".into());
    a_fan_of_twelve_gives_a_flat_tuple:
        step(double) | text | is_even | double | text | is_even | increment | text | is_even | increment | text | is_even
        => (14, "7".into(), false, 14, "7".into(), false, 8, "7".into(), false, 8, "7".into(), false);
}

#[test]
fn a_fan_over_a_list_gives_a_list_in_the_order_of_its_branches() {
    let engine = TestEngine::new();
    let add = |by: u32| step(sync(move |x: u32| Ok::<_, String>(x + by)));
    let fan = parallel((0..20).map(add).collect());
    assert_eq!(fan.len(), 20);
    let sums = engine.block_on(step(fan).run(100, &engine.context())).unwrap();
    assert_eq!(sums, (100..120).collect::<Vec<_>>());
}

#[test]
fn a_fan_over_an_empty_list_gives_an_empty_list() {
    let engine = TestEngine::new();
    let fan = parallel(Vec::<Workflow<u32, u32>>::new());
    assert!(fan.is_empty());
    assert_eq!(engine.block_on(step(fan).run(1, &engine.context())).unwrap(), [0_u32; 0]);
}

#[test]
fn the_first_operator_binds_tighter_so_a_fan_after_a_step_needs_parentheses() {
    let engine = TestEngine::new();
    let loose = step(double) >> increment | text;
    let tight = step(double) >> (step(increment) | text);
    assert_eq!(engine.block_on(step(loose).run(5, &engine.context())).unwrap(), (11, "5".to_owned()));
    assert_eq!(engine.block_on(tight.run(5, &engine.context())).unwrap(), (11, "10".to_owned()));
}

#[test]
fn a_named_workflow_inside_another_is_one_step_and_an_unnamed_chain_becomes_the_outer_ones_own_steps() {
    let engine = TestEngine::new();
    let named = workflow("scale", double) >> double;
    let unnamed = step(increment) >> increment;
    let outer = workflow("outer", named) >> unnamed >> double;
    assert_eq!(outer.len(), 4);
    assert_eq!(engine.block_on(outer.run(1, &context(&engine))).unwrap(), 12);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    outer
    │  correlation.id = c-1
    ├─ scale
    │  │  step.index = 0
    │  │  step.total = 4
    │  ├─ double
    │  │     step.index = 0
    │  │     step.total = 2
    │  ╰─ double
    │        step.index = 1
    │        step.total = 2
    ├─ increment
    │     step.index = 1
    │     step.total = 4
    ├─ increment
    │     step.index = 2
    │     step.total = 4
    ╰─ double
          step.index = 3
          step.total = 4
    ");
}

#[test]
fn a_branch_of_several_steps_is_one_span_with_the_steps_below() {
    let engine = TestEngine::new();
    let flow = step((step(double) >> increment) | workflow("scale", double)).named("both");
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), (3, 2));
    insta::assert_snapshot!(engine.tree(), @r"
    both
    ╰─ parallel
       ├─ sequential
       │  ├─ double
       │  ╰─ increment
       ╰─ scale
          ╰─ double
    ");
}

#[test]
fn a_name_keeps_a_chain_together_inside_another() {
    let engine = TestEngine::new();
    let outer = workflow("outer", increment) >> (step(double) >> double).named("quadruple");
    assert_eq!(engine.block_on(outer.run(1, &engine.context())).unwrap(), 8);
    insta::assert_snapshot!(engine.tree(), @r"
    outer
    ├─ increment
    ╰─ quadruple
       ├─ double
       ╰─ double
    ");
}

struct Multiply(u32);

impl Primitive<u32> for Multiply {
    type Out = u32;

    async fn run(&self, input: u32, _cx: &Context) -> Result<u32> {
        give_way().await;
        Ok(input * self.0)
    }
}

struct Generic<T>(std::marker::PhantomData<T>);

impl<T: Send + Sync + 'static> Primitive<T> for Generic<T> {
    type Out = T;

    async fn run(&self, input: T, _cx: &Context) -> Result<T> {
        Ok(input)
    }
}

impl<T: Send + Sync + 'static> Generic<T> {
    async fn associated(input: T) -> Result<T, String> {
        Ok(input)
    }
}

trait Tidy {
    fn tidy(self) -> impl Future<Output = Result<u32, String>> + Send;
}

impl Tidy for u32 {
    async fn tidy(self) -> Result<u32, String> {
        Ok(self - self % 10)
    }
}

async fn echo<T: Send>(input: T) -> Result<T, String> {
    Ok(input)
}

/// A closure written inside a generic function.
fn inside_generic<T: Send + 'static>() -> Workflow<T, T> {
    step(|input: T| async move { Ok::<_, String>(input) })
}

#[test]
fn steps_are_named_after_functions_methods_and_types_without_paths_and_generics() {
    let engine = TestEngine::new();
    let flow = workflow("names", double)
        >> Multiply(3)
        >> Generic::<u32>(std::marker::PhantomData)
        >> Generic::<u32>::associated
        >> <u32 as Tidy>::tidy
        >> echo::<u32>
        >> inside_generic::<u32>()
        >> sync(|x: u32| u32::try_from(u64::from(x)))
        >> with_context(shout);
    assert_eq!(engine.block_on(flow.run(7, &engine.context())).unwrap(), 40);
    insta::assert_snapshot!(engine.tree(), @r"
    names
    ├─ double
    ├─ Multiply (custom)
    ├─ Generic (custom)
    ├─ associated
    ├─ tidy
    ├─ echo
    ├─ closure
    ├─ closure
    ╰─ shout
    ");
}

async fn shout(x: u32, cx: Context) -> Result<u32> {
    cx.set("shouted", x);
    Ok(x)
}

#[test]
fn an_unnamed_closure_says_where_it_was_written() {
    let engine = TestEngine::new();
    let first = line!() + 1;
    let flow = workflow("closures", |x: u32| async move { Ok::<_, String>(x) })
        .then(|x| async move { Ok::<_, String>(x.pow(2)) })
        .then_named("cube", |x| async move { Ok::<_, String>(x.pow(3)) })
        .map(|x| x.min(100))
        .try_map(|x: u32| x.to_string().parse::<u8>())
        >> (step(|x: u8| async move { Ok::<_, String>(x) }) | |x: u8| async move { Ok::<_, String>(x) });
    assert_eq!(engine.block_on(flow.run(2, &engine.context())).unwrap(), (64, 64));
    let trace = &engine.traces()[0];
    let places: Vec<_> = trace
        .spans
        .iter()
        .filter(|span| span.kind == "lambda")
        .map(|span| {
            let line = span.attribute("code.line.number").and_then(|line| line.as_i64());
            let file = span.attribute("code.file.path").and_then(|path| path.as_str());
            (span.name.as_str(), file, line.map(|line| line - i64::from(first)))
        })
        .collect();
    let here = Some(file!());
    assert_eq!(
        places,
        [
            ("closure", here, Some(0)),
            ("closure", here, Some(1)),
            ("cube", None, None),
            ("closure", here, Some(3)),
            ("closure", here, Some(4)),
            ("closure", here, Some(5)),
            ("closure", here, Some(5)),
        ]
    );
}

#[test]
fn the_methods_infer_what_a_closure_takes_also_when_it_calls_methods_on_it() {
    let engine = TestEngine::new();
    let flow = step(text)
        .then(|text| async move { Ok::<_, String>(text.len()) })
        .then_named("even", |length| async move { length.checked_rem(2).ok_or("no remainder") })
        .map(|rest| rest.to_string())
        .try_map(|rest| rest.parse::<u8>());
    assert_eq!(engine.block_on(flow.run(123, &engine.context())).unwrap(), 1);
}

#[test]
fn functions_of_every_shape_are_steps() {
    fn halve(x: u32) -> Result<u32, String> {
        x.checked_div(2).ok_or_else(|| "no half".to_owned())
    }
    let engine = TestEngine::new();
    let flow = workflow("shapes", sync(halve))
        >> blocking(halve)
        >> with_context(shout)
        >> |x: u32| async move { Ok::<_, std::num::TryFromIntError>(x) };
    assert_eq!(on_runtime(&engine, flow.run(100, &engine.context())).unwrap(), 25);
    insta::assert_snapshot!(engine.tree(), @r"
    shapes
    ├─ halve
    ├─ halve
    ├─ shout
    ╰─ closure
    ");
}

#[test]
fn a_blocking_step_without_a_runtime_fails_and_says_what_it_needs() {
    let engine = TestEngine::new();
    let flow = step(blocking(|x: u32| Ok::<_, String>(x)));
    let error = engine.block_on(flow.run(1, &engine.context())).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "internal error in `closure`: a blocking step needs a tokio runtime, none is running here"
    );
}

/// A chain of two hundred steps, each different for the compiler's eye only in its place.
fn two_hundred() -> Workflow<u32, u32> {
    let ten = || {
        step(increment)
            >> increment
            >> increment
            >> increment
            >> increment
            >> increment
            >> increment
            >> increment
            >> increment
            >> increment
    };
    let hundred = || ten() >> ten() >> ten() >> ten() >> ten() >> ten() >> ten() >> ten() >> ten() >> ten();
    (hundred() >> hundred()).named("two hundred")
}

#[test]
fn a_chain_of_two_hundred_steps_runs_and_every_step_is_recorded() {
    let engine = TestEngine::new();
    let flow = two_hundred();
    assert_eq!(flow.len(), 200);
    assert_eq!(engine.block_on(flow.run(0, &engine.context())).unwrap(), 200);
    let traces = engine.traces();
    let trace = &traces[0];
    assert_eq!(trace.spans.len(), 201);
    let indexes: Vec<_> =
        trace.children(trace.root_span_id).map(|span| span.attribute("step.index").unwrap().as_i64()).collect();
    assert_eq!(indexes, (0..200).map(Some).collect::<Vec<_>>());
}

#[test]
fn a_poll_deep_in_a_chain_of_two_hundred_steps_needs_no_more_stack_than_a_short_chain() {
    const STACK_BYTES: usize = 64 * 1024;
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(|| {
        let context = Context::new();
        let slow = step(|x: u32| async move {
            give_way().await;
            Ok::<_, String>(x + 1)
        });
        let mut flow = two_hundred();
        for _ in 0..200 {
            flow = flow >> slow.clone();
        }
        let mut run = std::pin::pin!(flow.run(0, &context));
        let mut polls = 1;
        loop {
            if let std::task::Poll::Ready(result) = super::support::poll_once(run.as_mut()) {
                return (result.unwrap(), polls);
            }
            polls += 1;
        }
    });
    assert_eq!(thread.unwrap().join().unwrap(), (400, 201));
}

#[test]
fn a_chain_never_clones_what_passes_through_it() {
    let engine = TestEngine::new();
    let (value, clones) = Counted::new();
    let flow = workflow("moves", echo::<Counted>) >> echo >> echo >> (step(echo::<Counted>) >> echo);
    assert!(engine.block_on(flow.run(value, &engine.context())).is_ok());
    assert_eq!(clones.load(Ordering::SeqCst), 0);
}

#[test]
fn a_fan_clones_its_input_once_less_than_it_has_branches() {
    let engine = TestEngine::new();
    for (branches, bound) in [(1, 1), (2, 2), (5, 5), (5, 1), (5, 2)] {
        let (value, clones) = Counted::new();
        let fan = parallel((0..branches).map(|_| step(echo::<Counted>)).collect());
        let fan = fan.max_concurrency(std::num::NonZeroUsize::new(bound).unwrap());
        assert!(engine.block_on(step(fan).run(value, &engine.context())).is_ok());
        assert_eq!(clones.load(Ordering::SeqCst), branches - 1, "{branches} branches, {bound} at once");
    }
}

#[test]
fn a_retry_clones_its_input_for_every_attempt_but_the_last() {
    let engine = TestEngine::new();
    let flaky = |succeeds_at: usize| {
        let calls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        step(move |_: Counted| {
            let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
            async move { if call >= succeeds_at { Ok(call) } else { Err("not yet") } }
        })
    };
    // (retries allowed, attempt that succeeds) -> clones
    for (retries, succeeds_at, want) in [(0, 1, 0), (2, 1, 1), (2, 2, 2), (2, 3, 2), (2, 9, 2)] {
        let (value, clones) = Counted::new();
        let flow = flaky(succeeds_at).retry(Retry::new().max_retries(retries).build().unwrap());
        let succeeded = engine.block_on(flow.run(value, &engine.context())).is_ok();
        assert_eq!(succeeded, succeeds_at <= retries as usize + 1);
        assert_eq!(clones.load(Ordering::SeqCst), want, "{retries} retries, succeeds at {succeeds_at}");
    }
}

#[test]
fn a_shared_value_is_cloned_by_no_branch() {
    async fn look(value: Arc<Counted>) -> Result<usize, String> {
        Ok(value.0.load(Ordering::SeqCst))
    }
    let engine = TestEngine::new();
    let (value, clones) = Counted::new();
    let flow = workflow("share", echo::<Counted>).shared() >> (step(look) | look | look);
    assert_eq!(engine.block_on(flow.run(value, &engine.context())).unwrap(), (0, 0, 0));
    assert_eq!(clones.load(Ordering::SeqCst), 0);
    insta::assert_snapshot!(engine.tree(), @r"
    share
    ├─ echo
    ├─ shared
    ╰─ parallel
       ├─ look
       ├─ look
       ╰─ look
    ");
}

#[test]
fn a_workflow_can_be_kept_cloned_named_and_run_from_several_threads() {
    struct Service {
        flow: Workflow<u32, u32>,
    }
    let engine = TestEngine::new();
    let service = Service { flow: workflow("service", double) >> increment };
    let copy = service.flow.clone().named("copy");
    let context = engine.context();
    std::thread::scope(|scope| {
        for x in 0..4 {
            let (service, copy, context) = (&service, &copy, &context);
            scope.spawn(move || {
                let engine = TestEngine::new();
                assert_eq!(engine.block_on(service.flow.run(x, context)).unwrap(), 2 * x + 1);
                assert_eq!(engine.block_on(copy.run(x, context)).unwrap(), 2 * x + 1);
            });
        }
    });
    let mut names: Vec<_> = engine.traces().iter().map(|trace| trace.root().unwrap().name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["copy", "copy", "copy", "copy", "service", "service", "service", "service"]);
}
