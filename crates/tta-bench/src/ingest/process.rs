//! The servers under load: processes of their own, on free ports of the loopback interface.
//!
//! Owns starting and ending them, and what the kernel says that they took.

use super::wire;
use crate::memory;
use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The server, lying beside this binary.
pub(crate) const TTA: &str = "tta";
/// As somebody runs it who has many spans.
const CONFIG: &str = "environment = \"production\"\n[tracing.sampling]\ndefault_rate = 0.05\n";
/// Looks at a server that is starting.
const LOOKS: u32 = 200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A server that takes spans.
pub(crate) struct Server {
    process: Child,
    /// Where it takes OTLP over HTTP.
    pub(crate) otlp: SocketAddr,
    /// Where it is asked for its health and for its metrics, if it can be.
    pub(crate) probed: Option<Probed>,
    _directory: TempDir,
}

/// Where a server is asked how it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probed {
    pub(crate) main: SocketAddr,
    pub(crate) metrics: SocketAddr,
}

impl Server {
    /// `tta serve`, with what it has in production.
    pub(crate) fn tta() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let config = directory.path().join("tta.toml");
        std::fs::write(&config, CONFIG)?;
        let program = std::env::current_exe()?.with_file_name(TTA);
        let mut command = Command::new(&program);
        command.arg("serve").arg("--config").arg(&config);
        for option in ["--address", "--metrics-address", "--otlp-http-address"] {
            command.args([option, "127.0.0.1:0"]);
        }
        command.args(["--otlp-grpc-address", "off"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let lines = process.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines());
        let (mut main, mut metrics, mut otlp) = (None, None, None);
        for line in lines.map_while(Result::ok) {
            let kinds = [("health", &mut main), ("metrics for", &mut metrics), ("OTLP over HTTP", &mut otlp)];
            kinds.into_iter().filter(|(what, _)| line.contains(what)).for_each(|(_, place)| *place = address(&line));
            if otlp.is_some() {
                break;
            }
        }
        let (Some(main), Some(metrics), Some(otlp)) = (main, metrics, otlp) else {
            process.kill().ok();
            process.wait().ok();
            anyhow::bail!("`tta serve` did not say where it serves");
        };
        Ok(Self { process, otlp, probed: Some(Probed { main, metrics }), _directory: directory })
    }

    /// Rotel, which drops what it takes.
    pub(crate) fn rotel() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let program = rotel_program().context("rotel is not installed")?;
        let port = |listener: TcpListener| listener.local_addr();
        let otlp = port(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)?;
        let grpc = port(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)?;
        let mut command = Command::new(program);
        command.args(["start", "--exporter", "blackhole", "--otlp-http-endpoint", &otlp.to_string()]);
        command.args(["--otlp-grpc-endpoint", &grpc.to_string()]);
        command.arg("--pid-file").arg(directory.path().join("pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { process: command.spawn()?, otlp, probed: None, _directory: directory };
        let is_up = (0..LOOKS).any(|_| {
            std::thread::park_timeout(BETWEEN_LOOKS);
            wire::get(otlp, "/").is_ok()
        });
        anyhow::ensure!(is_up, "rotel did not start");
        Ok(server)
    }

    /// CPU time of all its threads so far, to a hundredth of a second.
    pub(crate) fn cpu_ns(&self) -> anyhow::Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // The name before them may hold anything but this.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: Vec<u64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        anyhow::ensure!(ticks.len() == 2, "no times in {stat:?}");
        Ok(ticks.iter().sum::<u64>() * (1_000_000_000 / rustix::param::clock_ticks_per_second()))
    }

    /// Memory that it had at most at a time.
    pub(crate) fn peak_bytes(&self) -> anyhow::Result<u64> {
        memory::peak_bytes(Some(self.process.id()))
    }

    /// Tells it to end, in order; `false` when it says that something was not done.
    pub(crate) fn end(mut self) -> anyhow::Result<bool> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        Ok(self.process.wait()?.success())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The address of the first URL in a line.
fn address(line: &str) -> Option<SocketAddr> {
    let url = line.split_whitespace().find_map(|word| word.strip_prefix("http://"))?;
    url.split('/').next()?.parse().ok()
}

/// Where the Python packages are: a virtual environment in the target directory.
pub(crate) fn environment() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    // Tests lie one deeper.
    let target = program.ancestors().find(|path| path.ends_with("release") || path.ends_with("debug"));
    let target = target.and_then(Path::parent).context("this binary lies in no target directory")?;
    Ok(target.join("peers").join("ingest"))
}

/// The program within the package, whose folder has the version of Python in its name.
pub(crate) fn rotel_program() -> Option<PathBuf> {
    let libraries = std::fs::read_dir(environment().ok()?.join("lib")).ok()?;
    let programs = libraries.flatten().map(|library| library.path().join("site-packages/rotel/rotel-agent"));
    programs.into_iter().find(|program| program.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_what_the_server_says() {
        let line = "  http://127.0.0.1:4318/v1/traces        takes OTLP over HTTP";
        assert_eq!(address(line), Some(SocketAddr::from(([127, 0, 0, 1], 4318))));
        assert_eq!(address("tta 0.1.0 serves shop (production)"), None);
    }
}
