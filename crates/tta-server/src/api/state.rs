//! What is counted: metrics, objectives, cost and sampling.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};

use super::params::{Known, Params};
use super::views::cost::Cost;
use super::views::metrics::{Metrics, Primitive};
use super::views::sampling::SamplingState;
use super::views::slo::{Objective, Objectives};
use super::{Api, Problem};

/// What is counted of primitives and workflows, by name. Exact: sampling does not touch it.
#[utoipa::path(
    get,
    path = "/metrics",
    params(("name" = Option<String>, Query, description = "Those of this name alone.")),
    responses(
        (status = 200, description = "What is counted.", body = Metrics),
        (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is nothing of that name.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn metrics(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let params = match Params::read(query.as_deref(), Known::once(&["name"])) {
        Ok(params) => params,
        Err(problem) => return problem.into_response(),
    };
    api.answer(move |api| {
        let metrics = match params.text("name") {
            None => api.telemetry.all_metrics(),
            Some(name) => match api.telemetry.metrics(&name) {
                Some(metrics) => vec![metrics],
                None => {
                    let name = tta_telemetry::format::clip(&name, 80);
                    return Err(Problem::not_found(format!("nothing of the name `{name}` has been counted")));
                }
            },
        };
        Ok(Metrics { metrics: metrics.iter().map(Primitive::from).collect() })
    })
    .await
}

/// How every objective stands.
#[utoipa::path(
    get,
    path = "/slo",
    responses(
        (status = 200, description = "The objectives.", body = Objectives),
        (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn slo(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    match Params::read(query.as_deref(), Known::NONE) {
        Ok(_) => {
            let of = |api: &Api| api.telemetry.slo_statuses().iter().map(Objective::from).collect();
            api.answer(move |api| Ok(Objectives { objectives: of(api) })).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// What everything cost and what was saved.
#[utoipa::path(
    get,
    path = "/cost",
    responses(
        (status = 200, description = "Cost and savings.", body = Cost),
        (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cost(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    match Params::read(query.as_deref(), Known::NONE) {
        Ok(_) => api.answer(|api| Ok(Cost::from(&api.telemetry.cost_report()))).await,
        Err(problem) => problem.into_response(),
    }
}

/// Which traces are kept, and which were.
#[utoipa::path(
    get,
    path = "/sampling",
    responses(
        (status = 200, description = "Sampling.", body = SamplingState),
        (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn sampling(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    match Params::read(query.as_deref(), Known::NONE) {
        Ok(_) => api.answer(|api| Ok(SamplingState::of(&api.telemetry))).await,
        Err(problem) => problem.into_response(),
    }
}
