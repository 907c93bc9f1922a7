//! What no sender should send: each gets the status and the words that say what is wrong, and the
//! next one is served as if nothing had been.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::http::{self, Reply, ask, get};
use crate::support::otlp::{Span, request};
use crate::support::programs::{printed, python_program};
use crate::support::{Serve, Settings};

const PROTOBUF: &str = "content-type: application/x-protobuf";
const JSON: &str = "content-type: application/json";

fn body() -> Vec<u8> {
    request("shop", &[Span { trace_id: 0xd1, span_id: 1, parent: 0 }, Span { trace_id: 0xd1, span_id: 2, parent: 1 }])
}

/// It still takes spans and shows them.
fn is_well(serve: &Serve) {
    assert_eq!(serve.send(&body()).status, 200);
    assert_eq!(serve.trace(&format!("{:032x}", 0xd1), 2)["spans"][1]["parent_span_id"], "0000000000000001");
}

fn post(serve: &Serve, headers: &[&str], body: &[u8]) -> Reply {
    http::post(&serve.http, "/v1/traces", headers, body)
}

#[test]
fn a_request_that_is_cut_anywhere_is_refused_or_holds_nothing() {
    let serve = Settings::new().quick().start();
    let whole = body();
    for end in 1..whole.len() {
        let reply = post(&serve, &[PROTOBUF], &whole[..end]);
        assert_eq!(reply.status, 400, "{end} bytes: {}", reply.text());
        assert!(!reply.problem().is_empty());
        // A sender that wants protobuf gets its `google.rpc.Status`.
        if end % 50 == 0 {
            let reply = post(&serve, &[PROTOBUF, "accept: application/x-protobuf"], &whole[..end]);
            assert_eq!((reply.status, reply.body[..2].to_vec()), (400, vec![8, 3]));
            assert!(reply.head.contains("\r\ncontent-type: application/x-protobuf"), "{reply:?}");
        }
    }
    assert_eq!(get(&serve.main, &format!("/api/v1/traces/{:032x}", 0xd1)).status, 404);
    is_well(&serve);
}

#[test]
fn over_grpc_cut_requests_and_unknown_methods_have_their_codes() {
    let Some(mut command) = python_program("call.py") else { return };
    let serve = Settings::new().quick().start();
    let hex: String = body().iter().map(|byte| format!("{byte:02x}")).collect();
    let service = "/opentelemetry.proto.collector.trace.v1.TraceService";
    let cases = [
        (format!("{service}/Export"), &hex[..hex.len() - 2], "INVALID_ARGUMENT"),
        (format!("{service}/Export"), &hex[..20], "INVALID_ARGUMENT"),
        (format!("{service}/Import"), "", "UNIMPLEMENTED"),
        ("/opentelemetry.proto.collector.logs.v1.LogsService/Export".to_owned(), "", "UNIMPLEMENTED"),
        (format!("{service}/Export"), "", "OK"),
        (format!("{service}/Export"), &hex, "OK"),
    ];
    let lines: String = cases.iter().map(|(path, hex, _)| format!("{}\n", json!({"path": path, "hex": hex}))).collect();
    let mut python = command.arg(&serve.grpc).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let printed = printed(python.wait_with_output().unwrap());
    let ended: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (ended, (path, _, want)) in ended.iter().zip(&cases) {
        assert_eq!(ended["code"], **want, "{path}: {ended}");
        assert_eq!(ended["details"].as_str().unwrap().is_empty(), *want == "OK", "{ended}");
    }
    assert_eq!(ended.len(), cases.len());
    is_well(&serve);
}

#[test]
fn content_types_and_json_of_wrong_types_are_refused_with_what_is_accepted() {
    let serve = Settings::new().quick().start();
    for kind in ["content-type: text/plain", "content-type: application/octet-stream", "content-type:", "x: y"] {
        let reply = post(&serve, &[kind], &body());
        assert_eq!(reply.status, 415, "{kind}");
        assert!(reply.problem().contains("accepted are application/x-protobuf and application/json"), "{reply:?}");
    }
    // Who speaks gRPC here is answered in its words.
    let reply = post(&serve, &["content-type: application/grpc"], &body());
    assert_eq!(reply.status, 200);
    assert!(reply.head.contains("\r\ngrpc-status: ") && !reply.head.contains("grpc-status: 0"), "{reply:?}");
    let span = |field: &str, value: Value| {
        let mut span = json!({"traceId": "000000000000000000000000000000d2", "spanId": "0000000000000001", "name": "x",
            "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000000001000"});
        span[field] = value;
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()
    };
    for wrong in [
        "[]".to_owned(),
        "{".to_owned(),
        "nul".to_owned(),
        "{\"resourceSpans\": 7}".to_owned(),
        "{\"resourceSpans\": [{\"scopeSpans\": {}}]}".to_owned(),
        span("name", json!(5)),
        span("startTimeUnixNano", json!("soon")),
        span("attributes", json!([{"key": "a", "value": {"intValue": "many"}}])),
        span("attributes", json!("none")),
        format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)),
    ] {
        let reply = post(&serve, &[JSON], wrong.as_bytes());
        assert_eq!(reply.status, 400, "{:.200}: {}", wrong, reply.text());
        assert!(!reply.problem().is_empty());
    }
    assert_eq!(post(&serve, &[JSON], span("extra", json!({"unknown": [1]})).as_bytes()).status, 200);
    is_well(&serve);
}

