//! The configuration as plain data. What each field means, its default and its range are in
//! `fields`, from which the reference and the schema are made.

use std::collections::BTreeMap;
use std::fmt;

use super::export::{HeaderSources, MetricsPushFormat, OtlpConfig};
use super::presets::Preset;
use super::server::ServerConfig;
use crate::cost::BudgetPolicy;
use crate::redaction::RedactionMode;
use crate::sampling::SamplingHash;

/// Everything that an engine can be told. Times are in the unit that the name ends in.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Whether anything is recorded.
    pub enabled: bool,
    /// Where the process runs; chooses the preset.
    pub environment: Preset,
    /// What the process is called.
    pub service_name: String,
    /// Which version of it runs.
    pub service_version: String,
    /// Traces.
    pub tracing: TracingConfig,
    /// Metrics.
    pub metrics: MetricsConfig,
    /// Objectives, by the name of the objective.
    pub slo: BTreeMap<String, SloConfig>,
    /// Money.
    pub cost: CostConfig,
    /// What is taken out of kept traces.
    pub redaction: RedactionConfig,
    /// Log lines.
    pub logging: LoggingConfig,
    /// Serving over HTTP and gRPC.
    pub server: ServerConfig,
    /// Sending on.
    pub otlp: OtlpConfig,
    /// Whether runs end without waiting for what is sent of them.
    pub async_export: bool,
    /// Requests under way at the same time, of spans and of metrics each.
    pub max_export_workers: u64,
}

/// Traces: which are kept, and the recorder's bounds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TracingConfig {
    /// Whether traces are recorded. Metrics are exact either way.
    pub enabled: bool,
    /// Which traces are kept.
    pub sampling: SamplingConfig,
    /// How long a trace waits for spans that are open when its root has ended.
    pub decision_wait_seconds: f64,
    /// The recorder's bounds.
    pub limits: LimitsConfig,
    /// Spans given to a sink at once.
    pub batch_size: u64,
    /// Spans that may wait for a sink.
    pub max_queue_size: u64,
    /// How long spans wait for others to be sent with.
    pub export_interval_seconds: f64,
}

/// Which traces are kept.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SamplingConfig {
    /// The share of ordinary traces that is kept.
    pub default_rate: f64,
    /// What the head decision is made from.
    pub hash: SamplingHash,
    /// Whether every failed trace is kept.
    pub always_sample_errors: bool,
    /// Whether every slow trace is kept.
    pub always_sample_slow: bool,
    /// From which duration on a trace is slow.
    pub slow_threshold_ms: f64,
    /// Whether the rate follows what telemetry costs.
    pub adaptive_enabled: bool,
    /// The lowest rate it may go to.
    pub adaptive_min_rate: f64,
    /// The highest rate it may go to.
    pub adaptive_max_rate: f64,
    /// The share of the process's CPU time that telemetry should take.
    pub adaptive_target_overhead: f64,
    /// How often the rate is adjusted.
    pub adjustment_interval_seconds: f64,
    /// At most so many ordinary traces a second; 0 is no limit.
    pub max_traces_per_second: f64,
    /// At most so many bytes of ordinary traces a second; 0 is no limit.
    pub max_bytes_per_second: f64,
    /// Rules, the first that matches decides.
    pub rules: Vec<SamplingRuleConfig>,
    /// Settings of single workflows, by name.
    pub workflows: BTreeMap<String, WorkflowSampling>,
}

/// A rule: what it is called, when it matches, what it does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplingRuleConfig {
    /// Its name, which the decision's reason has.
    pub name: String,
    /// When it matches.
    pub condition: String,
    /// `keep`, `drop`, or a rate from 0 to 1.
    pub action: String,
}

/// What differs for one workflow; what is `None` is as for all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WorkflowSampling {
    /// The share of its ordinary traces that is kept.
    pub default_rate: Option<f64>,
    /// Whether each of its failed traces is kept.
    pub always_sample_errors: Option<bool>,
    /// Whether each of its slow traces is kept.
    pub always_sample_slow: Option<bool>,
    /// From which duration on one of its traces is slow.
    pub slow_threshold_ms: Option<f64>,
}

