//! Ending: SIGTERM under load, and a second signal.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::http::{self, ask};
use crate::support::otlp::{Span, request};
use crate::support::programs::python_program;
use crate::support::{Ended, Settings, trace_file, until};

const SENDERS: u64 = 4;
const SPANS: u64 = 20;

/// Ids of traces that one sender sends in one request, each of one span.
fn ids(sender: u64, number: u64) -> impl Iterator<Item = u128> {
    (0..SPANS).map(move |span| u128::from(sender + 1) << 96 | u128::from(number) << 32 | u128::from(span + 1))
}

fn body(sender: u64, number: u64) -> Vec<u8> {
    // Every other request's traces have their roots yet to come.
    let parent = number % 2;
    let spans: Vec<Span> = ids(sender, number).map(|trace_id| Span { trace_id, span_id: 7, parent }).collect();
    request(&format!("sender {sender}"), &spans)
}

/// Sends until nobody takes anything more; the ids of all that was acknowledged.
fn send_until_it_ends(address: &str, sender: u64, acknowledged: &AtomicUsize) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    for number in 0.. {
        let body = body(sender, number);
        let reply = ask(address, "POST", "/v1/traces", &["content-type: application/x-protobuf"], &body);
        match reply {
            Ok(reply) if reply.status == 200 => {
                assert_eq!(reply.body, b"", "some were refused");
                taken.extend(ids(sender, number).map(|id| format!("{id:032x}")));
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(reply) => assert_eq!(reply.status, 503, "{}", reply.text()),
            Err(_) => break,
        }
    }
    taken
}

#[test]
fn sigterm_under_load_loses_nothing_that_was_acknowledged() {
    let serve = Settings::new().with(&["--traces", "kept.jsonl", "--deadline", "60"]).start();
    let acknowledged = AtomicUsize::new(0);
    let taken: BTreeSet<String> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (address, acknowledged) = (&serve.http, &acknowledged);
                scope.spawn(move || send_until_it_ends(address, sender, acknowledged))
            })
            .collect();
        until("requests", || (acknowledged.load(Ordering::Relaxed) > 100).then_some(()));
        serve.signal("-TERM");
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    let (ended, directory) = serve.wait();
    check(&ended, &taken, &directory.path().join("kept.jsonl"));
}

/// It ended well, said so, and all that was acknowledged is in the file.
fn check(ended: &Ended, taken: &BTreeSet<String>, file: &Path) {
    assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
    let traces = trace_file(file);
    let kept: BTreeSet<String> = traces.iter().map(|trace| trace["trace_id"].as_str().unwrap().to_owned()).collect();
    let lost = taken.difference(&kept).count();
    let first = taken.difference(&kept).next();
    assert_eq!(
        lost,
        0,
        "of {} acknowledged; the first is {first:?}, the last taken {:?}\n{}",
        taken.len(),
        taken.last(),
        ended.err
    );
    assert!(taken.len() as u64 > 100 * SPANS);
    let lines: Vec<&str> = ended.err.lines().collect();
    assert_eq!(lines[0], "ending within 60 s; again to end at once");
    // Of the file and of what can be searched.
    let counts = format!(": {} traces, {} spans", kept.len(), kept.len());
    assert_eq!(lines.iter().filter(|line| line.ends_with(&counts)).count(), 2, "{}", ended.err);
    assert_eq!(lines[lines.len() - 1], "everything received was decided about, and what is kept was flushed");
}

#[test]
fn over_grpc_sigterm_loses_nothing_either_and_tells_the_sender_to_come_back() {
    const CALLS: u64 = 3_000;
    let Some(mut command) = python_program("call.py") else { return };
    let serve = Settings::new().with(&["--traces", "kept.jsonl", "--deadline", "60"]).start();
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let mut calls = File::create(serve.file("calls")).unwrap();
    for number in 0..CALLS {
        let hex: String = body(9, number).iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(calls, "{}", json!({"path": path, "hex": hex})).unwrap();
    }
    command.arg(&serve.grpc).stdin(File::open(serve.file("calls")).unwrap()).stdout(Stdio::piped());
    let mut python = command.spawn().unwrap();
    let (mut taken, mut codes) = (BTreeSet::new(), Vec::new());
    for (line, number) in BufReader::new(python.stdout.take().unwrap()).lines().zip(0..) {
        let said: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let code = said["code"].as_str().unwrap().to_owned();
        if code == "OK" {
            taken.extend(ids(9, number).map(|id| format!("{id:032x}")));
        }
        if codes.last() != Some(&code) {
            codes.push(code);
        }
        if number == 300 {
            serve.signal("-TERM");
        }
    }
    assert!(python.wait().unwrap().success());
    assert_eq!(codes, ["OK", "UNAVAILABLE"]);
    let (ended, directory) = serve.wait();
    check(&ended, &taken, &directory.path().join("kept.jsonl"));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let serve = Settings::new().with(&["--deadline", "3600"]).start();
    // A request that does not go on keeps the first signal from its end.
    let mut stuck = TcpStream::connect(&serve.http).unwrap();
    let half = http::request("POST", "/v1/traces", &["content-type: application/x-protobuf"], &[0; 100]);
    stuck.write_all(&half[..half.len() - 50]).unwrap();
    assert_eq!(serve.send(b"").status, 200);
    serve.signal("-TERM");
    // Nobody is taken any more once the first was heard.
    until("the end of listening", || TcpStream::connect(&serve.http).is_err().then_some(()));
    serve.signal("-TERM");
    let (ended, _) = serve.wait();
    assert_eq!(ended.status.code(), Some(130));
    assert_eq!(ended.err, "ending within 3600 s; again to end at once\n");
}
