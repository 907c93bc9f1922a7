//! `tta send`: recorded traces to a collector.
//!
//! Owns settings, the summary and exit codes. Lines are read in [`lines`], and sent in [`sending`].

mod lines;
mod sending;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tta::otlp::export::{Endpoint, ExportSettings, OtlpClient, RetryPolicy, Signal};
use tta::telemetry::Clock;

use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::output::{self, Failure};
use crate::send_args::Send;
use sending::Sent;

/// The exit code when no collector ever answered.
const UNREACHABLE: u8 = 2;

pub(crate) fn run(arguments: &Send) -> Result<ExitCode, Failure> {
    let settings = settings(arguments)?;
    let clock = Clock::system();
    let client = OtlpClient::new(&settings, Signal::Traces, clock.clone());
    let client = client.map_err(|error| Failure::new(error.to_string()))?;
    let shift = match arguments.rewrite_times && !is_standard_input(&arguments.file) {
        true => lines::last_time(&arguments.file)?,
        false => None,
    };
    let input = lines::open(&arguments.file)?;
    let mut stop = Interrupt::listen()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the async runtime: {error}")))?;
    let plan = sending::Plan::new(arguments, &settings, clock, shift);
    let sent = runtime.block_on(sending::send(&client, plan, input, &mut stop));
    runtime.shutdown_background();
    output::print_if_read(&summary(&sent))?;
    Ok(exit_code(&sent, settings.endpoint.url()))
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// What options say, then the environment, then the defaults.
fn settings(arguments: &Send) -> Result<ExportSettings, Failure> {
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with("OTEL_EXPORTER_OTLP_"))
        // What is given twice is taken from the arguments, so that a variable that is wrong does not matter then.
        .filter(|(name, _)| !(arguments.endpoint.is_some() && name.ends_with("ENDPOINT")))
        .filter(|(name, _)| !(arguments.protocol.is_some() && name.ends_with("PROTOCOL")))
        .filter(|(name, _)| !(arguments.compression.is_some() && name.ends_with("COMPRESSION")))
        .collect();
    let failed = |error: &dyn std::fmt::Display| Failure::new(error.to_string());
    let mut settings = ExportSettings::from_variables(&variables, Signal::Traces).map_err(|error| failed(&error))?;
    if let Some(protocol) = arguments.protocol {
        let is_default = settings.endpoint.url() == settings.protocol.default_endpoint();
        settings.protocol = protocol;
        if is_default {
            settings.endpoint = Endpoint::Base(protocol.default_endpoint().to_owned());
        }
    }
    if let Some(url) = &arguments.endpoint {
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        settings.endpoint = if path.is_empty() { Endpoint::Base(url.clone()) } else { Endpoint::Exact(url.clone()) };
    }
    settings.compression = arguments.compression.unwrap_or(settings.compression);
    let given: Option<Vec<(String, String)>> = arguments.headers.iter().map(|header| header.0.clone()).collect();
    // Not repeated: what is wrong may be a secret in another form, as `Authorization: Bearer ...`.
    let given = given.ok_or_else(|| Failure::new("a --header is something else, accepted is NAME=VALUE"))?;
    settings.headers.0.retain(|(name, _)| !given.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
    settings.headers.0.extend(given);
    settings.batch_size = arguments.batch_size.unwrap_or(settings.batch_size);
    settings.max_queue_size = settings.max_queue_size.max(settings.batch_size);
    settings.max_export_workers = arguments.concurrency.unwrap_or(settings.max_export_workers);
    settings.retry = RetryPolicy {
        initial_backoff: Duration::from_millis(250),
        max_elapsed: Duration::from_secs(arguments.retry_for),
        ..RetryPolicy::default()
    };
    settings.check().map_err(|error| failed(&error))?;
    Ok(settings)
}

fn summary(sent: &Sent) -> String {
    let seconds = sent.took.as_secs_f64();
    let rate = if seconds > 0.0 { sent.taken as f64 / seconds } else { 0.0 };
    let mut text = format!(
        "sent {} spans, rejected {}, failed {}, bad lines {}, in {seconds:.2} s ({rate:.0} spans/s)\n",
        sent.taken, sent.rejected, sent.failed, sent.bad_lines,
    );
    if sent.interrupted {
        text.insert_str(0, "interrupted: ");
    }
    text
}

fn exit_code(sent: &Sent, url: &str) -> ExitCode {
    if sent.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if sent.unreachable && sent.untrusted {
        output::error(&format!(
            "no secure connection to {url}; accepted is a collector with a certificate that is trusted here: \
             OTEL_EXPORTER_OTLP_CERTIFICATE names others than this machine's"
        ));
        ExitCode::from(UNREACHABLE)
    } else if sent.unreachable {
        output::error(&format!("no answer from {url}; accepted is a collector that listens there"));
        ExitCode::from(UNREACHABLE)
    } else if sent.rejected + sent.failed + sent.bad_lines + u64::from(sent.cut) > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
