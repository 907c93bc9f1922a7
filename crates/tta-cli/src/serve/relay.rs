//! Passing on what is kept, by OTLP, where the environment names a collector.

use std::collections::BTreeMap;
use std::sync::Arc;

use tta::Telemetry;
use tta::otlp::export::{ExportSettings, OtlpExporter, OtlpSink, Signal};
use tta::telemetry::config::Config;
use tta::telemetry::{Attribute, Clock, HealthComponent, Resource, Value};

use crate::output::Failure;

/// The variables that name a collector; without one nothing is passed on.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// The sink, and what it is watched by.
pub(super) struct Relay {
    pub(super) sink: OtlpSink,
    health: Arc<dyn HealthComponent>,
    pub(super) workers: usize,
    pub(super) is_async: bool,
}

impl Relay {
    /// `None` where no collector is named.
    pub(super) fn of_environment(config: &Config, clock: &Clock) -> Result<Option<Self>, Failure> {
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        if !ENDPOINTS.iter().any(|name| variables.get(*name).is_some_and(|url| !url.is_empty())) {
            return Ok(None);
        }
        let failed = |error: &dyn std::fmt::Display| Failure::new(format!("cannot pass traces on: {error}"));
        let settings = ExportSettings::from_variables(&variables, Signal::Traces).map_err(|error| failed(&error))?;
        let sink = OtlpSink::start(&settings, identity(config), clock.clone()).map_err(|error| failed(&error))?;
        let exporter: OtlpExporter = sink.exporter();
        let (workers, is_async) = (settings.max_export_workers, settings.async_export);
        Ok(Some(Self { sink, health: Arc::new(exporter), workers, is_async }))
    }

    /// Lets the engine ask the exporter how it is, as long as what is returned lives.
    pub(super) fn watched_by(health: Arc<dyn HealthComponent>, telemetry: &Telemetry) -> Arc<dyn HealthComponent> {
        telemetry.watch_health(&health);
        health
    }

    pub(super) fn health(&self) -> Arc<dyn HealthComponent> {
        Arc::clone(&self.health)
    }
}

/// Who recorded what is recorded here; received spans keep their own.
fn identity(config: &Config) -> Resource {
    let text =
        |key: &'static str, value: &str| Attribute { key: key.into(), value: Value::Str(value.to_owned().into()) };
    let attributes = vec![
        text("service.name", &config.service_name),
        text("service.version", &config.service_version),
        text("deployment.environment.name", config.environment.as_str()),
    ];
    Resource { attributes, ..Resource::new(config.service_name.clone().into()) }
}
