//! A running `tta serve`, and what talks to it.

pub(crate) mod http;
pub(crate) mod otlp;
pub(crate) mod programs;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use http::Reply;

/// Looks at what is not there yet, 10 ms apart, before a test fails: a minute.
const PATIENCE: usize = 6_000;

/// Asks until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE {
        if let Some(answer) = ask() {
            return answer;
        }
        // Another process needs the processor that asking all the time would take.
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("still not there: {what}");
}

/// How it is to be started. Ports are free ones, unless said otherwise.
pub(crate) struct Settings {
    directory: TempDir,
    command: Command,
}

/// `tta serve` at work; it ends with the test.
pub(crate) struct Serve {
    /// `http` or `https`.
    pub(crate) scheme: String,
    pub(crate) main: String,
    pub(crate) metrics: String,
    pub(crate) grpc: String,
    pub(crate) http: String,
    /// All that it said once it served.
    pub(crate) welcome: String,
    child: Child,
    // Kept open: a closed one would be an error to whoever writes.
    stdout: BufReader<ChildStdout>,
    directory: TempDir,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) err: String,
}

impl Settings {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tta"));
        command.arg("serve").current_dir(directory.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TTA_")) {
            command.env_remove(name);
        }
        Self { directory, command }
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn set(mut self, field: &str, value: &str) -> Self {
        self.command.env(format!("TTA_{field}"), value);
        self
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Traces are decided about so soon after their root that tests need not wait for it.
    pub(crate) fn quick(self) -> Self {
        self.set("TRACING__DECISION_WAIT_SECONDS", "0.2")
    }

    /// Starts it where it cannot: to its end.
    pub(crate) fn fails(mut self) -> Ended {
        let output = self.command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        Ended { status: output.status, err: String::from_utf8(output.stderr).unwrap() }
    }

    /// Starts it and waits until it serves.
    pub(crate) fn start(mut self) -> Serve {
        for name in ["--address", "--metrics-address", "--otlp-grpc-address", "--otlp-http-address"] {
            if self.command.get_args().all(|given| given != name) {
                self.command.args([name, "127.0.0.1:0"]);
            }
        }
        let mut child = self.command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut welcome = String::new();
        while !welcome.contains("OTLP over HTTP") {
            if stdout.read_line(&mut welcome).unwrap() == 0 {
                let mut err = String::new();
                child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("it did not serve: {welcome}{err}");
            }
        }
        let urls: Vec<&str> = welcome.split_whitespace().filter(|word| word.contains("://")).collect();
        let address = |url: &str| url.split_once("://").unwrap().1.split('/').next().unwrap().to_owned();
        let [main, metrics, grpc, http] = [0, 1, 2, 3].map(|place| address(urls[place]));
        let scheme = urls[0].split_once("://").unwrap().0.to_owned();
        Serve { scheme, main, metrics, grpc, http, welcome, child, stdout, directory: self.directory }
    }
}

impl Serve {
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks for a trace until so many of its spans are there.
    pub(crate) fn trace(&self, id: &str, spans: usize) -> Value {
        until(&format!("trace {id} with {spans} spans"), || {
            let reply = http::get(&self.main, &format!("/api/v1/traces/{id}"));
            let trace = (reply.status == 200).then(|| reply.json())?;
            (trace["spans"].as_array().unwrap().len() >= spans).then_some(trace)
        })
    }

    /// Sends a request of protobuf over HTTP.
    pub(crate) fn send(&self, body: &[u8]) -> Reply {
        http::post(&self.http, "/v1/traces", &["content-type: application/x-protobuf"], body)
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> (Ended, TempDir) {
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let status = self.child.wait().unwrap();
        let mut out = String::new();
        self.stdout.read_to_string(&mut out).unwrap();
        let is_relay =
            |line: &str| line.ends_with("is sent the traces that are kept") || line.ends_with("is pushed the metrics");
        assert!(out.lines().all(is_relay), "said after it was welcome: {out}");
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap());
        (Ended { status, err: messages(&err) }, directory)
    }

    /// Asks it to end, and waits.
    pub(crate) fn end(self) -> (Ended, TempDir) {
        self.signal("-TERM");
        self.wait()
    }

    /// Memory that is resident, in bytes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Log lines without their time, level and target; other lines as they are.
fn messages(err: &str) -> String {
    let message = |line: &str| match line.split_once(" tta: ") {
        Some((start, message)) if start.starts_with("20") => format!("{message}\n"),
        _ => format!("{line}\n"),
    };
    err.lines().map(message).collect()
}

/// The traces of a file, one on each line.
pub(crate) fn trace_file(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
