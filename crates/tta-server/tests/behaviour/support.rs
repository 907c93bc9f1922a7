//! A plain HTTP client, and engines with something to scrape.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tta_server::{MetricsServer, ServerLimits};
use tta_telemetry::{CardinalityLimits, Metric, SpanStatus, Telemetry};

pub(crate) const OPEN_METRICS: &str = "accept: application/openmetrics-text; version=1.0.0";
pub(crate) const PROTOBUF: &str =
    "accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The status line and the headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

pub(crate) fn engine() -> Telemetry {
    Telemetry::builder().build().unwrap()
}

/// One whose page is about so many lines long.
pub(crate) fn large_engine(series: usize) -> Telemetry {
    let limits =
        CardinalityLimits { max_label_values: 100_000, max_series_per_metric: 100_000, ..CardinalityLimits::default() };
    let telemetry = Telemetry::builder().cardinality(limits).build().unwrap();
    let items = telemetry.gauge(Metric::named("items").labels(&["item", "padding"])).unwrap();
    for item in 0..series {
        items.with(&[&format!("item-{item}"), &"x".repeat(100)]).unwrap().set(item as f64);
    }
    telemetry
}

pub(crate) async fn serve(telemetry: &Telemetry) -> MetricsServer {
    serve_within(telemetry, ServerLimits::default()).await
}

pub(crate) async fn serve_within(telemetry: &Telemetry, limits: ServerLimits) -> MetricsServer {
    let any = "127.0.0.1:0".parse().unwrap();
    MetricsServer::builder(telemetry).bind(any).limits(limits).start().await.unwrap()
}

/// Sends a request on a connection of its own, and reads all that comes back.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request(method, path, headers, "close").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    read(&bytes)
}

pub(crate) fn request(method: &str, path: &str, headers: &[&str], connection: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: {connection}\r\n{headers}\r\n")
}

pub(crate) async fn scrape(server: &MetricsServer, headers: &[&str]) -> Reply {
    ask(server.local_addr(), "GET", "/metrics", headers).await
}

pub(crate) fn read(bytes: &[u8]) -> Reply {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let is_chunked = head.contains("transfer-encoding: chunked");
    let rest = &bytes[end + 4..];
    Reply { status, head, body: if is_chunked { dechunk(rest) } else { rest.to_vec() } }
}

/// Panics when the last chunk is missing: the page is not whole then.
fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        let start = line + 2;
        body.extend_from_slice(&rest[start..start + size]);
        rest = &rest[start + size + 2..];
        if size == 0 {
            return body;
        }
    }
}

pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

/// Records executions of `work`, which take 1 to `count` ms.
pub(crate) fn record(telemetry: &Telemetry, count: u64) {
    for ms in 1..=count {
        telemetry.record_execution("work", "batch", Duration::from_millis(ms), SpanStatus::Ok, None);
    }
}
