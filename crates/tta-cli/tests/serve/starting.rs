//! Starting: what it says, and what it will not start with.

use std::net::TcpListener;

use crate::support::http::get;
use crate::support::otlp::{Span, request};
use crate::support::{Ended, Settings, until};

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
fn addresses_that_are_none_are_said_with_all_else_that_is_wrong_and_by_whom() {
    let settings = Settings::new();
    std::fs::write(settings.file("tta.toml"), "[server]\naddress = \"off\"\nmetrics_address = \"here\"\n").unwrap();
    let settings = settings.set("SERVER__OTLP_GRPC_ADDRESS", "4317");
    let ended = settings.with(&["--config", "tta.toml", "--otlp-http-address", "localhost:4318"]).fails();
    let (code, mut lines) = code_and_lines(&ended);
    lines[1..].sort_unstable();
    let address = "an address with a port, as 127.0.0.1:8000";
    let want = [
        "error: 4 problems in the configuration:".to_owned(),
        format!("--otlp-http-address: `server.otlp_http_address` is \"localhost:4318\", accepted is {address}, or off"),
        format!("TTA_SERVER__OTLP_GRPC_ADDRESS: `server.otlp_grpc_address` is \"4317\", accepted is {address}, or off"),
        format!("tta.toml:2: `server.address` is \"off\", accepted is {address}"),
        format!("tta.toml:3: `server.metrics_address` is \"here\", accepted is {address}, or off"),
    ];
    assert_eq!((code, lines), (Some(1), want.iter().map(String::as_str).collect()));
}

#[test]
fn addresses_of_arguments_are_in_the_configuration_in_effect_also_after_it_is_read_again() {
    let settings = Settings::new();
    let file = settings.file("tta.toml");
    std::fs::write(&file, "[server]\naddress = \"127.0.0.1:1\"\n").unwrap();
    let serve = settings.with(&["--config", "tta.toml", "--address", "127.0.0.1:0", "--insecure"]).start();
    let server = || get(&serve.main, "/api/v1/config").json()["config"]["server"].clone();
    assert_eq!((&server()["address"], &server()["insecure"]), (&"127.0.0.1:0".into(), &true.into()));
    std::fs::write(&file, "service_name = \"shop\"\n[server]\naddress = \"127.0.0.1:2\"\n").unwrap();
    serve.signal("-HUP");
    until("the file is read again", || {
        let config = get(&serve.main, "/api/v1/config").json();
        config["needs_restart"].to_string().contains("service_name").then_some(())
    });
    let config = get(&serve.main, "/api/v1/config").json();
    assert_eq!(config["config"]["server"]["address"], "127.0.0.1:0");
    assert!(!config["needs_restart"].to_string().contains("address"), "{}", config["needs_restart"]);
}

#[test]
fn tokens_and_certificates_that_will_not_do_are_said_together() {
    let settings = Settings::new();
    let text = "[server]\ntls_key_file = \"key.pem\"\n[server.tokens]\nwrite = [\"file:nothing\"]\n";
    std::fs::write(settings.file("tta.toml"), text).unwrap();
    let ended = settings.with(&["--config", "tta.toml"]).fails();
    assert_eq!(ended.status.code(), Some(2));
    for part in ["tls_key_file belong together", "the write token in nothing is not readable"] {
        assert!(ended.err.contains(part), "{}", ended.err);
    }
}

/// Starts it with this in its file, and expects one line.
fn refusal(prepare: impl FnOnce(&Settings), file: &str, arguments: &[&str]) -> String {
    let settings = Settings::new();
    prepare(&settings);
    std::fs::write(settings.file("tta.toml"), file).unwrap();
    let ended = settings.with(&["--config", "tta.toml"]).with(arguments).fails();
    let (code, lines) = code_and_lines(&ended);
    assert_eq!((code, lines.len()), (Some(2), 1), "{lines:?}");
    let line = lines[0].to_owned();
    assert_eq!((line.matches("cannot ").count(), line.matches("error: ").count()), (1, 1), "{line}");
    line
}

