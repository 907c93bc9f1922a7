//! A workflow describes itself without running.

use std::time::Duration;

use tta_primitives::testing::Mock;
use tta_primitives::{
    Graph, Primitive, Retry, Timeout, Workflow, blocking, either, parallel, step, sync, when, with_context, workflow,
};

use super::support::{SECOND, double, increment, refuse, wait_a_second};

fn retry() -> Retry {
    Retry::new().max_retries(5).build().unwrap()
}

fn timeout(grace: Duration) -> Timeout {
    Timeout::after(2 * SECOND).grace_period(grace).build().unwrap()
}

/// One of everything.
fn everything() -> Workflow<u32, u32> {
    let nested = workflow("nested", increment) >> step(double).timeout_or(timeout(SECOND), refuse);
    let branch = (step(double) >> with_context(wait_a_second)).retry(retry());
    workflow("everything", double)
        .retry(retry())
        .timeout(timeout(Duration::ZERO))
        .then_named("by name", |x| async move { Ok::<_, String>(x) })
        .map(|x| x + 1)
        >> when(|x: &u32| *x > 10, nested).named("if large")
        >> (step(branch) | blocking(|x: u32| Ok::<_, String>(x)) | either(|x: &u32| *x > 1, double, sync(half)))
        >> sum
}

fn half(x: u32) -> Result<u32, String> {
    Ok(x / 2)
}

async fn sum((a, b, c): (u32, u32, u32)) -> Result<u32, String> {
    Ok(a + b + c)
}

