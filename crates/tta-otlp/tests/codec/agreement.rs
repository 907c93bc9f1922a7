//! Any request reads as the generated types read it, and goes out as it came.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;
use tta_otlp::encode_spans;
use tta_telemetry::{Resource, Trace};

use crate::support::{convert, read, span, strategies, trace};

/// Of no use where every span was received.
fn nobody() -> Resource {
    Resource { service: "nobody".into(), attributes: Vec::new(), dropped_attributes: 0, schema_url: String::new() }
}

fn encoded(traces: &[Trace]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_spans(traces.iter().map(|trace| (trace, &trace.spans[0])), &nobody(), &mut out);
    out
}

proptest! {
    // Requests are large, and what is wrong shows in few of them.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn records_hold_what_generated_types_read(request in strategies::request()) {
        let (expected, refused) = convert::records(&request);
        let (outcome, got) = read(&request.encode_to_vec()).unwrap();
        prop_assert_eq!((outcome.refused, outcome.lost_source_attributes), (refused, 0));
        let got: Vec<_> = got.into_iter().map(|got| (got.head.trace_id, got.span)).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn received_spans_go_out_as_they_came(request in strategies::request()) {
        let (_, got) = read(&request.encode_to_vec()).unwrap();
        let traces: Vec<Trace> = got.iter().map(|got| trace(got.head.trace_id, vec![got.span.clone()])).collect();
        let bytes = encoded(&traces);
        let read_by_others = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(read_by_others, convert::forwarded(request));
        prop_assert_eq!(read(&bytes).unwrap().1, got);
    }

}

proptest! {
    // Each is read as often as it has bytes.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_request_that_is_cut_off_anywhere_is_refused_exactly_when_others_refuse_it(request in strategies::request()) {
        let bytes = request.encode_to_vec();
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            let theirs = ExportTraceServiceRequest::decode(cut);
            match read(cut) {
                Ok((_, got)) => prop_assert_eq!(got.len(), convert::records(&theirs.unwrap()).0.len()),
                Err(error) => {
                    prop_assert!(theirs.is_err(), "{}", error);
                    prop_assert!(error.offset <= end && error.length == end);
                }
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_request_with_any_byte_changed_reads_as_others_read_it(
        request in strategies::request(), place: proptest::sample::Index, byte: u8,
    ) {
        let mut bytes = request.encode_to_vec();
        prop_assume!(!bytes.is_empty());
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let (Ok((outcome, got)), Ok(theirs)) = (read(&bytes), ExportTraceServiceRequest::decode(bytes.as_slice())) {
            let (expected, refused) = convert::records(&theirs);
            prop_assert_eq!(outcome.refused, refused);
            // What is not a number is equal to nothing, but looks the same.
            let got: Vec<_> = got.into_iter().map(|got| (got.head.trace_id, got.span)).collect();
            prop_assert_eq!(format!("{got:?}"), format!("{expected:?}"));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_with_a_place_in_them(bytes: Vec<u8>) {
        match read(&bytes) {
            Ok((outcome, got)) => prop_assert_eq!(outcome.accepted, got.len()),
            Err(error) => prop_assert!(error.offset <= bytes.len()),
        }
    }

    #[test]
    fn messages_in_pieces_are_put_together(
        spans in (strategies::span(), strategies::span()),
        resources in (strategies::resource_spans(), strategies::resource_spans()),
        pairs in (strategies::attributes(), strategies::attributes()),
    ) {
        // Protocol Buffers: a message that is written twice is one, its lists one behind the other.
        let in_pieces = pairs.0.iter().zip(&pairs.1).map(|(first, second)| message(9, &both(first, second)));
        let attributes = [span().encode_to_vec(), in_pieces.flatten().collect()].concat();
        let bodies = [
            message(1, &message(2, &message(2, &both(&spans.0, &spans.1)))),
            message(1, &both(&resources.0, &resources.1)),
            message(1, &message(2, &message(2, &attributes))),
        ];
        for body in bodies {
            let (_, got) = read(&body).unwrap();
            let (expected, _) = convert::records(&ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
            let got: Vec<_> = got.into_iter().map(|got| (got.head.trace_id, got.span)).collect();
            prop_assert_eq!(got, expected);
        }
    }
}

fn both(first: &impl Message, second: &impl Message) -> Vec<u8> {
    [first.encode_to_vec(), second.encode_to_vec()].concat()
}

/// A field that holds these bytes.
fn message(field: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(field, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend(bytes);
    out
}
