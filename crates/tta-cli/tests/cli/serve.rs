//! `tta serve`: a real process, and what each field of `server` changes in what it does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::support::{Ran, Tree, ran};

const READ: &str = "read-8f3a9c1e7b2d6054";
const WRITE: &str = "write-5d0b7e3f9a1c8264";
const ADMIN: &str = "admin-c27e1f8a4b9d3065";

/// Ports of their own for all, unless a test says otherwise.
const ANY: [(&str, &str); 4] = [
    ("TTA_SERVER__ADDRESS", "127.0.0.1:0"),
    ("TTA_SERVER__METRICS_ADDRESS", "127.0.0.1:0"),
    ("TTA_SERVER__OTLP_GRPC_ADDRESS", "127.0.0.1:0"),
    ("TTA_SERVER__OTLP_HTTP_ADDRESS", "127.0.0.1:0"),
];

/// A server under way: what it said of itself, up to the last of its addresses.
struct Serving {
    child: Child,
    out: BufReader<ChildStdout>,
    welcome: Vec<String>,
}

/// Ends with the test.
impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(tree: &Tree, file: Option<&str>, variables: &[(&str, &str)]) -> Command {
    let mut command = tree.command(&["serve"]);
    if let Some(text) = file {
        tree.write("tta.toml", text.as_bytes());
        command.args(["--config", "tta.toml"]);
    }
    command.envs(variables.iter().copied());
    command
}

impl Serving {
    /// One that says so many addresses.
    fn start(tree: &Tree, file: Option<&str>, variables: &[(&str, &str)], addresses: usize) -> Self {
        let mut command = command(tree, file, variables);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut welcome = Vec::new();
        while welcome.len() < 1 + addresses {
            let mut line = String::new();
            if out.read_line(&mut line).unwrap() == 0 {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("it ended: {welcome:?} {said}");
            }
            welcome.push(line.trim_end().to_owned());
        }
        Self { child, out, welcome }
    }

    /// The address, with its port, that a line of the welcome with this text has.
    fn address(&self, what: &str) -> String {
        let line =
            self.welcome.iter().find(|line| line.ends_with(what)).unwrap_or_else(|| panic!("{:?}", self.welcome));
        let url = line.split_whitespace().next().unwrap();
        url.split_once("://").unwrap().1.split('/').next().unwrap().to_owned()
    }

    fn main(&self) -> String {
        self.address("health, queries, configuration")
    }

    fn get(&self, path: &str) -> (u16, String) {
        ask(&self.main(), "GET", path, "", "")
    }

    fn send(&self, body: &Value, headers: &str) -> u16 {
        let headers = format!("content-type: application/json\r\n{headers}");
        ask(&self.address("takes OTLP over HTTP"), "POST", "/v1/traces", &headers, &body.to_string()).0
    }

    /// Ends it, and gives what it had still to say: standard output, standard error.
    fn end(mut self) -> (String, String) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let (mut out, mut said) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (out, said)
    }
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

