//! Jaeger's parameters as a query.

use std::collections::BTreeMap;
use std::time::Duration;

use tta_telemetry::store::{QueryError, TagFilter, TraceQuery};
use tta_telemetry::{SpanStatus, TraceId};

use super::open;
use crate::api::Problem;
use crate::api::params::{Known, Params};
use crate::api::time;
use crate::api::traces::loose_trace_id;

/// Traces that are asked for by their ids at once.
const MOST_IDS: usize = 50;
/// As Jaeger does.
const DEFAULT_LIMIT: usize = 100;
const US: u64 = 1_000;
const MS: u64 = 1_000_000;

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Wanted {
    Ids(Vec<TraceId>),
    Search(Box<TraceQuery>),
}

pub(super) fn missing(name: &'static str) -> Problem {
    Problem { parameter: Some(name.to_owned()), ..Problem::bad_request(format!("parameter '{name}' is required")) }
}

pub(crate) fn read(query: Option<&str>, now_unix_ns: u64) -> Result<Wanted, Problem> {
    let known = Known {
        once: &["service", "operation", "minDuration", "maxDuration", "lookback", "start", "end", "limit"],
        often: &["tag", "tags", "traceID"],
        is_open: true,
    };
    let params = Params::read(query, known)?;
    let ids = params.all("traceID").map(loose_trace_id).collect::<Result<Vec<_>, _>>()?;
    if ids.len() > MOST_IDS {
        return Err(QueryError::new("traceID", &format!("{} ids", ids.len()), "at most 50").into());
    }
    if !ids.is_empty() {
        return Ok(Wanted::Ids(ids));
    }
    let limit = params.parse::<usize>("limit", "1 or more; 1000 are found at most")?.unwrap_or(DEFAULT_LIMIT);
    let start = unix_ns(&params, "start", US, "microseconds since 1970")?;
    let mut query = TraceQuery {
        service: Some(params.text("service").ok_or_else(|| missing("service"))?),
        operation: params.text("operation").filter(|name| name != "all"),
        min_span_duration: params.duration("minDuration")?,
        max_span_duration: params.duration("maxDuration")?,
        start_unix_ns: start.map_or_else(|| lookback(&params, now_unix_ns), |start| Ok(Some(start)))?,
        end_unix_ns: unix_ns(&params, "end", US, "microseconds since 1970")?,
        limit: limit.min(TraceQuery::MOST_TRACES),
        ..TraceQuery::default()
    };
    for (key, value) in tags(&params, "tags")? {
        add(&mut query, key, value)?;
    }
    query.check()?;
    Ok(Wanted::Search(Box::new(query)))
}

/// A search by version 3: names have a prefix, times are by RFC 3339, no service is needed.
pub(super) fn read_v3(query: Option<&str>) -> Result<TraceQuery, Problem> {
    let once = &[
        "query.service_name",
        "query.operation_name",
        "query.span_name",
        "query.start_time_min",
        "query.start_time_max",
        "query.num_traces",
        "query.search_depth",
        "query.duration_min",
        "query.duration_max",
        "query.attributes",
    ];
    let params = Params::read(query, open(once))?;
    let count = |name| params.parse::<usize>(name, "1 or more; 1000 are found at most");
    let limit = count("query.num_traces")?.or(count("query.search_depth")?).unwrap_or(DEFAULT_LIMIT);
    let instant = |name| {
        // Grafana does not encode the plus sign of an offset.
        let text = params.text(name).map(|text| text.replace(' ', "+"));
        let accepted = "a time as 2026-01-31T12:00:00Z";
        let read = |text: String| time::instant(&text).ok_or_else(|| QueryError::new(name, &text, accepted));
        text.map(read).transpose()
    };
    let mut query = TraceQuery {
        service: params.text("query.service_name"),
        operation: params.text("query.operation_name").or(params.text("query.span_name")),
        min_span_duration: params.duration("query.duration_min")?,
        max_span_duration: params.duration("query.duration_max")?,
        start_unix_ns: instant("query.start_time_min")?,
        end_unix_ns: instant("query.start_time_max")?,
        limit: limit.min(TraceQuery::MOST_TRACES),
        ..TraceQuery::default()
    };
    for (key, value) in tags(&params, "query.attributes")? {
        add(&mut query, key, value)?;
    }
    query.check()?;
    Ok(query)
}

