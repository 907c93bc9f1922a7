//! A receiver of exports that is a process of its own: reads each request to its end, waits as long as
//! it is told and says that it has taken everything. Looks at nothing: what a request holds is the
//! business of whoever is measured, and of its tests.

use crate::ingest::wire::{self, head};
use anyhow::Context as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The cases that are no measurements: `receiver/` and the milliseconds before each reply.
const PREFIX: &str = "receiver/";
/// Where it says how many requests it has answered.
const COUNT: &str = "/count";

/// Requests that were answered with success.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// How long a receiver of this name waits.
pub(crate) fn find(name: &str) -> Option<Duration> {
    name.strip_prefix(PREFIX)?.parse().map(Duration::from_millis).ok()
}

/// Is a receiver until its standard input ends, as it does with whoever has started it.
pub(crate) fn serve(delay: Duration) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    writeln!(std::io::stdout().lock(), "{}", listener.local_addr()?)?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that ends has ended.
            std::thread::spawn(move || connection(stream, delay).ok());
        }
    });
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
    Ok(())
}

fn connection(stream: TcpStream, delay: Duration) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while !stream.fill_buf()?.is_empty() {
        let head = head(&mut stream)?;
        let length = head.length.unwrap_or(0);
        anyhow::ensure!(!head.is_chunked, "a request in chunks");
        let taken = std::io::copy(&mut stream.by_ref().take(length), &mut std::io::sink())?;
        anyhow::ensure!(taken == length, "a request that ends early");
        let body = if head.first.contains(COUNT) {
            ANSWERED.load(Ordering::Relaxed).to_string()
        } else {
            wait(delay);
            ANSWERED.fetch_add(1, Ordering::Relaxed);
            String::new()
        };
        let kind = "content-type: application/x-protobuf";
        let reply = format!("HTTP/1.1 200 OK\r\n{kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.get_mut().write_all(reply.as_bytes())?;
    }
    Ok(())
}

/// Parking may end early.
fn wait(delay: Duration) {
    let watch = crate::clock::Stopwatch::start();
    while let Some(left) = delay.checked_sub(Duration::from_nanos(watch.elapsed_ns())).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// A receiver that this process has started.
pub(crate) struct Receiver {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Receiver {
    /// One that waits so long before each reply.
    pub(crate) fn start(delay: Duration) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--case", &format!("{PREFIX}{}", delay.as_millis())]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let mut line = String::new();
        let output = process.stdout.take().context("a receiver without output")?;
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse();
        if address.is_err() {
            process.kill().ok();
            process.wait().ok();
        }
        Ok(Self { process, address: address.with_context(|| format!("no address of a receiver: {line:?}"))? })
    }

    /// Requests that it has answered.
    pub(crate) fn answered(&self) -> anyhow::Result<u64> {
        let (reply, _) = wire::get(self.address, COUNT)?;
        Ok(std::str::from_utf8(&reply.body)?.parse()?)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_are_named_by_how_long_they_wait() {
        assert_eq!(find("receiver/200"), Some(Duration::from_millis(200)));
        assert_eq!((find("receiver/"), find("ingest/rotel")), (None, None));
    }

    #[test]
    fn each_request_is_read_to_its_end_answered_and_counted() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || connection(listener.accept().unwrap().0, Duration::from_millis(1)));
        let mut asking = wire::Connection::open(to).unwrap();
        let before = ANSWERED.load(Ordering::Relaxed);
        let both = b"POST /v1/traces HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(asking.ask(both).unwrap().status, 200);
        assert!(asking.ask(both).unwrap().body.is_empty());
        let count = asking.ask(b"GET /count HTTP/1.1\r\n\r\n").unwrap().body;
        assert_eq!(String::from_utf8(count).unwrap(), (before + 2).to_string());
        drop(asking);
        serving.join().unwrap().unwrap();
    }
}
