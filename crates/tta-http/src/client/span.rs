//! What is recorded of a call, by the semantic conventions for HTTP client spans.

use http::{Extensions, StatusCode};
use reqwest::{Request, Response, Url};
use reqwest_middleware::Error;
use tta_primitives::Context;
use tta_primitives::interop::{Before, Place};
use tta_telemetry::{OwnedSpan, SpanStatus, TraceHandle, ValueRef};

use super::UrlTemplate;
use super::error::failure_type;
use crate::request::{KnownMethod, address, version_text};

/// The kind of a call's span.
const KIND: &str = "http_client";

/// How often a request was sent before, in its extensions: they outlive a retry.
#[derive(Clone, Copy)]
struct Sends(u32);

/// The span of a call in progress. Dropped before its end, the call counts as cancelled.
pub(super) struct CallSpan {
    span: OwnedSpan,
    /// Where the call happens: at the span, or where the context stands when it is not recorded.
    place: Option<Place>,
}

impl CallSpan {
    /// Opens the span of a call made with this context.
    pub(super) fn open(cx: &Context, request: &Request, extensions: &mut Extensions) -> Self {
        let template = extensions.get::<UrlTemplate>().map(|template| template.0.clone());
        let method = KnownMethod::of(request.method());
        let name = method.span_name(template.as_deref());
        let around = cx.in_scope(Place::current);
        let span = match &around {
            Some(place) => place.trace().owned_span(place.span_id(), name, KIND),
            None => TraceHandle::default().owned_span(None, name, KIND),
        };
        let place = match span.id() {
            Some(id) => around.map(|place| place.at(id)),
            None => around,
        };
        let mut call = Self { span, place };
        if call.span.is_recording() {
            call.span.set_status(SpanStatus::Cancelled);
            call.describe(request, method, template.as_ref());
            call.count_sending(extensions);
        }
        call
    }

    /// Calls `f` at the span: what it sends and records has the span as its parent.
    pub(super) fn inside<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = self.place.as_ref().map(Entered::new);
        f()
    }

    fn describe(&mut self, request: &Request, method: KnownMethod<'_>, template: Option<&tta_telemetry::Name>) {
        let span = &mut self.span;
        span.set("http.request.method", ValueRef::literal(method.attribute));
        if let Some(original) = method.original {
            span.set("http.request.method_original", original);
        }
        let url = request.url();
        span.set("url.full", public_part(url).as_str());
        if let Some(template) = template {
            span.set("url.template", template);
        }
        if let Some(host) = url.host_str() {
            span.set("server.address", address(host));
        }
        if let Some(port) = url.port_or_known_default() {
            span.set("server.port", port);
        }
    }

    fn count_sending(&mut self, extensions: &mut Extensions) {
        let before = extensions.get::<Sends>().map_or(0, |sends| sends.0);
        if before > 0 {
            self.span.set("http.request.resend_count", before);
        }
        extensions.insert(Sends(before.saturating_add(1)));
    }

    /// Ends the span; the result passes through.
    pub(super) fn end(mut self, result: Result<Response, Error>) -> Result<Response, Error> {
        if !self.span.is_recording() {
            return result;
        }
        match result {
            Ok(response) => {
                self.set_response(&response);
                Ok(response)
            }
            Err(error) => Err(self.set_error(error)),
        }
    }

    fn set_response(&mut self, response: &Response) {
        let span = &mut self.span;
        let status = response.status();
        span.set("http.response.status_code", status.as_u16());
        if let Some(version) = version_text(response.version()) {
            span.set("network.protocol.version", ValueRef::literal(version));
        }
        if is_failure(status) {
            span.set("error.type", status.as_str());
            span.set_status(SpanStatus::Error);
        } else {
            span.set_status(SpanStatus::Ok);
        }
    }

    fn set_error(&mut self, error: Error) -> Error {
        let span = &mut self.span;
        span.set("error.type", failure_type(&error));
        // The message without the URL, whose query may hold secrets.
        let url = error.url().cloned();
        let error = error.without_url();
        span.set("error.message", &error.to_string());
        let sources = std::iter::successors(std::error::Error::source(&error), |error| error.source());
        let sources: Vec<String> = sources.take(32).map(ToString::to_string).collect();
        if !sources.is_empty() {
            let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
            span.set("error.chain", ValueRef::List(&sources));
        }
        span.set_status(SpanStatus::Error);
        match url {
            Some(url) => error.with_url(url),
            None => error,
        }
    }
}

/// Whether a client takes this status for an error.
pub(super) fn is_failure(status: StatusCode) -> bool {
    status.as_u16() >= 400
}

/// A URL without user, password, query and fragment.
pub(super) fn public_part(url: &Url) -> Url {
    let mut url = url.clone();
    // Refused only by URLs that have no place for a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Puts the thread into a place until dropped, also by a panic.
struct Entered(Option<Before>);

impl Entered {
    fn new(place: &Place) -> Self {
        Self(Some(place.enter()))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(before) = self.0.take() {
            before.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_no_part_of_a_public_url() {
        for (url, expected) in [
            ("https://user:password@api.example:8443/a/b?token=secret#part", "https://api.example:8443/a/b"),
            ("https://user@api.example/", "https://api.example/"),
            ("https://:password@api.example/?", "https://api.example/"),
            ("data:text/plain,hello?x#y", "data:text/plain,hello"),
        ] {
            assert_eq!(public_part(&url.parse().unwrap()).as_str(), expected);
        }
    }
}
