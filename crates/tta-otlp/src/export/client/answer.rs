//! What a collector's answer means: taken, for later, or never.
//!
//! Owns the codes of OTLP/HTTP and OTLP/gRPC (OTLP specification 1.x, "Failures"), those of Prometheus remote
//! write 1.0 ("Retries & Backoff"), and the texts of errors.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::super::environment::percent_decoded;
use super::Signal;
use crate::limits::cut;
use crate::{ErrorReply, ExportReply};

/// Bytes of a message that are kept.
const MOST_MESSAGE_BYTES: usize = 512;
/// What the library for TLS says of a certificate that `openssl req -x509` makes by default, and what that means.
const AUTHORITY: (&str, &str) = (
    "Other(OtherError(CaUsedAsEndEntity))",
    "it is marked as one of an authority (CA:TRUE), accepted is a server's own (CA:FALSE), which an authority that is \
     trusted has signed or which is trusted itself",
);
/// Bytes of a secret that tell nothing yet.
const LEAST_TELLING: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// May be taken later.
    Passing,
    /// Will never be taken.
    Lasting,
    /// Too much at once.
    TooLarge,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) message: String,
    /// How long the collector wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// Whether there was an answer at all.
    pub(super) answered: bool,
}

/// An answer, read whole.
pub(super) struct Received {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    /// By the engine's clock, for dates.
    pub(super) now_unix_ns: u64,
}

impl Failure {
    pub(super) fn passing(message: String) -> Self {
        Self { kind: FailureKind::Passing, message, retry_after: None, answered: false }
    }

    pub(super) fn lasting(message: String) -> Self {
        Self { kind: FailureKind::Lasting, ..Self::passing(message) }
    }

    /// Nothing, or not all, of an answer: it may work the next time.
    pub(super) fn of_network(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Some repeat their cause.
            if !message.contains(&cause_text) {
                message.push_str(": ");
                message.push_str(&cause_text);
            }
            source = cause.source();
        }
        Self::passing(clean(&message.replace(AUTHORITY.0, AUTHORITY.1)))
    }

    fn answered(kind: FailureKind, message: String) -> Self {
        Self { kind, answered: true, ..Self::passing(message) }
    }

    /// A collector may repeat what it was given.
    pub(super) fn without(mut self, secrets: &[String]) -> Self {
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            hide(&mut self.message, secret);
            // The part of `Bearer abc` that matters.
            if let Some((_, token)) = secret.split_once(' ').filter(|(_, token)| !token.is_empty()) {
                hide(&mut self.message, token);
            }
        }
        self
    }
}

/// Replaces a secret, and the beginning of one with which a text ends that was cut.
fn hide(text: &mut String, secret: &str) {
    *text = text.replace(secret, "***");
    let is_end = |length: &usize| secret.get(..*length).is_some_and(|part| text.ends_with(part));
    if let Some(length) = (LEAST_TELLING..secret.len()).rev().find(is_end) {
        text.truncate(text.len() - length);
        text.push_str("***");
    }
}

/// Text for a line of a log.
fn clean(text: &str) -> String {
    cut(text, MOST_MESSAGE_BYTES).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

pub(super) fn of_http(received: &Received, signal: Signal) -> Result<ExportReply, Failure> {
    let is_json = is_json(&received.headers);
    if received.status.is_success() {
        // It was taken, whatever is said about it.
        return Ok(if is_json { reply_in_json(&received.body) } else { reply_in_protobuf(&received.body) });
    }
    let kind = match received.status.as_u16() {
        413 => FailureKind::TooLarge,
        429 | 502 | 503 | 504 => FailureKind::Passing,
        500..=599 if signal == Signal::RemoteWrite => FailureKind::Passing,
        _ => FailureKind::Lasting,
    };
    let said = if is_json { message_in_json(&received.body) } else { message_in_protobuf(&received.body) };
    let status = received.status;
    let message = if said.is_empty() { format!("{status}") } else { format!("{status}: {said}") };
    let retry_after = received.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|value| delay(value, received.now_unix_ns));
    Err(Failure { retry_after, ..Failure::answered(kind, message) })
}

/// Also `application/problem+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// `Retry-After`: seconds, or a date, which may be over.
fn delay(value: &str, now_unix_ns: u64) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value.trim()).ok()?;
    let now = UNIX_EPOCH.checked_add(Duration::from_nanos(now_unix_ns))?;
    Some(at.duration_since(now).unwrap_or_default())
}

