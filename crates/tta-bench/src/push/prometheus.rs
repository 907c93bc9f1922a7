//! A Prometheus of a measurement's own, which takes remote writes: on a free port of the loopback
//! interface, in a directory that goes with it.

use super::ours::{Target, url};
use crate::ingest::wire;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tta_otlp::export::Endpoint;

const PROGRAM: &str = "prometheus";
/// Looks at a server that is starting.
const LOOKS: u32 = 400;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Ends when it is dropped.
pub(super) struct Prometheus {
    process: Child,
    _directory: TempDir,
}

/// `2.42.0`, or `None` where there is none.
pub(super) fn version() -> Option<String> {
    let output = Command::new(PROGRAM).arg("--version").output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&said).into_owned();
    let version = text.split_whitespace().skip_while(|word| *word != "version").nth(1);
    Some(version.unwrap_or("of an unknown version").to_owned())
}

/// One that is ready.
pub(super) fn start() -> anyhow::Result<Target> {
    let address: SocketAddr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let directory = tempfile::tempdir()?;
    let config = directory.path().join("prometheus.yml");
    std::fs::write(&config, "global: {scrape_interval: 1h}\n")?;
    let mut command = Command::new(PROGRAM);
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()));
    command.arg(format!("--web.listen-address={address}"));
    command.args(["--web.enable-remote-write-receiver", "--log.level=error"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let prometheus = Prometheus { process: command.spawn()?, _directory: directory };
    let is_ready = (0..LOOKS).any(|_| {
        std::thread::park_timeout(BETWEEN_LOOKS);
        wire::get(address, "/-/ready").is_ok_and(|(reply, _)| reply.status == 200)
    });
    anyhow::ensure!(is_ready, "`{PROGRAM}` did not start");
    let endpoint = Endpoint::Exact(format!("{}/api/v1/write", url(address)));
    Ok(Target { endpoint, receiver: None, _prometheus: Some(prometheus) })
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
