//! TLS, with a certificate that is made for the test.

use std::io::Write;
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::support::http::{self, Reply};
use crate::support::otlp::{Span, request};
use crate::support::programs::{printed, python_program};
use crate::support::{Serve, Settings, until};

/// A server with a certificate for `localhost`, and that certificate; it is in `chain.pem`, too.
fn start() -> (Serve, CertificateDer<'static>) {
    let settings = Settings::new();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(settings.file("chain.pem"), cert.pem()).unwrap();
    std::fs::write(settings.file("key.pem"), signing_key.serialize_pem()).unwrap();
    let text = "[server]\ntls_certificate_file = \"chain.pem\"\ntls_key_file = \"key.pem\"\n";
    std::fs::write(settings.file("tta.toml"), text).unwrap();
    let serve = settings.with(&["--config", "tta.toml"]).quick().start();
    (serve, cert.der().clone())
}

fn ask(address: &str, trusted: &CertificateDer<'static>, bytes: &[u8]) -> std::io::Result<Reply> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    stream.write_all(bytes)?;
    Reply::read(&mut stream)
}

#[test]
fn with_a_certificate_every_address_speaks_tls_and_nothing_else() {
    let (serve, trusted) = start();
    assert_eq!((serve.scheme.as_str(), serve.welcome.matches("  https://").count()), ("https", 4), "{}", serve.welcome);
    let body = request("shop", &[Span { trace_id: 0xc1, span_id: 1, parent: 0 }]);
    let post = http::request("POST", "/v1/traces", &["content-type: application/x-protobuf"], &body);
    assert_eq!(ask(&serve.http, &trusted, &post).unwrap().status, 200);
    let get = |path: &str| http::request("GET", path, &[], b"");
    let path = format!("/api/v1/traces/{:032x}", 0xc1);
    let trace = until("the trace", || {
        let reply = ask(&serve.main, &trusted, &get(&path)).unwrap();
        (reply.status == 200).then(|| reply.json())
    });
    assert_eq!(trace["spans"][0]["name"], "work");
    assert_eq!(ask(&serve.metrics, &trusted, &get("/metrics")).unwrap().status, 200);
    // Another's certificate, and none.
    let (_other, others) = start();
    let error = ask(&serve.main, &others, &get("/metrics")).unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    for address in [&serve.main, &serve.metrics, &serve.http, &serve.grpc] {
        assert!(http::ask(address, "GET", "/metrics", &[], b"").is_err());
    }
}

#[test]
fn python_sends_by_grpc_over_tls_to_a_certificate_that_it_trusts() {
    let Some(mut command) = python_program("call.py") else { return };
    let (serve, trusted) = start();
    let body = request("shop", &[Span { trace_id: 0xc2, span_id: 1, parent: 0 }]);
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    command.arg(&serve.grpc).arg(serve.file("chain.pem")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = command.spawn().unwrap();
    python.stdin.take().unwrap().write_all(format!("{}\n", json!({"path": path, "hex": hex})).as_bytes()).unwrap();
    let said: Value = serde_json::from_str(&printed(python.wait_with_output().unwrap())).unwrap();
    assert_eq!(said["code"], "OK", "{said}");
    let get = http::request("GET", &format!("/api/v1/traces/{:032x}", 0xc2), &[], b"");
    until("the trace", || (ask(&serve.main, &trusted, &get).unwrap().status == 200).then_some(()));
}
