//! The query API, asked by schemathesis whatever its description allows and does not allow.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::otlp::{Span, request};
use crate::support::programs::{program, python};
use crate::support::{Serve, Settings};

/// Sends a trace every now and then, so that the live stream has something to say.
fn keep_sending(serve: &Serve, is_done: &AtomicBool) {
    let mut trace_id = 1;
    while !is_done.load(Ordering::Relaxed) {
        let spans = [Span { trace_id, span_id: 1, parent: 0 }, Span { trace_id, span_id: 2, parent: 1 }];
        assert_eq!(serve.send(&request("shop", &spans)).status, 200);
        trace_id += 1;
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
}

#[test]
fn schemathesis_finds_nothing_wrong_with_the_query_api() {
    let Some(mut python) = python() else { return };
    let serve = Settings::new().quick().start();
    let url = format!("http://{}/api/v1/openapi.json", serve.main);
    let directory = tempfile::tempdir().unwrap();
    python.current_dir(directory.path()).args(["-m", "schemathesis.cli", "--no-color"]);
    python.arg("--config-file").arg(program("python/schemathesis.toml")).args(["run", &url]);
    python.args(["--checks", "all", "--phases", "examples,coverage,fuzzing", "--mode", "all"]);
    python.args(["--max-examples", "30", "--seed", "7", "--request-timeout", "30"]);
    let is_done = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        let sender = scope.spawn(|| keep_sending(&serve, &is_done));
        serve.trace(&format!("{:032x}", 1), 2);
        let output = python.output();
        is_done.store(true, Ordering::Relaxed);
        sender.join().unwrap();
        output.unwrap()
    });
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Tested: 8"), "{said}");
}
