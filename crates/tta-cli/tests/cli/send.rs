//! `tta send`: recorded traces to a collector of the test's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tta::otlp::export::{count_spans, times_of};

use crate::support::{Ran, Tree, ran, unread};

/// A line with so many spans, from 1 s after the epoch on.
fn line(spans: usize) -> String {
    let span = |number: usize| {
        format!(
            r#"{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba9{number:04x}","name":"s",
            "startTimeUnixNano":"1000000000","endTimeUnixNano":"{}"}}"#,
            2_000_000_000 + number
        )
        .replace('\n', "")
    };
    let spans: Vec<String> = (1..=spans).map(span).collect();
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","))
}

#[derive(Clone)]
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn spans(&self) -> u64 {
        count_spans(&self.body).unwrap()
    }
}

/// Answers every request with a status line; `None` never answers.
struct Collector {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Collector {
    fn start(answer: Option<&'static str>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&seen);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (socket, seen) = (socket.unwrap(), Arc::clone(&all));
                std::thread::spawn(move || serve(socket, answer, &seen));
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(socket: TcpStream, answer: Option<&'static str>, seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length =
            head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        seen.lock().unwrap().push(Request { head, body });
        let Some(answer) = answer else { continue };
        write!(&socket, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}

fn send(tree: &Tree, collector: &Collector, arguments: &[&str]) -> Ran {
    tree.run(&[&["send", "--endpoint", &collector.url], arguments].concat())
}

/// The summary without its times.
fn counts(ran: &Ran) -> &str {
    ran.out.split(", in ").next().unwrap()
}

#[test]
fn every_span_of_a_file_is_sent_in_requests_of_a_batch() {
    let tree = Tree::new(&[("traces.jsonl", [line(3), line(1), String::new(), line(7)].join("\n").as_bytes())]);
    let collector = Collector::start(Some("200 OK"));
    let ran = send(&tree, &collector, &["traces.jsonl", "--batch-size", "4", "--header", "tenant=a=b"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(counts(&ran), "sent 11 spans, rejected 0, failed 0, bad lines 0");
    let seen = collector.seen();
    let sizes: Vec<u64> = seen.iter().map(Request::spans).collect();
    assert!(sizes.iter().sum::<u64>() == 11 && sizes.iter().all(|size| *size <= 4), "{sizes:?}");
    assert!(seen[0].head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{}", seen[0].head);
    assert!(seen[0].head.contains("tenant: a=b\r\n"));
}

#[test]
fn a_bad_line_is_told_with_its_number_and_the_others_are_sent() {
    let text = [line(1), "not json".to_owned(), "{\"logs\":[]}".to_owned(), line(2)].join("\n");
    let tree = Tree::new(&[("traces.jsonl", text.as_bytes())]);
    let collector = Collector::start(Some("200 OK"));
    let ran = send(&tree, &collector, &["traces.jsonl"]);
    assert_eq!((ran.code, counts(&ran)), (Some(1), "sent 3 spans, rejected 0, failed 0, bad lines 2"));
    let told: Vec<&str> = ran.err.lines().collect();
    assert!(told[0].starts_with("error: line 2 is left out: body: "), "{told:?}");
    assert!(told[1].starts_with("error: line 3 is left out: body: found no spans"), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[test]
fn what_a_collector_refuses_is_counted_and_told() {
    let tree = Tree::new(&[("traces.jsonl", line(3).as_bytes())]);
    let collector = Collector::start(Some("400 Bad Request"));
    let ran = send(&tree, &collector, &["traces.jsonl"]);
    assert_eq!((ran.code, counts(&ran)), (Some(1), "sent 0 spans, rejected 0, failed 3, bad lines 0"));
    assert_eq!(ran.err, "error: 3 spans were not taken: 400 Bad Request\n");
}

#[test]
fn nobody_there_is_told_with_the_address() {
    let tree = Tree::new(&[("traces.jsonl", line(3).as_bytes())]);
    // Bound, so that nobody else listens there, and closed.
    let url = format!("http://{}", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap());
    let ran = tree.run(&["send", "traces.jsonl", "--endpoint", &url, "--retry-for", "0"]);
    assert_eq!((ran.code, counts(&ran)), (Some(2), "sent 0 spans, rejected 0, failed 3, bad lines 0"));
    assert!(ran.err.contains(&format!("error: no answer from {url}; ")), "{}", ran.err);
}

#[test]
fn standard_input_is_read_and_times_are_moved_to_now() {
    let tree = Tree::new(&[("traces.jsonl", line(2).as_bytes())]);
    let collector = Collector::start(Some("200 OK"));
    let mut command = tree.command(&["send", "-", "--endpoint", &collector.url, "--rewrite-times"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(line(2).as_bytes()).unwrap();
    assert_eq!(ran(child.wait_with_output().unwrap()).code, Some(0));
    assert_eq!(send(&tree, &collector, &["traces.jsonl", "--rewrite-times"]).code, Some(0));
    let times: Vec<(u64, u64)> = collector.seen().iter().map(|request| times_of(&request.body).unwrap()).collect();
    let [input, file] = times[..] else { panic!("two requests: {times:?}") };
    for (first, last) in times {
        assert_eq!(last - first, 1_000_000_002);
    }
    // From standard input the first start was then, of the file the last end.
    assert!(input.0 > 1_700_000_000_000_000_000 && file.1 > input.0, "{input:?} {file:?}");
}

#[test]
fn a_pace_is_kept() {
    let text = vec![line(10); 6].join("\n");
    let tree = Tree::new(&[("traces.jsonl", text.as_bytes())]);
    let collector = Collector::start(Some("200 OK"));
    let ran = send(&tree, &collector, &["traces.jsonl", "--rate", "100"]);
    assert_eq!(ran.code, Some(0));
    let seconds: f64 = ran.out.split(" in ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    // The last of six requests is due half a second after the first.
    assert!(seconds >= 0.5, "{}", ran.out);
    assert_eq!(collector.seen().iter().map(Request::spans).collect::<Vec<_>>(), [10; 6]);
}

#[test]
fn ctrl_c_ends_with_the_summary_of_what_was_sent() {
    let text = vec![line(10); 1_000].join("\n");
    let tree = Tree::new(&[("traces.jsonl", text.as_bytes())]);
    let collector = Collector::start(Some("200 OK"));
    let mut command = tree.command(&["send", "traces.jsonl", "--endpoint", &collector.url, "--rate", "100"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while collector.seen().len() < 2 {
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130));
    let spans: u64 = collector.seen().iter().map(Request::spans).sum();
    assert_eq!(counts(&ran), format!("interrupted: sent {spans} spans, rejected 0, failed 0, bad lines 0"));
}

#[test]
fn arguments_that_cannot_be_used_are_told_and_no_secret() {
    let tree = Tree::new(&[("traces.jsonl", b"")]);
    for (arguments, message) in [
        (&["none.jsonl"][..], "cannot read none.jsonl: "),
        (&["traces.jsonl", "--endpoint", "collector:4318"], "`endpoint` is `collector:4318`, accepted is an http"),
        (&["traces.jsonl", "--concurrency", "33"], "accepted is a whole number from 1 to 32"),
        (&["traces.jsonl", "--protocol", "udp"], "accepted is grpc, http/protobuf or http/json"),
        (&["traces.jsonl", "--rate", "0"], "accepted is a number from 0.001 to 1000000000"),
        (&["traces.jsonl", "--header", "a b=hunter2"], "a header with other characters in its name"),
        (&["traces.jsonl", "--header", "Authorization: Bearer hunter2"], "a --header is something else"),
        (&["traces.jsonl", "--header", "Authorization: Bearer hunter2=="], "a header with other characters"),
    ] {
        let ran = tree.run(&[&["send"], arguments].concat());
        assert!(ran.code == Some(2) && ran.err.contains(message), "{message}: {ran:?}");
        assert!(!ran.err.contains("hunter2"));
    }
    // Nothing to send is no failure.
    let ran = tree.run(&["send", "traces.jsonl"]);
    assert_eq!((ran.code, counts(&ran)), (Some(0), "sent 0 spans, rejected 0, failed 0, bad lines 0"));
}

#[test]
fn a_header_that_is_given_takes_the_place_of_the_environments() {
    let tree = Tree::new(&[("traces.jsonl", line(1).as_bytes())]);
    let collector = Collector::start(Some("200 OK"));
    let arguments = ["send", "traces.jsonl", "--endpoint", &collector.url, "--header", "Tenant=given"];
    let mut command = tree.command(&arguments);
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "tenant=environment,other=stays");
    assert_eq!(ran(command.output().unwrap()).code, Some(0));
    let head = collector.seen()[0].head.clone();
    let tenants: Vec<&str> = head.lines().filter(|line| line.starts_with("tenant:")).collect();
    assert_eq!((tenants, head.contains("other: stays")), (vec!["tenant: given"], true), "{head}");
}

#[test]
fn a_failure_is_one_also_when_nobody_reads_the_summary() {
    let tree = Tree::new(&[("traces.jsonl", line(3).as_bytes())]);
    let collector = Collector::start(Some("400 Bad Request"));
    let mut command = tree.command(&["send", "traces.jsonl", "--endpoint", &collector.url]);
    assert_eq!(command.stdout(unread()).output().unwrap().status.code(), Some(1));
}
