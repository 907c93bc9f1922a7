//! What requests of both sides have in common, by the semantic conventions.
//!
//! Owns names of methods and versions and hosts as they are recorded.

use http::{Method, Version};

/// What stands for a method that is not known, in attributes.
const OTHER: &str = "_OTHER";
/// Bytes of an unknown method that are kept.
const METHOD_BYTES: usize = 64;

/// A request method as it is recorded: unknown ones, which anyone can make up, are one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownMethod<'a> {
    /// `http.request.method`.
    pub(crate) attribute: &'static str,
    /// How spans are named.
    pub(crate) name: &'static str,
    /// `http.request.method_original`, of unknown methods.
    pub(crate) original: Option<&'a str>,
}

impl<'a> KnownMethod<'a> {
    pub(crate) fn of(method: &'a Method) -> Self {
        let known = match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PUT" => "PUT",
            "DELETE" => "DELETE",
            "CONNECT" => "CONNECT",
            "OPTIONS" => "OPTIONS",
            "TRACE" => "TRACE",
            "PATCH" => "PATCH",
            "QUERY" => "QUERY",
            // A method is ASCII, so any cut is one between characters.
            other => {
                let original = other.get(..METHOD_BYTES).unwrap_or(other);
                return Self { attribute: OTHER, name: "HTTP", original: Some(original) };
            }
        };
        Self { attribute: known, name: known, original: None }
    }

    /// The name of a span: the method, then what it is about where that is known.
    pub(crate) fn span_name(self, target: Option<&str>) -> tta_telemetry::Name {
        match target {
            Some(target) => format!("{} {target}", self.name).into(),
            None => self.name.into(),
        }
    }
}

/// `network.protocol.version`.
pub(crate) fn version_text(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// `server.address`: an IPv6 address stands without its brackets.
pub(crate) fn address(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_that_anyone_can_make_up_are_one_value_and_their_text_is_bounded() {
        let get = KnownMethod::of(&Method::GET);
        assert_eq!((get.attribute, get.original, &*get.span_name(Some("/a/{b}"))), ("GET", None, "GET /a/{b}"));
        let lower = Method::from_bytes(b"get").unwrap();
        let lower = KnownMethod::of(&lower);
        assert_eq!((lower.attribute, lower.original, &*lower.span_name(None)), ("_OTHER", Some("get"), "HTTP"));
        let long = Method::from_bytes("M".repeat(65).as_bytes()).unwrap();
        assert_eq!(KnownMethod::of(&long).original, Some(&*"M".repeat(64)));
    }

    #[test]
    fn every_known_method_keeps_its_name() {
        for name in ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(KnownMethod::of(&method), KnownMethod { attribute: name, name, original: None });
        }
    }

    #[test]
    fn versions_and_addresses_are_written_as_the_conventions_say() {
        let versions = [Version::HTTP_09, Version::HTTP_10, Version::HTTP_11, Version::HTTP_2, Version::HTTP_3];
        assert_eq!(versions.map(|version| version_text(version).unwrap()), ["0.9", "1.0", "1.1", "2", "3"]);
        assert_eq!(["[::1]", "10.0.0.1", "[odd"].map(address), ["::1", "10.0.0.1", "[odd"]);
    }
}
