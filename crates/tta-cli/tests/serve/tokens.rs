//! Tokens from files: who may ask what, and where a token is never seen.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::http::{Reply, ask};
use crate::support::otlp::{Span, request};
use crate::support::programs::{printed, python_program};
use crate::support::{Serve, Settings};

const READ: &str = "read-4f1d8b2c97e06a35";
const WRITE: &str = "write-b7c3e9150fda8264";
const ADMIN: &str = "admin-0a9e6c5d27f1b384";
const WRONG: &str = "wrong-5c2a7e90d4b813f6";

fn start() -> Serve {
    let settings = Settings::new();
    for (name, token) in [("read", READ), ("write", WRITE), ("admin", ADMIN)] {
        std::fs::write(settings.file(name), format!("# made for this test\n{token}\n")).unwrap();
    }
    let tokens = "read = [\"file:read\"]\nwrite = [\"file:write\"]\nadmin = [\"file:admin\"]\n";
    std::fs::write(settings.file("tta.toml"), format!("[server.tokens]\n{tokens}")).unwrap();
    settings.with(&["--config", "tta.toml"]).quick().start()
}

fn with(address: &str, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Reply {
    let mut headers = vec!["content-type: application/x-protobuf".to_owned()];
    headers.extend(token.map(|token| format!("authorization: Bearer {token}")));
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    ask(address, method, path, &headers, body).unwrap()
}

#[test]
fn each_token_opens_what_it_is_for_and_nothing_tells_one() {
    let serve = start();
    let body = request("shop", &[Span { trace_id: 0xb1, span_id: 1, parent: 0 }]);
    let reads = [None, Some(WRONG), Some(READ), Some(WRITE), Some(ADMIN)].into_iter().zip([401, 401, 200, 403, 200]);
    for (token, want) in reads {
        for (address, path) in [
            (&serve.main, "/api/v1/traces"),
            (&serve.main, "/api/v1/openapi.json"),
            (&serve.main, "/jaeger/api/services"),
            (&serve.main, "/tempo/api/echo"),
            (&serve.main, "/metrics"),
            (&serve.metrics, "/metrics"),
        ] {
            let reply = with(address, "GET", path, token, b"");
            assert_eq!(reply.status, want, "{path} {token:?}");
            if want != 200 {
                let detail = reply.problem();
                assert!(reply.head.contains("www-authenticate: bearer") && !detail.contains("-5c2a"), "{reply:?}");
            }
        }
    }
    let writes = [None, Some(WRONG), Some(READ), Some(WRITE), Some(ADMIN)].into_iter().zip([401, 401, 403, 200, 200]);
    for (token, want) in writes {
        assert_eq!(with(&serve.http, "POST", "/v1/traces", token, &body).status, want, "{token:?}");
    }
    let (ended, _) = serve.end();
    assert_eq!(ended.status.code(), Some(0));
    for token in [READ, WRITE, ADMIN, WRONG] {
        assert!(!ended.err.contains(&token[6..]), "{}", ended.err);
    }
}

#[test]
fn over_grpc_the_token_is_in_the_metadata() {
    let Some(mut command) = python_program("call.py") else { return };
    let serve = start();
    let body = request("shop", &[Span { trace_id: 0xb2, span_id: 1, parent: 0 }]);
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let mut calls = vec![json!({"path": path, "hex": hex})];
    calls.extend([WRONG, READ, WRITE, ADMIN].map(|token| json!({"path": path, "hex": hex, "token": token})));
    let mut python = command.arg(&serve.grpc).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines: String = calls.iter().map(|call| format!("{call}\n")).collect();
    python.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let printed = printed(python.wait_with_output().unwrap());
    let codes: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["code"].clone()).collect();
    assert_eq!(codes, ["UNAUTHENTICATED", "UNAUTHENTICATED", "PERMISSION_DENIED", "OK", "OK"]);
}
