//! Tempo's search: by tags in logfmt, or by the part of TraceQL that is understood.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tta_telemetry::store::{QueryError, StoredTrace, TagFilter, TraceQuery, TraceSummary};
use tta_telemetry::{SpanRecord, SpanStatus};

use super::otlp::{KeyValue, key_values};
use super::traceql;
use crate::api::params::{Known, Params};
use crate::api::traces::stored;
use crate::api::{Api, Problem, json};

const SECOND: u64 = 1_000_000_000;
/// Spans of a trace that are shown unless it is said how many, and at most.
const DEFAULT_SPANS: usize = 3;
const MOST_SPANS: usize = 100;
/// Attributes of a span that are shown.
const MOST_ATTRIBUTES: usize = 32;

#[derive(Serialize)]
struct Found<'a> {
    traces: Vec<Trace<'a>>,
    metrics: Metrics,
}

/// How much was looked at; what Tempo counts does not exist here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    inspected_traces: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace<'a> {
    #[serde(rename = "traceID")]
    trace_id: String,
    root_service_name: &'a str,
    root_trace_name: &'a str,
    start_time_unix_nano: String,
    duration_ms: u64,
    span_sets: Vec<SpanSet<'a>>,
}

#[derive(Serialize)]
struct SpanSet<'a> {
    spans: Vec<Span<'a>>,
    matched: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    #[serde(rename = "spanID")]
    span_id: String,
    name: &'a str,
    start_time_unix_nano: String,
    duration_nanos: String,
    attributes: Vec<KeyValue<'a>>,
}

pub(super) async fn search(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let (query, spans) = match read(query.as_deref()) {
        Ok(read) => read,
        Err(problem) => return problem.into_response(),
    };
    let made = api.bytes(move |api| {
        let page = api.store()?.search(&query)?;
        let found = stored(api, page.traces.iter().map(|summary| summary.trace_id))?;
        // Those that have given way since are in one and not in the other.
        let mut summaries = page.traces.iter();
        let found = found.iter().filter_map(|trace| {
            summaries.find(|summary| summary.trace_id == trace.trace_id).map(|summary| (summary, trace))
        });
        let traces: Vec<Trace<'_>> = found.map(|(summary, trace)| of(&query, spans, summary, trace)).collect();
        let metrics = Metrics { inspected_traces: traces.len() };
        serde_json::to_vec(&Found { traces, metrics }).map_err(|_| Problem::internal())
    });
    made.await.map_or_else(IntoResponse::into_response, json)
}

fn of<'a>(query: &TraceQuery, most: usize, summary: &'a TraceSummary, trace: &'a StoredTrace) -> Trace<'a> {
    let spans = trace.spans();
    let matching: Vec<&SpanRecord> =
        spans.into_iter().filter(|span| query.matches_span(span, trace.service_of(span))).collect();
    let span = |span: &&'a SpanRecord| Span {
        span_id: span.span_id.to_string(),
        name: span.name.as_str(),
        start_time_unix_nano: span.start_unix_ns.to_string(),
        duration_nanos: span.duration_ns.to_string(),
        attributes: key_values(span.attributes.get(..MOST_ATTRIBUTES).unwrap_or(&span.attributes)),
    };
    Trace {
        trace_id: summary.trace_id.to_string(),
        root_service_name: summary.root_service.as_str(),
        root_trace_name: summary.root_name.as_str(),
        start_time_unix_nano: summary.start_unix_ns.to_string(),
        duration_ms: summary.duration_ns / 1_000_000,
        span_sets: vec![SpanSet { spans: matching.iter().take(most).map(span).collect(), matched: matching.len() }],
    }
}

pub(crate) fn read(query: Option<&str>) -> Result<(TraceQuery, usize), Problem> {
    let known = Known {
        once: &["q", "tags", "minDuration", "maxDuration", "limit", "start", "end", "spss"],
        often: &[],
        is_open: true,
    };
    let params = Params::read(query, known)?;
    let seconds = |name| -> Result<Option<u64>, Problem> {
        Ok(params.parse::<u64>(name, "seconds since 1970")?.map(|seconds| seconds.saturating_mul(SECOND)))
    };
    let limit = params.parse::<usize>("limit", "1 or more; 1000 are found at most")?;
    let mut query = match (params.text("q"), params.text("tags")) {
        (Some(text), None) => traceql::read(&text)?,
        (None, tags) => by_tags(&tags.unwrap_or_default())?,
        (Some(_), Some(tags)) => return Err(QueryError::new("tags", &tags, "either q or tags").into()),
    };
    query.limit = limit.unwrap_or(TraceQuery::DEFAULT_LIMIT).min(TraceQuery::MOST_TRACES);
    query.start_unix_ns = seconds("start")?;
    // What starts within the last second is among them.
    query.end_unix_ns = seconds("end")?.map(|end| end.saturating_add(SECOND));
    query.min_duration = params.duration("minDuration")?.or(query.min_duration);
    query.max_duration = params.duration("maxDuration")?.or(query.max_duration);
    query.check()?;
    let spans = params.parse::<usize>("spss", "1 or more; 100 are shown at most")?.unwrap_or(DEFAULT_SPANS);
    Ok((query, spans.min(MOST_SPANS)))
}

/// `key=value key="a value"`.
fn by_tags(text: &str) -> Result<TraceQuery, Problem> {
    let mut query = TraceQuery::default();
    let wrong =
        || QueryError::new("tags", text, "logfmt, as service.name=shop http.status_code=500 name=\"GET /cart\"");
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(wrong)?;
        if key.is_empty() || key.contains([' ', '"']) {
            return Err(wrong().into());
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(_) => traceql::quoted(after).ok_or_else(wrong)?,
            None => {
                let (value, after) = after.split_once(' ').unwrap_or((after, ""));
                (value.to_owned(), after)
            }
        };
        match (key, value.as_str()) {
            ("service.name", _) => once(&mut query.service, key, value)?,
            ("name", _) => once(&mut query.operation, key, value)?,
            ("error", "true") | ("status.code" | "status", "error") => query.status = Some(SpanStatus::Error),
            _ => query.tags.push(TagFilter::equals(key, value)),
        }
        rest = after.trim_start();
    }
    Ok(query)
}

/// No span has two names: who asks for both would be told of one.
fn once(slot: &mut Option<String>, key: &str, value: String) -> Result<(), Problem> {
    if slot.as_ref().is_some_and(|known| *known != value) {
        return Err(QueryError::new("tags", &value, format!("one {key}")).into());
    }
    *slot = Some(value);
    Ok(())
}
