//! `tta sampling dry-run`: what a configuration would keep of a file of traces.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::{Ran, Tree};

/// A trace of one span, as trace files have it.
fn line(number: u32, workflow: &str, class: &str, weight: f64) -> String {
    let status = if class == "failed" { "error" } else { "ok" };
    let start = 1_767_225_600_000_000_000_u64 + u64::from(number) * 10_000_000;
    let trace = json!({
        "version": 1, "trace_id": format!("{number:032x}"), "root_span_id": "0000000000000001", "class": class,
        "decision": { "keep": true, "rate": 1.0, "reason": "sampling_rate_one", "sampler": "keep_all" },
        "adjusted_count": weight,
        "spans": [{
            "span_id": "0000000000000001", "name": workflow, "kind": "workflow", "start_unix_ns": start,
            "duration_ns": 5_000_000, "status": status, "attributes": { "tenant": "acme" },
        }],
    });
    format!("{trace}\n")
}

const CONFIG: &str = r#"
[tracing.sampling]
default_rate = 0.0
[[tracing.sampling.rules]]
name = "health"
condition = 'workflow == "health"'
action = "drop"
[[tracing.sampling.rules]]
name = "acme"
condition = 'root.attr("tennant") == "acme"'
action = "keep"
[tracing.sampling.workflows.chekout]
default_rate = 1.0
"#;

fn dry_run(config: &str, traces: &str, more: &[&str]) -> Ran {
    let tree = Tree::new(&[("tta.toml", config.as_bytes()), ("traces.jsonl", traces.as_bytes())]);
    tree.run(&[&["sampling", "dry-run", "--config", "tta.toml", "--traces", "traces.jsonl"], more].concat())
}

fn three() -> String {
    line(1, "checkout", "normal", 10.0) + &line(2, "health", "normal", 10.0) + &line(3, "health", "failed", 1.0)
}

