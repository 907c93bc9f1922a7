//! The endpoints of Tempo's HTTP API that Grafana's Tempo data source calls.
//!
//! Owns Tempo's paths, parameters and JSON, and the part of TraceQL that is understood. Below `/tempo`, the URL
//! to give to Grafana, since Jaeger's API has a path of the same name. Written from the public
//! documentation and checked by schemas made of it; it was not run against a live Grafana.
//!
//! Traces are OTLP, in JSON or, as Grafana asks for them, in protobuf. Parameters that we do not know are
//! passed over.

mod otlp;
pub(crate) mod search;
mod shown;
pub(crate) mod traceql;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use tta_telemetry::store::{QueryError, TagScope};

use crate::api::params::{self, Known, Params};
use crate::api::traces::{loose_trace_id, not_kept};
use crate::api::{Api, Problem, json, method_not_allowed};
use otlp::{Form, Version};

pub(crate) use otlp::encode;

/// What TraceQL knows of a span beside its attributes, as far as it is understood here.
const INTRINSICS: [&str; 8] =
    ["duration", "kind", "name", "rootName", "rootServiceName", "status", "statusMessage", "traceDuration"];

pub(crate) fn router(api: Api) -> Router {
    let below = Router::new()
        .route("/api/echo", get(|| async { "echo" }))
        .route("/api/status/buildinfo", get(build_info))
        .route("/api/metrics/query", get(no_metrics))
        .route("/api/metrics/query_range", get(no_metrics))
        .route("/api/search", get(search::search))
        .route("/api/search/tags", get(tag_names))
        .route("/api/v2/search/tags", get(tag_names_v2))
        .route("/api/search/tag/{name}/values", get(tag_values))
        .route("/api/v2/search/tag/{name}/values", get(tag_values_v2))
        .route("/api/traces/{trace_id}", get(trace))
        .route("/api/v2/traces/{trace_id}", get(trace_v2))
        // Routes, since a fallback is lost when the whole is nested once more.
        .route("/", any(unknown))
        .route("/{*unknown}", any(unknown))
        .method_not_allowed_fallback(method_not_allowed);
    Router::new().nest("/tempo", below).route("/tempo/", any(unknown)).with_state(api)
}

async fn unknown() -> Problem {
    Problem::not_found("this path of Tempo's API is not served")
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
    let name = decoded_again(name);
    api.answer(move |api| Ok(TagValuesView { tag_values: values(api, None, &name)?.1 })).await
}

/// With a scope before the name: `span.`, `resource.` or a dot. Conditions that come with it are passed over:
/// the list may be longer than it had to be.
async fn tag_values_v2(State(api): State<Api>, path: Result<Path<String>, PathRejection>) -> Response {
    let Ok(Path(name)) = path else { return Problem::bad_request("the path is not UTF-8").into_response() };
    let name = decoded_again(name);
    let Some((scope, name)) = traceql::identifier(&name) else {
        let accepted = "a name as resource.service.name, span.\"a b\", .http.route or status";
        return Problem::from(QueryError::new("tag", &name, accepted)).into_response();
    };
    api.answer(move |api| {
        let (kind, values) = values(api, scope, &name)?;
        Ok(TagValuesView { tag_values: values.into_iter().map(|value| TypedValue { kind, value }).collect() })
    })
    .await
}

/// Grafana encodes names in paths twice, and Tempo decodes them twice.
fn decoded_again(name: String) -> String {
    // A plus sign is one: in paths it never stands for a blank.
    params::decode("tag", &name.replace('+', "%2B")).unwrap_or(name)
}

/// Their type, and the values. What has no scope may be an intrinsic.
fn values(api: &Api, scope: Option<TagScope>, name: &str) -> Result<(&'static str, Vec<String>), Problem> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let services =
        || -> Result<Vec<String>, Problem> { Ok(api.store()?.services()?.iter().map(ToString::to_string).collect()) };
    Ok(match (scope, name) {
        (None | Some(TagScope::Any | TagScope::Resource), "service.name") => ("string", services()?),
        (None, "rootServiceName" | "trace:rootService") => ("string", services()?),
        (None, "status" | "span:status") => ("keyword", words(&["error", "ok", "unset"])),
        (None, "kind" | "span:kind") => {
            ("keyword", words(&["client", "consumer", "internal", "producer", "server", "unspecified"]))
        }
        (None, "name" | "span:name" | "rootName" | "trace:rootName") => {
            let mut names = std::collections::BTreeSet::new();
            for service in api.store()?.services()? {
                names.extend(api.store()?.operations(service.as_str())?.into_iter().map(|of| of.name));
            }
            ("string", names.into_iter().take(1_000).collect())
        }
        _ => ("string", api.store()?.tag_values(scope.unwrap_or_default(), name)?.values),
    })
}

/// What Tempo says of itself. Grafana 10 and 11 ask, and take what this version has none of, streams over gRPC,
/// for absent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildInfo {
    version: &'static str,
    revision: &'static str,
    branch: &'static str,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
}

async fn build_info() -> Response {
    let (revision, branch, build_user, build_date, go_version) = Default::default();
    let version = env!("CARGO_PKG_VERSION");
    let info = BuildInfo { version, revision, branch, build_user, build_date, go_version };
    serde_json::to_vec(&info).map_or_else(|_| Problem::internal().into_response(), json)
}

async fn no_metrics() -> Problem {
    let said = "metrics by TraceQL are not served; /metrics has exact ones for Prometheus, /api/v1/metrics as JSON";
    Problem::new(StatusCode::NOT_IMPLEMENTED, said)
}

async fn trace(State(api): State<Api>, headers: HeaderMap, path: Result<Path<String>, PathRejection>) -> Response {
    one(&api, &headers, path, Version::V1).await
}

async fn trace_v2(State(api): State<Api>, headers: HeaderMap, path: Result<Path<String>, PathRejection>) -> Response {
    one(&api, &headers, path, Version::V2).await
}

/// Times are passed over: they tell Tempo which blocks to look into, and here there are none.
async fn one(api: &Api, headers: &HeaderMap, path: Result<Path<String>, PathRejection>, version: Version) -> Response {
    let path = path.map_err(|_| Problem::bad_request("the path is not UTF-8"));
    let asked = path.and_then(|Path(text)| Ok((loose_trace_id(&text)?, Form::wanted(headers)?)));
    let (id, form) = match asked {
        Ok(asked) => asked,
        Err(problem) => return problem.into_response(),
    };
    let made = api.bytes(move |api| {
        let trace = api.store()?.trace(id)?.ok_or_else(|| not_kept(id))?;
        form.write(version, &trace)
    });
    made.await.map_or_else(IntoResponse::into_response, |body| form.reply(body))
}