/// The time that dependencies are asked for: until `endTs`, from `lookback` before, both in milliseconds.
pub(crate) fn dependencies(query: Option<&str>, now_unix_ns: u64) -> Result<TraceQuery, Problem> {
    let params = Params::read(query, open(&["endTs", "lookback"]))?;
    let end = unix_ns(&params, "endTs", MS, "milliseconds since 1970")?.unwrap_or(now_unix_ns);
    let lookback = unix_ns(&params, "lookback", MS, "milliseconds")?.unwrap_or(24 * 3_600 * 1_000 * MS);
    // What starts in the very last moment is among them.
    let end = end.saturating_add(1);
    let query = TraceQuery {
        start_unix_ns: Some(end.saturating_sub(lookback.max(1)).min(end - 1)),
        end_unix_ns: Some(end),
        ..TraceQuery::default()
    };
    query.check()?;
    Ok(query)
}

/// A whole number of units as nanoseconds.
fn unix_ns(params: &Params, name: &'static str, unit_ns: u64, accepted: &'static str) -> Result<Option<u64>, Problem> {
    Ok(params.parse::<u64>(name, accepted)?.map(|units| units.saturating_mul(unit_ns)))
}

/// `custom` goes with `start`.
fn lookback(params: &Params, now_unix_ns: u64) -> Result<Option<u64>, Problem> {
    let Some(text) = params.text("lookback").filter(|text| text != "custom") else { return Ok(None) };
    let wrong = || QueryError::new("lookback", &text, "a duration with its unit, as 1h or 2d, or custom");
    let back: Duration = time::duration(&text).ok_or_else(wrong)?;
    Ok(Some(now_unix_ns.saturating_sub(u64::try_from(back.as_nanos()).unwrap_or(u64::MAX))))
}

/// What is called `objects` are objects of texts, `tag` is `key:value`.
fn tags(params: &Params, objects: &'static str) -> Result<Vec<(String, String)>, Problem> {
    let mut tags = Vec::new();
    for text in params.all(objects) {
        let read = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text);
        let wrong = |_| QueryError::new(objects, text, "a JSON object of texts, as {\"error\":\"true\"}");
        for (key, value) in read.map_err(wrong)? {
            let value = match value {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            tags.push((key, value));
        }
    }
    for tag in params.all("tag") {
        let wrong = || QueryError::new("tag", tag, "key:value");
        let (key, value) = tag.split_once(':').ok_or_else(wrong)?;
        tags.push((key.to_owned(), value.to_owned()));
    }
    Ok(tags)
}

/// Some tags of Jaeger's are not attributes in OpenTelemetry's model.
fn add(query: &mut TraceQuery, key: String, value: String) -> Result<(), Problem> {
    match (key.as_str(), value.as_str()) {
        ("error", "true") | ("otel.status_code", "ERROR") => set_status(query, SpanStatus::Error)?,
        ("error", "false") => set_status(query, SpanStatus::Ok)?,
        ("span.kind", kind) if query.kind.as_ref().is_none_or(|known| known == kind) => query.kind = Some(value),
        ("span.kind", other) => return Err(QueryError::new("tags", other, "one span.kind").into()),
        _ => query.tags.push(TagFilter::equals(key, value)),
    }
    Ok(())
}

/// No span has two: who asks for both would be told of one.
fn set_status(query: &mut TraceQuery, status: SpanStatus) -> Result<(), Problem> {
    if query.status.is_some_and(|known| known != status) {
        return Err(QueryError::new("tags", "error and no error", "one of them").into());
    }
    query.status = Some(status);
    Ok(())
}
