//! `/health/sampling`, `/health/metrics` and `/health/storage`.

use serde::Serialize;
use tta_telemetry::Telemetry;
use tta_telemetry::sampling::AdaptiveStats;
use utoipa::ToSchema;

use super::{ExportInfo, Shared};
use crate::api::time::iso;

/// Warnings about labels that are told of.
const MOST_WARNINGS: usize = 20;

/// Which traces are kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SamplingHealth {
    /// Whether traces are kept at all.
    enabled: bool,
    /// The share of ordinary traces that is kept now.
    sampling_rate: f64,
    /// The share that the configuration says; null without one.
    configured_rate: Option<f64>,
    /// Null without a configuration, as the next ones.
    always_sample_errors: Option<bool>,
    always_sample_slow: Option<bool>,
    slow_threshold_ms: Option<f64>,
    /// Whether the rate follows what telemetry costs.
    adaptive_enabled: bool,
    /// Null unless it does, as the next two.
    adaptive_min_rate: Option<f64>,
    adaptive_max_rate: Option<f64>,
    adaptive_target_overhead: Option<f64>,
    /// The share of CPU time that telemetry took when it was measured last; null before that, and where it
    /// is not measured.
    measured_overhead: Option<f64>,
    /// Null unless the rate is adaptive.
    adaptive_stats: Option<Adaptive>,
    /// Decisions since the start.
    traces_kept: u64,
    traces_dropped: u64,
}

/// What an adaptive rate has done.
#[derive(Debug, Serialize, ToSchema)]
struct Adaptive {
    current_rate: f64,
    total_decisions: u64,
    sampled: u64,
    /// `sampled / total_decisions`.
    actual_sample_rate: f64,
    refused_samples: u64,
}

/// What is counted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MetricsHealth {
    enabled: bool,
    /// Names of primitives and workflows.
    total_primitives: u64,
    /// Executions of all of them, however they ended.
    total_executions: u64,
    /// Those that failed or panicked.
    total_errors: u64,
    cardinality: Cardinality,
    /// How often metrics are pushed; null when they are only scraped.
    export_interval_seconds: Option<f64>,
}

/// Labels and their limit.
#[derive(Debug, Serialize, ToSchema)]
struct Cardinality {
    /// Distinct values that each label may have.
    max_label_values: u64,
    /// Values that are known, of all labels.
    total_labels: u64,
    /// How often a value was beyond the limit.
    dropped_labels: u64,
    /// Whether values beyond the limit are told apart a little, by hash.
    hash_enabled: bool,
    /// What is at 80 % of its limit or above, the fullest first; at most 20.
    warnings: Vec<String>,
}

/// Where kept traces are.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StorageHealth {
    /// `none`, `memory` or `disk`.
    kind: &'static str,
    /// How long traces are kept; null without a limit by time, as the next one.
    trace_ttl_days: Option<f64>,
    metric_ttl_days: Option<f64>,
    compression_enabled: bool,
    /// Null when nothing is compressed.
    compression_level: Option<i32>,
    bytes: u64,
    /// Null when the store does not bound itself.
    capacity_bytes: Option<u64>,
    traces: u64,
    /// Traces that had to give way to later ones.
    evicted_traces: u64,
    /// Null without a store on disk, as `free_disk_bytes` and `wal_lag_bytes`.
    segments: Option<u64>,
    /// The oldest trace, by RFC 3339; null when there is none.
    oldest: Option<String>,
    /// The newest, likewise.
    newest: Option<String>,
    free_disk_bytes: Option<u64>,
    wal_lag_bytes: Option<u64>,
}

impl From<AdaptiveStats> for Adaptive {
    fn from(stats: AdaptiveStats) -> Self {
        Self {
            current_rate: stats.current_rate,
            total_decisions: stats.total_decisions,
            sampled: stats.sampled,
            actual_sample_rate: stats.actual_sample_rate,
            refused_samples: stats.refused_samples,
        }
    }
}

impl SamplingHealth {
    pub(super) fn of(telemetry: &Telemetry) -> Self {
        let (state, stats, counters) = (telemetry.state(), telemetry.adaptive_stats(), telemetry.counters());
        let config = telemetry.config();
        let sampling = config.as_ref().map(|config| &config.tracing.sampling);
        let of_stats = |number: fn(&AdaptiveStats) -> f64| stats.as_ref().map(number);
        Self {
            enabled: state.is_up && config.as_ref().is_none_or(|config| config.tracing.enabled),
            sampling_rate: state.sampling_rate,
            configured_rate: sampling.map(|sampling| sampling.default_rate),
            always_sample_errors: sampling.map(|sampling| sampling.always_sample_errors),
            always_sample_slow: sampling.map(|sampling| sampling.always_sample_slow),
            slow_threshold_ms: sampling.map(|sampling| sampling.slow_threshold_ms),
            adaptive_enabled: stats.is_some(),
            adaptive_min_rate: of_stats(|stats| stats.min_rate),
            adaptive_max_rate: of_stats(|stats| stats.max_rate),
            adaptive_target_overhead: of_stats(|stats| stats.target_overhead),
            measured_overhead: state.overhead,
            adaptive_stats: stats.map(Adaptive::from),
            traces_kept: counters.traces_kept,
            traces_dropped: counters.traces_dropped,
        }
    }
}

impl MetricsHealth {
    pub(super) fn of(shared: &Shared) -> Self {
        let telemetry = &shared.telemetry;
        let labels = telemetry.cardinality();
        let steps = telemetry.step_statistics();
        let warnings = telemetry.cardinality_warnings();
        Self {
            enabled: telemetry.state().is_measuring,
            total_primitives: labels.unique_primitives,
            total_executions: steps.iter().map(|step| step.runs()).sum(),
            total_errors: steps.iter().map(|step| step.failure).sum(),
            cardinality: Cardinality {
                max_label_values: labels.max_label_values,
                total_labels: labels.total_labels,
                dropped_labels: labels.dropped_labels.values().sum(),
                hash_enabled: labels.hash_high_cardinality,
                warnings: warnings.iter().take(MOST_WARNINGS).map(ToString::to_string).collect(),
            },
            export_interval_seconds: shared.export().export_interval_seconds,
        }
    }
}

impl StorageHealth {
    pub(super) fn of(shared: &Shared) -> Self {
        let status = shared.storage.as_ref().map(|source| source.storage_status());
        let kind = status.as_ref().map_or("none", |status| status.kind);
        let status = status.unwrap_or_default();
        Self {
            kind,
            trace_ttl_days: status.trace_ttl_days,
            metric_ttl_days: status.metric_ttl_days,
            compression_enabled: status.compression_enabled,
            compression_level: status.compression_level,
            bytes: status.bytes,
            capacity_bytes: status.capacity_bytes,
            traces: status.traces,
            evicted_traces: status.evicted_traces,
            segments: status.segments,
            oldest: status.oldest_unix_ns.map(iso),
            newest: status.newest_unix_ns.map(iso),
            free_disk_bytes: status.free_disk_bytes,
            wal_lag_bytes: status.wal_lag_bytes,
        }
    }
}

impl Shared {
    /// What was said of it; else what an engine does by itself: a thread for each sink.
    pub(super) fn export(&self) -> ExportInfo {
        self.export.unwrap_or_else(|| {
            let sinks = self.telemetry.sinks().len() as u64;
            ExportInfo { async_export_enabled: sinks > 0, max_export_workers: sinks, export_interval_seconds: None }
        })
    }
}
