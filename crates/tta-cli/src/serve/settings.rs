//! From the configuration and the arguments to addresses, tokens and certificates.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use tta::host::ConfigSource;
use tta::otlp::export::ExportPlan;
use tta::server::{Addresses, CheckedSettings, RunningServices, ServerError, ServerSettings, TlsFiles, TokenSource};
use tta::telemetry::config::Config;
use tta::telemetry::receive::ReceiveLimits;

use crate::args::Serve;
use crate::output::Failure;

/// What stands for nothing where an address or a file may be missing.
const OFF: &str = "off";

/// What was given on the command line wins, also when the file is read again.
pub(super) fn with_arguments(mut source: ConfigSource, arguments: &Serve) -> ConfigSource {
    let given = [
        ("--address", "server.address", &arguments.address),
        ("--metrics-address", "server.metrics_address", &arguments.metrics_address),
        ("--otlp-grpc-address", "server.otlp_grpc_address", &arguments.otlp_grpc_address),
        ("--otlp-http-address", "server.otlp_http_address", &arguments.otlp_http_address),
    ];
    for (argument, path, given) in given {
        if let Some(given) = given {
            source = source.argument(argument, path, given);
        }
    }
    if arguments.insecure { source.argument("--insecure", "server.insecure", "true") } else { source }
}

/// What traces that come from other processes may take.
pub(super) fn receive_limits(config: &Config) -> ReceiveLimits {
    let tracing = &config.tracing;
    let default = ReceiveLimits::default();
    ReceiveLimits {
        live_bytes: usize::try_from(config.server.received_bytes).unwrap_or(usize::MAX),
        spans_per_trace: u32::try_from(tracing.limits.spans_per_trace).unwrap_or(default.spans_per_trace),
        root_wait: Duration::from_secs_f64(tracing.decision_wait_seconds),
        rootless_wait: Duration::from_secs_f64(tracing.rootless_wait_seconds),
        ..default
    }
}

/// The environment, as far as it is text.
pub(crate) fn variables() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

/// Everything that is wrong is said at once, what would only be met when it is sent on among it.
pub(crate) fn read(
    config: &Config,
    variables: &BTreeMap<String, String>,
) -> Result<(CheckedSettings, Addresses), Failure> {
    let server = &config.server;
    let mut wrong = Vec::new();
    // The configuration accepts nothing else than addresses and `off`.
    let [main, metrics, otlp_grpc, otlp_http] =
        [&server.address, &server.metrics_address, &server.otlp_grpc_address, &server.otlp_http_address]
            .map(|address| address.parse::<SocketAddr>().ok());
    wrong.extend(shared([
        ("address", main),
        ("metrics_address", metrics),
        ("otlp_grpc_address", otlp_grpc),
        ("otlp_http_address", otlp_http),
    ]));
    let settings = ServerSettings {
        address: main.unwrap_or(ServerSettings::default().address),
        insecure: server.insecure,
        tls: tls(&server.tls_certificate_file, &server.tls_key_file, &mut wrong),
        read_tokens: tokens(&server.tokens.read),
        write_tokens: tokens(&server.tokens.write),
        admin_tokens: tokens(&server.tokens.admin),
        ..ServerSettings::default()
    };
    let checked = settings.check().map_err(|errors| wrong.extend(errors.iter().map(said)));
    if let Ok(checked) = &checked {
        let others = [metrics, otlp_grpc, otlp_http].into_iter().flatten();
        wrong.extend(others.filter_map(|address| checked.at(address).err()).map(|error| said(&error)));
    }
    if let Err(problems) = ExportPlan::of_config(config, variables) {
        wrong.extend(problems.0.iter().map(ToString::to_string));
    }
    match (checked, main) {
        (Ok(checked), Some(main)) if wrong.is_empty() => {
            Ok((checked, Addresses { main, metrics, otlp_grpc, otlp_http }))
        }
        _ => Err(all_of(wrong)),
    }
}

/// Our own addresses that cannot be held side by side: binding would say that somebody else is there.
fn shared(all: [(&str, Option<SocketAddr>); 4]) -> Vec<String> {
    const ACCEPTED: &str = "accepted is an address of its own for each: with another port (0 for any that is free), or \
                            `off` for none";
    let given: Vec<_> = all.into_iter().filter_map(|(field, address)| Some((field, address?))).collect();
    let mut wrong = Vec::new();
    for (number, (field, address)) in given.iter().enumerate() {
        let Some((other, held)) = given.iter().take(number).find(|(_, held)| overlap(*held, *address)) else {
            continue;
        };
        wrong.push(if held == address {
            format!("server.{other} and server.{field} are both {address}, {ACCEPTED}")
        } else {
            format!(
                "server.{other} is {held} and server.{field} is {address}, of which one holds the other, {ACCEPTED}"
            )
        });
    }
    wrong
}

