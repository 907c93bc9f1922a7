//! Searching kept traces, and one of them.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use tta_telemetry::store::{QueryError, StoredTrace, TagFilter, TraceQuery};
use tta_telemetry::{SpanStatus, TraceClass, TraceId};

use super::params::{Known, Params};
use super::views::trace::{Trace, Traces};
use super::{Api, Problem};

/// Memory of the traces that one reply is made of.
pub(crate) const MOST_BYTES: usize = 16 * 1024 * 1024;

const SEARCH: Known = Known {
    once: &[
        "service",
        "operation",
        "kind",
        "status",
        "text",
        "class",
        "min_duration",
        "max_duration",
        "min_span_duration",
        "max_span_duration",
        "start",
        "end",
        "reason",
        "limit",
        "cursor",
    ],
    often: &["tag"],
    is_open: false,
};

/// Searches kept traces.
///
/// The latest kept come first. Following `next_cursor` shows every trace once, whatever is kept and evicted
/// meanwhile. What is said of spans must hold of one span of the trace.
#[utoipa::path(
    get,
    path = "/traces",
    params(
        ("service" = Option<String>, Query, description = "Of a span: the service that recorded it."),
        ("operation" = Option<String>, Query, description = "Of a span: its name."),
        ("kind" = Option<String>, Query, description = "Of a span: its kind, as `lambda` or `server`."),
        ("status" = Option<String>, Query, pattern = r"^(ok|error|cancelled)?$", description = "Of a span: `ok`, `error` or `cancelled`."),
        ("tag" = Option<Vec<String>>, Query, description = "Of a span or its resource: `key=value`, or `key` for any \
         value. May be repeated, at most 16 times."),
        ("text" = Option<String>, Query, description = "Of a span: a part of its name, whatever its case."),
        ("min_span_duration" = Option<String>, Query, pattern = r"^([0-9.]+(ns|us|µs|μs|ms|s|m|h|d))*$", description = "Of a span: as `250ms`."),
        ("max_span_duration" = Option<String>, Query, pattern = r"^([0-9.]+(ns|us|µs|μs|ms|s|m|h|d))*$", description = "Of a span: as `1.5s`."),
        ("class" = Option<String>, Query, pattern = r"^(failed|cancelled|normal)?$", description = "Of the trace: `failed`, `cancelled` or `normal`."),
        ("min_duration" = Option<String>, Query, pattern = r"^([0-9.]+(ns|us|µs|μs|ms|s|m|h|d))*$", description = "Of the trace: as `250ms`."),
        ("max_duration" = Option<String>, Query, pattern = r"^([0-9.]+(ns|us|µs|μs|ms|s|m|h|d))*$", description = "Of the trace: as `1.5s`."),
        ("start" = Option<String>, Query, pattern = r"^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$", description = "It started then or later: RFC 3339, or nanoseconds since 1970."),
        ("end" = Option<String>, Query, pattern = r"^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$", description = "It started before: RFC 3339, or nanoseconds since 1970."),
        ("reason" = Option<String>, Query, pattern = r"^([a-z_]+|rule:.+)?$", description = "Why it was kept, as `tail_error` or `rule:<name>`."),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "How many. Default: 20."),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before."),
    ),
    responses(
        (status = 200, description = "Traces that were found.", body = Traces),
        (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No traces are kept here.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn search(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    match read(query.as_deref()) {
        Ok(query) => api.answer(move |api| Ok(Traces::from(api.store()?.search(&query)?))).await,
        Err(problem) => problem.into_response(),
    }
}

/// All that was kept of one trace.
#[utoipa::path(
    get,
    path = "/traces/{trace_id}",
    params(("trace_id" = String, Path, min_length = 32, max_length = 32, pattern = r"^[0-9a-f]*[1-9a-f][0-9a-f]*$",
        example = "4bf92f3577b34da6a3ce929d0e0e4736",
        description = "32 lower-case hexadecimal digits, not all zero.")),
    responses(
        (status = 200, description = "The trace.", body = Trace<'_>),
        (status = 400, description = "No trace id.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "It was not kept, or has given way.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(api): State<Api>,
    path: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let id = match Params::read(query.as_deref(), Known::NONE).and_then(|_| trace_id(path)) {
        Ok(id) => id,
        Err(problem) => return problem.into_response(),
    };
    let made = api.bytes(move |api| {
        let trace = api.store()?.trace(id)?.ok_or_else(|| not_kept(id))?;
        serde_json::to_vec(&Trace::of(&trace)).map_err(|_| Problem::internal())
    });
    made.await.map_or_else(IntoResponse::into_response, super::json)
}

/// Those of these traces that are still there, in their order: at least one, and no more than fit into a reply.
pub(crate) fn stored(api: &Api, ids: impl Iterator<Item = TraceId>) -> Result<Vec<StoredTrace>, Problem> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for id in ids {
        let Some(trace) = api.store()?.trace(id)? else { continue };
        bytes += trace.parts.iter().map(|part| part.size_bytes()).sum::<usize>();
        if bytes > MOST_BYTES && !found.is_empty() {
            break;
        }
        found.push(trace);
    }
    Ok(found)
}

pub(crate) fn not_kept(id: TraceId) -> Problem {
    Problem::not_found(format!("trace {id} is not stored: it was not kept, has given way to later ones, or never was"))
}

/// A trace id as Jaeger and Tempo take it: leading zeros may be missing, and letters be large.
pub(crate) fn loose_trace_id(text: &str) -> Result<TraceId, Problem> {
    let is_hex = (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = if is_hex { u128::from_str_radix(text, 16).ok().and_then(TraceId::new) } else { None };
    id.ok_or_else(|| QueryError::new("traceID", text, "1 to 32 hexadecimal digits, not all zero").into())
}

pub(crate) fn trace_id(path: Result<Path<String>, PathRejection>) -> Result<TraceId, Problem> {
    let Path(text) = path.map_err(|_| Problem::bad_request("the path is not UTF-8"))?;
    let wrong = |error: tta_telemetry::ParseIdError| Problem {
        parameter: Some("trace_id".to_owned()),
        ..Problem::bad_request(error.to_string())
    };
    text.parse().map_err(wrong)
}

pub(crate) fn read(query: Option<&str>) -> Result<TraceQuery, Problem> {
    let params = Params::read(query, SEARCH)?;
    let tags = params.all("tag").map(|tag| match tag.split_once('=') {
        Some((key, value)) => TagFilter::equals(key, value),
        None => TagFilter::exists(tag),
    });
    let query = TraceQuery {
        service: params.text("service"),
        operation: params.text("operation"),
        kind: params.text("kind"),
        status: params.word::<SpanStatus>("status")?,
        tags: tags.collect(),
        text: params.text("text"),
        min_span_duration: params.duration("min_span_duration")?,
        max_span_duration: params.duration("max_span_duration")?,
        class: params.text("class").map(|text| class(&text)).transpose()?,
        min_duration: params.duration("min_duration")?,
        max_duration: params.duration("max_duration")?,
        start_unix_ns: params.instant("start")?,
        end_unix_ns: params.instant("end")?,
        reason: params.word("reason")?,
        limit: params.parse("limit", "1 to 1000")?.unwrap_or(TraceQuery::DEFAULT_LIMIT),
        cursor: params.text("cursor"),
    };
    query.check()?;
    Ok(query)
}

fn class(text: &str) -> Result<TraceClass, Problem> {
    match text {
        "failed" => Ok(TraceClass::Failed),
        "cancelled" => Ok(TraceClass::Cancelled),
        "normal" => Ok(TraceClass::Normal),
        other => Err(QueryError::new("class", other, "failed, cancelled or normal").into()),
    }
}
