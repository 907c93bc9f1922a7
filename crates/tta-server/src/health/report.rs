//! `/health` and `/health/full`: the whole, from its components.

use std::collections::BTreeMap;

use ::http::StatusCode;
use serde::Serialize;
use tta_telemetry::{ComponentHealth, HealthReport, HealthStatus, Telemetry};
use utoipa::ToSchema;

use super::Shared;
use super::views::{MetricsHealth, SamplingHealth, StorageHealth};
use crate::api::time::iso;

/// Components that a message names.
const MOST_NAMED: usize = 5;

/// How everything is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthBody {
    /// `healthy`, `degraded` or `unhealthy`.
    #[schema(value_type = String)]
    status: StatusWord,
    /// The same in words, with the components that are at fault.
    message: String,
    details: Details,
    /// When this was so, by RFC 3339.
    timestamp: String,
}

/// What the whole is made of.
#[derive(Debug, Serialize, ToSchema)]
struct Details {
    /// Whether the engine was built by a configuration.
    config_loaded: bool,
    /// `development`, `staging` or `production`; null without a configuration.
    environment: Option<&'static str>,
    /// `available`; `disabled` when nothing is counted; `unavailable` when the engine has ended.
    metrics_collector: &'static str,
    /// Names of primitives and workflows that were counted.
    unique_primitives: u64,
    /// Whether traces are recorded, and kept by more than chance 0.
    tracing_available: bool,
    uptime_seconds: f64,
    /// Components that are not healthy.
    issues_count: u64,
    /// `starting`, `ready` or `draining`.
    readiness: &'static str,
    /// Components that are not among these because there are too many.
    unregistered_components: u64,
    components: BTreeMap<String, Component>,
}

/// What a component says of itself.
#[derive(Debug, Serialize, ToSchema)]
struct Component {
    name: String,
    /// `healthy`, `degraded` or `unhealthy`.
    #[schema(value_type = String)]
    status: StatusWord,
    /// Why; null when there is nothing to say.
    reason: Option<String>,
    /// Since when, by RFC 3339, where that is known.
    since: Option<String>,
    /// When it last did its job, by RFC 3339, where that is known.
    last_success: Option<String>,
}

/// How everything is, and what it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FullHealth {
    pub(super) health: HealthBody,
    system: System,
    sampling: SamplingHealth,
    metrics: MetricsHealth,
    storage: StorageHealth,
}

/// The process.
#[derive(Debug, Serialize, ToSchema)]
struct System {
    /// Null without a configuration.
    service_name: Option<String>,
    /// Null without a configuration.
    service_version: Option<String>,
    /// Null without a configuration.
    environment: Option<&'static str>,
    uptime_seconds: f64,
    async_export_enabled: bool,
    max_export_workers: u64,
}

#[derive(Clone, Copy, Debug)]
struct StatusWord(HealthStatus);

impl Serialize for StatusWord {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl HealthBody {
    pub(super) fn of(shared: &Shared) -> Self {
        let telemetry = &shared.telemetry;
        let report = telemetry.health();
        let config = telemetry.config();
        let state = telemetry.state();
        let metrics_collector = match (telemetry.is_enabled(), state.is_up, state.is_measuring) {
            (true, false, _) => "unavailable",
            (true, true, true) => "available",
            _ => "disabled",
        };
        let issues = report.components.iter().filter(|component| component.health.status != HealthStatus::Healthy);
        let issues_count = issues.count() as u64;
        let keeps = config.as_ref().is_none_or(|config| config.tracing.enabled);
        Self {
            status: StatusWord(report.status),
            message: message(telemetry, &report),
            details: Details {
                config_loaded: config.is_some(),
                environment: config.map(|config| config.environment.as_str()),
                metrics_collector,
                unique_primitives: telemetry.cardinality().unique_primitives,
                tracing_available: state.is_up && keeps,
                uptime_seconds: shared.uptime_seconds(),
                issues_count,
                readiness: shared.readiness.as_str(),
                unregistered_components: report.unregistered,
                components: components(report),
            },
            timestamp: iso(shared.now_unix_ns()),
        }
    }