/// The same, or one of them all addresses of this machine with the other's port. Port 0 is any that is free.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    let is_same = one.ip() == other.ip() || (is_any && one.is_ipv4() == other.is_ipv4());
    one.port() != 0 && one.port() == other.port() && is_same
}

/// What is exposed, at each address.
pub(super) fn warnings(checked: &CheckedSettings, addresses: &Addresses) -> Vec<String> {
    let others = [addresses.metrics, addresses.otlp_grpc, addresses.otlp_http].into_iter().flatten();
    let others = others.filter_map(|address| checked.at(address).ok()?.warning().map(str::to_owned));
    checked.warning().map(str::to_owned).into_iter().chain(others).collect()
}

/// One is a line of its own, several stand below one another.
fn all_of(mut wrong: Vec<String>) -> Failure {
    wrong.dedup();
    Failure::new(match wrong.as_slice() {
        // It says so itself.
        [only] if only.starts_with("cannot ") => only.clone(),
        [only] => format!("cannot serve: {only}"),
        several => format!("cannot serve, for {} reasons:\n  {}", several.len(), several.join("\n  ")),
    })
}

fn tls(certificates: &str, key: &str, wrong: &mut Vec<String>) -> Option<TlsFiles> {
    match (certificates == OFF, key == OFF) {
        (true, true) => None,
        (false, false) => Some(TlsFiles { certificates: certificates.into(), key: key.into() }),
        _ => {
            wrong
                .push("server.tls_certificate_file and server.tls_key_file belong together; one of them is off".into());
            None
        }
    }
}

fn tokens(places: &[String]) -> Vec<TokenSource> {
    let source = |place: &String| match place.split_once(':') {
        Some(("file", path)) => Some(TokenSource::File(path.into())),
        Some(("env", name)) => Some(TokenSource::Variable(name.to_owned())),
        // The configuration accepts no others.
        _ => None,
    };
    places.iter().filter_map(source).collect()
}

/// An error with the way out of it.
pub(super) fn explain(error: &ServerError) -> Failure {
    Failure::new(said(error))
}

fn said(error: &ServerError) -> String {
    const CHOOSE: &str = "choose another address with --address, --metrics-address, --otlp-grpc-address or \
                          --otlp-http-address (port 0 for any that is free, `off` for none)";
    match error {
        ServerError::AddressTaken { address } => {
            format!("cannot serve at {address}: another program listens there; {CHOOSE}")
        }
        ServerError::Unbindable { address, reason } => format!("cannot serve at {address}: {reason}; {CHOOSE}"),
        ServerError::Exposed { address } => format!(
            "cannot serve at {address} without tokens: whoever reaches it could read all traces, metrics and costs, \
             send spans, and change the configuration; set server.tokens, choose an address of this machine, as \
             127.0.0.1, or add --insecure to expose it all the same"
        ),
        other => other.to_string(),
    }
}

/// What is said once it serves.
pub(super) fn welcome(config: &Config, running: &RunningServices) -> String {
    let (scheme, addresses) = (running.scheme(), running.addresses());
    let mut text =
        format!("tta {} serves {} ({})\n", env!("CARGO_PKG_VERSION"), config.service_name, config.environment.as_str());
    let mut line = |url: String, what: &str| text.push_str(&format!("  {url:<36}  {what}\n"));
    line(format!("{scheme}://{}", addresses.main), "health, queries, configuration");
    if let Some(metrics) = addresses.metrics {
        line(format!("{scheme}://{metrics}/metrics"), "metrics for Prometheus");
    }
    if let Some(grpc) = addresses.otlp_grpc {
        line(format!("{scheme}://{grpc}"), "takes OTLP over gRPC");
    }
    if let Some(http) = addresses.otlp_http {
        line(format!("{scheme}://{http}/v1/traces"), "takes OTLP over HTTP");
    }
    text
}

#[cfg(test)]
mod tests {
    use tta::telemetry::config::Preset;

    use super::*;

    #[test]
    fn what_the_configuration_says_of_received_traces_is_kept_to() {
        let mut config = Preset::Production.config();
        assert_eq!(receive_limits(&config), ReceiveLimits::default());
        config.server.received_bytes = 1 << 20;
        config.tracing.limits.spans_per_trace = 3;
        config.tracing.decision_wait_seconds = 1.5;
        config.tracing.rootless_wait_seconds = 0.25;
        let limits = receive_limits(&config);
        assert_eq!((limits.live_bytes, limits.spans_per_trace), (1 << 20, 3));
        assert_eq!(
            (limits.root_wait, limits.rootless_wait),
            (Duration::from_millis(1_500), Duration::from_millis(250))
        );
    }
}
