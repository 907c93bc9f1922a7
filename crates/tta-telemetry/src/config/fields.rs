//! The table of fields: paths, what is accepted, what each means.

use serde_json::Value;

use super::types::Config;
use super::value::{Accepts, FieldValue};

/// A field of the configuration.
pub(super) struct Field {
    /// As `tracing.sampling.default_rate`.
    pub(super) path: &'static str,
    pub(super) accepts: Accepts,
    /// Whether a change takes effect in a running engine.
    pub(super) is_live: bool,
    pub(super) doc: &'static str,
    pub(super) write: fn(&Config) -> Value,
    /// Sets an accepted value.
    pub(super) read: fn(&mut Config, &Value),
}

impl Field {
    /// As an environment variable: `TTA_TRACING__SAMPLING__DEFAULT_RATE`.
    pub(super) fn variable(&self) -> String {
        format!("TTA_{}", self.path.replace('.', "__").to_uppercase())
    }
}

/// The field at this path.
pub(super) fn field(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path)
}

macro_rules! dotted {
    ($first:ident $(. $part:ident)*) => { concat!(stringify!($first) $(, ".", stringify!($part))*) };
}

macro_rules! fields {
    ($($($part:ident).+ : $accepts:expr, $when:ident, $doc:literal;)+) => {
        pub(super) static FIELDS: &[Field] = &[$(
            Field {
                path: dotted!($($part).+),
                accepts: $accepts,
                is_live: fields!(@ $when),
                doc: $doc,
                write: |config| config.$($part).+.write(),
                read: |config, value| {
                    if let Some(value) = FieldValue::read(value) {
                        config.$($part).+ = value;
                    }
                },
            }
        ),+];
    };
    (@ live) => { true };
    (@ start) => { false };
}

const SHARE: Accepts = Accepts::Number(0.0, 1.0);
const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

