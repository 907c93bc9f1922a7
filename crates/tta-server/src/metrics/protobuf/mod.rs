//! The Protocol Buffers form of metrics: each family a message, after its length.
//!
//! A length comes before what it is the length of, so a family is put together as a whole: as many
//! bytes as its series take, of which there are at most `max_series_per_metric`.

mod messages;
mod native;

use prost::Message;
use tta_telemetry::{HistogramValue, MetricKind, MetricPoint, MetricValue};

use super::text::unit;
use messages::{Bucket, Exemplar, Histogram, LabelPair, Metric, MetricFamily, MetricType, Number, Timestamp};
use native::Native;

/// Writes families one by one, and remembers where it is.
#[derive(Debug, Default)]
pub(super) struct ProtobufWriter {
    family: usize,
    /// Of the family before, what has not been taken yet.
    bytes: Vec<u8>,
    taken: usize,
}

impl ProtobufWriter {
    /// Adds bytes until there are `enough`. Whether there is more to come.
    pub(super) fn fill(&mut self, families: &[tta_telemetry::MetricFamily], enough: usize, out: &mut Vec<u8>) -> bool {
        loop {
            let rest = self.bytes.get(self.taken..).unwrap_or_default();
            let (now, later) = rest.split_at(rest.len().min(enough.saturating_sub(out.len())));
            out.extend_from_slice(now);
            self.taken += now.len();
            if !later.is_empty() {
                return true;
            }
            self.bytes.clear();
            self.taken = 0;
            let Some(family) = families.get(self.family) else {
                self.bytes = Vec::new();
                return false;
            };
            self.family += 1;
            write_family(family, &mut self.bytes);
        }
    }
}

/// Writes a family after its length. Its series are made into messages one at a time.
fn write_family(family: &tta_telemetry::MetricFamily, out: &mut Vec<u8>) {
    let kind = match family.kind {
        MetricKind::Counter => MetricType::Counter,
        MetricKind::Gauge | MetricKind::Info => MetricType::Gauge,
        MetricKind::Histogram => MetricType::Histogram,
    };
    let head = MetricFamily {
        name: Some(family.name.as_str().to_owned()),
        help: (!family.help.is_empty()).then(|| family.help.as_str().to_owned()),
        r#type: Some(kind as i32),
        metric: Vec::new(),
        unit: unit(family).map(str::to_owned),
    };
    // A message is the same as its parts one after another: the head, then each series.
    let mut body = head.encode_to_vec();
    for point in &family.points {
        let part = MetricFamily { metric: vec![metric(point, kind)], ..MetricFamily::default() };
        body.reserve(part.encoded_len());
        part.encode_raw(&mut body);
    }
    prost::encoding::encode_varint(body.len() as u64, out);
    out.append(&mut body);
}

fn metric(point: &MetricPoint, kind: MetricType) -> Metric {
    // An empty value is the same as no label.
    let labels = point.labels.iter().filter(|(_, value)| !value.is_empty());
    let mut metric =
        Metric { label: labels.map(|(key, value)| label(key, value.to_string())).collect(), ..Metric::default() };
    match &point.value {
        MetricValue::Histogram(value) => metric.histogram = Some(histogram(value)),
        value => {
            let number = Some(Number { value: Some(value.as_f64()) });
            match kind {
                MetricType::Counter => metric.counter = number,
                MetricType::Gauge | MetricType::Histogram => metric.gauge = number,
            }
        }
    }
    metric
}

fn label(name: &str, value: String) -> LabelPair {
    LabelPair { name: Some(name.to_owned()), value: Some(value) }
}

fn histogram(value: &HistogramValue) -> Histogram {
    let limits = value.limits.iter().copied().zip(value.cumulative.iter().copied());
    let exemplar = |place: usize| value.exemplars.get(place).copied().flatten().map(|found| exemplar(&found));
    let buckets = limits.chain([(f64::INFINITY, value.count)]).enumerate().map(|(place, (limit, count))| Bucket {
        cumulative_count: Some(count),
        upper_bound: Some(limit),
        exemplar: exemplar(place),
    });
    let native = Native::of(value);
    Histogram {
        sample_count: Some(value.count),
        sample_sum: Some(value.sum),
        bucket: buckets.collect(),
        schema: Some(native::SCHEMA),
        zero_threshold: Some(native.zero_threshold),
        zero_count: Some(native.zero_count),
        positive_span: native.spans,
        positive_delta: native.deltas,
        // Readers of native buckets look here.
        exemplars: (0..value.exemplars.len()).filter_map(exemplar).collect(),
    }
}

fn exemplar(exemplar: &tta_telemetry::Exemplar) -> Exemplar {
    let (seconds, nanos) = (exemplar.unix_ns / 1_000_000_000, exemplar.unix_ns % 1_000_000_000);
    Exemplar {
        label: vec![label("trace_id", exemplar.trace_id.to_string()), label("span_id", exemplar.span_id.to_string())],
        value: Some(exemplar.value),
        timestamp: Some(Timestamp { seconds: seconds as i64, nanos: nanos as i32 }),
    }
}