#[test]
fn the_text_is_a_tree() {
    insta::assert_snapshot!(everything().graph().to_text(), @r"
    everything (workflow)
    ├─ double [retry 5, timeout 2s]
    ├─ by name
    ├─ closure
    ├─ if large (conditional)
    │  ├─ then: nested (workflow)
    │  │  ├─ increment
    │  │  ╰─ double (timeout)
    │  │     ├─ in time: double [timeout 2s + 1s grace]
    │  │     ╰─ timed out: refuse
    │  ╰─ else: pass through
    ├─ parallel
    │  ├─ sequential [retry 5]
    │  │  ├─ double
    │  │  ╰─ wait_a_second
    │  ├─ closure
    │  ╰─ conditional
    │     ├─ then: double
    │     ╰─ else: half
    ╰─ sum
    ");
}

#[test]
fn the_mermaid_flowchart_has_a_node_for_each_step_and_frames_for_what_belongs_together() {
    insta::assert_snapshot!(everything().graph().to_mermaid(), @r#"
    flowchart TD
        n0["double [retry 5, timeout 2s]"]
        n1["by name"]
        n2["closure"]
        n3{"if large (conditional)"}
        subgraph g0["nested (workflow)"]
            n4["increment"]
            n5{"double (timeout)"}
            n6["double [timeout 2s + 1s grace]"]
            n7["refuse"]
        end
        n8[/"parallel"\]
        subgraph g1["sequential [retry 5]"]
            n9["double"]
            n10["wait_a_second"]
        end
        n11["closure"]
        n12{"conditional"}
        n13["double"]
        n14["half"]
        n15["sum"]
        n0 --> n1
        n1 --> n2
        n2 --> n3
        n3 -->|"then"| n4
        n4 --> n5
        n5 -->|"in time"| n6
        n5 -->|"timed out"| n7
        n6 --> n8
        n7 --> n8
        n3 -->|"else"| n8
        n8 --> n9
        n9 --> n10
        n8 --> n11
        n8 --> n12
        n12 -->|"then"| n13
        n12 -->|"else"| n14
        n10 --> n15
        n11 --> n15
        n13 --> n15
        n14 --> n15
    "#);
}

#[test]
fn the_dot_graph_has_a_node_for_each_step_and_frames_for_what_belongs_together() {
    insta::assert_snapshot!(everything().graph().to_dot(), @r#"
    digraph "everything" {
        node [shape=box];
        n0 [label="double [retry 5, timeout 2s]"];
        n1 [label="by name"];
        n2 [label="closure"];
        n3 [label="if large (conditional)", shape=diamond];
        subgraph cluster_0 {
            label="nested (workflow)";
            n4 [label="increment"];
            n5 [label="double (timeout)", shape=diamond];
            n6 [label="double [timeout 2s + 1s grace]"];
            n7 [label="refuse"];
        }
        n8 [label="parallel", shape=trapezium];
        subgraph cluster_1 {
            label="sequential [retry 5]";
            n9 [label="double"];
            n10 [label="wait_a_second"];
        }
        n11 [label="closure"];
        n12 [label="conditional", shape=diamond];
        n13 [label="double"];
        n14 [label="half"];
        n15 [label="sum"];
        n0 -> n1;
        n1 -> n2;
        n2 -> n3;
        n3 -> n4 [label="then"];
        n4 -> n5;
        n5 -> n6 [label="in time"];
        n5 -> n7 [label="timed out"];
        n6 -> n8;
        n7 -> n8;
        n3 -> n8 [label="else"];
        n8 -> n9;
        n9 -> n10;
        n8 -> n11;
        n8 -> n12;
        n12 -> n13 [label="then"];
        n12 -> n14 [label="else"];
        n10 -> n15;
        n11 -> n15;
        n13 -> n15;
        n14 -> n15;
    }
    "#);
}

#[test]
fn hostile_names_cannot_break_out_of_a_drawing() {
    let hostile = "a\"b\\\n<script>|`x`#35;&]}";
    let flow = workflow(hostile, Mock::<u32, u32>::new(hostile))
        >> workflow(hostile, when(|_: &u32| true, double).named(hostile));
    let graph = flow.graph().note("not\na \"note\"");
    insta::assert_snapshot!(graph.to_text(), @r#"
    a"b\ <script>|`x`#35;&]} (workflow) [not a "note"]
    ├─ a"b\ <script>|`x`#35;&]} (mock)
    ╰─ a"b\ <script>|`x`#35;&]} (workflow)
       ╰─ a"b\ <script>|`x`#35;&]} (conditional)
          ├─ then: double
          ╰─ else: pass through
    "#);
    insta::assert_snapshot!(graph.to_mermaid(), @r#"
    flowchart TD
        subgraph g0["a&quot;b\ &lt;script&gt;|#96;x#96;#35;35;&amp;]} (workflow) [not a &quot;note&quot;]"]
            n0["a&quot;b\ &lt;script&gt;|#96;x#96;#35;35;&amp;]} (mock)"]
            subgraph g1["a&quot;b\ &lt;script&gt;|#96;x#96;#35;35;&amp;]} (workflow)"]
                n1{"a&quot;b\ &lt;script&gt;|#96;x#96;#35;35;&amp;]} (conditional)"}
                n2["double"]
            end
        end
        n0 --> n1
        n1 -->|"then"| n2
    "#);
    insta::assert_snapshot!(graph.to_dot(), @r#"
    digraph "a\"b\\ <script>|`x`#35;&]}" {
        node [shape=box];
        subgraph cluster_0 {
            label="a\"b\\ <script>|`x`#35;&]} (workflow) [not a \"note\"]";
            n0 [label="a\"b\\ <script>|`x`#35;&]} (mock)"];
            subgraph cluster_1 {
                label="a\"b\\ <script>|`x`#35;&]} (workflow)";
                n1 [label="a\"b\\ <script>|`x`#35;&]} (conditional)", shape=diamond];
                n2 [label="double"];
            }
        }
        n0 -> n1;
        n1 -> n2 [label="then"];
    }
    "#);
    let condition = Graph::step("way".into(), "custom");
    let graph = Graph::choice("choice".into(), "custom", vec![("is \"so\"|\\", condition)]);
    insta::assert_snapshot!(graph.to_mermaid(), @r#"
    flowchart TD
        n0{"choice (custom)"}
        n1["way (custom)"]
        n0 -->|"is &quot;so&quot;|\"| n1
    "#);
    insta::assert_snapshot!(graph.to_dot(), @r#"
    digraph "choice" {
        node [shape=box];
        n0 [label="choice (custom)", shape=diamond];
        n1 [label="way (custom)"];
        n0 -> n1 [label="is \"so\"|\\"];
    }
    "#);
}

#[test]
fn a_fan_without_branches_is_still_on_the_way() {
    let flow = step(parallel(Vec::<Workflow<u32, u32>>::new())).map(|all| all.len()) >> after;
    async fn after(x: usize) -> Result<usize, String> {
        Ok(x)
    }
    insta::assert_snapshot!(flow.graph().to_mermaid(), @r#"
    flowchart TD
        n0[/"parallel"\]
        n1["closure"]
        n2["after"]
        n0 --> n1
        n1 --> n2
    "#);
}

#[test]
fn a_single_step_is_a_graph_of_its_own() {
    let own = Primitive::<u32>::graph(&double);
    assert_eq!((own.to_text(), own.kind()), ("double\n".to_owned(), "lambda"));
    assert_eq!(step(double).graph().to_text(), "sequential\n╰─ double\n");
}

#[test]
fn a_step_that_shares_its_output_is_drawn_under_its_name() {
    assert_eq!((step(double).shared()).graph().to_text(), "sequential\n├─ double\n╰─ shared\n");
}

#[test]
fn drawing_runs_nothing() {
    let mock = Mock::new("never").panics("it ran").returns(1_u32);
    let flow = workflow("drawn", mock.clone()).retry(retry()) >> (step(mock.clone()) | mock.clone());
    let graph = flow.graph();
    for drawing in [graph.to_text(), graph.to_mermaid(), graph.to_dot()] {
        assert_eq!(drawing.matches("never").count(), 3, "{drawing}");
    }
    assert_eq!(mock.call_count(), 0);
}
