//! The headers of `http` as carriers of a trace.
//!
//! Owns reading and writing an [`HeaderMap`]. Does not own what the headers say.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use tta_primitives::Context;
use tta_telemetry::propagation::{self, HeaderSink, HeaderSource, Propagated};

/// Headers to read from.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(pub &'a HeaderMap);

/// Headers to write into.
#[derive(Debug)]
pub struct HeadersMut<'a>(pub &'a mut HeaderMap);

/// Reads what came with a request: the caller's trace and baggage. Never fails: what is malformed
/// is as if it had not come. For [`ContextBuilder::propagated`](tta_primitives::ContextBuilder::propagated).
///
/// ```
/// use http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?);
/// let incoming = tta_http::extract(&headers);
/// assert!(incoming.trace.is_some_and(|trace| trace.flags.is_sampled()));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn extract(headers: &HeaderMap) -> Propagated {
    propagation::extract(&Headers(headers))
}

/// Writes what a call made here carries along; see [`Context::inject`]. Outside a run, with
/// nothing to pass on, the headers stay as they are.
pub fn inject(cx: &Context, headers: &mut HeaderMap) {
    cx.inject(&mut HeadersMut(headers));
}

impl HeaderSource for Headers<'_> {
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

impl HeaderSink for HeadersMut<'_> {
    fn set(&mut self, name: &'static str, value: &str) {
        // A map that is full keeps what it has: the call goes out without the header.
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => drop(self.0.try_insert(name, value)),
            _ => debug_assert!(false, "`{name}: {value}` is no header"),
        }
    }

    fn remove(&mut self, name: &'static str) {
        // The map removes all values of a name.
        self.0.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use tta_telemetry::propagation::{BAGGAGE, TRACEPARENT, TRACESTATE};

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn all_values_of_a_header_are_read_in_their_order() {
        let twice = headers(&[(TRACEPARENT, PARENT), (TRACESTATE, "a=1"), (BAGGAGE, "k=1"), (TRACESTATE, "b=2")]);
        let source = Headers(&twice);
        assert_eq!(source.values("TraceState").collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        let incoming = extract(&twice);
        assert_eq!(incoming.trace.unwrap().trace_state.as_str(), "a=1,b=2");
        assert_eq!(incoming.baggage.get("k"), Some("1"));
        assert_eq!(extract(&headers(&[(TRACEPARENT, PARENT), (TRACEPARENT, PARENT)])).trace, None);
        assert_eq!(extract(&headers(&[(TRACEPARENT, "00-é")])).trace, None);
    }

    #[test]
    fn what_is_written_replaces_every_earlier_value() {
        let cx = Context::builder().propagated(extract(&headers(&[(TRACEPARENT, PARENT)]))).build().unwrap();
        let mut outgoing =
            headers(&[(TRACESTATE, "stale=1"), (TRACEPARENT, "stale"), (TRACEPARENT, "stale"), ("accept", "*/*")]);
        inject(&cx, &mut outgoing);
        assert_eq!(outgoing, headers(&[(TRACEPARENT, PARENT), ("accept", "*/*")]));
    }

    #[test]
    fn with_nothing_to_pass_on_the_headers_stay_as_they_are() {
        let mut outgoing = headers(&[(TRACEPARENT, "mine")]);
        inject(&Context::new(), &mut outgoing);
        assert_eq!(outgoing, headers(&[(TRACEPARENT, "mine")]));
    }
}
