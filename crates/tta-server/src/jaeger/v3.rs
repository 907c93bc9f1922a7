//! Version 3 of Jaeger's HTTP API: traces as OTLP in JSON.
//!
//! Owns its paths and what is put around OTLP. Grafana asks it when its feature `jaegerEnableGrpcEndpoint` is
//! on. Errors are problems, with `error` in them as clients of gRPC's gateway look for it.

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use tta_otlp::print_json;
use tta_telemetry::TraceId;
use tta_telemetry::store::StoredTrace;

use super::query::{missing, read_v3};
use super::{OperationView, model, open, to_bytes};
use crate::api::params::Params;
use crate::api::traces::{loose_trace_id, not_kept, stored};
use crate::api::{Api, Problem, json};

pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/api/v3/services", get(services))
        .route("/api/v3/operations", get(operations))
        .route("/api/v3/traces", get(traces))
        .route("/api/v3/traces/{trace_id}", get(trace))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    http_code: u16,
    message: &'a str,
}

#[derive(Serialize)]
struct Errors<'a> {
    error: Details<'a>,
    #[serde(flatten)]
    problem: &'a Problem,
}

fn reply(made: Result<Vec<u8>, Problem>) -> Response {
    made.map_or_else(
        |problem| {
            let error = Details { http_code: problem.status, message: &problem.detail };
            let body = serde_json::to_vec(&Errors { error, problem: &problem }).unwrap_or_default();
            let kind = HeaderValue::from_static("application/problem+json");
            (problem.status(), [(CONTENT_TYPE, kind)], body).into_response()
        },
        json,
    )
}

#[derive(Serialize)]
struct Services {
    services: Vec<String>,
}

async fn services(State(api): State<Api>) -> Response {
    let made = api.bytes(|api| {
        to_bytes(&Services { services: api.store()?.services()?.iter().map(ToString::to_string).collect() })
    });
    reply(made.await)
}

#[derive(Serialize)]
struct Operations {
    operations: Vec<OperationView>,
}

async fn operations(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let read = Params::read(query.as_deref(), open(&["service", "span_kind"])).and_then(|params| {
        let service = params.text("service").ok_or_else(|| missing("service"))?;
        Ok((service, params.text("span_kind")))
    });
    let (service, kind) = match read {
        Ok(read) => read,
        Err(problem) => return reply(Err(problem)),
    };
    let made = api.bytes(move |api| {
        let all = api.store()?.operations(&service)?.into_iter();
        let all = all.map(|of| OperationView { span_kind: model::span_kind(&of.kind).to_owned(), name: of.name });
        let wanted = |of: &OperationView| kind.as_ref().is_none_or(|kind| of.span_kind == *kind);
        to_bytes(&Operations { operations: all.filter(wanted).collect() })
    });
    reply(made.await)
}

async fn traces(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let query = match read_v3(query.as_deref()) {
        Ok(query) => query,
        Err(problem) => return reply(Err(problem)),
    };
    let made = api.bytes(move |api| {
        let page = api.store()?.search(&query)?;
        let ids: Vec<TraceId> = page.traces.iter().map(|summary| summary.trace_id).collect();
        result(&stored(api, ids.into_iter())?)
    });
    reply(made.await)
}

/// Times are passed over: nothing is looked for by them.
async fn trace(State(api): State<Api>, path: Result<Path<String>, PathRejection>) -> Response {
    let id =
        path.map_err(|_| Problem::bad_request("the path is not UTF-8")).and_then(|Path(text)| loose_trace_id(&text));
    let id = match id {
        Ok(id) => id,
        Err(problem) => return reply(Err(problem)),
    };
    let made = api.bytes(move |api| result(&[api.store()?.trace(id)?.ok_or_else(|| not_kept(id))?]));
    reply(made.await)
}

fn result(traces: &[StoredTrace]) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    traces.iter().for_each(|trace| crate::tempo::encode(trace, &mut bytes));
    let mut body = b"{\"result\":".to_vec();
    body.append(&mut print_json(&bytes).map_err(|_| Problem::internal())?);
    body.push(b'}');
    Ok(body)
}