#[test]
fn one_thing_that_is_wrong_is_one_line_that_says_it_once() {
    let nothing = |_: &Settings| {};
    let write = |name: &'static str, text: String| {
        move |settings: &Settings| std::fs::write(settings.file(name), &text).unwrap()
    };
    let tokens = "server.tokens.write = [\"file:token\"]";
    let line = refusal(nothing, tokens, &[]);
    let want = "error: cannot serve: the write token in token is not readable: No such file or directory (os error 2)";
    assert_eq!(line, want);
    let line = refusal(write("token", "# none yet\n\n".into()), tokens, &[]);
    let want = "error: cannot serve: the write token in token is missing: the file has no line with a token";
    assert_eq!(line, want);
    let line = refusal(write("token", "short\n".into()), tokens, &[]);
    let want = "error: cannot serve: the write token in line 1 of token is 5 bytes long: accepted are 16 to 1024";
    assert_eq!(line, want);
}

#[test]
fn a_certificate_that_will_not_do_is_one_line_with_its_file() {
    let text = "[server]\ntls_certificate_file = \"chain.pem\"\ntls_key_file = \"key.pem\"\n";
    let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = |chain: Option<String>, key: Option<String>| {
        move |settings: &Settings| {
            for (name, text) in [("chain.pem", chain), ("key.pem", key)] {
                if let Some(text) = text {
                    std::fs::write(settings.file(name), text).unwrap();
                }
            }
        }
    };
    let (one, other) = (pair(), pair());
    let (chain, key, others) = (one.cert.pem(), one.signing_key.serialize_pem(), other.signing_key.serialize_pem());
    for (given, want) in [
        ((None, Some(key.clone())), "chain.pem for TLS: No such file or directory (os error 2)"),
        ((Some(chain.clone()), None), "key.pem for TLS: No such file or directory (os error 2)"),
        ((Some("nothing".into()), Some(key.clone())), "chain.pem for TLS: it has no certificate (BEGIN CERTIFICATE)"),
        ((Some(chain.replace("MII", "!!!")), Some(key)), "chain.pem for TLS: it is not valid PEM"),
        (
            (Some(chain.clone()), Some(chain.clone())),
            "key.pem for TLS: it has no private key (BEGIN PRIVATE KEY); one with a passphrase (BEGIN ENCRYPTED \
             PRIVATE KEY) is not accepted",
        ),
        ((Some(chain), Some(others)), "key.pem for TLS: it is not the key of the first certificate in chain.pem"),
    ] {
        assert_eq!(refusal(files(given.0, given.1), text, &[]), format!("error: cannot use {want}"));
    }
    let line = refusal(|_| {}, "server.tls_key_file = \"key.pem\"", &[]);
    let want = "error: cannot serve: server.tls_certificate_file and server.tls_key_file belong together; one of them \
                is off";
    assert_eq!(line, want);
}

#[test]
fn an_address_that_may_not_be_served_is_one_line_whichever_it_is() {
    let all = ["--address", "--metrics-address", "--otlp-grpc-address", "--otlp-http-address"];
    let choose = "choose another address with --address, --metrics-address, --otlp-grpc-address or \
                  --otlp-http-address (port 0 for any that is free, `off` for none)";
    for argument in all {
        let arguments = |address: &'static str| -> Vec<&str> {
            all.into_iter().flat_map(|name| [name, if name == argument { address } else { "127.0.0.1:0" }]).collect()
        };
        let line = refusal(|_| {}, "", &arguments("0.0.0.0:7"));
        let want = "error: cannot serve at 0.0.0.0:7 without tokens: whoever reaches it could read all traces, metrics \
                    and costs, send spans, and change the configuration; set server.tokens, choose an address of this \
                    machine, as 127.0.0.1, or add --insecure to expose it all the same";
        assert_eq!(line, want);
        let insecure: Vec<&str> = arguments("192.0.2.1:7").into_iter().chain(["--insecure"]).collect();
        let line = refusal(|_| {}, "", &insecure);
        assert!(line.starts_with("error: cannot serve at 192.0.2.1:7: ") && line.ends_with(choose), "{line}");
    }
}

#[test]
fn two_addresses_of_ones_own_that_are_the_same_are_said_to_be() {
    let all = ["--address", "--metrics-address", "--otlp-grpc-address", "--otlp-http-address"];
    let serve = |given: [&'static str; 4]| {
        let arguments: Vec<&str> = all.into_iter().zip(given).flat_map(<[&str; 2]>::from).collect();
        refusal(|_| {}, "", &arguments)
    };
    let free = "127.0.0.1:0";
    let want = "error: cannot serve: server.address and server.metrics_address are both 127.0.0.1:7, accepted is an \
                address of its own for each: with another port (0 for any that is free), or `off` for none";
    assert_eq!(serve(["127.0.0.1:7", "127.0.0.1:7", free, free]), want);
    let line = serve([free, free, "127.0.0.1:7", "127.0.0.1:7"]);
    assert!(line.contains("server.otlp_grpc_address and server.otlp_http_address are both 127.0.0.1:7, "), "{line}");
    // One that is all of this machine's takes the port of the others. Exposed, so that is said as well.
    let arguments = ["--insecure", "--address", "0.0.0.0:7", "--otlp-http-address", "127.0.0.1:7"];
    let line = refusal(|_| {}, "", &arguments);
    let want = "error: cannot serve: server.address is 0.0.0.0:7 and server.otlp_http_address is 127.0.0.1:7, of which \
                one holds the other, accepted is an address of its own for each: with another port (0 for any that is \
                free), or `off` for none";
    assert_eq!(line, want);
}

