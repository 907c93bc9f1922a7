//! Metrics as an `ExportMetricsServiceRequest` (`opentelemetry/proto/metrics/v1/metrics.proto`, release 1.x).
//!
//! Owns how a family is one of OTLP's metrics: counters are cumulative monotonic sums, histograms cumulative
//! with explicit bounds, gauges and infos gauges. Names stay as they are, so that what is pushed and what is
//! scraped are called the same: Prometheus adds no suffix that a name already has.

use tta_telemetry::{Exemplar, HistogramValue, MetricFamily, MetricKind, MetricPoint, MetricValue, Resource, Unit};

use super::batches::{Batch, Piece};
use crate::wire::Writer;
use crate::wire::numbers::{any_value, key_value, resource_spans, scope, scope_spans};

const CUMULATIVE: u64 = 2;

/// Both times of all points, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) start: u64,
    pub(super) now: u64,
}

/// One request with what is in a batch.
pub(super) fn encode(batch: &Batch<'_>, identity: &Resource, times: Times) -> Vec<u8> {
    let mut out = Vec::new();
    // `ResourceMetrics` and `ScopeMetrics` are numbered as their counterparts of traces.
    Writer::new(&mut out).message(1, |writer| {
        writer.message(resource_spans::RESOURCE, |writer| crate::write::write_resource(writer, identity));
        writer.message(resource_spans::SCOPE_SPANS, |writer| {
            writer.message(scope_spans::SCOPE, |writer| {
                writer.bytes(scope::NAME, b"tta");
                writer.bytes(scope::VERSION, env!("CARGO_PKG_VERSION").as_bytes());
            });
            for piece in &batch.pieces {
                writer.message(2, |writer| metric(writer, piece, times));
            }
        });
        writer.bytes(resource_spans::SCHEMA_URL, identity.schema_url.as_bytes());
    });
    out
}

fn metric(writer: &mut Writer<'_>, piece: &Piece<'_>, times: Times) {
    let MetricFamily { name, help, kind, unit: measured, .. } = piece.family;
    writer.bytes(1, name.as_bytes());
    writer.bytes(2, help.as_bytes());
    writer.bytes(3, unit(*measured).as_bytes());
    let points = |writer: &mut Writer<'_>, times| {
        for point in piece.points {
            match &point.value {
                MetricValue::Histogram(values) => {
                    writer.message(1, |writer| histogram(writer, point, values, times));
                }
                value => writer.message(1, |writer| number(writer, point, value, times)),
            }
        }
    };
    match kind {
        // What a gauge shows began at no time.
        MetricKind::Gauge | MetricKind::Info => writer.message(5, |writer| points(writer, Times { start: 0, ..times })),
        MetricKind::Counter => writer.message(7, |writer| {
            points(writer, times);
            writer.varint(2, CUMULATIVE);
            writer.varint(3, 1);
        }),
        MetricKind::Histogram => writer.message(9, |writer| {
            points(writer, times);
            writer.varint(2, CUMULATIVE);
        }),
    }
}

/// Units as UCUM writes them, which is what OpenTelemetry asks for.
const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::None => "",
        Unit::Seconds => "s",
        Unit::Bytes => "By",
        Unit::Dollars => "{USD}",
        Unit::Ratio => "1",
    }
}

fn number(writer: &mut Writer<'_>, point: &MetricPoint, value: &MetricValue, times: Times) {
    writer.fixed64(2, times.start);
    writer.fixed64(3, times.now);
    match value {
        // A signed number in OTLP.
        MetricValue::Count(count) => writer.fixed64_always(6, (*count).min(i64::MAX as u64)),
        other => writer.fixed64_always(4, other.as_f64().to_bits()),
    }
    labels(writer, 7, point);
}

fn histogram(writer: &mut Writer<'_>, point: &MetricPoint, values: &HistogramValue, times: Times) {
    writer.fixed64(2, times.start);
    writer.fixed64(3, times.now);
    writer.fixed64_always(4, values.count);
    writer.fixed64_always(5, values.sum.to_bits());
    // OTLP counts each bucket for itself.
    let mut below = 0;
    let mut counts = Vec::with_capacity((values.limits.len() + 1) * 8);
    for cumulative in values.cumulative.iter().take(values.limits.len()).chain([&values.count]) {
        counts.extend_from_slice(&cumulative.saturating_sub(below).to_le_bytes());
        below = *cumulative;
    }
    writer.bytes(6, &counts);
    writer.bytes(7, &values.limits.iter().flat_map(|limit| limit.to_le_bytes()).collect::<Vec<_>>());
    for exemplar in values.exemplars.iter().flatten() {
        writer.message(8, |writer| write_exemplar(writer, exemplar));
    }
    labels(writer, 9, point);
}

fn write_exemplar(writer: &mut Writer<'_>, exemplar: &Exemplar) {
    writer.fixed64(2, exemplar.unix_ns);
    writer.fixed64_always(3, exemplar.value.to_bits());
    writer.bytes(4, &exemplar.span_id.get().to_be_bytes());
    writer.bytes(5, &exemplar.trace_id.get().to_be_bytes());
}

fn labels(writer: &mut Writer<'_>, field: u32, point: &MetricPoint) {
    for (key, value) in point.labels.iter().filter(|(_, value)| !value.is_empty()) {
        writer.message(field, |writer| {
            writer.bytes(key_value::KEY, key.as_bytes());
            writer.message(key_value::VALUE, |writer| writer.bytes_always(any_value::STRING, value.as_bytes()));
        });
    }
}
