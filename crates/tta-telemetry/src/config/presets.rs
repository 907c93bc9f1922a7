//! The three presets, from which everything else starts.

use std::collections::BTreeMap;

use super::export::{HeaderSources, MetricsPushFormat, OtlpConfig};
use super::server::ServerConfig;
use super::types::{
    Config, CostConfig, LimitsConfig, LogFormat, LogLevel, LoggingConfig, MetricsConfig, RedactionConfig,
    SamplingConfig, TracingConfig,
};
use crate::limits::Limits;
use crate::receive::ReceiveLimits;
use crate::redaction::{Redaction, RedactionMode};
use crate::sampling::SamplingHash;

/// Where a process runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// On somebody's desk: everything is kept.
    #[default]
    Development,
    /// Where releases are tried: one trace in five, adaptive.
    Staging,
    /// Where users are: one trace in twenty, adaptive up to one in five.
    Production,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Preset::Development, Preset::Staging, Preset::Production];

    /// The stable string: `development`, `staging`, `production`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Preset::Development => "development",
            Preset::Staging => "staging",
            Preset::Production => "production",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name)
    }

    /// What it sets.
    #[must_use]
    pub fn config(self) -> Config {
        let [default_rate, most_rate] = self.of_each([1.0, 1.0], [0.2, 1.0], [0.05, 0.2]);
        let limits = Limits::default();
        Config {
            enabled: true,
            environment: self,
            service_name: "tta".to_owned(),
            service_version: "0.1.0".to_owned(),
            tracing: TracingConfig {
                enabled: true,
                sampling: SamplingConfig {
                    default_rate,
                    hash: SamplingHash::Otel,
                    always_sample_errors: true,
                    always_sample_slow: true,
                    slow_threshold_ms: 1_000.0,
                    adaptive_enabled: self.of_each(false, true, true),
                    adaptive_min_rate: 0.01,
                    adaptive_max_rate: most_rate,
                    adaptive_target_overhead: 0.02,
                    adjustment_interval_seconds: 60.0,
                    max_traces_per_second: 0.0,
                    max_bytes_per_second: 0.0,
                    rules: Vec::new(),
                    workflows: BTreeMap::new(),
                },
                decision_wait_seconds: limits.decision_wait.as_secs_f64(),
                rootless_wait_seconds: ReceiveLimits::default().rootless_wait.as_secs_f64(),
                limits: LimitsConfig {
                    live_bytes: limits.live_bytes as u64,
                    spans_per_trace: limits.spans_per_trace.into(),
                    attributes_per_span: limits.attributes_per_span.into(),
                    attribute_bytes: limits.attribute_bytes.into(),
                    events_per_span: limits.events_per_span.into(),
                    links_per_span: limits.links_per_span.into(),
                },
                batch_size: 512,
                max_queue_size: limits.queue_spans as u64,
                export_interval_seconds: self.of_each(10.0, 30.0, 60.0),
            },
            metrics: self.metrics(),
            slo: BTreeMap::new(),
            cost: CostConfig::default(),
            redaction: RedactionConfig {
                enabled: true,
                mode: RedactionMode::Mask,
                secret_keys: true,
                secret_values: true,
                scan_bytes: Redaction::default().scan_bytes() as u64,
                hash_salt: None,
                allowed_keys: Vec::new(),
                rules: Vec::new(),
            },
            server: ServerConfig::default(),
            otlp: OtlpConfig::default(),
            async_export: true,
            max_export_workers: 4,
            logging: LoggingConfig {
                level: self.of_each(LogLevel::Info, LogLevel::Info, LogLevel::Warn),
                format: self.of_each(LogFormat::Text, LogFormat::Json, LogFormat::Json),
            },
        }
    }

    fn metrics(self) -> MetricsConfig {
        MetricsConfig {
            enabled: true,
            max_label_values: self.of_each(1_000, 200, 100),
            max_series_per_metric: 1_000,
            hash_high_cardinality: self.of_each(false, true, true),
            buckets: BTreeMap::new(),
            push: MetricsPushFormat::Off,
            push_endpoint: "off".to_owned(),
            push_headers: HeaderSources::new(),
            export_interval_seconds: 60.0,
            batch_size: 100,
        }
    }

    fn of_each<T>(self, development: T, staging: T, production: T) -> T {
        match self {
            Preset::Development => development,
            Preset::Staging => staging,
            Preset::Production => production,
        }
    }
}
