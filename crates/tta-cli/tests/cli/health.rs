//! `tta health`, asking real servers: those of an engine, and those that are none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;
use tta::Telemetry;
use tta::server::{HealthApi, Scope, Server, ServerSettings, TlsFiles, TokenSource};
use tta::telemetry::config::Preset;
use tta::telemetry::{Health, HealthComponent, Name};

use crate::support::{Ran, Tree, ran, unread};

const TOKEN: &str = "8e4f1d27c05ba963-read";

/// Healthy, degraded or unhealthy, as it is told.
#[derive(Clone, Default)]
struct Orders(Arc<AtomicU8>);

impl HealthComponent for Orders {
    fn name(&self) -> Name {
        "store:orders".into()
    }

    fn health(&self) -> Health {
        match self.0.load(Ordering::Relaxed) {
            0 => Health::healthy(),
            1 => Health::degraded(format!("{}, \u{1b}[2Jand so on", "the pool has no connection left ".repeat(5))),
            _ => Health::unhealthy("no connection at all"),
        }
    }
}

/// A server of an engine in production, with a component that is as it is told to be.
struct Running {
    orders: Orders,
    server: Server,
    _component: Arc<dyn HealthComponent>,
    runtime: tokio::runtime::Runtime,
}

impl Running {
    fn new(settings: ServerSettings) -> Self {
        let config = Preset::Production.config();
        let telemetry = Telemetry::builder().config(&config).unwrap().build().unwrap();
        let orders = Orders::default();
        let component: Arc<dyn HealthComponent> = Arc::new(orders.clone());
        telemetry.watch_health(&component);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let checked = ServerSettings { address: "127.0.0.1:0".parse().unwrap(), ..settings }.check().unwrap();
        let api = HealthApi::builder(&telemetry).build();
        let router = api.router().layer(checked.tokens().require(Scope::Read));
        let server = runtime.block_on(Server::start(&checked, router)).unwrap();
        Self { orders, server, _component: component, runtime }
    }

    fn set(&self, state: u8) {
        self.orders.0.store(state, Ordering::Relaxed);
    }

    fn port(&self) -> u16 {
        self.server.local_addr().port()
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }
}

fn health(url: &str, arguments: &[&str]) -> Ran {
    Tree::new(&[]).run(&[&["health", "--url", url], arguments].concat())
}

#[test]
fn the_table_fits_80_columns_and_the_code_is_the_status() {
    let running = Running::new(ServerSettings::default());
    let healthy = health(&running.url(), &[]);
    assert_eq!((healthy.code, healthy.err.as_str()), (Some(0), ""));
    assert!(healthy.out.starts_with("healthy: All observability systems operational\ntta 0.1.0, production, up "));
    assert!(healthy.out.contains("sampling: 0.0500 of traces by chance, adaptive 0.01 to 0.2; 0 kept, 0 dropped\n"));
    assert!(healthy.out.ends_with("storage: none\n"), "{}", healthy.out);
    running.set(1);
    let degraded = health(&running.url(), &[]);
    assert_eq!(degraded.code, Some(1));
    assert!(degraded.out.starts_with("degraded: store:orders\n"), "{}", degraded.out);
    // The worst is first, with its reason below.
    let (_, table) = degraded.out.split_once("\ncomponent").unwrap();
    let first: Vec<&str> = table.lines().skip(1).take(2).collect();
    assert!(first[0].starts_with("store:orders  degraded"), "{table}");
    assert!(first[1].starts_with("    the pool has no connection left"), "{table}");
    assert!(!degraded.out.contains('\u{1b}'));
    running.set(2);
    let unhealthy = health(&running.url(), &[]);
    assert_eq!((unhealthy.code, unhealthy.err.as_str()), (Some(2), ""));
    assert!(unhealthy.out.contains("\n    no connection at all\n"), "{}", unhealthy.out);
    for ran in [healthy, degraded, unhealthy] {
        assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "{}", ran.out);
    }
}

