//! The layer that asks for a token.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use super::tokens::{Access, Caller, Scope, Tokens};
use crate::http::counters::{Cells, count};
use crate::http::problem;

/// Lets through only requests with a token for one scope: [`Tokens::require`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Require {
    tokens: Tokens,
    scope: Scope,
}

/// The service of [`Require`].
#[derive(Clone, Debug)]
pub struct RequireService<S> {
    inner: S,
    require: Require,
}

impl Require {
    pub(super) fn new(tokens: Tokens, scope: Scope) -> Self {
        Self { tokens, scope }
    }

    /// Who asks, where there are tokens; or the refusal.
    fn check(&self, headers: &HeaderMap) -> Result<Option<Caller>, Box<Response>> {
        if self.tokens.is_empty() {
            return Ok(None);
        }
        let scope = self.scope;
        let Some(given) = bearer(headers) else {
            let detail = format!(
                "this needs a token of scope {scope}: send one header Authorization: Bearer, followed by a space and \
                 the token"
            );
            return Err(refused(StatusCode::UNAUTHORIZED, detail, "Bearer realm=\"tta\""));
        };
        match self.tokens.access(given, scope) {
            Access::Granted(caller) => Ok(Some(caller)),
            Access::Unknown => {
                let detail = format!("the token is not known here; accepted is one of scope {}", accepted(scope));
                let challenge = "Bearer realm=\"tta\", error=\"invalid_token\"";
                Err(refused(StatusCode::UNAUTHORIZED, detail, challenge))
            }
            Access::TooLittle => {
                let detail = format!("the token is for something else; accepted is one of scope {}", accepted(scope));
                let challenge = match scope {
                    Scope::Read => "Bearer realm=\"tta\", error=\"insufficient_scope\", scope=\"read\"",
                    Scope::Write => "Bearer realm=\"tta\", error=\"insufficient_scope\", scope=\"write\"",
                    Scope::Admin => "Bearer realm=\"tta\", error=\"insufficient_scope\", scope=\"admin\"",
                };
                Err(refused(StatusCode::FORBIDDEN, detail, challenge))
            }
        }
    }
}

/// Scopes that include this one.
fn accepted(scope: Scope) -> String {
    if scope == Scope::Admin { scope.to_string() } else { format!("{scope} or {}", Scope::Admin) }
}

/// The token of a request, if there is one and only one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return None };
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    // The name of a scheme is in any case (RFC 9110, section 11.1).
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii()).filter(|token| !token.is_empty())
}

fn refused(status: StatusCode, detail: String, challenge: &'static str) -> Box<Response> {
    let mut response = problem::reply(status, detail);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    Box::new(response)
}

impl<S> Layer<S> for Require {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireService { inner, require: self.clone() }
    }
}

impl<S> Service<Request<Body>> for RequireService<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let refusal = match self.require.check(request.headers()) {
            Ok(caller) => {
                // Nothing behind this has any use for the token, and what is not there is not logged.
                request.headers_mut().remove(AUTHORIZATION);
                if let Some(caller) = caller {
                    request.extensions_mut().insert(caller);
                }
                return Box::pin(self.inner.call(request));
            }
            Err(refusal) => *refusal,
        };
        if let Some(cells) = request.extensions().get::<Arc<Cells>>() {
            count(if refusal.status() == StatusCode::FORBIDDEN { &cells.forbidden } else { &cells.unauthorized });
        }
        Box::pin(std::future::ready(Ok(refusal)))
    }
}