/// Status and body.
fn ask(address: &str, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request(method, path, headers, body).as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A request of one trace: a root of so many bytes, more or less, in attributes of its children.
fn trace(number: u32, bytes: usize) -> Value {
    let (id, text) = (format!("{number:032x}"), "x".repeat(1_000));
    let span = |span: usize| {
        let parent = if span == 1 { String::new() } else { format!("{:016x}", 1) };
        json!({
            "traceId": id, "spanId": format!("{span:016x}"), "parentSpanId": parent, "name": "step", "kind": 1,
            "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000005000000",
            "attributes": [{ "key": "text", "value": { "stringValue": text } }],
        })
    };
    let spans: Vec<Value> = (1..=bytes.div_ceil(1_000).max(1)).map(span).collect();
    json!({ "resourceSpans": [{ "resource": {}, "scopeSpans": [{ "spans": spans }] }] })
}

fn refused(tree: &Tree, file: Option<&str>, variables: &[(&str, &str)]) -> Ran {
    ran(command(tree, file, variables).output().unwrap())
}

#[test]
fn each_listener_is_at_the_address_that_the_variables_or_the_file_say() {
    let [main, metrics, grpc, http] = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"];
    let any = |host: &str| format!("{host}:0");
    let values = [any(main), any(metrics), any(grpc), any(http)];
    let variables: Vec<(&str, &str)> =
        ANY.iter().map(|(name, _)| *name).zip(values.iter().map(String::as_str)).collect();
    let file = format!(
        "[server]\naddress = \"{main}:0\"\nmetrics_address = \"{metrics}:0\"\notlp_grpc_address = \"{grpc}:0\"\n\
         otlp_http_address = \"{http}:0\"\n"
    );
    for (file, variables) in [(None, variables.as_slice()), (Some(file.as_str()), &[])] {
        let tree = Tree::new(&[]);
        let serving = Serving::start(&tree, file, variables, 4);
        for (what, host) in [
            ("health, queries, configuration", main),
            ("metrics for Prometheus", metrics),
            ("takes OTLP over gRPC", grpc),
            ("takes OTLP over HTTP", http),
        ] {
            let address = serving.address(what);
            assert!(address.starts_with(&format!("{host}:")) && !address.ends_with(":0"), "{:?}", serving.welcome);
            TcpStream::connect(&address).unwrap();
        }
        let (status, page) = ask(&serving.address("metrics for Prometheus"), "GET", "/metrics", "", "");
        assert!(status == 200 && page.contains("telemetry_up 1"), "{page}");
        assert_eq!(serving.send(&trace(1, 1), ""), 200);
    }
}

#[test]
fn what_is_off_is_not_served_by_variables_or_by_a_file() {
    let off = [ANY[0], (ANY[1].0, "off"), (ANY[2].0, "off"), (ANY[3].0, "off")];
    let file = "server = { address = \"127.0.0.1:0\", metrics_address = \"off\", otlp_grpc_address = \"off\", \
                otlp_http_address = \"off\" }";
    for (file, variables) in [(None, off.as_slice()), (Some(file), &[])] {
        let tree = Tree::new(&[]);
        let serving = Serving::start(&tree, file, variables, 1);
        assert_eq!(serving.get("/api/v1/traces").0, 200);
        let (out, _) = serving.end();
        assert_eq!(out, "", "another address");
    }
    let tree = Tree::new(&[]);
    let ran = refused(&tree, None, &[("TTA_SERVER__ADDRESS", "off"), ("TTA_SERVER__METRICS_ADDRESS", "9464")]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("`server.address` is \"off\"") && ran.err.contains("`server.metrics_address` is \"9464\""),
        "{}",
        ran.err
    );
}

#[test]
fn another_machine_is_served_without_tokens_only_when_it_is_insecure_on_purpose() {
    let mut variables = ANY.to_vec();
    variables[0].1 = "0.0.0.0:0";
    let tree = Tree::new(&[]);
    let ran = refused(&tree, None, &variables);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("without tokens"), "{}", ran.err);
    for file in [None, Some("server.insecure = true")] {
        let mut variables = variables.clone();
        variables.extend(file.is_none().then_some(("TTA_SERVER__INSECURE", "true")));
        let serving = Serving::start(&tree, file, &variables, 4);
        let (_, said) = serving.end();
        assert!(said.contains(" WARN tta: insecure: whoever reaches 0.0.0.0:"), "{said}");
    }
}

/// A GET over TLS that trusts this certificate alone.
fn get_over_tls(address: &str, trusted: &CertificateDer<'static>) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    stream.write_all(request("GET", "/api/v1/traces", "", "").as_bytes()).unwrap();
    let mut reply = Vec::new();
    // Whether the other side takes its leave is its own business.
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8(reply).unwrap()
}

#[test]
fn certificate_and_key_are_those_of_the_files() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tree = Tree::new(&[("c.pem", cert.pem().as_bytes()), ("k.pem", signing_key.serialize_pem().as_bytes())]);
    let files = [("TTA_SERVER__TLS_CERTIFICATE_FILE", "c.pem"), ("TTA_SERVER__TLS_KEY_FILE", "k.pem")];
    let file = "[server]\ntls_certificate_file = \"c.pem\"\ntls_key_file = \"k.pem\"\n";
    for (file, more) in [(None, files.as_slice()), (Some(file), &[])] {
        let serving = Serving::start(&tree, file, &[&ANY, more].concat(), 4);
        assert!(serving.welcome[1..].iter().all(|line| line.starts_with("  https://")), "{:?}", serving.welcome);
        let reply = get_over_tls(&serving.main(), cert.der());
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    }
    for one in files {
        let ran = refused(&tree, None, &[&ANY[..], &[one]].concat());
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains("belong together; one of them is off"), "{}", ran.err);
    }
    let missing = [files[0], (files[1].0, "missing.pem")];
    let ran = refused(&tree, None, &[&ANY[..], &missing].concat());
    assert!(ran.code == Some(2) && ran.err.contains("missing.pem"), "{}", ran.err);
}

