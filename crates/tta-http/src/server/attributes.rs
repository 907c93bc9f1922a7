//! What is recorded of a request, by the semantic conventions for HTTP server spans.

use http::header::{HOST, USER_AGENT};
use http::request::Parts;
use http::uri::Authority;
use tta_primitives::Run;
use tta_telemetry::{Name, ValueRef};

use crate::request::{KnownMethod, address, version_text};

pub(super) fn set(
    run: &mut Run,
    parts: &Parts,
    method: KnownMethod<'_>,
    route: Option<&Name>,
    default_scheme: &'static str,
) {
    run.set("http.request.method", ValueRef::literal(method.attribute));
    if let Some(original) = method.original {
        run.set("http.request.method_original", original);
    }
    if let Some(route) = route {
        run.set("http.route", route);
    }
    run.set("url.path", parts.uri.path());
    run.set("url.scheme", parts.uri.scheme_str().unwrap_or(default_scheme));
    if let Some(authority) = authority(parts) {
        run.set("server.address", address(authority.host()));
        if let Some(port) = authority.port_u16() {
            run.set("server.port", port);
        }
    }
    if let Some(agent) = parts.headers.get(USER_AGENT) {
        run.set("user_agent.original", &*String::from_utf8_lossy(agent.as_bytes()));
    }
    if let Some(version) = version_text(parts.version) {
        run.set("network.protocol.version", ValueRef::literal(version));
    }
}

/// Whom the client meant to call: the request's target (HTTP/2 always names it there), otherwise
/// the `Host` header.
fn authority(parts: &Parts) -> Option<Authority> {
    if let Some(authority) = parts.uri.authority() {
        return Some(authority.clone());
    }
    Authority::try_from(parts.headers.get(HOST)?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn host(uri: &str, host: Option<&[u8]>) -> Option<(String, Option<u16>)> {
        let mut request = Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        authority(&parts).map(|authority| (address(authority.host()).to_owned(), authority.port_u16()))
    }

    #[test]
    fn the_target_names_the_server_before_the_host_header_does() {
        assert_eq!(host("http://a.example:81/x", Some(b"b.example")), Some(("a.example".into(), Some(81))));
        assert_eq!(host("/x", Some(b"b.example")), Some(("b.example".into(), None)));
        assert_eq!(host("/x", Some(b"[::1]:8080")), Some(("::1".into(), Some(8080))));
        assert_eq!(host("/x", Some(b"b.example:99999")), Some(("b.example".into(), None)));
    }

    #[test]
    fn a_host_that_is_none_is_not_recorded() {
        for malformed in [&b""[..], b"a b", b"\xff\xfe", b"http://a.example/"] {
            assert_eq!(host("/x", Some(malformed)), None, "{malformed:?}");
        }
        assert_eq!(host("/x", None), None);
    }
}
