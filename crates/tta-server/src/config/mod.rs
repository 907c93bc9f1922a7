//! `/api/v1/config`: the configuration in effect, changing it, and who did.
//!
//! Owns the routes, who may, what is remembered of changes, and the form of replies. What is accepted,
//! and that a change is whole, is the engine's ([`Telemetry::update_with`]); files and the environment
//! are the program's, which says what they are by [`ConfigApiBuilder::base`].

mod audit;
mod change;
pub(crate) mod etag;
mod origin;
mod problems;
mod views;

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::http::header::{CONTENT_TYPE, ETAG, HeaderValue, IF_MATCH};
use ::http::{HeaderMap, StatusCode};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch};
use serde_json::Value;
use tta_telemetry::Telemetry;
use tta_telemetry::config::{Config, ConfigUpdate};
use utoipa::OpenApi;

pub use audit::ConfigAudit;

use crate::health::json;
use crate::http::{Caller, Scope, Tokens, problem};
use audit::Actor;
use change::Remembered;
use etag::{EtagKey, IfMatch};
use problems::{InvalidConfig, Refusal};
use views::{AuditList, ConfigBody};

const PATH: &str = "/api/v1/config";
const AUDIT_PATH: &str = "/api/v1/config/audit";
/// Bytes of a patch.
const MOST_BYTES: usize = 1 << 20;
/// What a patch may be, besides plain JSON (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";
const ACCEPTED: &str = "application/merge-patch+json, application/json";

type Base = Box<dyn Fn() -> Result<Config, Box<dyn Error + Send + Sync>> + Send + Sync>;
type Callback = Box<dyn Fn(&ConfigAudit) + Send + Sync>;

/// The configuration of an engine over HTTP.
///
/// A patch (`PATCH`, JSON merge patch) is checked as a whole and applied as a whole, or refused with all
/// that is wrong. It lasts as long as the process: what is to outlive it belongs into the file. Fields
/// that take effect only at a start are accepted, and told of as waiting.
///
/// ```
/// use tta_server::{ConfigApi, Tokens};
/// use tta_telemetry::Telemetry;
/// use tta_telemetry::config::Preset;
///
/// let config = Preset::Production.config();
/// let telemetry = Telemetry::builder().config(&config)?.build()?;
/// let api = ConfigApi::builder(&telemetry)
///     // What `null` sets back to: usually file and environment, read again.
///     .base(move || Ok(config.clone()))
///     .on_change(|change| eprintln!("{change}"))
///     .build();
/// let app: axum::Router = api.router(&Tokens::default());
/// # let _ = app;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ConfigApi(Arc<Shared>);

struct Shared {
    telemetry: Telemetry,
    base: Option<Base>,
    on_change: Option<Callback>,
    key: EtagKey,
    /// Held from reading what is in effect to noting what came of it, so that changes are noted in the
    /// order in which they were made.
    changing: Mutex<()>,
    remembered: Mutex<Remembered>,
}

/// Makes a [`ConfigApi`].
#[must_use]
pub struct ConfigApiBuilder {
    telemetry: Telemetry,
    base: Option<Base>,
    on_change: Option<Callback>,
}

impl ConfigApiBuilder {
    /// What file, environment and preset say now, to which `null` in a patch sets fields back. It may
    /// block. Its error is shown to whoever asked, and must hold no secret. Default: the preset.
    pub fn base(
        mut self,
        base: impl Fn() -> Result<Config, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        self.base = Some(Box::new(base));
        self
    }

    /// Is told of every change, after it took effect, on a thread that may block. One that panics is
    /// counted. Default: nobody.
    pub fn on_change(mut self, callback: impl Fn(&ConfigAudit) + Send + Sync + 'static) -> Self {
        self.on_change = Some(Box::new(callback));
        self
    }

    /// Nothing is read yet.
    pub fn build(self) -> ConfigApi {
        let Self { telemetry, base, on_change } = self;
        let key = EtagKey::new();
        let (changing, remembered) = Default::default();
        ConfigApi(Arc::new(Shared { telemetry, base, on_change, key, changing, remembered }))
    }
}

impl ConfigApi {
    /// The configuration of this engine, which must have been built by one.
    pub fn builder(telemetry: &Telemetry) -> ConfigApiBuilder {
        ConfigApiBuilder { telemetry: telemetry.clone(), base: None, on_change: None }
    }

    /// `/api/v1/config` (GET with scope read, PATCH with scope admin) and `/api/v1/config/audit` (GET
    /// with scope read). Changes are made on threads for blocking work.
    pub fn router(&self, tokens: &Tokens) -> Router {
        let read = tokens.require(Scope::Read);
        let other = |allowed| move || async move { problem::method_not_allowed(allowed) };
        let change = patch(change).layer(DefaultBodyLimit::max(MOST_BYTES)).layer(tokens.require(Scope::Admin));
        let config = get(show).layer(read.clone()).merge(change).fallback(other("GET, HEAD, PATCH"));
        let audit = get(audit_list).layer(read).fallback(other("GET, HEAD"));
        Router::new().route(PATH, config).route(AUDIT_PATH, audit).with_state(self.clone())
    }

