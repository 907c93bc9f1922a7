//! `tta sampling`: decisions from ids, line by line.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Ran, Tree, ran};

fn with_input(arguments: &[&str], input: &[u8]) -> Ran {
    let tree = Tree::new(&[]);
    let mut command = tree.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    ran(output)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn ids_are_decided_about_as_the_original_did() {
    let cases = include_str!("data/md5_sampling.jsonl");
    for case in lines(cases) {
        let rate = case["rate"].to_string();
        let id = case["trace_id"].as_str().unwrap();
        if id.is_empty() {
            continue;
        }
        let ran = with_input(&["sampling", "decide", "--rate", &rate, "--hash", "md5"], format!("{id}\n").as_bytes());
        assert_eq!(lines(&ran.out), [case]);
    }
}

#[test]
fn finished_traces_are_decided_about_as_the_original_did() {
    let cases = lines(include_str!("data/composite_sampling.jsonl"));
    let input: String = cases
        .iter()
        .map(|case| {
            let mut case = case.clone();
            ["head", "tail", "tail_reason"].iter().for_each(|key| drop(case.as_object_mut().unwrap().remove(*key)));
            format!("{case}\n")
        })
        .collect();
    let ran = with_input(&["sampling", "tail", "--hash", "md5"], input.as_bytes());
    let answers = lines(&ran.out);
    assert_eq!((ran.code, answers.len()), (Some(0), cases.len()));
    for (answer, case) in answers.iter().zip(&cases) {
        assert_eq!((&answer["head"], &answer["tail"]), (&case["head"], &case["tail"]), "{case}");
        // Where the head had kept it already, the original named no reason of its own.
        if !case["tail_reason"].is_null() {
            assert_eq!(answer["tail_reason"], case["tail_reason"], "{case}");
        }
    }
}

#[test]
fn lines_that_are_wrong_are_named_and_the_others_answered() {
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let input = format!("{id}\n\nshort\n{}\n\u{fffd}\n{id}", id.to_uppercase());
    let ran = with_input(&["sampling", "decide", "--rate", "1"], input.as_bytes());
    assert_eq!((ran.code, lines(&ran.out).len()), (Some(1), 2));
    let numbers: Vec<&str> = ran.err.lines().map(|line| line.split(':').nth(1).unwrap().trim()).collect();
    assert_eq!(numbers, ["line 2", "line 3", "line 4", "line 5"], "{}", ran.err);
    assert!(ran.err.contains("accepted is 32 lower-case hexadecimal digits, not all zero"), "{}", ran.err);
    let long = "x".repeat(100_000);
    let ran = with_input(&["sampling", "tail"], format!("{long}\n[1]\n{{}}\n{{\"trace_id\":\"{id}\",\"default_rate\":7,\"always_sample_errors\":true,\"always_sample_slow\":true,\"slow_threshold_ms\":1,\"has_error\":false,\"duration_ms\":1}}\n").as_bytes());
    assert_eq!((ran.code, ran.out.as_str(), ran.err.lines().count()), (Some(1), "", 4));
    assert!(
        ran.err.contains("line 1: is longer than 64 KiB")
            && ran.err.contains("`default_rate` is 7, accepted is 0 to 1"),
        "{}",
        ran.err
    );
}

#[test]
fn ids_that_are_none_have_a_hash_all_the_same_and_only_an_empty_one_is_left_to_a_draw() {
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let long = "f".repeat(65_536);
    let (upper, two) = (id.to_uppercase(), format!("{id}{id}"));
    let keys = [id, "", &upper, "abc", &two, "not-hex", " ", "00000000000000000000000000000000", "ä", &long];
    let input = keys.join("\r\n");
    let ran = with_input(&["sampling", "decide", "--rate", "0.5", "--hash", "md5"], input.as_bytes());
    let answers = lines(&ran.out);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(answers.iter().map(|answer| answer["trace_id"].as_str().unwrap()).collect::<Vec<_>>(), keys);
    for (answer, key) in answers.iter().zip(keys) {
        let reason = if key.is_empty() { "probabilistic_random" } else { "probabilistic_hash" };
        assert_eq!(answer["reason"], reason, "{key}");
    }
    // The first eight digits of the MD5 of the lower-case id are 5c876080, of "abc" 90015098.
    assert_eq!((&answers[0]["decision"], &answers[3]["decision"]), (&"sample".into(), &"drop".into()));
}

#[test]
fn an_id_that_is_none_is_shown_with_its_ends_and_how_long_it_is() {
    let input = format!("\n \n{}\n", "a".repeat(64));
    let ran = with_input(&["sampling", "decide", "--rate", "0.5"], input.as_bytes());
    let shown: Vec<&str> = ran.err.lines().map(|line| line.split(", accepted").next().unwrap()).collect();
    let want = [
        "error: line 1: `trace_id` is ``",
        "error: line 2: `trace_id` is ` `",
        "error: line 3: `trace_id` is `aaaaaaaaaaaaaaaa…` (64 characters)",
    ];
    assert_eq!((ran.code, ran.out.as_str(), shown), (Some(1), "", want.to_vec()));
}

#[test]
fn rates_outside_their_range_are_refused() {
    for rate in ["-0.1", "1.5", "NaN", "many"] {
        let ran = with_input(&["sampling", "decide", "--rate", rate], b"");
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains("accepted is a number from 0 to 1"), "{}", ran.err);
    }
}
