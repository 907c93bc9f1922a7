//! One of several ways: which one, what is recorded of it, and what other keys lead to.

use std::fmt;
use std::sync::atomic::Ordering;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{ErrorKind, Primitive, step, switch, workflow};
use tta_telemetry::Value;

use super::support::{Counted, context, double, increment, refuse};

fn parity(x: &u32) -> &'static str {
    match x % 3 {
        0 => "zero",
        1 => "one",
        _ => "other",
    }
}

fn attribute(engine: &TestEngine, key: &str) -> Option<Value> {
    engine.traces().last().unwrap().spans.iter().find_map(|span| span.attribute(key)).cloned()
}

#[test]
fn the_case_of_the_key_runs_and_no_other_and_the_span_says_which() {
    let engine = TestEngine::new();
    let (zero, one, other) =
        (Mock::new("of zero").returns(10_u32), Mock::new("of one").returns(11), Mock::new("of others").returns(12));
    let ways = switch(parity).case("zero", zero.clone()).case("one", step(double) >> one.clone());
    let flow = workflow("sorts", increment) >> ways.otherwise(other.clone()).named("by rest") >> double;
    let run = |x| engine.block_on(flow.run(x, &context(&engine))).unwrap();
    assert_eq!((run(2), run(3), run(4)), (20, 22, 24));
    assert_eq!((zero.calls(), one.calls(), other.calls()), (vec![3], vec![8], vec![5]));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    sorts
    │  correlation.id = c-1
    ├─ increment
    │     step.index = 0
    │     step.total = 3
    ├─ by rest (switch)
    │  │  step.index = 1
    │  │  step.total = 3
    │  │  switch.case = zero
    │  ╰─ of zero (mock)
    ╰─ double
          step.index = 2
          step.total = 3
    sorts
    │  correlation.id = c-1
    ├─ increment
    │     step.index = 0
    │     step.total = 3
    ├─ by rest (switch)
    │  │  step.index = 1
    │  │  step.total = 3
    │  │  switch.case = one
    │  ╰─ sequential
    │     ├─ double
    │     │     step.index = 0
    │     │     step.total = 2
    │     ╰─ of one (mock)
    │           step.index = 1
    │           step.total = 2
    ╰─ double
          step.index = 2
          step.total = 3
    sorts
    │  correlation.id = c-1
    ├─ increment
    │     step.index = 0
    │     step.total = 3
    ├─ by rest (switch)
    │  │  step.index = 1
    │  │  step.total = 3
    │  │  switch.case = other
    │  │  switch.default = true
    │  ╰─ of others (mock)
    ╰─ double
          step.index = 2
          step.total = 3
    ");
}

#[test]
fn other_keys_pass_through_without_a_copy_when_told_to() {
    async fn keep(value: Counted) -> Result<Counted, String> {
        Ok(value)
    }
    let engine = TestEngine::new();
    let (value, clones) = Counted::new();
    let flow = workflow("passes", switch(|_: &Counted| 7_u8).case(1, keep).or_pass_through());
    assert!(engine.block_on(flow.run(value, &context(&engine))).is_ok());
    assert_eq!(clones.load(Ordering::SeqCst), 0);
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    passes
    │  correlation.id = c-1
    ╰─ switch
          switch.case = 7
          switch.default = true
    ");
}

#[test]
fn other_keys_fail_as_refused_input_that_names_the_key_and_those_accepted() {
    let engine = TestEngine::new();
    let never = Mock::new("never").returns(1_u32);
    let flow = workflow("fails", switch(parity).case("zero", never.clone()).case("one", never.clone()).or_fail());
    let error = engine.block_on(flow.run(5, &context(&engine))).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "invalid_input error in `switch`: no case for key `other`, accepted is `zero`, `one`"
    );
    assert_eq!((error.kind(), never.call_count()), (ErrorKind::InvalidInput, 0));
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    fails ✗
    │  invalid_input: no case for key `other`, accepted is `zero`, `one`
    │  correlation.id = c-1
    │  error.path = switch
    ╰─ switch ✗
          invalid_input: no case for key `other`, accepted is `zero`, `one`
          switch.case = other
    ");
}

#[test]
fn the_way_taken_fails_as_itself() {
    let engine = TestEngine::new();
    let flow = workflow("fails", switch(parity).case("one", step(double) >> refuse).otherwise(refuse).named("choice"));
    let failed = |x| format!("{:?}", engine.block_on(flow.run(x, &engine.context())).unwrap_err());
    assert_eq!(failed(1), "app error in `choice > sequential > refuse`: 2 is refused");
    assert_eq!(failed(2), "app error in `choice > refuse`: 2 is refused");
}