    /// Notes a change that was made otherwise, as by reading the file again: it is audited, and what waits
    /// for a restart is shown. `by` is who or what made it, as `reload:signal`.
    pub fn note(&self, by: &str, update: &ConfigUpdate) {
        let audit = {
            let _turn = self.0.turn();
            self.0.remembered().note_foreign(Actor::named(by), update, self.0.now_unix_ns())
        };
        self.0.tell(audit);
    }

    /// The last changes, oldest first; at most 200.
    #[must_use]
    pub fn audit(&self) -> Vec<ConfigAudit> {
        self.0.remembered().audit.entries()
    }

    /// What these routes are, in OpenAPI 3.1: to be merged with that of others.
    #[must_use]
    pub fn open_api() -> utoipa::openapi::OpenApi {
        Description::openapi()
    }
}

impl Shared {
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_unix_ns(&self) -> u64 {
        let clock = self.telemetry.clock();
        clock.unix_ns(clock.ticks())
    }
}

impl fmt::Debug for ConfigApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigApi").finish_non_exhaustive()
    }
}

impl fmt::Debug for ConfigApiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigApiBuilder").finish_non_exhaustive()
    }
}

/// These routes, to be merged into another description.
#[derive(OpenApi)]
#[openapi(
    paths(show, change, audit_list),
    components(schemas(InvalidConfig)),
    tags((name = "config", description = "What the engine is told."))
)]
struct Description;

/// The configuration in effect.
#[utoipa::path(
    get, path = "/api/v1/config", tag = "config",
    responses(
        (status = 200, description = "The configuration, without secrets.", body = ConfigBody,
            headers(("ETag" = String, description = "Which configuration it is, for If-Match."))),
        (status = 404, description = "The engine was built without a configuration.", content_type = "application/problem+json"),
    )
)]
async fn show(State(api): State<ConfigApi>) -> Response {
    blocking(move || api.0.show().map_or_else(IntoResponse::into_response, |shown| reply(&shown))).await
}

/// Changes the configuration: all of the patch, or nothing.
#[utoipa::path(
    patch, path = "/api/v1/config", tag = "config",
    params(("If-Match" = Option<String>, Header, nullable = false, pattern = r#"^(\*|(W/)?"[!#-~]{0,60}")$"#, description = "Changes it only if it still is this one.")),
    request_body(
        description = "A JSON merge patch (RFC 7396). `null` sets a field back to what file, environment and preset say.",
        content((Object = "application/merge-patch+json"), (Object = "application/json"))
    ),
    responses(
        (status = 200, description = "The configuration that is in effect now, and what changed.", body = ConfigBody,
            headers(("ETag" = String, description = "Which configuration it is, for If-Match."))),
        (status = 400, description = "The body is no JSON.", content_type = "application/problem+json"),
        (status = 404, description = "The engine was built without a configuration.", content_type = "application/problem+json"),
        (status = 412, description = "It is not what If-Match says.", content_type = "application/problem+json"),
        (status = 413, description = "The patch is larger than 1 MiB.", content_type = "application/problem+json"),
        (status = 415, description = "The body is something else.", content_type = "application/problem+json"),
        (status = 422, description = "What is wrong, all of it; nothing was changed.", body = InvalidConfig, content_type = "application/problem+json"),
        (status = 503, description = "What a field is to be set back to cannot be read; nothing was changed.", content_type = "application/problem+json"),
    )
)]
async fn change(
    State(api): State<ConfigApi>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let read = || -> Result<(Value, IfMatch), Refusal> {
        check_kind(&headers)?;
        let body = body.map_err(|rejection| Refusal::Body(rejection.status()))?;
        let patch = serde_json::from_slice(&body).map_err(|error| Refusal::NoJson(error.to_string()))?;
        Ok((patch, IfMatch::read(headers.get_all(IF_MATCH))?))
    };
    let (patch, if_match) = match read() {
        Ok(read) => read,
        Err(refusal) => return api.0.refuse(refusal),
    };
    let actor = Actor::of(caller.map(|Extension(caller)| caller));
    let make = move || match api.0.change(&patch, &if_match, actor) {
        Ok(shown) => reply(&shown),
        Err(refusal) => api.0.refuse(refusal),
    };
    blocking(make).await
}

/// Who changed what, and when.
#[utoipa::path(
    get, path = "/api/v1/config/audit", tag = "config",
    responses((status = 200, description = "The last changes, the latest first.", body = AuditList))
)]
async fn audit_list(State(api): State<ConfigApi>) -> Response {
    json(StatusCode::OK, &AuditList::of(&api.0.remembered()))
}

async fn blocking(make: impl FnOnce() -> Response + Send + 'static) -> Response {
    let failed = |_| problem::reply(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be made");
    tokio::task::spawn_blocking(make).await.unwrap_or_else(failed)
}

fn reply(shown: &ConfigBody) -> Response {
    let mut response = json(StatusCode::OK, shown);
    if let Ok(tag) = HeaderValue::from_str(&shown.etag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Parameters such as the charset are nobody's business: JSON is UTF-8.
pub(crate) fn check_kind(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    let kind = given.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_accepted = [MERGE_PATCH, "application/json"].iter().any(|known| kind.eq_ignore_ascii_case(known));
    if is_accepted { Ok(()) } else { Err(Refusal::Kind(given)) }
}