    /// The status of the reply.
    pub(super) fn code(&self) -> StatusCode {
        match self.status.0 {
            HealthStatus::Healthy | HealthStatus::Degraded => StatusCode::OK,
            HealthStatus::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl FullHealth {
    pub(super) fn of(shared: &Shared) -> Self {
        let config = shared.telemetry.config();
        let export = shared.export();
        Self {
            health: HealthBody::of(shared),
            system: System {
                service_name: config.as_ref().map(|config| config.service_name.clone()),
                service_version: config.as_ref().map(|config| config.service_version.clone()),
                environment: config.map(|config| config.environment.as_str()),
                uptime_seconds: shared.uptime_seconds(),
                async_export_enabled: export.async_export_enabled,
                max_export_workers: export.max_export_workers,
            },
            sampling: SamplingHealth::of(&shared.telemetry),
            metrics: MetricsHealth::of(shared),
            storage: StorageHealth::of(shared),
        }
    }
}

impl Shared {
    fn uptime_seconds(&self) -> f64 {
        self.telemetry.clock().elapsed(self.started).as_secs_f64()
    }

    fn now_unix_ns(&self) -> u64 {
        let clock = self.telemetry.clock();
        clock.unix_ns(clock.ticks())
    }
}

/// By name. Of several of one name all are shown, the further ones with a number.
fn components(report: HealthReport) -> BTreeMap<String, Component> {
    let mut by_name = BTreeMap::new();
    for ComponentHealth { name, health } in report.components {
        let component = Component {
            name: name.to_string(),
            status: StatusWord(health.status),
            reason: health.reason,
            since: health.since_unix_ns.map(iso),
            last_success: health.last_success_unix_ns.map(iso),
        };
        let mut key = component.name.clone();
        let mut number = 1_u64;
        while by_name.contains_key(&key) {
            number += 1;
            key = format!("{}#{number}", component.name);
        }
        by_name.insert(key, component);
    }
    by_name
}

fn message(telemetry: &Telemetry, report: &HealthReport) -> String {
    let of = |status| {
        let names = report.components.iter().filter(move |component| component.health.status == status);
        names.map(|component| component.name.to_string()).collect::<Vec<_>>()
    };
    let (unhealthy, degraded) = (of(HealthStatus::Unhealthy), of(HealthStatus::Degraded));
    let mut parts = Vec::new();
    if !unhealthy.is_empty() {
        parts.push(format!("unhealthy: {}", some(&unhealthy)));
    }
    if !degraded.is_empty() {
        parts.push(format!("degraded: {}", some(&degraded)));
    }
    if parts.is_empty() {
        return match telemetry.is_enabled() {
            true => "All observability systems operational".to_owned(),
            false => "Observability is disabled".to_owned(),
        };
    }
    parts.join("; ")
}

fn some(names: &[String]) -> String {
    let named = names.get(..MOST_NAMED).unwrap_or(names).join(", ");
    match names.len().checked_sub(MOST_NAMED) {
        None | Some(0) => named,
        Some(more) => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tta_telemetry::{Health, Name};

    #[test]
    fn components_of_one_name_are_all_shown() {
        let component =
            |name: &'static str| ComponentHealth { name: Name::from_static(name), health: Health::healthy() };
        let components = ["a", "a", "a#2", "a"].map(component).into();
        let shown = super::components(HealthReport { components, ..HealthReport::default() });
        assert_eq!(shown.keys().collect::<Vec<_>>(), ["a", "a#2", "a#2#2", "a#3"]);
    }

    #[test]
    fn a_message_names_five_and_counts_the_rest() {
        let names: Vec<String> = ["a", "b", "c", "d", "e", "f"].map(str::to_owned).into();
        assert_eq!((some(&names[..1]), some(&names[..5])), ("a".to_owned(), "a, b, c, d, e".to_owned()));
        assert_eq!(some(&names), "a, b, c, d, e and 1 more");
    }
}