/// The recorder's bounds: those of [`Limits`](crate::Limits).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// Memory of traces that are recorded, decided or pooled.
    pub live_bytes: u64,
    /// Spans per trace.
    pub spans_per_trace: u64,
    /// Attributes per span and event.
    pub attributes_per_span: u64,
    /// Bytes per attribute value.
    pub attribute_bytes: u64,
    /// Events per span.
    pub events_per_span: u64,
    /// Links per span.
    pub links_per_span: u64,
}

/// Metrics.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MetricsConfig {
    /// Whether anything is counted.
    pub enabled: bool,
    /// Distinct values per label key.
    pub max_label_values: u64,
    /// Label combinations per metric.
    pub max_series_per_metric: u64,
    /// Whether values beyond the limit are told apart a little.
    pub hash_high_cardinality: bool,
    /// Duration buckets in seconds, by the name of a primitive.
    pub buckets: BTreeMap<String, Vec<f64>>,
    /// Whether they are pushed, and in which form.
    pub push: MetricsPushFormat,
    /// Where to, used as it is; `off` for the collector that spans go to.
    pub push_endpoint: String,
    /// Headers of requests to `push_endpoint`.
    pub push_headers: HeaderSources,
    /// How often they are pushed.
    pub export_interval_seconds: f64,
    /// Series in a request.
    pub batch_size: u64,
}

/// An objective; see [`Slo`](crate::Slo).
#[derive(Clone, Debug, PartialEq)]
pub struct SloConfig {
    /// The primitive or workflow.
    pub primitive: String,
    /// The share that must conform.
    pub target: f64,
    /// What takes longer does not conform.
    pub latency_threshold_ms: Option<f64>,
    /// Over which time.
    pub window_days: f64,
}

/// Money.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CostConfig {
    /// Budgets, by name.
    pub budgets: BTreeMap<String, BudgetConfig>,
}

/// A budget; see [`Budget`](crate::Budget).
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetConfig {
    /// The most that may be spent in each period, in dollars.
    pub limit_usd: f64,
    /// `forever`, `hour`, `day`, `month`, `every N` or `rolling N`, in seconds.
    pub period: String,
    /// What to do about what does not fit.
    pub policy: BudgetPolicy,
    /// From which share of the limit on it is degraded.
    pub degrade_at: f64,
}

/// What is taken out of kept traces; see [`Redaction`](crate::Redaction).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RedactionConfig {
    /// Whether anything is.
    pub enabled: bool,
    /// What is put in the place of a secret.
    pub mode: RedactionMode,
    /// Whether values under keys that look like secrets are.
    pub secret_keys: bool,
    /// Whether values are searched for what looks like a secret.
    pub secret_values: bool,
    /// How much of a value is looked at, in bytes.
    pub scan_bytes: u64,
    /// The key of hashes; nothing for a random one.
    pub hash_salt: Option<Secret>,
    /// Keys, as globs, whose values are left as they are.
    pub allowed_keys: Vec<String>,
    /// Rules of one's own, the first that matches a key decides.
    pub rules: Vec<RedactionRuleConfig>,
}

/// A rule of redaction: what it is called, and one of the three places where it applies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RedactionRuleConfig {
    /// Its name.
    pub name: String,
    /// Whole keys, as a glob.
    pub key: Option<String>,
    /// Keys in which this pattern is found.
    pub key_regex: Option<String>,
    /// Parts of values that this pattern matches.
    pub value_regex: Option<String>,
    /// What it does; nothing for the mode of all.
    pub mode: Option<RedactionMode>,
}

/// A text that is shown to nobody: not in JSON or TOML, not in errors, not in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps a secret.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(super::layers::SHOWN_SECRET)
    }
}

/// Log lines.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LoggingConfig {
    /// Which lines are written.
    pub level: LogLevel,
    /// How they are written.
    pub format: LogFormat,
}

/// The least severe lines that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what failed.
    Error,
    /// And what was refused or lost.
    Warn,
    /// And what changed.
    Info,
    /// And details.
    Debug,
    /// Everything.
    Trace,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
