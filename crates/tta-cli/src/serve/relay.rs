//! Passing on what is kept and counted, to where the configuration says.

use std::collections::BTreeMap;
use std::time::Duration;

use tta::otlp::export::{ConfiguredExport, ExportError, ExportPlan, ExportSettings};
use tta::server::ExportInfo;
use tta::telemetry::Clock;
use tta::telemetry::config::Config;

use crate::output::Failure;

/// For the last push of metrics, which everything else has ended before.
const LAST_PUSH: Duration = Duration::from_secs(5);

pub(super) fn start(config: &Config, clock: &Clock) -> Result<ConfiguredExport, Failure> {
    let variables: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    ConfiguredExport::start(config, &variables, clock).map_err(|error| refused(&error))
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
    let line = |export: &ExportSettings, what: &str| format!("  {:<36}  {what}\n", export.endpoint.url());
    let traces = plan.traces.iter().map(|traces| line(traces, "is sent the traces that are kept"));
    let metrics = plan.metrics.iter().map(|metrics| line(&metrics.export, "is pushed the metrics"));
    traces.chain(metrics).collect()
}

/// The last values, after everything was decided; whether they were taken.
pub(super) async fn push_last(export: ConfiguredExport) -> bool {
    tokio::task::spawn_blocking(move || export.stop(LAST_PUSH)).await.unwrap_or(false)
}