#[test]
fn as_json_it_is_what_the_server_replies() {
    let running = Running::new(ServerSettings::default());
    for (state, word) in [(0, "healthy"), (1, "degraded"), (2, "unhealthy")] {
        running.set(state);
        let ran = health(&running.url(), &["--json"]);
        let body: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((ran.code, &body["health"]["status"]), (Some(i32::from(state)), &Value::from(word)));
        assert_eq!(body["system"]["service_name"], "tta");
    }
    // Only what the URL names.
    let ran = health(&format!("{}/health", running.url()), &["--json"]);
    let body: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &body["status"], &body["health"]), (Some(2), &Value::from("unhealthy"), &Value::Null));
}

#[test]
fn a_token_comes_from_a_file_and_is_never_shown() {
    let read_tokens = vec![TokenSource::Value(TOKEN.into())];
    let running = Running::new(ServerSettings { read_tokens, ..ServerSettings::default() });
    let tree = Tree::new(&[
        ("token", format!("# for health\n\n{TOKEN}\n").as_bytes()),
        ("wrong", b"0000111122223333-wrong\n"),
        ("none", b"# nothing\n"),
        ("odd", "t\u{f6}ken\n".as_bytes()),
    ]);
    let with = |file: &str| tree.run(&["health", "--url", &running.url(), "--token-file", file]);
    let ran = with("token");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let without = health(&running.url(), &[]);
    let asked = format!("error: {}/health/full refuses (401): this needs a token of scope read", running.url());
    assert!(without.code == Some(2) && without.err.starts_with(&asked), "{}", without.err);
    assert!(without.err.ends_with("give a token of scope read with --token-file\n"));
    let wrong = with("wrong");
    assert!(wrong.code == Some(2) && wrong.err.contains("refuses (401): the token is not known here"), "{}", wrong.err);
    assert!(!wrong.err.contains("0000111122223333"));
    assert!(with("none").err.contains("cannot read the token in none: the file has no line with one"));
    assert!(with("odd").err.contains("cannot read the token in odd: it has other characters"));
    assert!(with("gone").err.starts_with("error: cannot read the token in gone: "));
    let shown = [&ran, &without].map(|ran| format!("{}{}", ran.out, ran.err)).concat();
    assert!(!shown.contains(TOKEN), "{shown}");
}

#[test]
fn over_tls_a_server_must_be_one_that_is_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let (chain, key): (PathBuf, PathBuf) = (directory.path().join("chain.pem"), directory.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Some(TlsFiles { certificates: chain.clone(), key });
    let running = Running::new(ServerSettings { tls, ..ServerSettings::default() });
    let url = format!("https://localhost:{}", running.port());
    let tree = Tree::new(&[]);
    let trusted = ran(tree.command(&["health", "--url", &url]).env("SSL_CERT_FILE", &chain).output().unwrap());
    assert_eq!((trusted.code, trusted.err.as_str()), (Some(0), ""));
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&chain, other.cert.pem()).unwrap();
    let stranger = ran(tree.command(&["health", "--url", &url]).env("SSL_CERT_FILE", &chain).output().unwrap());
    assert_eq!(stranger.code, Some(2));
    let want = format!("error: cannot ask {url}/health/full: no secure connection: invalid peer certificate");
    assert!(stranger.err.starts_with(&want), "{}", stranger.err);
}

