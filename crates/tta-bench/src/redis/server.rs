//! A `redis-server` of a measurement's own: on a free port of the loopback interface, in a
//! directory that goes with it, writing nothing to disk.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub(super) const PROGRAM: &str = "redis-server";

/// Another process may take the port between our look and the server's start.
const ATTEMPTS: usize = 10;

pub(super) struct Server {
    process: Child,
    port: u16,
    _directory: TempDir,
}

impl Server {
    /// `7.0.15`, or `None` where there is none.
    pub(super) fn version() -> Option<String> {
        let output = Command::new(PROGRAM).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="));
        Some(version.unwrap_or("of an unknown version").to_owned())
    }

    /// A server that takes connections.
    pub(super) fn start() -> anyhow::Result<Self> {
        for _ in 0..ATTEMPTS {
            if let Some(server) = Self::launch()? {
                return Ok(server);
            }
        }
        anyhow::bail!("`{PROGRAM}` did not start in {ATTEMPTS} attempts")
    }

    fn launch() -> anyhow::Result<Option<Self>> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(PROGRAM);
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(directory.path());
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = process.stdout.take();
        // From here on dropping it ends the process.
        let server = Self { process, port, _directory: directory };
        let mut lines = output.into_iter().flat_map(|output| BufReader::new(output).lines().map_while(Result::ok));
        let is_up = lines.any(|line| line.contains("Ready to accept connections"));
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(is_up.then_some(server))
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