#[test]
fn bodies_that_are_too_large_before_or_after_decompression_are_refused() {
    let serve = Settings::new().quick().start();
    let before = serve.resident_bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0_u8; 1 << 20];
    for _ in 0..64 {
        gzip.write_all(&zeros).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    for _ in 0..5 {
        let reply = post(&serve, &[PROTOBUF, "content-encoding: gzip"], &bomb);
        assert_eq!(reply.status, 413);
        assert!(reply.problem().contains("33554432"), "{}", reply.text());
    }
    let grown = serve.resident_bytes().saturating_sub(before);
    assert!(grown < 128 << 20, "{} MiB more", grown >> 20);
    // A gigabyte that is only announced.
    let mut stream = TcpStream::connect(&serve.http).unwrap();
    stream.write_all(b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1073741824\r\n\r\n").unwrap();
    let reply = Reply::read(&mut stream).unwrap();
    assert_eq!(reply.status, 413);
    assert!(reply.problem().contains("16777216"), "{}", reply.text());
    let reply = post(&serve, &[PROTOBUF, "content-encoding: gzip"], &bomb[..bomb.len() / 2]);
    assert!([400, 413].contains(&reply.status), "{}", reply.text());
    assert_eq!(post(&serve, &[PROTOBUF, "content-encoding: gzip"], b"plain").status, 400);
    assert_eq!(post(&serve, &[PROTOBUF, "content-encoding: br"], &body()).status, 415);
    is_well(&serve);
}

#[test]
fn unknown_paths_and_methods_have_problem_bodies_at_every_address() {
    let serve = Settings::new().quick().start();
    for address in [&serve.main, &serve.metrics, &serve.http] {
        for path in ["/nothing", "/api/v1/nothing", "/v1/traces/", "/%ff%00", "/../../etc/passwd"] {
            let reply = ask(address, "GET", path, &[], b"").unwrap();
            assert_eq!(reply.status, 404, "{address}{path}");
            assert!(!reply.problem().is_empty());
        }
    }
    for (address, path, method, allowed) in [
        (&serve.http, "/v1/traces", "GET", "post"),
        (&serve.http, "/v1/traces", "DELETE", "post"),
        (&serve.main, "/api/v1/traces", "POST", "get, head"),
        (&serve.main, "/api/v1/traces", "BREW", "get, head"),
        (&serve.metrics, "/metrics", "PUT", "get, head"),
    ] {
        let reply = ask(address, method, path, &[], b"").unwrap();
        assert_eq!(reply.status, 405, "{method} {path}");
        assert!(reply.head.replace("get,head", "get, head").contains(&format!("\r\nallow: {allowed}")), "{reply:?}");
        assert!(!reply.problem().is_empty());
    }
    is_well(&serve);
}

#[test]
fn a_client_that_closes_its_half_has_its_reply_at_every_port_and_nothing_is_acknowledged_that_was_not_taken() {
    let serve = Settings::new().quick().start();
    let whole = http::request("POST", "/v1/traces", &[PROTOBUF], &body());
    for _ in 0..20 {
        for (address, request) in [
            (&serve.main, b"GET /livez HTTP/1.0\r\n\r\n".as_slice()),
            (&serve.main, b"GET /api/v1/traces HTTP/1.1\r\nhost: localhost\r\n\r\n"),
            (&serve.metrics, b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"),
            (&serve.http, &whole),
        ] {
            assert_eq!(half_closed(address, request), Some(200), "{}", String::from_utf8_lossy(request));
        }
    }
    for end in [whole.len() - 1, 30, 0] {
        let reply = half_closed(&serve.http, &whole[..end]);
        assert!([None, Some(400)].contains(&reply), "{end} bytes: {reply:?}");
    }
    is_well(&serve);
}

/// The status of the reply to what is sent with nothing after it, if there is one.
fn half_closed(address: &str, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    Reply::read(&mut stream).map(|reply| reply.status).ok()
}