#[test]
fn tokens_come_from_files_and_variables_each_for_its_scope() {
    let tree = Tree::new(&[("read.token", format!("{READ}\n").as_bytes())]);
    let file =
        "[server.tokens]\nread = [\"file:read.token\"]\nwrite = [\"env:MY_WRITE\"]\nadmin = [\"env:MY_ADMIN\"]\n";
    let variables = [&ANY[..], &[("MY_WRITE", WRITE), ("MY_ADMIN", ADMIN)]].concat();
    let serving = Serving::start(&tree, Some(file), &variables, 4);
    let header = |token: &str| format!("authorization: Bearer {token}\r\n");
    let read = |token: &str| ask(&serving.main(), "GET", "/api/v1/traces", &header(token), "").0;
    let write = |token: &str| serving.send(&trace(1, 1), &header(token));
    assert_eq!(serving.get("/api/v1/traces").0, 401);
    assert_eq!([READ, WRITE, ADMIN, "other-9e4c2a7f1d8b5036"].map(read), [200, 403, 200, 401]);
    assert_eq!([READ, WRITE, ADMIN, "other-9e4c2a7f1d8b5036"].map(write), [403, 200, 200, 401]);
    let ran = refused(&tree, Some(file), &[&ANY[..], &[("MY_WRITE", WRITE)]].concat());
    assert!(ran.code == Some(2) && ran.err.contains("MY_ADMIN") && !ran.err.contains(WRITE), "{}", ran.err);
}

/// Asks until the answer is as wanted; every question goes to another process and back.
fn until(ask: impl Fn() -> (u16, String), is_wanted: impl Fn(u16, &str) -> bool) {
    let mut last = (0, String::new());
    for _ in 0..20_000 {
        last = ask();
        if is_wanted(last.0, &last.1) {
            return;
        }
        std::thread::yield_now();
    }
    panic!("{last:?}");
}

#[test]
fn later_traces_push_out_the_first_when_the_memory_for_traces_is_full() {
    let at_once = ("TTA_TRACING__DECISION_WAIT_SECONDS", "0");
    let small = ("TTA_SERVER__TRACE_MEMORY_BYTES", "1048576");
    for (file, more, is_out) in
        [(None, vec![small], true), (Some("server.trace_memory_bytes = 1048576"), vec![], true), (None, vec![], false)]
    {
        let tree = Tree::new(&[]);
        let serving = Serving::start(&tree, file, &[&ANY[..], &[at_once], &more].concat(), 4);
        let get = |number: u32| serving.get(&format!("/api/v1/traces/{number:032x}"));
        for number in 1..=12 {
            assert_eq!(serving.send(&trace(number, 150_000), ""), 200);
            until(|| get(number), |status, _| status == 200);
        }
        assert_eq!(get(1).0, if is_out { 404 } else { 200 });
    }
}

#[test]
fn received_traces_beyond_their_memory_are_decided_about_before_their_time() {
    let late = ("TTA_TRACING__DECISION_WAIT_SECONDS", "3600");
    for (file, more) in
        [(None, vec![("TTA_SERVER__RECEIVED_BYTES", "65536")]), (Some("server.received_bytes = 65536"), vec![])]
    {
        let tree = Tree::new(&[]);
        let serving = Serving::start(&tree, file, &[&ANY[..], &[late], &more].concat(), 4);
        for number in 1..=40 {
            assert_eq!(serving.send(&trace(number, 10_000), ""), 200);
        }
        until(|| serving.get("/api/v1/traces"), |_, body| body.contains("\"trace_id\""));
    }
}
