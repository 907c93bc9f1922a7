//! Metrics as a `WriteRequest` of Prometheus remote write 1.0
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec/>).
//!
//! Owns how a point is Prometheus' series: a histogram is `_bucket`, `_sum` and `_count`. Does not own
//! compression and headers.

use std::borrow::Cow;

use tta_telemetry::{Exemplar, MetricFamily, MetricKind, MetricPoint, MetricValue, Resource, Value};

use super::batches::Batch;
use crate::wire::Writer;

type Label<'l> = (&'l str, Cow<'l, str>);

/// What identifies the process: `job` and `instance`, where the resource says so.
pub(super) fn target(identity: &Resource) -> Vec<(&'static str, String)> {
    let attribute = |key: &str| {
        let found = identity.attributes.iter().find(|attribute| attribute.key == *key);
        found.and_then(|attribute| if let Value::Str(text) = &attribute.value { Some(text.to_string()) } else { None })
    };
    let job = attribute("service.namespace").map_or_else(
        || identity.service.as_str().to_owned(),
        |namespace| format!("{namespace}/{}", identity.service.as_str()),
    );
    let mut labels = vec![("job", job)];
    labels.extend(attribute("service.instance.id").map(|instance| ("instance", instance)));
    labels
}

/// One request with what is in a batch; `now_ms` since the Unix epoch.
pub(super) fn encode(batch: &Batch<'_>, target: &[(&'static str, String)], now_ms: i64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    for piece in &batch.pieces {
        for point in piece.points {
            series(&mut writer, piece.family, point, target, now_ms);
        }
    }
    for piece in &batch.pieces {
        writer.message(3, |writer| {
            writer.varint(1, kind(piece.family.kind));
            writer.bytes(2, piece.family.name.as_bytes());
            writer.bytes(4, piece.family.help.as_bytes());
            writer.bytes(5, piece.family.unit.as_str().as_bytes());
        });
    }
    out
}

const fn kind(kind: MetricKind) -> u64 {
    match kind {
        MetricKind::Counter => 1,
        MetricKind::Gauge => 2,
        MetricKind::Histogram => 3,
        MetricKind::Info => 6,
    }
}

fn series(
    writer: &mut Writer<'_>,
    family: &MetricFamily,
    point: &MetricPoint,
    target: &[(&'static str, String)],
    now_ms: i64,
) {
    let name = family.name.as_str();
    let own = point.labels.iter().map(|(key, value)| (key.as_str(), Cow::Borrowed(value.as_str())));
    let mut labels: Vec<Label<'_>> = own.filter(|(_, value)| !value.is_empty()).collect();
    for (key, value) in target {
        // A metric's own label counts.
        if !value.is_empty() && !labels.iter().any(|(known, _)| known == key) {
            labels.push((key, Cow::Borrowed(value.as_str())));
        }
    }
    let mut write = |suffix: &str, limit: Option<String>, value: f64, exemplar: Option<&Exemplar>| {
        let mut labels = labels.clone();
        labels.push(("__name__", format!("{name}{suffix}").into()));
        labels.extend(limit.map(|limit| ("le", limit.into())));
        labels.sort_unstable();
        one(writer, &labels, value, now_ms, exemplar);
    };
    let MetricValue::Histogram(values) = &point.value else {
        write("", None, point.value.as_f64(), None);
        return;
    };
    let counts = values.cumulative.iter().take(values.limits.len()).chain([&values.count]);
    let limits = values.limits.iter().copied().chain([f64::INFINITY]);
    for (index, (limit, count)) in limits.zip(counts).enumerate() {
        let exemplar = values.exemplars.get(index).and_then(Option::as_ref);
        write("_bucket", Some(limit_text(limit)), *count as f64, exemplar);
    }
    write("_sum", None, values.sum, None);
    write("_count", None, values.count as f64, None);
}

/// A limit as a scrape of the same metric has it: `0.005`, `1`, `+Inf`.
fn limit_text(limit: f64) -> String {
    if limit.is_infinite() { "+Inf".to_owned() } else { format!("{limit}") }
}

fn one(writer: &mut Writer<'_>, labels: &[Label<'_>], value: f64, now_ms: i64, exemplar: Option<&Exemplar>) {
    writer.message(1, |writer| {
        for (key, value) in labels {
            label(writer, key, value);
        }
        writer.message(2, |writer| {
            writer.fixed64(1, value.to_bits());
            writer.varint(2, now_ms as u64);
        });
        if let Some(exemplar) = exemplar {
            writer.message(3, |writer| {
                label(writer, "span_id", &exemplar.span_id.to_string());
                label(writer, "trace_id", &exemplar.trace_id.to_string());
                writer.fixed64(2, exemplar.value.to_bits());
                writer.varint(3, exemplar.unix_ns / 1_000_000);
            });
        }
    });
}

fn label(writer: &mut Writer<'_>, key: &str, value: &str) {
    writer.message(1, |writer| {
        writer.bytes(1, key.as_bytes());
        writer.bytes(2, value.as_bytes());
    });
}
