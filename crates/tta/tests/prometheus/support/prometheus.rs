//! A `prometheus` of a test's own: a free port, a directory that goes with it, and its HTTP API.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::eventually;

const PROGRAM: &str = "prometheus";

/// Labels of a series, its name among them as `__name__`.
pub(crate) type Labels = BTreeMap<String, String>;

/// What is scraped, how often, and what is switched on.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Names of jobs, with an address each.
    jobs: Vec<(&'static str, SocketAddr)>,
    interval: &'static str,
    features: &'static str,
}

impl Settings {
    /// The job `tta`, often.
    pub(crate) fn of(target: SocketAddr) -> Self {
        Self { jobs: vec![("tta", target)], interval: "200ms", features: "" }
    }

    pub(crate) fn job(mut self, name: &'static str, target: SocketAddr) -> Self {
        self.jobs.push((name, target));
        self
    }

    /// For a large page, and a machine that has much else to do.
    pub(crate) fn seldom(self) -> Self {
        Self { interval: "1s", ..self }
    }

    pub(crate) fn features(self, features: &'static str) -> Self {
        Self { features, ..self }
    }
}

/// A series of an answer, with its values by time in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) labels: Labels,
    pub(crate) values: Vec<(u64, f64)>,
}

pub(crate) struct Prometheus {
    process: Option<Child>,
    port: u16,
    directory: TempDir,
    settings: Settings,
    client: reqwest::Client,
    /// What it warned of.
    log: Arc<Mutex<Vec<String>>>,
}

/// A running server, or nothing where the program is missing and may be.
pub(crate) async fn prometheus(settings: Settings) -> Option<Prometheus> {
    if !is_installed(PROGRAM) {
        return None;
    }
    // No proxy of the environment is asked for what is on this machine.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    // Another process may take the port between our look and the server's start.
    for _ in 0..10 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (directory, settings, client) = (TempDir::new().unwrap(), settings.clone(), client.clone());
        let mut prometheus = Prometheus { process: None, port, directory, settings, client, log: Arc::default() };
        if prometheus.launch().await {
            return Some(prometheus);
        }
    }
    panic!("{PROGRAM} does not start");
}

/// What `promtool` says to the input; nothing where it is missing and may be.
pub(crate) fn promtool(arguments: &[&str], input: &[u8]) -> Option<Output> {
    if !is_installed("promtool") {
        return None;
    }
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    Some(process.wait_with_output().unwrap())
}

fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} is not installed");
        eprintln!("skipped: {program} is not installed");
    }
    found.is_ok()
}

impl Prometheus {
    /// Starts the process, and waits until it answers or has ended; whether it answers.
    async fn launch(&mut self) -> bool {
        let path = |name: &str| self.directory.path().join(name);
        let data = path("data").display().to_string();
        let interval = self.settings.interval;
        let mut config = format!(
            "global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}
scrape_configs:
"
        );
        for (job, target) in &self.settings.jobs {
            config.push_str(&format!(
                "- {{job_name: {job}, static_configs: [{{targets: ['{target}']}}]}}
"
            ));
        }
        std::fs::write(path("prometheus.yml"), config).unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={data}"))
            .arg(format!("--web.listen-address=127.0.0.1:{}", self.port))
            .arg(format!("--enable-feature={}", self.settings.features))
            .arg("--log.level=warn");
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| log.lock().unwrap().push(line)));
        self.process = Some(process);
        eventually("Prometheus is ready or has ended", async || {
            if self.is_ready(&data).await { Some(true) } else { self.log_says_in_use().then_some(false) }
        })
        .await
    }

    /// Whether a Prometheus answers, and it is the one whose data are there.
    async fn is_ready(&self, data: &str) -> bool {
        let get = async |path: &str| self.client.get(self.url(path)).send().await.ok()?.error_for_status().ok();
        let Some(flags) = get("/api/v1/status/flags").await else { return false };
        flags.text().await.is_ok_and(|flags| flags.contains(data)) && get("/-/ready").await.is_some()
    }

    fn log_says_in_use(&self) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains("address already in use"))
    }

    /// What it did not like about what it scraped.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| line.contains("component=\"scrape manager\"")).cloned().collect()
    }

    /// The same directory and port again. It is asked to end, as an operator would.
    pub(crate) async fn restart(&mut self) {
        let mut process = self.process.take().unwrap();
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        assert!(process.wait().unwrap().success());
        assert!(self.launch().await, "it starts again on its port");
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// `data` of the API's answer.
    pub(crate) async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let answer = self.client.get(self.url(path)).query(query).send().await.unwrap();
        let text = answer.text().await.unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["status"], "success", "{query:?}: {text}");
        answer["data"].take()
    }

    /// The series that an expression gives now.
    pub(crate) async fn query(&self, expression: &str) -> Vec<Sample> {
        samples(&self.ask("/api/v1/query", &[("query", expression)]).await)
    }

    /// The series that an expression gives at a time in milliseconds.
    pub(crate) async fn query_at(&self, expression: &str, ms: u64) -> Vec<Sample> {
        let time = format!("{}.{:03}", ms / 1_000, ms % 1_000);
        samples(&self.ask("/api/v1/query", &[("query", expression), ("time", &time)]).await)
    }

    /// The one value that an expression gives, if it gives any.
    pub(crate) async fn value(&self, expression: &str) -> Option<f64> {
        let found = self.query(expression).await;
        assert!(found.len() < 2, "{expression}: {found:?}");
        found.first().map(|sample| sample.values[0].1)
    }

    /// Waits for a scrape of each target that began after this was called.
    pub(crate) async fn scraped_anew(&self) {
        // The rarest; one may be under way.
        let so_far = self.value("min(sum_over_time(up[1h]))").await.unwrap_or(0.0) as usize;
        self.scraped(so_far + 2).await;
    }

    /// Waits until it scraped each target this often. It takes five seconds to begin.
    pub(crate) async fn scraped(&self, times: usize) {
        let jobs = self.settings.jobs.len();
        let expression = format!("count(sum_over_time(up[1h]) >= {times}) == {jobs}");
        eventually("the scrapes", async || self.value(&expression).await).await;
    }
}

fn samples(data: &Value) -> Vec<Sample> {
    let found = data["result"].as_array().unwrap();
    if data["resultType"] == "scalar" {
        return vec![Sample { labels: Labels::new(), values: vec![pair(&data["result"])] }];
    }
    let series = found.iter().map(|series| {
        let labels = serde_json::from_value(series["metric"].clone()).unwrap();
        let one = series.get("value").into_iter().map(pair);
        let many = series.get("values").and_then(Value::as_array).into_iter().flatten().map(pair);
        Sample { labels, values: one.chain(many).collect() }
    });
    series.collect()
}

fn pair(value: &Value) -> (u64, f64) {
    ((value[0].as_f64().unwrap() * 1_000.0).round() as u64, value[1].as_str().unwrap().parse().unwrap())
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
