//! The queries of Jaeger's HTTP API, by which Grafana's Jaeger data source reads traces.
//!
//! Owns Jaeger's paths, parameters and JSON. Below `/jaeger`, the URL to give to Grafana, since Tempo's API
//! has a path of the same name. Written from the public documentation and checked by schemas made of
//! it; it was not run against a live Jaeger or Grafana.
//!
//! Parameters that we do not know are passed over: clients of several versions send more than they need.

mod model;
pub(crate) mod query;
mod v3;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use tta_telemetry::TraceId;
use tta_telemetry::store::TraceQuery;

use crate::api::graph::services;
use crate::api::params::{Known, Params};
use crate::api::traces::{loose_trace_id, not_kept, stored};
use crate::api::{Api, Problem, json, method_not_allowed};

/// Traces that the dependencies are taken from.
const DEPENDENCY_TRACES: usize = 1_000;

pub(crate) fn router(api: Api) -> Router {
    let below = Router::new()
        .route("/api/services", get(service_names))
        .route("/api/services/{service}/operations", get(operation_names))
        .route("/api/operations", get(operations))
        .route("/api/traces", get(traces))
        .route("/api/traces/{trace_id}", get(trace))
        .route("/api/dependencies", get(dependencies))
        .merge(v3::router())
        // Routes, since a fallback is lost when the whole is nested once more.
        .route("/", any(unknown))
        .route("/{*unknown}", any(unknown))
        .method_not_allowed_fallback(method_not_allowed);
    Router::new().nest("/jaeger", below).route("/jaeger/", any(unknown)).with_state(api)
}

async fn unknown() -> Response {
    reply(Err(Problem::not_found("this path of Jaeger's API is not served")))
}

/// What all of Jaeger's replies are.
#[derive(Serialize)]
struct Reply<T> {
    data: T,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<()>,
}

impl<T> Reply<Vec<T>> {
    fn of(data: Vec<T>) -> Self {
        Self { total: data.len(), data, limit: 0, offset: 0, errors: None }
    }
}

/// A problem, and in it the errors as Jaeger's clients look for them.
#[derive(Serialize)]
struct Errors<'a> {
    data: Option<()>,
    errors: [Error<'a>; 1],
    #[serde(flatten)]
    problem: &'a Problem,
}

#[derive(Serialize)]
struct Error<'a> {
    code: u16,
    msg: &'a str,
}

fn reply(made: Result<Vec<u8>, Problem>) -> Response {
    made.map_or_else(
        |problem| {
            let errors = [Error { code: problem.status, msg: &problem.detail }];
            let body = serde_json::to_vec(&Errors { data: None, errors, problem: &problem }).unwrap_or_default();
            let kind = HeaderValue::from_static("application/problem+json");
            (problem.status(), [(CONTENT_TYPE, kind)], body).into_response()
        },
        json,
    )
}

async fn answer<T, F>(api: &Api, make: F) -> Response
where
    T: Serialize,
    F: FnOnce(&Api) -> Result<Vec<T>, Problem> + Send + 'static,
{
    let made = api.bytes(move |api| to_bytes(&Reply::of(make(api)?)));
    reply(made.await)
}

fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|_| Problem::internal())
}

const fn open(once: &'static [&'static str]) -> Known {
    Known { once, often: &[], is_open: true }
}

async fn service_names(State(api): State<Api>) -> Response {
    let names = |api: &Api| Ok(api.store()?.services()?.iter().map(ToString::to_string).collect::<Vec<String>>());
    answer(&api, names).await
}

async fn operation_names(State(api): State<Api>, path: Result<Path<String>, PathRejection>) -> Response {
    let Ok(Path(service)) = path else { return reply(Err(Problem::bad_request("the path is not UTF-8"))) };
    answer(&api, move |api| {
        let mut names: Vec<String> = api.store()?.operations(&service)?.into_iter().map(|of| of.name).collect();
        names.dedup();
        Ok(names)
    })
    .await
}

#[derive(Serialize)]
struct OperationView {
    name: String,
    #[serde(rename = "spanKind")]
    span_kind: String,
}

async fn operations(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let read = Params::read(query.as_deref(), open(&["service", "spanKind"])).and_then(|params| {
        let service = params.text("service").ok_or_else(|| query::missing("service"))?;
        Ok((service, params.text("spanKind")))
    });
    let (service, kind) = match read {
        Ok(read) => read,
        Err(problem) => return reply(Err(problem)),
    };
    answer(&api, move |api| {
        let all = api.store()?.operations(&service)?.into_iter();
        let all = all.map(|of| OperationView { span_kind: model::span_kind(&of.kind).to_owned(), name: of.name });
        Ok(all.filter(|of| kind.as_ref().is_none_or(|kind| of.span_kind == *kind)).collect())
    })
    .await
}

async fn traces(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let now_unix_ns = api.telemetry.clock().unix_ns(api.telemetry.clock().ticks());
    match query::read(query.as_deref(), now_unix_ns) {
        Ok(query::Wanted::Ids(ids)) => reply(api.bytes(move |api| write_all(api, &ids, 0)).await),
        Ok(query::Wanted::Search(query)) => {
            let made = api.bytes(move |api| {
                let page = api.store()?.search(&query)?;
                let ids: Vec<TraceId> = page.traces.iter().map(|summary| summary.trace_id).collect();
                write_all(api, &ids, query.limit)
            });
            reply(made.await)
        }
        Err(problem) => reply(Err(problem)),
    }
}

/// Those that are still there, up to a bound of bytes.
fn write_all(api: &Api, ids: &[TraceId], limit: usize) -> Result<Vec<u8>, Problem> {
    let found = stored(api, ids.iter().copied())?;
    let data: Vec<model::Trace<'_>> = found.iter().map(model::Trace::of).collect();
    to_bytes(&Reply { limit, ..Reply::of(data) })
}

async fn trace(State(api): State<Api>, path: Result<Path<String>, PathRejection>) -> Response {
    let id =
        path.map_err(|_| Problem::bad_request("the path is not UTF-8")).and_then(|Path(text)| loose_trace_id(&text));
    let id = match id {
        Ok(id) => id,
        Err(problem) => return reply(Err(problem)),
    };
    let made = api.bytes(move |api| {
        let trace = api.store()?.trace(id)?.ok_or_else(|| not_kept(id))?;
        to_bytes(&Reply::of(vec![model::Trace::of(&trace)]))
    });
    reply(made.await)
}

#[derive(Serialize)]
struct Dependency {
    parent: String,
    child: String,
    #[serde(rename = "callCount")]
    call_count: u64,
}

/// From the latest 1,000 traces of the time that is asked for.
async fn dependencies(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let now_unix_ns = api.telemetry.clock().unix_ns(api.telemetry.clock().ticks());
    let query = match query::dependencies(query.as_deref(), now_unix_ns) {
        Ok(query) => TraceQuery { limit: DEPENDENCY_TRACES, ..query },
        Err(problem) => return reply(Err(problem)),
    };
    answer(&api, move |api| {
        let (edges, _) = services(api, &query)?;
        let edge = |edge: crate::api::graph::ServiceEdge| Dependency {
            parent: edge.source,
            child: edge.target,
            call_count: edge.calls,
        };
        Ok(edges.into_iter().map(edge).collect())
    })
    .await
}
