//! What axum knows of a request.
//!
//! Owns the route that its router has matched, and the extractor of the context.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, MatchedPath};
use http::request::Parts;
use tta_primitives::Context;
use tta_telemetry::Name;

use crate::headers::extract;

/// The [`Context`] of the run that a request is, as an extractor: `async fn handler(Cx(cx): Cx)`.
///
/// Never refuses. Without [`TraceRequests`](crate::TraceRequests) it is a new context on the
/// process's engine: workflows run with it continue the caller's trace.
#[derive(Clone, Debug)]
pub struct Cx(pub Context);

impl<S: Sync> FromRequestParts<S> for Cx {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        if let Some(cx) = parts.extensions.get::<Context>() {
            return Ok(Self(cx.clone()));
        }
        let propagated = Context::builder().propagated(extract(&parts.headers)).build();
        Ok(Self(propagated.unwrap_or_default()))
    }
}

/// The template of the route that matched; `None` when none did, or a nested service hides it.
pub(super) fn matched_route(parts: &Parts) -> Option<Name> {
    Some(parts.extensions.get::<MatchedPath>()?.as_str().to_owned().into())
}
