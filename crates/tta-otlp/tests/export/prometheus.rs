//! A real Prometheus takes what is written to it, and answers queries with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tta_otlp::export::{MetricsPush, Protocol, PushFormat, PushSettings};
use tta_telemetry::{MetricPoint, MetricValue, Telemetry};

use crate::metrics::{identity, record};
use crate::support::{LONG, eventually, settings};

struct Prometheus {
    process: Child,
    port: u16,
    _directory: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A running server that takes remote writes; nothing where the program is missing and may be.
fn prometheus() -> Option<Prometheus> {
    if Command::new("prometheus").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "prometheus is not installed");
        eprintln!("skipped: prometheus is not installed");
        return None;
    }
    // Another process may take the port between our look and the server's start.
    for _ in 0..10 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let directory = TempDir::new().unwrap();
        let config = directory.path().join("prometheus.yml");
        std::fs::write(&config, "global: {scrape_interval: 1m}\n").unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(["--web.enable-remote-write-receiver", "--enable-feature=exemplar-storage", "--log.level=warn"]);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, to) = (BufReader::new(process.stderr.take().unwrap()).lines(), Arc::clone(&log));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| to.lock().unwrap().push_str(&line)));
        let prometheus = Prometheus { process, port, _directory: directory };
        let mut is_ready = false;
        eventually("Prometheus is ready or has ended", || {
            is_ready = prometheus.get("/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.0 200"));
            is_ready || log.lock().unwrap().contains("address already in use")
        });
        if is_ready {
            return Some(prometheus);
        }
    }
    panic!("prometheus does not start");
}

impl Prometheus {
    fn get(&self, path: &str) -> Option<String> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        write!(socket, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// The result of a query as JSON, without its times.
    fn query(&self, query: &str) -> Vec<(serde_json::Value, String)> {
        let answer = self.get(&format!("/api/v1/query?query={query}")).unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["status"], "success", "{body}");
        let result = body["data"]["result"].as_array().unwrap().clone();
        let value = |entry: &serde_json::Value| entry["value"][1].as_str().unwrap().to_owned();
        result.into_iter().map(|entry| (entry["metric"].clone(), value(&entry))).collect()
    }
}

#[test]
fn a_real_prometheus_takes_remote_writes_and_answers_with_them() {
    let Some(prometheus) = prometheus() else { return };
    let telemetry = Telemetry::builder().build().unwrap();
    record(&telemetry);
    let export = settings(&format!("http://127.0.0.1:{}", prometheus.port), Protocol::HttpProtobuf);
    let settings = PushSettings {
        format: PushFormat::RemoteWrite,
        interval: Duration::from_secs(3_600),
        ..PushSettings::to(export)
    };
    let push = MetricsPush::start(&telemetry, &settings, identity()).unwrap();
    let health = push.health_component();
    assert!(push.stop(LONG));
    assert!(
        health.health().last_success_unix_ns.is_some() && health.health().reason.is_none(),
        "{:?}",
        health.health()
    );
    let orders = prometheus.query("orders_total");
    let labels = serde_json::json!({"__name__": "orders_total", "instance": "i-1", "job": "shop", "region": "eu"});
    assert_eq!(orders, [(labels, "7".to_owned())]);
    let value = |query: &str| prometheus.query(query).into_iter().map(|(_, value)| value).collect::<Vec<_>>();
    assert_eq!(value("upload_size_bytes_bucket%7Ble=%22100%22%7D"), ["3"]);
    assert_eq!(value("upload_size_bytes_bucket%7Ble=%22%2BInf%22%7D"), ["4"]);
    assert_eq!(value("histogram_quantile(0.25,upload_size_bytes_bucket)"), ["10"]);
    // All series of the engine arrived, none twice.
    let series = |point: &MetricPoint| match &point.value {
        MetricValue::Histogram(values) => values.limits.len() + 3,
        MetricValue::Count(_) | MetricValue::Number(_) => 1,
    };
    let families = telemetry.collect_metrics();
    let expected: usize = families.iter().flat_map(|family| &family.points).map(series).sum();
    assert_eq!(value("count(%7Bjob=%22shop%22%7D)"), [expected.to_string()]);
}
