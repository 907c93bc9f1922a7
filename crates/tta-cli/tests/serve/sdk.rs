//! The OpenTelemetry SDKs of Python and Node: all that they send is found again.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::programs::{node_program, printed, python_program};
use crate::support::{Serve, Settings};

/// Traces by id, and their spans as they were sent.
type Sent = BTreeMap<String, Vec<Value>>;

fn sent(printed: &str) -> Sent {
    let document: Value = serde_json::from_str(printed).unwrap();
    serde_json::from_value(document["traces"].clone()).unwrap()
}

fn by_id(spans: &[Value]) -> BTreeMap<&str, &Value> {
    spans.iter().map(|span| (span["span_id"].as_str().unwrap(), span)).collect()
}

/// Compares a trace whole, and says of how many it is one.
fn compare(serve: &Serve, id: &str, sent: &[Value]) -> Value {
    let trace = serve.trace(id, sent.len());
    let spans = trace["spans"].as_array().unwrap();
    assert_eq!(spans.len(), sent.len());
    let (spans, sent) = (by_id(spans), by_id(sent));
    for (id, want) in &sent {
        let span = spans.get(id).unwrap_or_else(|| panic!("no span {id}: {want}"));
        for (key, value) in want.as_object().unwrap() {
            assert_eq!(&span[key], value, "{key} of {}", want["name"]);
        }
    }
    // And nothing else is there.
    assert_eq!(spans, sent);
    assert_eq!((&trace["trace_id"], &trace["incomplete"]), (&id.into(), &false.into()));
    trace["adjusted_count"].clone()
}

/// Runs a program that sends traces; what they stand for, by service of their root.
fn run(serve: &Serve, mut command: Command) -> BTreeMap<String, Value> {
    let sent = sent(&printed(command.output().unwrap()));
    let root = |spans: &[Value]| {
        let root = spans.iter().find(|span| span["parent_span_id"].is_null()).unwrap();
        root["service"].as_str().unwrap().to_owned()
    };
    sent.iter().map(|(id, spans)| (root(spans), compare(serve, id, spans))).collect()
}

fn ones(services: &[&str]) -> BTreeMap<String, Value> {
    services.iter().map(|service| ((*service).to_owned(), 1.0.into())).collect()
}

fn python_sends_by(protocol: &str) {
    let Some(_) = python_program("send.py") else { return };
    let serve = Settings::new().quick().start();
    let address = if protocol == "grpc" { &serve.grpc } else { &serve.http };
    for options in [&[][..], &["--gzip"]] {
        let mut command = python_program("send.py").unwrap();
        command.args([protocol, &format!("http://{address}")]).args(options);
        let mut want = ones(&["limited", "shop"]);
        // Of two traces its sender kept one, and said so.
        want.insert("sampled".to_owned(), 2.0.into());
        assert_eq!(run(&serve, command), want);
    }
}

fn node_sends_by(protocol: &str) {
    let Some(_) = node_program("send.mjs") else { return };
    let serve = Settings::new().quick().start();
    let address = if protocol == "grpc" { &serve.grpc } else { &serve.http };
    for options in [&[][..], &["--gzip"]] {
        let mut command = node_program("send.mjs").unwrap();
        command.args([protocol, &format!("http://{address}")]).args(options);
        assert_eq!(run(&serve, command), ones(&["limited", "shop"]));
    }
}

#[test]
fn all_that_python_sends_by_grpc_is_found_again() {
    python_sends_by("grpc");
}

#[test]
fn all_that_python_sends_by_http_is_found_again() {
    python_sends_by("http");
}

#[test]
fn all_that_node_sends_by_grpc_is_found_again() {
    node_sends_by("grpc");
}

#[test]
fn all_that_node_sends_by_http_in_protobuf_is_found_again() {
    node_sends_by("proto");
}

#[test]
fn all_that_node_sends_by_http_in_json_is_found_again() {
    node_sends_by("json");
}

#[test]
fn pieces_of_a_trace_from_python_and_node_are_one_trace() {
    let (Some(mut python), Some(mut node)) = (python_program("send.py"), node_program("send.mjs")) else { return };
    let serve = Settings::new().quick().start();
    python.args(["grpc", &format!("http://{}", serve.grpc), "--traceparent"]);
    let mut python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(python.stdout.take().unwrap());
    let mut traceparent = String::new();
    said.read_line(&mut traceparent).unwrap();
    node.args(["json", &format!("http://{}", serve.http), &format!("--traceparent={}", traceparent.trim())]);
    let mut all = sent(&printed(node.output().unwrap()));
    drop(python.stdin.take());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(python.wait().unwrap().success());
    for (id, spans) in sent(&rest) {
        all.entry(id).or_default().extend(spans);
    }
    assert_eq!(all.len(), 1, "{:?}", all.keys());
    let (id, spans) = all.first_key_value().unwrap();
    assert_eq!(spans.len(), 4);
    assert_eq!(compare(&serve, id, spans), 1.0);
    let found = crate::support::http::get(&serve.main, "/api/v1/traces?service=back&operation=answer").json();
    let [found] = found["traces"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!(
        (&found["trace_id"], &found["root_service"], &found["spans"]),
        (&id.as_str().into(), &"front".into(), &4.into())
    );
}
