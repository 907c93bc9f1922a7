//! Starting: what it says, and what it will not start with.

use std::net::TcpListener;

use crate::support::http::get;
use crate::support::otlp::{Span, request};
use crate::support::{Ended, Settings};

fn code_and_lines(ended: &Ended) -> (Option<i32>, Vec<&str>) {
    (ended.status.code(), ended.err.lines().collect())
}

#[test]
fn a_port_in_use_is_said_in_one_line_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let others = ["--address", "--metrics-address", "--otlp-grpc-address", "--otlp-http-address"];
    for argument in others {
        let mut settings = Settings::new().with(&[argument, &address]);
        for other in others.into_iter().filter(|other| *other != argument) {
            settings = settings.with(&[other, "127.0.0.1:0"]);
        }
        let ended = settings.fails();
        let want = format!(
            "error: cannot serve at {address}: another program listens there; choose another address with --address, \
             --metrics-address, --otlp-grpc-address or --otlp-http-address (port 0 for any that is free, `off` for none)"
        );
        assert_eq!(code_and_lines(&ended), (Some(2), vec![want.as_str()]));
    }
}

#[test]
fn all_that_is_wrong_with_a_file_is_said_at_once() {
    let settings = Settings::new();
    let text = "[tracing]\ndecision_wait_seconds = -1\n[server]\naddress = 7\nadress = \"x\"\n";
    std::fs::write(settings.file("wrong.toml"), text).unwrap();
    let ended = settings.with(&["--config", "wrong.toml"]).fails();
    let (code, lines) = code_and_lines(&ended);
    assert_eq!((code, lines.len(), lines[0]), (Some(1), 4, "error: 3 problems in the configuration:"));
    for (line, (number, field)) in
        lines[1..].iter().zip([(4, "server.address"), (5, "server.adress"), (2, "tracing.decision_wait_seconds")])
    {
        assert!(line.starts_with(&format!("wrong.toml:{number}: `{field}` is ")), "{line}");
    }
}

#[test]
fn addresses_tokens_and_certificates_that_will_not_do_are_said_together() {
    let settings = Settings::new();
    let text =
        "[server]\naddress = \"here\"\ntls_key_file = \"key.pem\"\n[server.tokens]\nwrite = [\"file:nothing\"]\n";
    std::fs::write(settings.file("tta.toml"), text).unwrap();
    let ended = settings.with(&["--config", "tta.toml"]).fails();
    assert_eq!(ended.status.code(), Some(2));
    for part in
        ["server.address is `here`", "tls_key_file belong together", "the write token in nothing cannot be read"]
    {
        assert!(ended.err.contains(part), "{}", ended.err);
    }
}

#[test]
fn others_than_this_machine_are_not_served_without_a_token_unless_it_is_insisted_on() {
    let ended = Settings::new().with(&["--address", "0.0.0.0:0"]).fails();
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.err.contains("without tokens: whoever reaches it could read all traces"), "{}", ended.err);
    let serve = Settings::new().with(&["--address", "0.0.0.0:0", "--insecure"]).start();
    let port = serve.main.rsplit(':').next().unwrap();
    assert_eq!(get(&format!("127.0.0.1:{port}"), "/api/v1/traces").status, 200);
    let (ended, _) = serve.end();
    assert!(ended.err.starts_with("warning: "), "{}", ended.err);
}

#[test]
fn every_address_that_is_exposed_is_said() {
    for argument in ["--metrics-address", "--otlp-grpc-address", "--otlp-http-address"] {
        let ended = Settings::new().with(&[argument, "0.0.0.0:0"]).fails();
        assert!(ended.status.code() == Some(2) && ended.err.contains("cannot serve at 0.0.0.0:0"), "{}", ended.err);
        let serve = Settings::new().with(&[argument, "0.0.0.0:0", "--insecure"]).start();
        let (ended, _) = serve.end();
        let warnings = ended.err.lines().filter(|line| line.starts_with("warning: insecure: ")).count();
        assert_eq!(warnings, 1, "{argument}: {}", ended.err);
    }
}

#[test]
fn two_serve_beside_each_other_and_keep_their_traces_apart() {
    let [one, other] = [(); 2].map(|()| Settings::new().quick().start());
    let addresses = [&one.main, &one.metrics, &one.grpc, &one.http];
    assert!([&other.main, &other.metrics, &other.grpc, &other.http].iter().all(|of| !addresses.contains(of)));
    for (serve, id) in [(&one, 0xa1_u128), (&other, 0xa2)] {
        let span = Span { trace_id: id, span_id: 1, parent: 0 };
        assert_eq!(serve.send(&request("shop", &[span])).status, 200);
    }
    for (serve, ids) in [(&one, [0xa1_u128, 0xa2]), (&other, [0xa2, 0xa1])] {
        serve.trace(&format!("{:032x}", ids[0]), 1);
        assert_eq!(get(&serve.main, &format!("/api/v1/traces/{:032x}", ids[1])).status, 404);
    }
}