fields! {
    enabled: Accepts::Bool, start, "Whether anything is recorded. Ids and headers propagate either way.";
    environment: Accepts::Words(&["development", "staging", "production"]), start,
        "Where the process runs; chooses the preset that everything else starts from.";
    service_name: Accepts::Text(200), start, "What the process is called, in `target_info` and traces that leave.";
    service_version: Accepts::Text(200), start, "Which version of it runs.";
    tracing.enabled: Accepts::Bool, live, "Whether traces are kept. Metrics are exact either way.";
    tracing.sampling.default_rate: SHARE, live, "The share of ordinary traces that is kept.";
    tracing.sampling.hash: Accepts::Words(&["otel", "md5"]), live,
        "What the head decision is made from: OpenTelemetry's consistent probability sampling, or the MD5 rule of the original.";
    tracing.sampling.always_sample_errors: Accepts::Bool, live, "Whether every failed trace is kept.";
    tracing.sampling.always_sample_slow: Accepts::Bool, live, "Whether every slow trace is kept.";
    tracing.sampling.slow_threshold_ms: Accepts::Number(0.0, f64::MAX), live, "From which duration on a trace is slow.";
    tracing.sampling.adaptive_enabled: Accepts::Bool, live, "Whether the rate follows what telemetry costs.";
    tracing.sampling.adaptive_min_rate: SHARE, live, "The lowest rate it may go to; at most `adaptive_max_rate`.";
    tracing.sampling.adaptive_max_rate: SHARE, live, "The highest rate it may go to.";
    tracing.sampling.adaptive_target_overhead: SHARE, live, "The share of the process's CPU time that telemetry should take.";
    tracing.sampling.adjustment_interval_seconds: Accepts::Number(1.0, 86_400.0), live, "How often the rate is adjusted.";
    tracing.sampling.max_traces_per_second: Accepts::Number(0.0, f64::MAX), live,
        "At most so many ordinary traces a second are kept; 0 is no limit.";
    tracing.sampling.max_bytes_per_second: Accepts::Number(0.0, f64::MAX), live,
        "At most so many bytes of ordinary traces a second are kept; 0 is no limit.";
    tracing.decision_wait_seconds: Accepts::Number(0.0, 3_600.0), start,
        "How long a trace waits for spans that are open when its root has ended.";
    tracing.rootless_wait_seconds: Accepts::Number(0.0, 3_600.0), start,
        "How long a trace that comes from other processes waits for its root, from its first span on.";
    tracing.limits.live_bytes: Accepts::Integer(65_536, u64::MAX), start, "Memory of traces that are recorded, decided or pooled.";
    tracing.limits.spans_per_trace: Accepts::Integer(2, 100_000), start, "Spans per trace, the root included.";
    tracing.limits.attributes_per_span: Accepts::Integer(1, 1_024), start, "Attributes per span, and per event.";
    tracing.limits.attribute_bytes: Accepts::Integer(16, 131_072), start, "Bytes per attribute value; longer text is cut.";
    tracing.limits.events_per_span: Accepts::Integer(1, 10_000), start, "Events per span.";
    tracing.limits.links_per_span: Accepts::Integer(1, 10_000), start, "Links per span.";
    tracing.batch_size: Accepts::Integer(1, 1_000_000), start, "Spans given to a sink at once; at most `max_queue_size`.";
    tracing.max_queue_size: Accepts::Integer(1, 10_000_000), start, "Spans that may wait for each sink.";
    tracing.export_interval_seconds: Accepts::Number(1.0, 86_400.0), start,
        "How long kept spans wait for others, until `tracing.batch_size` of them are sent in one request to `otlp.endpoint`.";
    metrics.enabled: Accepts::Bool, start,
        "Whether anything is counted. Off, there are no series but `telemetry_up` and `target_info`, no costs and no objectives.";
    metrics.max_label_values: Accepts::Integer(1, 1_000_000), live, "Distinct values of each label key.";
    metrics.max_series_per_metric: Accepts::Integer(1, 1_000_000), live, "Label combinations of each metric.";
    metrics.hash_high_cardinality: Accepts::Bool, live,
        "Whether values beyond the limit are told apart a little, in 16 classes.";
    metrics.push: Accepts::Words(&["off", "otlp", "remote_write"]), start, "Whether metrics are pushed, and in which form.";
    metrics.push_endpoint: Accepts::Url, start,
        "Where metrics are pushed, used as it is; `off` for `otlp.endpoint`, which remote write cannot use.";
    metrics.export_interval_seconds: Accepts::Number(1.0, 86_400.0), start, "How often metrics are pushed.";
    metrics.batch_size: Accepts::Integer(1, 100_000), start, "Series pushed in one request.";
    otlp.endpoint: Accepts::Url, start,
        "The collector to which kept traces are sent; each signal's path is added (`/v1/traces`), but for gRPC.";
    otlp.traces_endpoint: Accepts::Url, start, "Where spans are sent instead, used as it is.";
    otlp.protocol: Accepts::Words(&["grpc", "http/protobuf", "http/json"]), start, "How requests to it are written; metrics are never JSON.";
    otlp.compression: Accepts::Words(&["none", "gzip", "zstd"]), start, "How they are compressed.";
    otlp.timeout_seconds: Accepts::Number(0.001, 3_600.0), start, "The time for one attempt, connection included.";
    otlp.retry_seconds: Accepts::Number(0.0, 3_600.0), start,
        "How long after its first attempt a request is given up; 0 never tries again.";
    otlp.max_queue_bytes: Accepts::Integer(65_536, 1_099_511_627_776), start, "Bytes of encoded spans that may wait for the collector.";
    otlp.certificate_file: Accepts::Text(4_096), start, "The file of authorities that are trusted, in PEM; `off` for those of the system.";
    otlp.client_certificate_file: Accepts::Text(4_096), start, "The file of our certificate, in PEM; `off` for none.";
    otlp.client_key_file: Accepts::Text(4_096), start, "The file of its key, in PEM; `off` for none.";
    async_export: Accepts::Bool, start,
        "Whether runs end at once. Otherwise a run that is kept ends when its sinks have its trace, at most `otlp.timeout_seconds` later.";
    max_export_workers: Accepts::Integer(1, 32), start, "Requests under way at the same time, of spans and of metrics each.";
    redaction.enabled: Accepts::Bool, live, "Whether secrets are taken out of kept traces.";
    redaction.mode: Accepts::Words(&["mask", "hash", "drop"]), live, "What is put in the place of a secret, unless a rule says otherwise.";
    redaction.secret_keys: Accepts::Bool, live, "Whether values under keys that look like secrets are taken out.";
    redaction.secret_values: Accepts::Bool, live, "Whether values are searched for tokens, card numbers and the like.";
    redaction.scan_bytes: Accepts::Integer(64, 1_048_576), live, "How much of a value is looked at, in bytes; what is beyond is masked unseen.";
    redaction.hash_salt: Accepts::Secret(16, 256), live,
        "The key of hashes, the same for all engines of a fleet; a random one where there is none. Never shown.";
    logging.level: Accepts::Words(LEVELS), start, "The least severe log lines that are written.";
    logging.format: Accepts::Words(&["text", "json"]), start, "How log lines are written.";
    server.address: Accepts::Address { or_off: false }, start, "Where `tta serve` serves health, queries and configuration.";
    server.metrics_address: Accepts::Address { or_off: true }, start, "Where it serves metrics; `off` for nowhere.";
    server.otlp_grpc_address: Accepts::Address { or_off: true }, start, "Where it takes OTLP over gRPC; `off` for nowhere.";
    server.otlp_http_address: Accepts::Address { or_off: true }, start, "Where it takes OTLP over HTTP; `off` for nowhere.";
    server.insecure: Accepts::Bool, start, "Whether others than programs of this machine may ask without a token.";
    server.tls_certificate_file: Accepts::Text(4_096), start, "The file of the certificate chain, in PEM; `off` for no TLS.";
    server.tls_key_file: Accepts::Text(4_096), start, "The file of its key, in PEM; `off` for no TLS.";
    server.trace_memory_bytes: Accepts::Integer(1_048_576, 1_099_511_627_776), start, "Memory of kept traces that can be searched.";
    server.received_bytes: Accepts::Integer(65_536, 1_099_511_627_776), start, "Memory of received traces that are not decided about.";
}
