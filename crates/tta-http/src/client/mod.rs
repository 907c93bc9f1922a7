//! The client side: a span for each call, which carries the trace along.
//!
//! Owns the middleware; `span` is what is recorded of a call, `error` turns what came back into
//! workflow errors, with `retry_after`. Does not own the client, its pool, or TLS.

mod error;
mod retry_after;
mod span;

use std::fmt;
use std::sync::Arc;

use http::Extensions;
use reqwest::{Request, Response, Url};
use reqwest_middleware::{Middleware, Next};
use tta_primitives::Context;
use tta_telemetry::Name;

pub use error::{StatusError, call_error, check_status};

use crate::headers::inject;
use span::CallSpan;

/// Whether a server is told about the trace.
type Propagate = Arc<dyn Fn(&Url) -> bool + Send + Sync>;

/// A middleware of a reqwest client that gives each call a span, below the step it is made in, and
/// sends the trace along with that span as the parent.
///
/// The span is named by the method, and by the [`UrlTemplate`] if the request has one. It ends with
/// the head of the response; it fails when the status is 400 or above and when no response comes.
/// Attributes are those of OpenTelemetry's semantic conventions for HTTP clients; `url.full` is
/// recorded without user, password, query and fragment, which may hold secrets.
///
/// The run is that of [`Context::current`], or of a [`Context`] in the request's extensions, for
/// calls that are made elsewhere. Outside a run nothing is recorded, and what the context was
/// [given](tta_primitives::ContextBuilder::propagated), if anything, is sent along.
///
/// Put it after (inside) a middleware that retries: then each sending is a span of its own, with
/// `http.request.resend_count`. Redirects that reqwest follows are parts of one call.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use tta_http::{TraceCalls, UrlTemplate};
///
/// # async fn call() -> reqwest_middleware::Result<()> {
/// let client = ClientBuilder::new(reqwest::Client::new()).with(TraceCalls::new()).build();
/// let call = client.get("https://api.example/users/7").with_extension(UrlTemplate::new("/users/{id}"));
/// call.send().await?; // a span `GET /users/{id}`
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct TraceCalls {
    propagate: Option<Propagate>,
}

/// The template of a request's URL, as an extension of the request: part of the span's name, and
/// the attribute `url.template`. It must hold no ids or other data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTemplate(Name);

impl UrlTemplate {
    /// A template such as `/users/{id}`.
    pub fn new(template: impl Into<Name>) -> Self {
        Self(template.into())
    }
}

impl TraceCalls {
    /// Sends the trace along with every call.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which servers the trace and its baggage are sent to. Default: all. Calls to others are
    /// recorded all the same, and their headers stay as they are.
    ///
    /// ```
    /// # use tta_http::TraceCalls;
    /// let middleware = TraceCalls::new().propagate_to(|url| url.host_str() == Some("billing.internal"));
    /// # let _ = middleware;
    /// ```
    #[must_use]
    pub fn propagate_to(mut self, is_told: impl Fn(&Url) -> bool + Send + Sync + 'static) -> Self {
        self.propagate = Some(Arc::new(is_told));
        self
    }
}

#[async_trait::async_trait]
impl Middleware for TraceCalls {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let given = extensions.get::<Context>().cloned();
        let Some(cx) = given.or_else(Context::current) else {
            return next.run(request, extensions).await;
        };
        let call = CallSpan::open(&cx, &request, extensions);
        if self.propagate.as_ref().is_none_or(|is_told| is_told(request.url())) {
            call.inside(|| inject(&cx, request.headers_mut()));
        }
        let mut response = call.inside(|| next.run(request, extensions));
        let result = std::future::poll_fn(|task| call.inside(|| response.as_mut().poll(task))).await;
        call.end(result)
    }
}

impl fmt::Debug for TraceCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceCalls").field("propagates_to_all", &self.propagate.is_none()).finish()
    }
}
