//! The demo, scraped by a real Prometheus; skipped where the program is missing, but not with `CI=true`.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use crate::metrics::Demo;
use crate::support::Tree;

/// Questions to the server until it has scraped; each takes some 50 ms, and the first scrape five seconds.
const PATIENCE: usize = 1_000;

/// Ends with the test.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn promtool(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

#[test]
fn a_real_prometheus_has_what_the_demo_did_and_its_checker_likes_the_page() {
    let found = Command::new("prometheus").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "prometheus is not installed");
        eprintln!("skipped: prometheus is not installed");
        return;
    }
    let tree = Tree::mixed();
    let demo = Demo::start(&tree, &["--metrics", "0"]);
    let config = tree.beside("prometheus.yml");
    let job = format!("{{job_name: tta, scrape_interval: 200ms, static_configs: [{{targets: ['{}']}}]}}", demo.address);
    std::fs::write(&config, format!("global: {{scrape_timeout: 200ms}}\nscrape_configs: [{job}]\n")).unwrap();
    let own = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", tree.beside("data").display()))
        .arg(format!("--web.listen-address={own}"));
    let _prometheus =
        Prometheus(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let expression = "sum by (status) (primitive_requests_total{primitive_type=\"workflow\"})";
    let ask = || promtool(&["query", "instant", &format!("http://{own}"), expression], "").stdout;
    let answered = (0..PATIENCE).any(|_| {
        let answer = String::from_utf8(ask()).unwrap();
        answer.contains("{status=\"success\"} => 7 @") && answer.contains("{status=\"failure\"} => 3 @")
    });
    assert!(answered, "{}", String::from_utf8_lossy(&ask()));
    let reply = demo.scrape();
    let (_, page) = reply.split_once("\r\n\r\n").unwrap();
    let said = promtool(&["check", "metrics"], page);
    assert_eq!(
        (said.status.code(), String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).as_ref()),
        (Some(0), "")
    );
    demo.end("-INT");
}
