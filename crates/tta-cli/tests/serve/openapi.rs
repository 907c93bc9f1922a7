//! The query API, asked by schemathesis whatever its description allows and does not allow.

use crate::support::Settings;
use crate::support::otlp::{Span, request};
use crate::support::programs::python;

#[test]
fn schemathesis_finds_nothing_wrong_with_the_query_api() {
    let Some(mut python) = python() else { return };
    let serve = Settings::new().quick().start();
    let spans: Vec<Span> = (1..=20).map(|id| Span { trace_id: id, span_id: 1, parent: 0 }).collect();
    assert_eq!(serve.send(&request("shop", &spans)).status, 200);
    serve.trace(&format!("{:032x}", 20), 1);
    let directory = tempfile::tempdir().unwrap();
    let url = format!("http://{}/api/v1/openapi.json", serve.main);
    python.current_dir(directory.path()).args(["-m", "schemathesis.cli", "--no-color", "run", &url]);
    python.args(["--checks", "all", "--phases", "examples,coverage,fuzzing", "--mode", "all"]);
    python.args(["--max-examples", "20", "--seed", "7", "--workers", "2", "--request-timeout", "30"]);
    let output = python.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Tested: 8"), "{said}");
}