fn reply_in_protobuf(body: &[u8]) -> ExportReply {
    ExportReply::from_protobuf(body).unwrap_or_default()
}

fn reply_in_json(body: &[u8]) -> ExportReply {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return ExportReply::default() };
    let partial = value.get("partialSuccess");
    let field = |names: [&str; 2]| partial.and_then(|partial| names.iter().find_map(|name| partial.get(name)));
    // 64-bit numbers are texts in protobuf's JSON.
    let rejected = field(["rejectedSpans", "rejectedDataPoints"])
        .and_then(|count| count.as_u64().or_else(|| count.as_str().and_then(|count| count.parse().ok())));
    let message = field(["errorMessage", "error_message"]).and_then(Value::as_str).unwrap_or_default();
    ExportReply { rejected_spans: rejected.unwrap_or(0), message: clean(message) }
}

/// A `google.rpc.Status`, or a problem by RFC 9457.
fn message_in_json(body: &[u8]) -> String {
    let value = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let said = ["message", "detail", "title"].iter().find_map(|name| value.get(name).and_then(Value::as_str));
    clean(said.unwrap_or_default())
}

/// A `google.rpc.Status`, or the text that many servers send instead.
fn message_in_protobuf(body: &[u8]) -> String {
    match ErrorReply::from_protobuf(body) {
        Ok(reply) if !reply.message.is_empty() => clean(&reply.message),
        _ => std::str::from_utf8(body).map(|text| clean(text.trim())).unwrap_or_default(),
    }
}

pub(super) fn of_grpc(received: &Received) -> Result<ExportReply, Failure> {
    let empty = HeaderMap::new();
    let trailers = received.trailers.as_ref().unwrap_or(&empty);
    // An answer without a message has all of it in its head.
    let field =
        |name: &str| trailers.get(name).or_else(|| received.headers.get(name)).and_then(|value| value.to_str().ok());
    let Some(code) = field("grpc-status").and_then(|code| code.trim().parse::<u32>().ok()) else {
        return Err(without_grpc_status(received));
    };
    if code == 0 {
        // Whether compressed, which we did not allow, and four bytes of length.
        return Ok(reply_in_protobuf(received.body.get(5..).unwrap_or_default()));
    }
    let said = field("grpc-message").and_then(percent_decoded).unwrap_or_default();
    let details = field("grpc-status-details-bin").map(|text| text.trim_end_matches('='));
    let details = details.and_then(|text| STANDARD_NO_PAD.decode(text).ok());
    let retry_after = details.and_then(|bytes| ErrorReply::from_protobuf(&bytes).ok()).and_then(|r| r.retry_after);
    let kind = match code {
        // Cancelled, deadline exceeded, aborted, out of range, unavailable, data loss.
        _ if is_too_large(code, &said) => FailureKind::TooLarge,
        1 | 4 | 10 | 11 | 14 | 15 => FailureKind::Passing,
        // Resource exhausted: only when the collector says that it will be better.
        8 if retry_after.is_some() => FailureKind::Passing,
        _ => FailureKind::Lasting,
    };
    let message = format!("gRPC status {code} ({}): {}", name_of(code), clean(&said));
    Err(Failure { retry_after, ..Failure::answered(kind, message) })
}

/// gRPC has no code of its own for a message that is too long: servers say it in words.
fn is_too_large(code: u32, said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    matches!(code, 8 | 11) && ["larger than max", "too large", "size too"].iter().any(|words| said.contains(words))
}

/// What is no gRPC came from something between, whose status tells (gRPC, "HTTP to gRPC Status Code Mapping").
fn without_grpc_status(received: &Received) -> Failure {
    let kind = match received.status.as_u16() {
        413 => FailureKind::TooLarge,
        // A stream that ended before its status.
        200 | 429 | 502 | 503 | 504 => FailureKind::Passing,
        _ => FailureKind::Lasting,
    };
    Failure::answered(kind, format!("{} without a gRPC status", received.status))
}