#[test]
fn the_first_case_of_a_key_wins_and_a_later_one_is_not_drawn() {
    let engine = TestEngine::new();
    let (first, second) = (Mock::new("first").returns(1_u32), Mock::new("second").returns(2));
    let ways = switch(parity).case("one", first).case("one", second.clone()).case("zero", double);
    let flow = workflow("first", ways.or_pass_through());
    assert_eq!(engine.block_on(flow.run(4, &engine.context())).unwrap(), 1);
    assert_eq!(engine.block_on(flow.run(6, &engine.context())).unwrap(), 12);
    assert_eq!((second.call_count(), attribute(&engine, "switch.case")), (0, Some(Value::Str("zero".into()))));
    insta::assert_snapshot!(flow.graph().to_text(), @r"
    first (workflow)
    ╰─ switch
       ├─ one: first (mock)
       ├─ zero: double
       ╰─ otherwise: pass through
    ");
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Plan {
    Free,
    Paid,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Plan::Free { "free" } else { "paid" })
    }
}

#[test]
fn keys_are_of_any_type_that_compares_hashes_and_displays() {
    let engine = TestEngine::new();
    let plan = |x: &u32| if *x == 0 { Plan::Free } else { Plan::Paid };
    let by_plan = switch(plan).case(Plan::Free, increment).case(Plan::Paid, double).or_fail();
    let by_number = switch(|x: &u32| u64::from(*x)).case(2_u8, increment).case(3_u64, double).or_fail();
    let by_text = switch(|x: &u32| x.to_string()).case("2", increment).case("3".to_owned(), double).or_fail();
    let flow = workflow("plans", by_plan) >> by_number >> by_text;
    assert_eq!(engine.block_on(flow.run(1, &engine.context())).unwrap(), 6);
    let keys: Vec<_> =
        engine.traces()[0].spans.iter().filter_map(|span| span.attribute("switch.case")).cloned().collect();
    assert_eq!(keys, ["paid", "2", "3"].map(|key| Value::Str(key.into())));
}

/// A key may be whatever a caller sends.
#[test]
fn keys_are_recorded_within_a_bound_and_never_name_a_span_or_a_statistic() {
    let engine = TestEngine::new();
    let keys = ["ä".repeat(1_000), "b".repeat(128), "c".repeat(129), String::new()];
    let all = keys.clone();
    let flow = workflow(
        "keys",
        switch(move |x: &usize| all[*x].clone()).case("ä".repeat(1_000), count).case("", count).otherwise(count),
    );
    async fn count(x: usize) -> Result<usize, String> {
        Ok(x)
    }
    let recorded = |x| {
        engine.block_on(flow.run(x, &engine.context())).unwrap();
        (attribute(&engine, "switch.case").unwrap().to_string(), attribute(&engine, "switch.default"))
    };
    assert_eq!(recorded(0), (format!("{}…", "ä".repeat(62)), None));
    assert_eq!(recorded(1), (keys[1].clone(), Some(Value::Bool(true))));
    assert_eq!(recorded(2), (format!("{}…", "c".repeat(125)), Some(Value::Bool(true))));
    assert_eq!(recorded(3), (String::new(), None));
    let mut names: Vec<_> = engine.telemetry().step_statistics().iter().map(|step| step.name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["count", "keys", "switch"]);
    let traces = engine.traces();
    let mut spans: Vec<_> = traces.iter().flat_map(|trace| &trace.spans).map(|span| span.name.as_str()).collect();
    spans.sort();
    assert_eq!(spans, [["count"; 4], ["keys"; 4], ["switch"; 4]].concat());

    let strict = step(switch(|x: &usize| "x".repeat(*x)).case("y".repeat(1_000), count).or_fail());
    let message = engine.block_on(strict.run(1_000, &engine.context())).unwrap_err().to_string();
    let (x, y) = ("x".repeat(125), "y".repeat(125));
    assert_eq!(message, format!("no case for key `{x}…`, accepted is `{y}…`"));
}

