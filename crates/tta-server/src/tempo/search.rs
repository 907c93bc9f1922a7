//! Tempo's search: by tags in logfmt, or by the part of TraceQL that is understood.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tta_telemetry::store::{QueryError, StoredTrace, TagFilter, TraceQuery, TraceStore, TraceSummary};
use tta_telemetry::{SpanId, SpanRecord, SpanStatus, TraceId};

use super::shown::{KeyValue, settle};
use super::traceql::{self, Search};
use crate::api::params::{Known, Params};
use crate::api::traces::MOST_BYTES;
use crate::api::{Api, Problem, json};

const SECOND: u64 = 1_000_000_000;
/// Spans of a trace that are shown unless it is said how many, and at most.
const DEFAULT_SPANS: usize = 3;
const MOST_SPANS: usize = 100;
/// Traces that are looked at, at most, for what a store cannot find by itself, and at once.
const MOST_LOOKED_AT: usize = 10_000;
const LOOKED_AT_ONCE: usize = 200;

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
    duration_ms: u32,
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
    let (search, spans) = match read(query.as_deref()) {
        Ok(read) => read,
        Err(problem) => return problem.into_response(),
    };
    let made = api.bytes(move |api| {
        let (found, inspected_traces) = find(api.store()?, &search)?;
        let mut traces: Vec<Trace<'_>> =
            found.iter().map(|(summary, trace)| of(&search, spans, summary, trace)).collect();
        let spans = traces.iter_mut().flat_map(|trace| &mut trace.span_sets).flat_map(|set| &mut set.spans);
        settle(spans.flat_map(|span| &mut span.attributes).collect());
        let metrics = Metrics { inspected_traces };
        serde_json::to_vec(&Found { traces, metrics }).map_err(|_| Problem::internal())
    });
    made.await.map_or_else(IntoResponse::into_response, json)
}

type Pair = (TraceSummary, StoredTrace);

/// What is found, the latest kept first, at least one and no more than fit into a reply; and how many traces
/// were looked at. Those that give way meanwhile are passed over.
fn find(store: &dyn TraceStore, search: &Search) -> Result<(Vec<Pair>, usize), Problem> {
    let limit = search.query.limit;
    // A store that finds all by itself gives no more than are asked for.
    let at_once = if search.rest.is_empty() { limit } else { LOOKED_AT_ONCE };
    let mut query = TraceQuery { limit: at_once, ..search.query.clone() };
    let (mut found, mut inspected, mut bytes) = (Vec::new(), 0, 0);
    loop {
        let page = store.search(&query)?;
        for summary in page.traces {
            let Some(trace) = store.trace(summary.trace_id)? else { continue };
            inspected += 1;
            if !search.rest.is_empty() && !trace.spans().iter().any(|span| is_match(search, span, &trace)) {
                continue;
            }
            bytes += trace.parts.iter().map(|part| part.size_bytes()).sum::<usize>();
            if bytes > MOST_BYTES && !found.is_empty() {
                return Ok((found, inspected));
            }
            found.push((summary, trace));
            if found.len() >= limit {
                return Ok((found, inspected));
            }
        }
        query.cursor = page.next_cursor;
        if query.cursor.is_none() || inspected >= MOST_LOOKED_AT {
            return Ok((found, inspected));
        }
    }
}

fn is_match(search: &Search, span: &SpanRecord, trace: &StoredTrace) -> bool {
    search.query.matches_span(span, trace.service_of(span)) && search.rest.iter().all(|one| one.holds(span, trace))
}

/// Ids of the traces that are found, and of their spans of which all holds.
pub(crate) fn found(store: &dyn TraceStore, search: &Search) -> Result<Vec<(TraceId, Vec<SpanId>)>, Problem> {
    let (found, _) = find(store, search)?;
    let matching = |trace: &StoredTrace| {
        let spans = trace.spans().into_iter().filter(|span| is_match(search, span, trace));
        spans.map(|span| span.span_id).collect()
    };
    Ok(found.iter().map(|(summary, trace)| (summary.trace_id, matching(trace))).collect())
}

fn of<'a>(search: &Search, most: usize, summary: &'a TraceSummary, trace: &'a StoredTrace) -> Trace<'a> {
    let spans = trace.spans();
    let matching: Vec<&SpanRecord> = spans.into_iter().filter(|span| is_match(search, span, trace)).collect();
    let span = |span: &&'a SpanRecord| Span {
        span_id: span.span_id.to_string(),
        name: span.name.as_str(),
        start_time_unix_nano: span.start_unix_ns.to_string(),
        duration_nanos: span.duration_ns.to_string(),
        attributes: search.shown.iter().filter_map(|tag| KeyValue::of(tag, span, trace)).collect(),
    };
    Trace {
        trace_id: summary.trace_id.to_string(),
        root_service_name: summary.root_service.as_str(),
        root_trace_name: summary.root_name.as_str(),
        start_time_unix_nano: summary.start_unix_ns.to_string(),
        // 32 bits in Tempo's message: 49 days.
        duration_ms: u32::try_from(summary.duration_ns / 1_000_000).unwrap_or(u32::MAX),
        span_sets: vec![SpanSet { spans: matching.iter().take(most).map(span).collect(), matched: matching.len() }],
    }
}

pub(crate) fn read(query: Option<&str>) -> Result<(Search, usize), Problem> {
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
    let mut search = match (params.text("q"), params.text("tags")) {
        (Some(text), None) => traceql::read(&text)?,
        (None, tags) => by_tags(&tags.unwrap_or_default())?,
        (Some(_), Some(tags)) => return Err(QueryError::new("tags", &tags, "either q or tags").into()),
    };
    let query = &mut search.query;
    query.limit = limit.unwrap_or(TraceQuery::DEFAULT_LIMIT).min(TraceQuery::MOST_TRACES);
    query.start_unix_ns = seconds("start")?;
    // What starts within the last second is among them.
    query.end_unix_ns = seconds("end")?.map(|end| end.saturating_add(SECOND));
    // What the query says of it holds as well.
    query.min_duration = query.min_duration.max(params.duration("minDuration")?);
    query.max_duration = [query.max_duration, params.duration("maxDuration")?].into_iter().flatten().min();
    query.check()?;
    let spans = params.parse::<usize>("spss", "1 or more; 100 are shown at most")?.unwrap_or(DEFAULT_SPANS);
    Ok((search, spans.min(MOST_SPANS)))
}

/// `key=value key="a value"`.
fn by_tags(text: &str) -> Result<Search, Problem> {
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
    let shown = query.tags.clone();
    Ok(Search { query, shown, ..Search::default() })
}

/// No span has two names: who asks for both would be told of one.
fn once(slot: &mut Option<String>, key: &str, value: String) -> Result<(), Problem> {
    if slot.as_ref().is_some_and(|known| *known != value) {
        return Err(QueryError::new("tags", &value, format!("one {key}")).into());
    }
    *slot = Some(value);
    Ok(())
}