fn name_of(code: u32) -> &'static str {
    const NAMES: [&str; 17] = [
        "ok",
        "cancelled",
        "unknown",
        "invalid argument",
        "deadline exceeded",
        "not found",
        "already exists",
        "permission denied",
        "resource exhausted",
        "failed precondition",
        "aborted",
        "out of range",
        "unimplemented",
        "internal",
        "unavailable",
        "data loss",
        "unauthenticated",
    ];
    NAMES.get(code as usize).copied().unwrap_or("no known code")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Received {
        let pairs = headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        Received {
            status: StatusCode::from_u16(status).unwrap(),
            headers: pairs.collect(),
            body: Bytes::copy_from_slice(body),
            trailers: None,
            now_unix_ns: 784_111_777_000_000_000,
        }
    }

    fn http(received: &Received) -> Result<ExportReply, Failure> {
        of_http(received, Signal::Traces)
    }

    #[test]
    fn the_codes_of_http_that_pass_are_those_of_the_specification() {
        for status in 300..600 {
            let kind = http(&received(status, &[], b"")).unwrap_err().kind;
            let expected = match status {
                429 | 502 | 503 | 504 => FailureKind::Passing,
                413 => FailureKind::TooLarge,
                _ => FailureKind::Lasting,
            };
            assert_eq!(kind, expected, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |value| http(&received(503, &[("retry-after", value)], b"")).unwrap_err().retry_after;
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn the_codes_of_grpc_that_pass_are_those_of_the_specification() {
        let kind = |code: u32| {
            of_grpc(&received(200, &[("grpc-status", &code.to_string())], b"")).map_err(|failure| failure.kind)
        };
        assert_eq!(kind(0), Ok(ExportReply::default()));
        for code in 1..20 {
            let passes = [1, 4, 10, 11, 14, 15].contains(&code);
            assert_eq!(kind(code), Err(if passes { FailureKind::Passing } else { FailureKind::Lasting }), "{code}");
        }
    }

    #[test]
    fn an_exhausted_collector_is_tried_again_only_when_it_says_when() {
        let details = ErrorReply::new(crate::ReplyCode::ResourceExhausted, "full").retry_after(Duration::from_secs(3));
        let details = STANDARD_NO_PAD.encode(details.to_protobuf());
        let headers = [("grpc-status", "8"), ("grpc-message", "full%20now"), ("grpc-status-details-bin", &details)];
        let failure = of_grpc(&received(200, &headers, b"")).unwrap_err();
        assert_eq!((failure.kind, failure.retry_after), (FailureKind::Passing, Some(Duration::from_secs(3))));
        assert_eq!(failure.message, "gRPC status 8 (resource exhausted): full now");
        let headers = [("grpc-status", "8"), ("grpc-message", "grpc: received message larger than max (9 vs. 4)")];
        assert_eq!(of_grpc(&received(200, &headers, b"")).unwrap_err().kind, FailureKind::TooLarge);
    }

    #[test]
    fn what_a_collector_repeats_of_our_headers_is_not_shown() {
        let failure = http(&received(401, &[], b"bad token abc in Bearer abc")).unwrap_err();
        let shown = failure.without(&["Bearer abc".to_owned()]).message;
        assert_eq!(shown, "401 Unauthorized: bad token *** in ***");
    }

    #[test]
    fn a_secret_that_is_cut_off_with_its_message_is_not_shown_either() {
        let secrets = ["Bearer 5f0c1a9b7e3d2846".to_owned()];
        for (before, echo) in
            (460..520).flat_map(|before| [(before, "Bearer 5f0c1a9b7e3d2846"), (before, "5f0c1a9b7e3d2846")])
        {
            let body = format!("{}{echo}", "x".repeat(before));
            let shown = http(&received(401, &[], body.as_bytes())).unwrap_err().without(&secrets).message;
            assert!(!shown.contains("5f0c"), "{before}: {shown}");
        }
    }

    #[test]
    fn a_problem_by_rfc_9457_is_told_by_its_detail() {
        for (body, said) in [
            (&br#"{"title":"Too Many Requests","status":429,"detail":"too often"}"#[..], "too often"),
            (br#"{"title":"Bad Request","status":400,"detail":"d","code":3,"message":"no span"}"#, "no span"),
        ] {
            let headers = [("content-type", "application/problem+json")];
            let message = http(&received(400, &headers, body)).unwrap_err().message;
            assert_eq!(message, format!("400 Bad Request: {said}"));
        }
    }

    #[test]
    fn partial_success_is_read_in_json_as_well() {
        let body = br#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no"}}"#;
        let reply = http(&received(200, &[("content-type", "application/json")], body)).unwrap();
        assert_eq!((reply.rejected_spans, reply.message.as_str()), (2, "no"));
    }
}
