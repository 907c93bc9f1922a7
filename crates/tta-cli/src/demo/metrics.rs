//! Serving the demo's metrics: from before its work until somebody has seen enough.

use std::net::SocketAddr;
use std::time::Duration;

use tta::Telemetry;
use tta::server::{MetricsServer, ServerError};

use crate::interrupt::Interrupt;
use crate::output::{self, Failure};

/// How long the end waits for pages under way.
const LAST_PAGES: Duration = Duration::from_secs(3);

/// Listens from now on, and says where.
pub(super) async fn serve(
    telemetry: &Telemetry,
    address: SocketAddr,
    is_insecure: bool,
) -> Result<MetricsServer, Failure> {
    let builder = MetricsServer::builder(telemetry).bind(address).insecure(is_insecure);
    let server = builder.start().await.map_err(|error| {
        Failure::new(match error {
            ServerError::AddressTaken { address } => format!(
                "cannot serve metrics at {address}: another program listens there; choose another address with \
                 --metrics ADDR, with port 0 for any port that is free"
            ),
            ServerError::Unbindable { address, reason } => format!(
                "cannot serve metrics at {address}: {reason}; choose an address of this machine with --metrics ADDR"
            ),
            ServerError::ExposedMetrics { address } => format!(
                "cannot serve metrics at {address}: whoever reaches it could read them, and no token is asked for; \
                 choose an address of this machine, as 127.0.0.1:9464, or add --insecure to expose them all the same"
            ),
            error => error.to_string(),
        })
    })?;
    output::note(&format!("metrics are served at {}", server.url()));
    if !server.local_addr().ip().to_canonical().is_loopback() {
        output::note("warning: insecure: whoever reaches this address can read the metrics, and nothing is encrypted");
    }
    Ok(server)
}

/// Goes on serving until it is interrupted.
pub(super) async fn serve_on(server: MetricsServer, telemetry: &Telemetry, stop: &mut Interrupt) {
    output::note(&format!("the work is done; metrics are still served at {}: stop with Ctrl-C", server.url()));
    stop.first().await;
    server.shutdown(LAST_PAGES).await;
    // What was to be kept has been flushed and reported.
    let _ = telemetry.shutdown(LAST_PAGES).await;
}
