//! Why a change was refused, as a reply.

use ::http::StatusCode;
use ::http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tta_telemetry::config::{ConfigError, ConfigProblem};
use tta_telemetry::format::clip;
use utoipa::ToSchema;

use super::{ACCEPTED, MOST_BYTES};
use crate::http::problem;

/// Problems that a reply lists.
const MOST_PROBLEMS: usize = 100;
/// Characters of what was given that a reply repeats.
const MOST_GIVEN: usize = 80;
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// Why nothing was changed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The content type that was given.
    Kind(Option<String>),
    /// The body could not be read: what axum says of it.
    Body(StatusCode),
    NoJson(String),
    IfMatch,
    /// It is not what `If-Match` says.
    Changed,
    NoConfig,
    /// What to set back to cannot be read.
    NoBase(String),
    Invalid(ConfigError),
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        Self::Invalid(error)
    }
}

/// All that is wrong with a patch (RFC 9457, with `problems`). Nothing was changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InvalidConfig {
    title: &'static str,
    status: u16,
    detail: String,
    /// At most 100.
    problems: Vec<FieldProblem>,
    /// Problems beyond these.
    more_problems: u64,
}

/// One thing that is wrong.
#[derive(Debug, Serialize, ToSchema)]
struct FieldProblem {
    /// The field.
    path: String,
    /// What was given, cut at 80 characters; null when there is no such field.
    value: Option<String>,
    /// What is accepted; null when there is no such field.
    accepted: Option<String>,
    /// The known name that was probably meant.
    nearest: Option<String>,
    /// All of it in words.
    message: String,
}

impl From<&ConfigProblem> for FieldProblem {
    fn from(problem: &ConfigProblem) -> Self {
        Self {
            path: problem.path.clone(),
            value: problem.given.clone(),
            accepted: Some(problem.accepted.clone()).filter(|accepted| !accepted.is_empty()),
            nearest: problem.nearest.clone(),
            message: problem.to_string(),
        }
    }
}

impl From<&ConfigError> for InvalidConfig {
    fn from(error: &ConfigError) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let count = error.problems.len();
        let what = if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") };
        Self {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: format!("{what} in the patch; nothing was changed"),
            problems: error.problems.iter().take(MOST_PROBLEMS).map(FieldProblem::from).collect(),
            more_problems: count.saturating_sub(MOST_PROBLEMS) as u64,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Kind(given) => {
                let given = given.map_or_else(|| "missing".to_owned(), |kind| format!("`{}`", clip(&kind, MOST_GIVEN)));
                let detail = format!("the content type is {given}, accepted are {ACCEPTED}");
                let mut response = problem::reply(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
                let headers = response.headers_mut();
                headers.insert(ACCEPT_PATCH, HeaderValue::from_static(ACCEPTED));
                headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
                response
            }
            Self::Body(StatusCode::PAYLOAD_TOO_LARGE) => {
                let detail = format!("the patch is too large, accepted are at most {MOST_BYTES} bytes");
                problem::reply(StatusCode::PAYLOAD_TOO_LARGE, detail)
            }
            Self::Body(status) => problem::reply(status, "the body could not be read"),
            Self::NoJson(error) => {
                problem::reply(StatusCode::BAD_REQUEST, format!("the body is no JSON: {}", clip(&error, 200)))
            }
            Self::IfMatch => problem::reply(
                StatusCode::BAD_REQUEST,
                "If-Match is malformed, accepted are `*` and at most 32 entity tags in double quotes",
            ),
            Self::Changed => problem::reply(
                StatusCode::PRECONDITION_FAILED,
                "the configuration is not what If-Match says: it was changed meanwhile, or the process has restarted; \
                 read it again",
            ),
            Self::NoConfig => problem::reply(
                StatusCode::NOT_FOUND,
                "this engine was built in code, without a configuration: there is nothing to show or change",
            ),
            Self::NoBase(error) => problem::reply(
                StatusCode::SERVICE_UNAVAILABLE,
                format!(
                    "null sets fields back to what the file and the environment say, which cannot be read: {error}"
                ),
            ),
            Self::Invalid(error) => invalid(&InvalidConfig::from(&error)),
        }
    }
}

fn invalid(body: &InvalidConfig) -> Response {
    let mut response = crate::health::json(StatusCode::UNPROCESSABLE_ENTITY, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}