#[test]
fn a_file_for_traces_that_cannot_be_opened_is_one_line_with_its_cause_once() {
    let line = refusal(|_| {}, "", &["--address", "127.0.0.1:0", "--traces", "tta.toml/traces.jsonl"]);
    let (start, end) = ("error: cannot open trace file `", "/tta.toml/traces.jsonl` for reading and appending: ");
    let cause = line.strip_prefix(start).and_then(|rest| rest.split_once(end)).map(|(_, cause)| cause);
    assert_eq!(cause, Some("Not a directory (os error 20)"), "{line}");
}

#[test]
fn several_things_that_are_wrong_are_counted_and_stand_below_one_another() {
    let settings = Settings::new().set("SERVER__TLS_KEY_FILE", "key.pem");
    let ended = settings.with(&["--metrics-address", "0.0.0.0:0"]).fails();
    let (code, lines) = code_and_lines(&ended);
    assert_eq!((code, lines.len(), lines[0]), (Some(2), 3, "error: cannot serve, for 2 reasons:"));
    assert!(lines[1].starts_with("  server.tls_certificate_file and server.tls_key_file belong together"), "{lines:?}");
    assert!(lines[2].starts_with("  cannot serve at 0.0.0.0:0 without tokens: "), "{lines:?}");
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
    assert!(ended.err.starts_with("insecure: "), "{}", ended.err);
}

#[test]
fn every_address_that_is_exposed_is_said() {
    for argument in ["--metrics-address", "--otlp-grpc-address", "--otlp-http-address"] {
        let ended = Settings::new().with(&[argument, "0.0.0.0:0"]).fails();
        assert!(ended.status.code() == Some(2) && ended.err.contains("cannot serve at 0.0.0.0:0"), "{}", ended.err);
        let serve = Settings::new().with(&[argument, "0.0.0.0:0", "--insecure"]).start();
        let (ended, _) = serve.end();
        let warnings = ended.err.lines().filter(|line| line.starts_with("insecure: ")).count();
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

#[test]
fn log_lines_are_as_the_configuration_says() {
    let loud = Settings::new().set("LOGGING__FORMAT", "json").set("LOGGING__LEVEL", "info");
    let (ended, _) = loud.with(&["--address", "0.0.0.0:0", "--insecure"]).start().end();
    let lines: Vec<serde_json::Value> =
        ended.err.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let said: Vec<(&str, &str)> =
        lines.iter().map(|line| (line["level"].as_str().unwrap(), line["message"].as_str().unwrap())).collect();
    assert!(said[0].0 == "WARN" && said[0].1.starts_with("insecure: "), "{said:?}");
    assert!(said[1..].iter().any(|(level, message)| *level == "INFO" && message.starts_with("ending")), "{said:?}");
    assert!(lines[0]["timestamp"].as_str().unwrap().starts_with("20"));
    // The preset of production: warnings alone.
    let quiet = Settings::new().set("ENVIRONMENT", "production");
    let (ended, _) = quiet.start().end();
    assert_eq!((ended.status.code(), ended.err.as_str()), (Some(0), ""));
}

#[test]
fn a_file_that_is_right_is_told_that_it_would_not_do_here() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tta.toml");
    std::fs::write(&file, "[server.tokens]\nread = [\"file:not-there\"]\n").unwrap();
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_tta"))
        .args(["config", "check", "tta.toml"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let err = String::from_utf8(check.stderr).unwrap();
    assert_eq!((check.status.code(), String::from_utf8(check.stdout).unwrap().as_str()), (Some(0), "tta.toml: ok\n"));
    let want =
        "warning: here `tta serve` would not start with it: cannot serve: the read token in not-there is not readable";
    assert!(err.starts_with(want), "{err}");
}
