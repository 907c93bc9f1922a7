//! Real requests: an excerpt of what the OpenTelemetry demo shop sent.

use prost::Message;
use tta_otlp::{OtlpLimits, decode_json, encode_spans};
use tta_telemetry::Resource;

use crate::support::{collect, read, trace};

const LINES: &str = include_str!("../data/otel-demo-excerpt.jsonl");

#[test]
fn every_line_is_read_whole_and_goes_out_again_as_it_came() {
    let limits = OtlpLimits::default();
    let identity =
        Resource { service: "x".into(), attributes: vec![], dropped_attributes: 0, schema_url: String::new() };
    let (mut spans, mut events, mut links, mut errors) = (0, 0, 0, 0);
    for line in LINES.lines() {
        let mut got = Vec::new();
        let outcome = decode_json(line.as_bytes(), &limits, collect(&limits, &mut got)).unwrap();
        assert_eq!((outcome.refused, outcome.lost_source_attributes), (0, 0));
        spans += got.len();
        events += got.iter().map(|got| got.span.events.len()).sum::<usize>();
        links += got.iter().map(|got| got.span.links.len()).sum::<usize>();
        errors += got.iter().filter(|got| got.span.status == tta_telemetry::SpanStatus::Error).count();
        assert!(got.iter().all(|got| got.span.truncated_attributes == 0 && got.span.dropped_attributes == 0));

        let traces: Vec<_> = got.iter().map(|got| trace(got.head.trace_id, vec![got.span.clone()])).collect();
        let mut bytes = Vec::new();
        encode_spans(traces.iter().map(|trace| (trace, &trace.spans[0])), &identity, &mut bytes);
        assert_eq!(read(&bytes).unwrap().1, got);
        let others = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest::decode(&*bytes);
        assert_eq!(crate::support::convert::records(&others.unwrap()).0.len(), got.len());
    }
    assert_eq!((spans, events, links, errors), (19, 6, 1, 4));
}
