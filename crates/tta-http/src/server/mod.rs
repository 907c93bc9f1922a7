//! The server side: a run for each request.
//!
//! Owns the layer and its settings; `service` drives a request, `attributes` is what is recorded
//! of it, `axum` what that framework knows. Does not own servers and routers.

mod attributes;
#[cfg(feature = "axum")]
mod axum;
mod service;

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use tower_layer::Layer;
use tta_primitives::{Context, Run};
use tta_telemetry::{Name, Telemetry};

#[cfg(feature = "axum")]
pub use self::axum::Cx;
pub use self::service::{ResponseFuture, TracedService};

use crate::headers::extract;
use crate::request::KnownMethod;

/// The kind of a request's run.
const KIND: &str = "http_server";

/// Finds the route of a request.
type Route = Arc<dyn Fn(&Parts) -> Option<Name> + Send + Sync>;

/// A `tower` layer that makes each request of an HTTP service a run of its own, which continues
/// the caller's trace.
///
/// The run's [`Context`] is in the request's extensions (with axum, take the extractor
/// `Cx`) and is [`Context::current`] while the service works on the request. Workflows that
/// run with it are parts of the run.
///
/// The run is named `METHOD route`, the route being a template such as `/users/{id}`, and just
/// `METHOD` when it is not known: names label statistics, so the path itself never is one. The run
/// ends with the head of the response: what a streaming body does later is not in it. It fails when
/// the status is 500 or above, when the service fails, or when it panics (the panic goes on); it is
/// cancelled when the client goes away before the head. Attributes are those of OpenTelemetry's
/// semantic conventions for HTTP servers; the query, which may hold secrets, is not recorded.
///
/// ```
/// use tta_http::TraceRequests;
/// use tta_telemetry::Telemetry;
///
/// # fn serve(telemetry: Telemetry) {
/// // In a public service: callers cannot choose the trace id, nor that their traces are kept.
/// let layer = TraceRequests::new().telemetry(telemetry).trust_remote(false).scheme("https");
/// # let _ = layer; }
/// ```
///
/// With axum, add it by `Router::layer`, after the routes: then the route of a request is known.
/// Requests without a route pass through it as well. Add it once: two layers are two runs.
#[derive(Clone)]
pub struct TraceRequests {
    telemetry: Option<Telemetry>,
    trust_remote: bool,
    scheme: &'static str,
    route: Option<Route>,
}

impl Default for TraceRequests {
    fn default() -> Self {
        Self::new()
    }
}

impl TraceRequests {
    /// Runs on the process's engine that continue their caller's trace.
    #[must_use]
    pub fn new() -> Self {
        Self { telemetry: None, trust_remote: true, scheme: "http", route: None }
    }

    /// The engine. Default: the process's, as it is when a request comes.
    #[must_use]
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = Some(telemetry);
        self
    }

    /// Whether a request continues its caller's trace, with the caller's baggage. Default: true.
    ///
    /// For services that anyone can call say false: each request is a new trace, linked to the
    /// span that the caller named; its baggage and its wish to be sampled are left out.
    #[must_use]
    pub fn trust_remote(mut self, trusted: bool) -> Self {
        self.trust_remote = trusted;
        self
    }

    /// The scheme that clients use, for requests that do not say (HTTP/1.1 requests do not).
    /// Default: `http`; say `https` behind something that terminates TLS.
    #[must_use]
    pub fn scheme(mut self, scheme: &'static str) -> Self {
        self.scheme = scheme;
        self
    }

    /// How to find the route template of a request. Default: with the feature `axum` what its
    /// router has matched, otherwise unknown.
    ///
    /// The answers must be few: each is a name in statistics.
    ///
    /// ```
    /// # use tta_http::TraceRequests;
    /// let layer = TraceRequests::new().route(|request| match request.uri.path() {
    ///     path if path.starts_with("/users/") => Some("/users/{id}"),
    ///     _ => None,
    /// });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn route<F, R>(mut self, route: F) -> Self
    where
        F: Fn(&Parts) -> Option<R> + Send + Sync + 'static,
        R: Into<Name>,
    {
        self.route = Some(Arc::new(move |parts| route(parts).map(Into::into)));
        self
    }

    fn route_of(&self, parts: &Parts) -> Option<Name> {
        match &self.route {
            Some(route) => route(parts),
            #[cfg(feature = "axum")]
            None => axum::matched_route(parts),
            #[cfg(not(feature = "axum"))]
            None => None,
        }
    }

    /// The run of a request, its attributes set.
    fn start(&self, parts: &Parts) -> Run {
        let telemetry = self.telemetry.clone().unwrap_or_else(Telemetry::global);
        let incoming = extract(&parts.headers);
        let caller = incoming.trace.as_ref().map(|trace| (trace.trace_id, trace.span_id));
        let cx = if self.trust_remote {
            // Nothing in what was propagated can be refused: it was checked when it was read.
            let continued = Context::builder().telemetry(telemetry.clone()).propagated(incoming).build();
            continued.unwrap_or_else(|_| Context::on(telemetry))
        } else {
            Context::on(telemetry)
        };
        let route = self.route_of(parts);
        let method = KnownMethod::of(&parts.method);
        let mut run = cx.start_run(method.span_name(route.as_deref()), KIND);
        if let (false, Some(caller)) = (self.trust_remote, caller) {
            run.context().link(caller, &[]);
        }
        if run.context().is_recording() {
            attributes::set(&mut run, parts, method, route.as_ref(), self.scheme);
        }
        run
    }
}

impl<S> Layer<S> for TraceRequests {
    type Service = TracedService<S>;

    fn layer(&self, inner: S) -> TracedService<S> {
        TracedService { inner, settings: Arc::new(self.clone()) }
    }
}

impl fmt::Debug for TraceRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceRequests")
            .field("trust_remote", &self.trust_remote)
            .field("scheme", &self.scheme)
            .field("route", &self.route.is_some())
            .finish_non_exhaustive()
    }
}
