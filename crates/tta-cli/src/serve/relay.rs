//! Passing on what is kept and counted, to where the configuration says.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use tta::otlp::export::{ConfiguredExport, ExportError, ExportPlan, ExportSettings, OtlpStatus};
use tta::server::{Addresses, ExportInfo};
use tta::telemetry::Clock;
use tta::telemetry::config::Config;

use super::log;
use crate::output::Failure;

/// For the last push of metrics, which everything else has ended before, at most; and at most so much of the whole.
const LAST_PUSH: Duration = Duration::from_secs(5);
const SHARE: u32 = 5;

/// Starts what sends on. What would come back to this process is not sent, and said: the variables that name a
/// collector are often meant for the programs of a machine, whose collector this is.
pub(super) fn start(
    config: &Config,
    variables: &BTreeMap<String, String>,
    addresses: &Addresses,
    clock: &Clock,
) -> Result<ConfiguredExport, Failure> {
    let mut config = config.clone();
    let own: Vec<SocketAddr> = [addresses.otlp_grpc, addresses.otlp_http].into_iter().flatten().collect();
    let places = [&mut config.otlp.endpoint, &mut config.otlp.traces_endpoint, &mut config.metrics.push_endpoint];
    for place in places.into_iter().filter(|place| is_own(place, &own)) {
        log::warn(&format!("nothing is sent on to {}: that is this server itself", shown(place)));
        "off".clone_into(place);
    }
    ConfiguredExport::start(&config, variables, clock).map_err(|error| refused(&error))
}

/// A URL without its query, in which some collectors want a token.
fn shown(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Whether a URL leads to one of these addresses of this machine.
fn is_own(url: &str, own: &[SocketAddr]) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = if scheme == "https" { 443 } else { 80 };
    let place = if has_port { place.to_owned() } else { format!("{place}:{port}") };
    let port = place.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    // Names are looked up only where the port says that it may be.
    if !own.iter().any(|own| Some(own.port()) == port) {
        return false;
    }
    let found = place.to_socket_addrs().into_iter().flatten();
    let is_here = |found: &SocketAddr| UdpSocket::bind((found.ip(), 0)).is_ok();
    let leads = |found: SocketAddr, own: &SocketAddr| {
        found.port() == own.port() && (found.ip() == own.ip() || (own.ip().is_unspecified() && is_here(&found)))
    };
    found.into_iter().any(|found| own.iter().any(|own| leads(found, own)))
}

pub(super) fn refused(error: &ExportError) -> Failure {
    Failure::new(format!("cannot send on: {error}"))
}

/// What health says of it.
pub(super) fn info(config: &Config, plan: &ExportPlan) -> ExportInfo {
    ExportInfo {
        async_export_enabled: config.async_export,
        max_export_workers: config.max_export_workers,
        export_interval_seconds: plan.metrics.as_ref().map(|metrics| metrics.interval.as_secs_f64()),
    }
}

/// Where things go; nothing where they stay.
pub(super) fn welcome(plan: &ExportPlan) -> String {
    let line = |export: &ExportSettings, what: &str| format!("  {:<36}  {what}\n", shown(export.endpoint.url()));
    let traces = plan.traces.iter().map(|traces| line(traces, "is sent the traces that are kept"));
    let metrics = plan.metrics.iter().map(|metrics| line(&metrics.export, "is pushed the metrics"));
    traces.chain(metrics).collect()
}

/// What of the time for the end is kept for the last push of metrics.
pub(super) fn reserve(export: &ConfiguredExport, deadline: Duration) -> Duration {
    export.metrics().map_or(Duration::ZERO, |_| (deadline / SHARE).min(LAST_PUSH))
}

/// Pushes the last values, after everything was decided, and says what was sent and what was not; whether all was.
pub(super) async fn end(export: ConfiguredExport, left: Duration) -> bool {
    let traces = export.traces().cloned();
    let wait = left.min(LAST_PUSH);
    let is_pushed = tokio::task::spawn_blocking(move || export.stop(wait)).await.unwrap_or(false);
    let status = traces.map(|traces| traces.status());
    if let Some(status) = &status {
        let say = if lost(status) > 0 { log::warn } else { log::info };
        say(&format!("otlp: {}", sent(status)));
    }
    if !is_pushed {
        log::warn("the last metrics were not pushed");
    }
    is_pushed && status.as_ref().is_none_or(|status| lost(status) == 0)
}

fn lost(status: &OtlpStatus) -> u64 {
    status.dropped.total() + status.rejected + status.queued + status.in_flight
}

/// In words: what was taken, and why the rest was not.
fn sent(status: &OtlpStatus) -> String {
    let mut text = format!("{} spans sent", status.sent);
    let left = ("not sent in time", status.queued + status.in_flight);
    let causes = [("rejected", status.rejected), left].into_iter().chain(status.dropped.by_cause());
    for (cause, count) in causes.filter(|(_, count)| *count > 0) {
        text.push_str(&format!(", {count} lost ({})", cause.replace('_', " ")));
    }
    if let Some(error) = status.last_error.as_ref().filter(|_| lost(status) > 0) {
        text.push_str(&format!("; the last failure: {error}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use tta::otlp::export::Endpoint;

    use super::*;

    #[test]
    fn a_token_in_a_query_is_not_shown() {
        let endpoint = Endpoint::Exact("https://c.example/v1/traces?api_key=hunter2".to_owned());
        let traces = Some(ExportSettings { endpoint, ..ExportSettings::default() });
        let mut plan = ExportPlan::default();
        plan.traces = traces;
        let text = welcome(&plan);
        assert!(text.contains("https://c.example/v1/traces ") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn ones_own_address_is_known_by_name_number_and_whatever_stands_for_all() {
        let own = |address: &str| vec![address.parse::<SocketAddr>().unwrap()];
        let here = own("127.0.0.1:4318");
        for url in ["http://127.0.0.1:4318", "http://localhost:4318/", "http://localhost:4318/v1/traces?x"] {
            assert!(is_own(url, &here), "{url}");
        }
        for url in
            ["http://127.0.0.1:4319", "http://127.0.0.2:4318", "off", "http://127.0.0.1", "https://no.invalid:4318"]
        {
            assert!(!is_own(url, &here), "{url}");
        }
        assert!(is_own("http://127.0.0.2:4318", &own("0.0.0.0:4318")), "every address of this machine");
        assert!(!is_own("http://192.0.2.1:4318", &own("0.0.0.0:4318")), "nobody's (RFC 5737)");
        assert!(is_own("http://127.0.0.1/v1/traces", &own("127.0.0.1:80")), "the port that a URL without has");
    }
}
