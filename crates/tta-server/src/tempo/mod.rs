//! The endpoints of Tempo's HTTP API that Grafana's Tempo data source calls.
//!
//! Owns Tempo's paths, parameters and JSON, and the part of TraceQL that is understood. Below `/tempo`, the URL
//! to give to Grafana, since Jaeger's API has a path of the same name. Written from the public
//! documentation and checked by schemas made of it; it was not run against a live Grafana.
//!
//! Traces are OTLP in JSON. Parameters that we do not know are passed over.

mod otlp;
pub(crate) mod search;
pub(crate) mod traceql;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tta_telemetry::store::TagScope;

use crate::api::params::{Known, Params};
use crate::api::traces::{loose_trace_id, not_kept};
use crate::api::{Api, Problem, json, method_not_allowed};

/// What TraceQL knows of a span beside its attributes, as far as it is understood here.
const INTRINSICS: [&str; 5] = ["duration", "kind", "name", "status", "traceDuration"];

pub(crate) fn router(api: Api) -> Router {
    let below = Router::new()
        .route("/api/echo", get(|| async { "echo" }))
        .route("/api/search", get(search::search))
        .route("/api/search/tags", get(tag_names))
        .route("/api/v2/search/tags", get(tag_names_v2))
        .route("/api/search/tag/{name}/values", get(tag_values))
        .route("/api/v2/search/tag/{name}/values", get(tag_values_v2))
        .route("/api/traces/{trace_id}", get(trace))
        .route("/api/v2/traces/{trace_id}", get(trace_v2))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(|| async { Problem::not_found("this path of Tempo's API is not served") });
    Router::new().nest("/tempo", below).with_state(api)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagNamesView {
    tag_names: Vec<String>,
}

async fn tag_names(State(api): State<Api>) -> Response {
    api.answer(|api| {
        let names = api.store()?.tag_names()?;
        let mut all: Vec<String> = names.span.into_iter().chain(names.resource).collect();
        all.push("service.name".to_owned());
        all.sort();
        all.dedup();
        Ok(TagNamesView { tag_names: all })
    })
    .await
}

#[derive(Serialize)]
struct Scopes {
    scopes: Vec<ScopeTags>,
}

#[derive(Serialize)]
struct ScopeTags {
    name: &'static str,
    tags: Vec<String>,
}

async fn tag_names_v2(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let known = Known { once: &["scope"], often: &[], is_open: true };
    let scope = match Params::read(query.as_deref(), known).map(|params| params.text("scope")) {
        Ok(scope) => scope.filter(|scope| scope != "none"),
        Err(problem) => return problem.into_response(),
    };
    api.answer(move |api| {
        let names = api.store()?.tag_names()?;
        let mut resource = names.resource;
        // Ours has it, too, and no attributes.
        resource.push("service.name".to_owned());
        resource.sort();
        resource.dedup();
        let intrinsic = INTRINSICS.map(str::to_owned).to_vec();
        let all = [("span", names.span), ("resource", resource), ("intrinsic", intrinsic)];
        let wanted = |name: &str| scope.as_ref().is_none_or(|scope| scope == name);
        let scopes = all.into_iter().filter(|(name, _)| wanted(name)).map(|(name, tags)| ScopeTags { name, tags });
        Ok(Scopes { scopes: scopes.collect() })
    })
    .await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagValuesView<T> {
    tag_values: Vec<T>,
}

#[derive(Serialize)]
struct TypedValue {
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
}

async fn tag_values(State(api): State<Api>, path: Result<Path<String>, PathRejection>) -> Response {
    let Ok(Path(name)) = path else { return Problem::bad_request("the path is not UTF-8").into_response() };
    api.answer(move |api| Ok(TagValuesView { tag_values: values(api, TagScope::Any, &name)?.1 })).await
}

/// With a scope before the name: `span.`, `resource.` or a dot.
async fn tag_values_v2(State(api): State<Api>, path: Result<Path<String>, PathRejection>) -> Response {
    let Ok(Path(name)) = path else { return Problem::bad_request("the path is not UTF-8").into_response() };
    api.answer(move |api| {
        let (scope, name) = if let Some(name) = name.strip_prefix("span.") {
            (TagScope::Span, name)
        } else if let Some(name) = name.strip_prefix("resource.") {
            (TagScope::Resource, name)
        } else {
            (TagScope::Any, name.strip_prefix('.').unwrap_or(&name))
        };
        let (kind, values) = values(api, scope, name)?;
        Ok(TagValuesView { tag_values: values.into_iter().map(|value| TypedValue { kind, value }).collect() })
    })
    .await
}

/// Their type, and the values.
fn values(api: &Api, scope: TagScope, name: &str) -> Result<(&'static str, Vec<String>), Problem> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Ok(match (scope, name) {
        (TagScope::Any | TagScope::Resource, "service.name") => {
            ("string", api.store()?.services()?.iter().map(ToString::to_string).collect())
        }
        (TagScope::Any, "status") => ("keyword", words(&["error", "ok", "unset"])),
        (TagScope::Any, "kind") => {
            ("keyword", words(&["client", "consumer", "internal", "producer", "server", "unspecified"]))
        }
        (TagScope::Any, "name") => {
            let mut names = std::collections::BTreeSet::new();
            for service in api.store()?.services()? {
                names.extend(api.store()?.operations(service.as_str())?.into_iter().map(|of| of.name));
            }
            ("string", names.into_iter().take(1_000).collect())
        }
        _ => ("string", api.store()?.tag_values(scope, name)?.values),
    })
}

#[derive(Serialize)]
struct Batches<'a> {
    batches: Vec<otlp::ResourceSpans<'a>>,
}

#[derive(Serialize)]
struct Found<'a> {
    trace: TracesData<'a>,
    status: &'static str,
    message: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TracesData<'a> {
    resource_spans: Vec<otlp::ResourceSpans<'a>>,
}

async fn trace(State(api): State<Api>, path: Result<Path<String>, PathRejection>) -> Response {
    one(&api, path, |batches, _| serde_json::to_vec(&Batches { batches })).await
}

async fn trace_v2(State(api): State<Api>, path: Result<Path<String>, PathRejection>) -> Response {
    one(&api, path, |resource_spans, is_incomplete| {
        let (status, message) = match is_incomplete {
            true => ("PARTIAL", "the trace was decided about before its end"),
            false => ("COMPLETE", ""),
        };
        serde_json::to_vec(&Found { trace: TracesData { resource_spans }, status, message })
    })
    .await
}

async fn one<W>(api: &Api, path: Result<Path<String>, PathRejection>, write: W) -> Response
where
    W: FnOnce(Vec<otlp::ResourceSpans<'_>>, bool) -> serde_json::Result<Vec<u8>> + Send + 'static,
{
    let path = path.map_err(|_| Problem::bad_request("the path is not UTF-8"));
    let id = match path.and_then(|Path(text)| loose_trace_id(&text)) {
        Ok(id) => id,
        Err(problem) => return problem.into_response(),
    };
    let made = api.bytes(move |api| {
        let trace = api.store()?.trace(id)?.ok_or_else(|| not_kept(id))?;
        write(otlp::resource_spans(&trace), trace.is_incomplete()).map_err(|_| Problem::internal())
    });
    made.await.map_or_else(IntoResponse::into_response, json)
}
