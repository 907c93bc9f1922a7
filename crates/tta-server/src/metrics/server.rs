//! A server of nothing but metrics.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::StatusCode;
use tta_telemetry::Telemetry;

use super::{Endpoint, PATH};
use crate::http::{CheckedSettings, Server, ServerCounters, ServerError, ServerLimits, problem};

/// Where metrics are served unless something else is said: the port of Prometheus exporters of
/// OpenTelemetry, to this machine only.
const DEFAULT_ADDRESS: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 9464);

/// Serves `/metrics` of an engine, at 127.0.0.1:9464 unless it is told otherwise. Dropping it ends
/// it at once.
///
/// Everything it holds is bounded, whoever connects: [`ServerLimits`]. It asks for no tokens, so it listens
/// only where programs of this machine alone can reach it, and answers only requests for `localhost` or an
/// IP address, unless it is told to be [insecure](MetricsServerBuilder::insecure);
/// [`Services`](crate::Services) serve metrics with tokens and TLS.
///
/// ```
/// use std::time::Duration;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tta_server::MetricsServer;
/// use tta_telemetry::Telemetry;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> anyhow::Result<()> {
/// let telemetry = Telemetry::builder().build()?;
/// let server = MetricsServer::builder(&telemetry).bind("127.0.0.1:0".parse()?).start().await?;
/// let mut scraper = tokio::net::TcpStream::connect(server.local_addr()).await?;
/// scraper.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
/// let mut reply = String::new();
/// scraper.read_to_string(&mut reply).await?;
/// assert!(reply.starts_with("HTTP/1.0 200 OK") && reply.contains("content-type: text/plain; version=0.0.4"));
/// assert!(server.shutdown(Duration::from_secs(5)).await);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MetricsServer {
    server: Server,
    endpoint: Endpoint,
}

/// Makes a [`MetricsServer`].
#[derive(Debug)]
#[must_use]
pub struct MetricsServerBuilder {
    telemetry: Telemetry,
    address: SocketAddr,
    limits: ServerLimits,
    is_insecure: bool,
}

impl MetricsServer {
    /// A server of this engine's metrics, to be started.
    pub fn builder(telemetry: &Telemetry) -> MetricsServerBuilder {
        MetricsServerBuilder {
            telemetry: telemetry.clone(),
            address: DEFAULT_ADDRESS.into(),
            limits: ServerLimits::default(),
            is_insecure: false,
        }
    }

    /// Where it listens: with the real port when port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Where the metrics are: `http://127.0.0.1:9464/metrics`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.local_addr())
    }

    /// What it has seen so far.
    #[must_use]
    pub fn counters(&self) -> ServerCounters {
        ServerCounters { pages_given_up: self.endpoint.given_up(), ..self.server.counters() }
    }

    /// Stops listening, closes idle connections, and waits up to `deadline` for replies under way.
    /// Whether all of them were sent; those that were not are cut off.
    ///
    /// # Cancel safety
    /// Dropping the future ends the server at once.
    pub async fn shutdown(self, deadline: Duration) -> bool {
        self.server.shutdown(deadline).await
    }
}

impl MetricsServerBuilder {
    /// Where to listen; port 0 is any that is free. Default: 127.0.0.1:9464, which only programs of
    /// this machine reach. An address that others reach needs [`insecure`](Self::insecure).
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Serves the metrics to whoever asks, at whatever address and by whatever name. Default: false.
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.is_insecure = insecure;
        self
    }

    /// What it takes at most. Default: [`ServerLimits::default`].
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Listens from now on, on the tokio runtime that this is called in, which must have its I/O and
    /// time drivers enabled.
    ///
    /// # Errors
    /// The address is taken, none of this machine's, or open to others; or a limit is out of range.
    pub async fn start(self) -> Result<MetricsServer, ServerError> {
        let endpoint = Endpoint::new(&self.telemetry);
        let unknown = || async { problem::reply(StatusCode::NOT_FOUND, "the metrics are at /metrics") };
        let router = endpoint.router().fallback(unknown);
        let settings = CheckedSettings::open(self.address, self.limits, self.is_insecure);
        let settings = settings.map_err(|error| match error {
            ServerError::Exposed { address } => ServerError::ExposedMetrics { address },
            other => other,
        })?;
        let server = Server::start(&settings, router).await?;
        Ok(MetricsServer { server, endpoint })
    }
}
