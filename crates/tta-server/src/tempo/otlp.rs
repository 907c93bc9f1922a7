//! A stored trace as OTLP, and which form of it a request gets.
//!
//! Owns the choice between JSON and protobuf, and what Tempo puts around the trace. Does not own OTLP:
//! both forms are made of the bytes that an exporter would send, so that both say the same.

use std::collections::HashMap;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use prost::Message;
use tta_otlp::{encode_spans, print_json};
use tta_telemetry::store::StoredTrace;
use tta_telemetry::{Attribute, Name, Resource, SpanRecord, Trace, Value};

use crate::api::Problem;
use crate::metrics::negotiate::{Wanted, accepted};

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Protobuf,
}

/// What is put around a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// `tempopb.Trace`, which is OTLP's `TracesData` on the wire; in JSON its list is called `batches`.
    V1,
    /// `tempopb.TraceByIDResponse`.
    V2,
}

/// `tempopb.TraceByIDResponse`, without its metrics. A message within a message is bytes on the wire.
#[derive(Clone, PartialEq, Message)]
struct Found {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    #[prost(enumeration = "PartialStatus", tag = "3")]
    status: i32,
    #[prost(string, tag = "4")]
    message: String,
}

/// `tempopb.PartialStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum PartialStatus {
    Complete = 0,
    Partial = 1,
}

const PARTIAL: &str = "the trace was decided about before its end";

impl Form {
    /// The one that a request wants most. JSON where it does not say, or wants both alike.
    pub(super) fn wanted(headers: &HeaderMap) -> Result<Self, Problem> {
        let said = accepted(headers);
        if said.is_empty() {
            return Ok(Self::Json);
        }
        let most = |names: &[&str]| names.iter().filter_map(|name| Wanted::of(&said, "application", name)).max();
        // Its registered name, and those by which OTLP and others call it.
        let protobuf = most(&["protobuf", "x-protobuf", "vnd.google.protobuf"]);
        match (most(&["json"]), protobuf) {
            (json, Some(protobuf)) if Some(protobuf) > json => Ok(Self::Protobuf),
            (Some(_), _) => Ok(Self::Json),
            _ => Err(Problem::not_acceptable("accepted are application/json and application/protobuf")),
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/protobuf",
        })
    }

    pub(super) fn reply(self, body: impl Into<Body>) -> Response {
        let headers = [
            (CONTENT_TYPE, self.content_type()),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (VARY, HeaderValue::from_static("accept")),
        ];
        (headers, body.into()).into_response()
    }

    pub(super) fn write(self, version: Version, trace: &StoredTrace) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        encode(trace, &mut bytes);
        let is_partial = trace.is_incomplete();
        if self == Self::Json {
            return in_json(version, &bytes, is_partial);
        }
        if version == Version::V1 {
            return Ok(bytes);
        }
        let (status, message) = match is_partial {
            true => (PartialStatus::Partial, PARTIAL.to_owned()),
            false => (PartialStatus::Complete, String::new()),
        };
        Ok(Found { trace: bytes, status: status.into(), message }.encode_to_vec())
    }
}

fn in_json(version: Version, bytes: &[u8], is_partial: bool) -> Result<Vec<u8>, Problem> {
    let printed = print_json(bytes).ok().and_then(|json| String::from_utf8(json).ok()).ok_or_else(Problem::internal)?;
    if version == Version::V1 {
        let rest = printed.strip_prefix("{\"resourceSpans\":").ok_or_else(Problem::internal)?;
        return Ok(format!("{{\"batches\":{rest}").into_bytes());
    }
    // Nothing of what is put around it needs escaping.
    let said = if is_partial { format!("\"PARTIAL\",\"message\":\"{PARTIAL}\"") } else { "\"COMPLETE\"".to_owned() };
    Ok(format!("{{\"trace\":{printed},\"status\":{said}}}").into_bytes())
}

/// Appends `TracesData` in protobuf. Several traces after each other are, together, one.
pub(crate) fn encode(trace: &StoredTrace, out: &mut Vec<u8>) {
    let part_of: HashMap<*const SpanRecord, &Trace> =
        trace.parts.iter().flat_map(|part| part.spans.iter().map(|span| (std::ptr::from_ref(span), &**part))).collect();
    let spans = trace.spans().into_iter().filter_map(|span| Some((*part_of.get(&std::ptr::from_ref(span))?, span)));
    encode_spans(spans, &identity(&trace.own_service), out);
}

/// Who recorded spans of our own.
fn identity(service: &Name) -> Resource {
    let name =
        Attribute { key: Name::from_static("service.name"), value: Value::Str(service.as_str().to_owned().into()) };
    Resource { service: service.clone(), attributes: vec![name], dropped_attributes: 0, schema_url: String::new() }
}
