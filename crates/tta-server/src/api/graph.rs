//! What depends on what: primitives by exact counts, services by kept traces.

use std::collections::{BTreeMap, HashMap};

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tta_telemetry::store::{StoredTrace, TraceQuery};
use tta_telemetry::{MetricPoint, MetricValue, SpanId, SpanStatus, Telemetry};
use utoipa::ToSchema;

use super::params::{Known, Params};
use super::{Api, Problem};

/// Traces that are looked at unless it is said how many.
const DEFAULT_TRACES: usize = 200;
/// Connections that are shown.
const MOST_EDGES: usize = 10_000;

/// What depends on what.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Graph {
    /// Which primitive was followed by, or ran, which other: exact, since the start.
    primitives: Vec<PrimitiveEdge>,
    /// Which service called which other, in the kept traces that were looked at.
    services: Vec<ServiceEdge>,
    /// How many traces were looked at, the latest kept first.
    traces: u64,
}

/// One primitive was followed by, or ran, another.
#[derive(Debug, Serialize, ToSchema)]
struct PrimitiveEdge {
    workflow: String,
    source: String,
    target: String,
    count: u64,
}

/// One service called another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ServiceEdge {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) calls: u64,
    /// Calls whose span at the target failed.
    pub(crate) errors: u64,
}

/// The dependency graph of primitives and of services.
#[utoipa::path(
    get,
    path = "/graph",
    params(
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Traces that are looked at for the \
         services. Default: 200."),
        ("start" = Option<String>, Query, pattern = r"^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$", description = "Traces that started then or later."),
        ("end" = Option<String>, Query, pattern = r"^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$", description = "Traces that started before."),
    ),
    responses(
        (status = 200, description = "The graph.", body = Graph),
        (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store does not answer.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn graph(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    match Params::read(query.as_deref(), Known::once(&["limit", "start", "end"])).and_then(|params| read(&params)) {
        Ok(query) => {
            api.answer(move |api| {
                let (services, traces) = services(api, &query)?;
                Ok(Graph { primitives: primitives(&api.telemetry), services, traces })
            })
            .await
        }
        Err(problem) => problem.into_response(),
    }
}

fn read(params: &Params) -> Result<TraceQuery, Problem> {
    let query = TraceQuery {
        limit: params.parse("limit", "1 to 1000")?.unwrap_or(DEFAULT_TRACES),
        start_unix_ns: params.instant("start")?,
        end_unix_ns: params.instant("end")?,
        ..TraceQuery::default()
    };
    query.check()?;
    Ok(query)
}

fn primitives(telemetry: &Telemetry) -> Vec<PrimitiveEdge> {
    let families = telemetry.collect_metrics();
    let label = |point: &MetricPoint, key: &str| {
        point.labels.iter().find(|(known, _)| *known == *key).map(|(_, value)| value.to_string()).unwrap_or_default()
    };
    let edge = |point: &MetricPoint| {
        let MetricValue::Count(count) = point.value else { return None };
        let [workflow, source, target] = ["workflow", "source", "target"].map(|key| label(point, key));
        Some(PrimitiveEdge { workflow, source, target, count })
    };
    let family = families.iter().find(|family| family.name == *"primitive_connections_total");
    family.into_iter().flat_map(|family| &family.points).filter_map(edge).take(MOST_EDGES).collect()
}

/// Calls between services in the traces that a query finds, and how many traces those are.
pub(crate) fn services(api: &Api, query: &TraceQuery) -> Result<(Vec<ServiceEdge>, u64), Problem> {
    let (mut edges, mut traces) = (BTreeMap::new(), 0);
    // What primitives are connected to is known without any.
    let Some(store) = &api.store else { return Ok((Vec::new(), traces)) };
    let page = store.search(query)?;
    for summary in &page.traces {
        // It may have given way since.
        if let Some(trace) = store.trace(summary.trace_id)? {
            traces += 1;
            add(&trace, &mut edges);
        }
    }
    let edge = |((source, target), (calls, errors))| ServiceEdge { source, target, calls, errors };
    Ok((edges.into_iter().map(edge).collect(), traces))
}

fn add(trace: &StoredTrace, edges: &mut BTreeMap<(String, String), (u64, u64)>) {
    let spans = trace.spans();
    let by_id: HashMap<SpanId, &str> =
        spans.iter().map(|span| (span.span_id, trace.service_of(span).as_str())).collect();
    for span in &spans {
        let target = trace.service_of(span).as_str();
        let source = span.parent_span_id.and_then(|parent| by_id.get(&parent).copied());
        if let Some(source) = source.filter(|source| *source != target)
            && (edges.len() < MOST_EDGES || edges.contains_key(&(source.to_owned(), target.to_owned())))
        {
            let (calls, errors) = edges.entry((source.to_owned(), target.to_owned())).or_default();
            *calls += 1;
            *errors += u64::from(span.status == SpanStatus::Error);
        }
    }
}
