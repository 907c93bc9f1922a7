//! A door to what is read of requests by code of our own, for fuzz targets and tests: no part of the API.
//!
//! Owns nothing but the door. Each function calls the reader that serves requests, and turns a refusal
//! into what its reply says.

use ::http::{HeaderMap, Uri};
use tta_telemetry::store::{LiveId, TraceQuery, TraceStore};
use tta_telemetry::{SpanId, TraceId};

use crate::Format;
use crate::api::{Problem, live, time, traces};
use crate::config::etag::IfMatch;
use crate::http::{auth, guard};
use crate::jaeger::query::{self, Wanted};
use crate::metrics::negotiate;
use crate::otlp::{Encoding, http};
use crate::tempo::{search, traceql};

pub use crate::tempo::traceql::{Compare, Condition, Expr, Field, Pattern, Test};

/// What is wrong: the parameter at fault, if one is, and the detail.
pub type Refused = (Option<String>, String);

/// What Jaeger's search asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Jaeger {
    /// Traces, by their ids.
    Ids(Vec<TraceId>),
    /// Traces that a query finds.
    Search(Box<TraceQuery>),
}

fn refused(problem: Problem) -> Refused {
    (problem.parameter, problem.detail)
}

/// The query of `/api/v1/traces`.
pub fn api_search(query: &str) -> Result<TraceQuery, Refused> {
    traces::read(Some(query)).map_err(refused)
}

/// The query of `/jaeger/api/traces`.
pub fn jaeger_search(query: &str, now_unix_ns: u64) -> Result<Jaeger, Refused> {
    match query::read(Some(query), now_unix_ns).map_err(refused)? {
        Wanted::Ids(ids) => Ok(Jaeger::Ids(ids)),
        Wanted::Search(query) => Ok(Jaeger::Search(query)),
    }
}

/// The query of `/jaeger/api/dependencies`.
pub fn jaeger_dependencies(query: &str, now_unix_ns: u64) -> Result<TraceQuery, Refused> {
    query::dependencies(Some(query), now_unix_ns).map_err(refused)
}

/// The query of `/tempo/api/search`, and how many spans of a trace are shown.
pub fn tempo_search(query: &str) -> Result<(TraceQuery, usize), Refused> {
    search::read(Some(query)).map(|(search, spans)| (search.query, spans)).map_err(refused)
}

/// What that query finds: ids of traces, the latest kept first, and of their spans of which all holds.
pub fn tempo_found(store: &dyn TraceStore, query: &str) -> Result<Vec<(TraceId, Vec<SpanId>)>, Refused> {
    search::read(Some(query)).and_then(|(search, _)| search::found(store, &search)).map_err(refused)
}

/// A query in TraceQL: what is between its braces.
pub fn traceql_parsed(text: &str) -> Result<Expr, Refused> {
    traceql::parse(text).map_err(refused)
}

/// A query in TraceQL: what of it a store finds by itself, and how many conditions there are beside that.
pub fn traceql(text: &str) -> Result<(TraceQuery, usize), Refused> {
    let search = traceql::read(text).map_err(refused)?;
    let more = search.more();
    Ok((search.query, more))
}

/// A point in time, in nanoseconds since the Unix epoch.
pub fn instant(text: &str) -> Option<u64> {
    time::instant(text)
}

/// A point in time as it is shown.
pub fn iso(unix_ns: u64) -> String {
    time::iso(unix_ns)
}

/// A duration as Go writes it.
pub fn duration(text: &str) -> Option<std::time::Duration> {
    time::duration(text)
}

/// The token of `Authorization`.
pub fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    auth::bearer(headers)
}

/// Whether `Content-Encoding` says gzip.
pub fn is_gzip(headers: &HeaderMap) -> Result<bool, Refused> {
    guard::is_gzip(headers).map_err(|refusal| (None, refusal.to_string()))
}

/// Whether `Content-Type` says gRPC.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    guard::is_grpc(headers)
}

/// Whether a request is for this machine by name.
pub fn names_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    guard::names_this_machine(uri, headers)
}

/// The format of metrics that `Accept` wants.
pub fn metrics_format(headers: &HeaderMap) -> Format {
    negotiate::format(headers)
}

/// Whether `Accept-Encoding` wants gzip.
pub fn wants_gzip(headers: &HeaderMap) -> bool {
    negotiate::wants_gzip(headers)
}

/// Whether `Content-Type` says that OTLP is in protobuf (true) or JSON (false).
pub fn otlp_is_protobuf(headers: &HeaderMap) -> Option<bool> {
    http::encoding(headers).map(|encoding| encoding == Encoding::Protobuf)
}

/// Whether `Accept` wants errors in protobuf.
pub fn accepts_protobuf(headers: &HeaderMap) -> bool {
    http::accepts_protobuf(headers)
}

/// Whether `Content-Type` says that a change of the configuration is JSON.
pub fn is_patch(headers: &HeaderMap) -> bool {
    crate::config::check_kind(headers).is_ok()
}

/// The tags of `If-Match`, `None` for any; and whether they accept a tag. An error where it is malformed.
#[allow(clippy::result_unit_err)]
pub fn if_match(headers: &HeaderMap, tag: &str) -> Result<(Option<Vec<String>>, bool), ()> {
    let read = IfMatch::read(headers.get_all(::http::header::IF_MATCH)).map_err(|_| ())?;
    let is_accepted = read.accepts(tag);
    match read {
        IfMatch::Any => Ok((None, is_accepted)),
        IfMatch::OneOf(tags) => Ok((Some(tags), is_accepted)),
    }
}

/// The event that a live stream goes on after.
pub fn last_event_id(headers: &HeaderMap) -> Result<Option<LiveId>, Refused> {
    live::last_event_id(headers).map_err(refused)
}