#[test]
fn a_panic_in_the_selector_is_the_steps_error_and_no_way_is_taken() {
    let engine = TestEngine::new();
    let never = Mock::new("never").returns(1_u32);
    let selector = |x: &u32| if *x == 3 { panic!("no key for {x}") } else { 0_u8 };
    let flow = workflow("panics", switch(selector).case(0, never.clone()).otherwise(never.clone()));
    let error = engine.block_on(flow.run(3, &engine.context())).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `switch`: no key for 3");
    assert_eq!(never.call_count(), 0);
    insta::assert_snapshot!(engine.tree(), @r"
    panics ✗
    │  panic: no key for 3
    ╰─ switch ✗
          panic: no key for 3
    ");
}

#[test]
fn a_switch_is_drawn_as_a_choice_whose_default_is_a_step_nothing_or_an_end() {
    let keys = |x: &u32| x.to_string();
    let some = || switch(keys).case("1", step(double) >> increment).case("", refuse);
    let flow = workflow("drawn", some().otherwise(double)) >> some().or_pass_through() >> some().or_fail() >> increment;
    insta::assert_snapshot!(flow.graph().to_text(), @r#"
    drawn (workflow)
    ├─ switch
    │  ├─ 1: sequential
    │  │  ├─ double
    │  │  ╰─ increment
    │  ├─ "": refuse
    │  ╰─ otherwise: double
    ├─ switch
    │  ├─ 1: sequential
    │  │  ├─ double
    │  │  ╰─ increment
    │  ├─ "": refuse
    │  ╰─ otherwise: pass through
    ├─ switch
    │  ├─ 1: sequential
    │  │  ├─ double
    │  │  ╰─ increment
    │  ├─ "": refuse
    │  ╰─ otherwise: fail
    ╰─ increment
    "#);
    insta::assert_snapshot!(flow.graph().to_mermaid(), @r#"
    flowchart TD
        n0{"switch"}
        n1["double"]
        n2["increment"]
        n3["refuse"]
        n4["double"]
        n5{"switch"}
        n6["double"]
        n7["increment"]
        n8["refuse"]
        n9{"switch"}
        n10["double"]
        n11["increment"]
        n12["refuse"]
        n13["fail"]
        n14["increment"]
        n0 -->|"1"| n1
        n1 --> n2
        n0 -->|"&quot;&quot;"| n3
        n0 -->|"otherwise"| n4
        n2 --> n5
        n3 --> n5
        n4 --> n5
        n5 -->|"1"| n6
        n6 --> n7
        n5 -->|"&quot;&quot;"| n8
        n7 --> n9
        n8 --> n9
        n5 -->|"otherwise"| n9
        n9 -->|"1"| n10
        n10 --> n11
        n9 -->|"&quot;&quot;"| n12
        n9 -->|"otherwise"| n13
        n11 --> n14
        n12 --> n14
    "#);
    insta::assert_snapshot!(flow.graph().to_dot(), @r#"
    digraph "drawn" {
        node [shape=box];
        n0 [label="switch", shape=diamond];
        n1 [label="double"];
        n2 [label="increment"];
        n3 [label="refuse"];
        n4 [label="double"];
        n5 [label="switch", shape=diamond];
        n6 [label="double"];
        n7 [label="increment"];
        n8 [label="refuse"];
        n9 [label="switch", shape=diamond];
        n10 [label="double"];
        n11 [label="increment"];
        n12 [label="refuse"];
        n13 [label="fail"];
        n14 [label="increment"];
        n0 -> n1 [label="1"];
        n1 -> n2;
        n0 -> n3 [label="\"\""];
        n0 -> n4 [label="otherwise"];
        n2 -> n5;
        n3 -> n5;
        n4 -> n5;
        n5 -> n6 [label="1"];
        n6 -> n7;
        n5 -> n8 [label="\"\""];
        n7 -> n9;
        n8 -> n9;
        n5 -> n9 [label="otherwise"];
        n9 -> n10 [label="1"];
        n10 -> n11;
        n9 -> n12 [label="\"\""];
        n9 -> n13 [label="otherwise"];
        n11 -> n14;
        n12 -> n14;
    }
    "#);
}

#[test]
fn hostile_keys_cannot_break_out_of_a_drawing() {
    let hostile = "a\"b\\\n{<script>|`x`#35;&]}";
    let graph = switch(|_: &u32| 'x'.to_string()).case(hostile, double).or_pass_through().named(hostile).graph();
    insta::assert_snapshot!(graph.to_text(), @r#"
    a"b\ {<script>|`x`#35;&]} (switch)
    ├─ a"b\ {<script>|`x`#35;&]}: double
    ╰─ otherwise: pass through
    "#);
    insta::assert_snapshot!(graph.to_mermaid(), @r#"
    flowchart TD
        n0{"a&quot;b\ {&lt;script&gt;|#96;x#96;#35;35;&amp;]} (switch)"}
        n1["double"]
        n0 -->|"a&quot;b\ {&lt;script&gt;|#96;x#96;#35;35;&amp;]}"| n1
    "#);
    insta::assert_snapshot!(graph.to_dot(), @r#"
    digraph "a\"b\\ {<script>|`x`#35;&]}" {
        node [shape=box];
        n0 [label="a\"b\\ {<script>|`x`#35;&]} (switch)", shape=diamond];
        n1 [label="double"];
        n0 -> n1 [label="a\"b\\ {<script>|`x`#35;&]}"];
    }
    "#);
}
