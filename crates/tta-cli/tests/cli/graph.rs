//! `tta demo --graph`: the workflow, drawn.

use crate::support::{Ran, Tree};

fn graph(form: &[&str]) -> String {
    let Ran { code, out, err } = Tree::new(&[]).run(&[&["demo", "--graph"], form].concat());
    assert_eq!((code, err.as_str()), (Some(0), ""));
    out
}

#[test]
fn as_a_tree() {
    insta::assert_snapshot!(graph(&[]), @r"
    analyse (workflow)
    ├─ read [timeout 10s, retry 2]
    ├─ validate
    ├─ measure (parallel)
    │  ├─ statistics
    │  ├─ keywords
    │  ├─ readability
    │  ├─ language
    │  ╰─ document
    ├─ collect
    ├─ summarise (conditional)
    │  ├─ then: short_summary
    │  ╰─ else: long_summary
    ╰─ report
    ");
    assert_eq!(graph(&["text"]), graph(&[]));
}

#[test]
fn as_a_mermaid_flowchart() {
    insta::assert_snapshot!(graph(&["mermaid"]), @r#"
    flowchart TD
        n0["read [timeout 10s, retry 2]"]
        n1["validate"]
        n2[/"measure (parallel)"\]
        n3["statistics"]
        n4["keywords"]
        n5["readability"]
        n6["language"]
        n7["document"]
        n8["collect"]
        n9{"summarise (conditional)"}
        n10["short_summary"]
        n11["long_summary"]
        n12["report"]
        n0 --> n1
        n1 --> n2
        n2 --> n3
        n2 --> n4
        n2 --> n5
        n2 --> n6
        n2 --> n7
        n3 --> n8
        n4 --> n8
        n5 --> n8
        n6 --> n8
        n7 --> n8
        n8 --> n9
        n9 -->|"then"| n10
        n9 -->|"else"| n11
        n10 --> n12
        n11 --> n12
    "#);
}

#[test]
fn as_graphviz_dot() {
    insta::assert_snapshot!(graph(&["dot"]), @r#"
    digraph "analyse" {
        node [shape=box];
        n0 [label="read [timeout 10s, retry 2]"];
        n1 [label="validate"];
        n2 [label="measure (parallel)", shape=trapezium];
        n3 [label="statistics"];
        n4 [label="keywords"];
        n5 [label="readability"];
        n6 [label="language"];
        n7 [label="document"];
        n8 [label="collect"];
        n9 [label="summarise (conditional)", shape=diamond];
        n10 [label="short_summary"];
        n11 [label="long_summary"];
        n12 [label="report"];
        n0 -> n1;
        n1 -> n2;
        n2 -> n3;
        n2 -> n4;
        n2 -> n5;
        n2 -> n6;
        n2 -> n7;
        n3 -> n8;
        n4 -> n8;
        n5 -> n8;
        n6 -> n8;
        n7 -> n8;
        n8 -> n9;
        n9 -> n10 [label="then"];
        n9 -> n11 [label="else"];
        n10 -> n12;
        n11 -> n12;
    }
    "#);
}

#[test]
fn it_goes_with_no_other_output() {
    for other in ["--json", "--traces=t", "--trace=failed"] {
        let ran = Tree::new(&[]).run(&["demo", "--graph=dot", other]);
        let option = other.split('=').next().unwrap();
        let message = format!("error: the argument '--graph [<FORM>]' cannot be used with '{option}");
        assert!(ran.err.starts_with(&message), "{}", ran.err);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    }
}