#[test]
fn it_says_what_each_rule_and_reason_would_keep() {
    let ran = dry_run(CONFIG, &three(), &[]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let bytes = three().len();
    let failed = line(3, "health", "failed", 1.0).len();
    assert_eq!(
        ran.out,
        format!(
            "\
traces.jsonl by tta.toml: of 3 traces ({:.1} kB) it would keep 1, 33.3 % ({failed} B).

decided by                         traces    share     kept  dropped  kept bytes
tail_error                              1   33.3 %        1        0{failed:>10} B
rule:health                             1   33.3 %        0        1         0 B
rule:acme                               0    0.0 %        0        0         0 B
sampling_rate_zero                      1   33.3 %        0        1         0 B
total                                   3  100.0 %        1        2{failed:>10} B

By their weights they stand for about 21 (5 to 100) runs, of which 1 are
  expected to be kept:
decided by                              runs        kept  kept bytes
tail_error                                 1           1{failed:>10} B
rule:health                               10           0         0 B
rule:acme                                  0           0         0 B
sampling_rate_zero                        10           0         0 B
total                                     21           1{failed:>10} B

No failed trace would be lost.
Rules that match no trace: acme.
Attributes in rules that no trace has: `tennant` (did you mean `tenant`?).
Workflows with settings of which there is no trace: `chekout` (did you mean
  `checkout`?).
",
            bytes as f64 / 1e3
        )
    );
}

#[test]
fn the_same_comes_as_json() {
    let ran = dry_run(CONFIG, &three(), &["--format", "json"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &report["total"]["traces"], &report["total"]["kept"]), (Some(0), &json!(3), &json!(1)));
    assert_eq!(report["total"]["bytes"], json!(three().len()));
    let reasons: Vec<_> = report["decided_by"].as_array().unwrap().iter().map(|row| row["reason"].clone()).collect();
    assert_eq!(reasons, ["tail_error", "rule:health", "rule:acme", "sampling_rate_zero"]);
    assert_eq!(report["rules"][0], json!({ "name": "health", "matched": 2, "decided": 1 }));
    assert_eq!(report["lost_errors"], json!({ "traces": 0, "first": [] }));
    assert_eq!(report["unknown_attributes"], json!([{ "name": "tennant", "nearest": "tenant" }]));
    assert_eq!(report["total"]["estimated_traces"]["value"], json!(21.0));
}

#[test]
fn failed_traces_that_would_be_lost_are_named_and_exit_with_1() {
    let config = "[tracing.sampling]\ndefault_rate = 0.0\nalways_sample_errors = false\n";
    let mut traces = three();
    (10..25).for_each(|number| traces.push_str(&line(number, "crawl", "failed", 1.0)));
    let ran = dry_run(config, &traces, &[]);
    assert_eq!(ran.code, Some(1));
    let lost: Vec<&str> = ran.out.lines().skip_while(|line| !line.starts_with("Failed traces")).take(12).collect();
    assert_eq!((lost[0], lost[1]), ("Failed traces that would be LOST: 16", "  00000000000000000000000000000003"));
    assert_eq!((lost[10], lost[11]), ("  00000000000000000000000000000012", "  and 6 more"));
}

#[test]
fn lines_that_are_no_traces_are_told_and_the_rest_goes_on() {
    let mut traces = format!("garbage\n\r\n{}{{}}\n", line(1, "crawl", "normal", 1.0).replace('\n', "\r\n"));
    traces.push_str(&line(2, "crawl", "normal", 1.0));
    traces.push_str(&line(3, "crawl", "normal", 1.0)[..60]);
    let ran = dry_run("tracing.sampling.default_rate = 1.0", &traces, &[]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.contains("of 2 traces (") && ran.out.contains("passed over: 3."), "{}", ran.out);
    let told: Vec<&str> = ran.err.lines().map(|line| &line[..line.len().min(22)]).collect();
    assert_eq!(told, ["error: traces.jsonl:1:", "error: traces.jsonl:4:", "error: traces.jsonl:6:"]);
    let many = "x\n".repeat(250) + &line(1, "crawl", "normal", 1.0);
    let ran = dry_run("", &many, &[]);
    assert_eq!((ran.code, ran.err.lines().count()), (Some(0), 101));
    assert_eq!(ran.err.lines().last(), Some("error: 150 more lines are no traces"));
}

#[test]
fn what_cannot_be_read_exits_with_1_and_what_is_no_configuration_with_2() {
    for traces in ["", "garbage\n"] {
        let ran = dry_run("", traces, &[]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert!(ran.err.ends_with("error: no trace could be read in traces.jsonl\n"), "{}", ran.err);
    }
    let ran = dry_run("", "", &["--traces", "missing.jsonl"]);
    assert_eq!(ran.code, Some(2), "named twice");
    let tree = Tree::new(&[("tta.toml", b""), ("t.jsonl", three().as_bytes())]);
    let missing = tree.run(&["sampling", "dry-run", "--config", "tta.toml", "--traces", "missing.jsonl"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.starts_with("error: cannot open trace file `missing.jsonl`: "), "{}", missing.err);
    let missing = tree.run(&["sampling", "dry-run", "--config", "missing.toml", "--traces", "t.jsonl"]);
    assert_eq!((missing.code, missing.out.as_str()), (Some(2), ""));
    let rule = "[[tracing.sampling.rules]]\nname = \"slow\"\ncondition = 'duration >= p101'\naction = \"keep\"\n";
    let ran = dry_run(rule, &three(), &[]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("tracing.sampling.rules[0].condition") && ran.err.contains("`p101`"), "{}", ran.err);
}

#[test]
fn quantiles_and_limits_go_by_the_time_of_the_traces() {
    // A hundred a second; the window of a second passes first, then ten a second do.
    let mut traces = String::new();
    for number in 1..=1_000 {
        let line = line(number, "crawl", "normal", 1.0);
        // Ids that are spread as random ones are.
        let spread = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let line = line.replace(&format!("{number:032x}"), &format!("{spread:032x}"));
        let ms = match number % 100 {
            0 => 80,
            50 => 50,
            _ => 5,
        };
        traces.push_str(&line.replace("\"duration_ns\":5000000", &format!("\"duration_ns\":{ms}000000")));
    }
    let mut config = String::from("[tracing.sampling]\ndefault_rate = 1.0\nmax_traces_per_second = 10.0\n");
    let ran = dry_run(&config, &traces, &["--format", "json"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let kept = report["total"]["kept"].as_u64().unwrap();
    assert!((100..300).contains(&kept), "{kept}");
    assert_eq!(report["dropped_by_limits"], json!(1_000 - kept));
    assert!(report["notes"][0].as_str().unwrap().starts_with("The limits per second were simulated"), "{report}");

    config.clear();
    write!(
        config,
        "[tracing.sampling]\ndefault_rate = 0.0\n[[tracing.sampling.rules]]\nname = \"tail\"\n\
         condition = 'duration > p98.5'\naction = \"keep\"\n"
    )
    .unwrap();
    let report: Value = serde_json::from_str(&dry_run(&config, &traces, &["--format", "json"]).out).unwrap();
    // From the second after the first hundred on the quantile is known, to be 50 ms, to 1 %: longer are nine.
    let decided = report["rules"][0]["decided"].as_u64().unwrap();
    assert!((9..=19).contains(&decided), "{report}");
    assert_eq!(report["total"]["kept"], json!(decided));
}