#[test]
fn a_server_whose_certificate_is_that_of_an_authority_is_told_of_with_what_is_accepted() {
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = parameters.self_signed(&signing_key).unwrap();
    let line = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId":"00f067aa0ba902b7","name":"s","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#;
    let tree = Tree::new(&[("traces.jsonl", line.replace('\n', "").as_bytes())]);
    let directory = tempfile::tempdir().unwrap();
    let (chain, key) = (directory.path().join("chain.pem"), directory.path().join("key.pem"));
    std::fs::write(&chain, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let tls = Some(TlsFiles { certificates: chain.clone(), key });
    let running = Running::new(ServerSettings { tls, ..ServerSettings::default() });
    let url = format!("https://localhost:{}", running.port());
    let why = "invalid peer certificate: it is marked as one of an authority (CA:TRUE), accepted is a server's own \
               (CA:FALSE), which an authority that is trusted has signed or which is trusted itself";
    let health = ran(tree.command(&["health", "--url", &url]).env("SSL_CERT_FILE", &chain).output().unwrap());
    let want = format!("error: cannot ask {url}/health/full: no secure connection: {why}\n");
    assert_eq!((health.code, health.err), (Some(2), want));
    let arguments = ["send", "traces.jsonl", "--endpoint", &url, "--retry-for", "0"];
    let send = ran(tree.command(&arguments).env("OTEL_EXPORTER_OTLP_CERTIFICATE", &chain).output().unwrap());
    assert_eq!(send.code, Some(2));
    let (first, last) = send.err.trim_end().split_once('\n').unwrap();
    assert!(first.starts_with("error: 1 spans were not taken: ") && first.ends_with(why), "{}", send.err);
    let want = format!(
        "error: no secure connection to {url}; accepted is a collector with a certificate that is trusted here: \
         OTEL_EXPORTER_OTLP_CERTIFICATE names others than this machine's"
    );
    assert_eq!(last, want);
}

/// Replies with these bytes, one after the other, to whoever connects.
fn canned(replies: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for reply in replies {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap() == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            stream.write_all(reply.as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn what_does_not_answer_or_is_something_else_is_told_apart() {
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let said = |url: &str, arguments: &[&str]| {
        let ran = health(url, arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{}", ran.err);
        ran.err.strip_prefix("error: ").unwrap().replace(url, "URL")
    };
    assert!(said(&gone, &[]).starts_with("cannot ask URL/health/full: cannot connect: "));
    // It accepts, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    assert_eq!(said(&url, &["--timeout", "0.05"]), "cannot ask URL/health/full: no answer within 0.05 s\n");
    let html = canned(&["HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>"]);
    assert_eq!(said(&html, &[]), "URL/health/full replies 200, but not as a `tta serve` does\n");
    let moved = canned(&["HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n"]);
    assert_eq!(said(&moved, &[]), "URL/health/full replies 302, a redirection, which is not followed; ask there\n");
    let cut = canned(&["HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n{\"status\":"]);
    assert!(said(&cut, &[]).starts_with("cannot ask URL/health/full: the reply is cut off or beyond 4 MiB: "));
    let nonsense = canned(&["SSH-2.0-OpenSSH\r\n\r\n"]);
    assert!(said(&nonsense, &[]).starts_with("cannot ask URL/health/full: "));
    let nothing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let nowhere = canned(Box::leak(Box::new([nothing, nothing])));
    let want = "URL/health/full replies 404: nothing there says how it is; is it the address of a `tta serve`?\n";
    assert_eq!(said(&nowhere, &[]), want);
    let stuck = canned(&[concat!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: 52\r\n\r\n",
        "{\"detail\":\"unhealthy: a component did not answer.\"}\r\n"
    )]);
    let want = "URL/health/full replies 503, but not as a `tta serve` does: unhealthy: a component did not answer.\n";
    assert_eq!(said(&stuck, &[]), want);
    for wrong in ["localhost:8000", "ftp://localhost"] {
        assert!(said(wrong, &[]).contains("accepted is http:// or https://, a host"));
    }
}

#[test]
fn of_a_server_without_the_full_reply_it_shows_what_there_is() {
    let url = canned(&[
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 35\r\n\r\n{\"status\":\"degraded\",\"message\":\"x\"}",
    ]);
    let ran = health(&url, &[]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    assert!(ran.out.starts_with("degraded: x\nup 0 s, metrics ?, tracing unavailable\n"), "{}", ran.out);
}

#[test]
fn a_server_that_has_ended_is_unreachable() {
    let running = Running::new(ServerSettings::default());
    let url = running.url();
    assert_eq!(health(&url, &[]).code, Some(0));
    let Running { server, runtime, .. } = running;
    assert!(runtime.block_on(server.shutdown(std::time::Duration::from_secs(60))));
    assert_eq!(health(&url, &[]).code, Some(2));
}

#[test]
fn the_code_is_the_status_also_when_nobody_reads_the_text() {
    let running = Running::new(ServerSettings::default());
    let tree = Tree::new(&[]);
    for (state, arguments) in [(1, &[][..]), (2, &[]), (2, &["--json"])] {
        running.set(state);
        let mut command = tree.command(&[&["health", "--url", &running.url()], arguments].concat());
        let status = command.stdout(unread()).output().unwrap().status;
        assert_eq!(status.code(), Some(i32::from(state)), "{arguments:?}");
    }
}
