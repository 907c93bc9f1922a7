//! Why a request is refused before or while its body is read, and what it is told.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, CONNECTION, HeaderValue, RETRY_AFTER};

use crate::http::counters::Cells;
use crate::http::problem;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Misdirected,
    TooManyHeaders { given: usize, most: usize },
    OverRate { wait: Duration },
    OverRequests,
    OverMemory,
    TooLarge { most: usize },
    InflatesTooLarge { most: usize },
    UnknownCoding,
    NotGzip,
    Truncated,
    SlowBody { most: Duration },
    SlowReply { most: Duration },
    Panic,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::TooManyHeaders { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::OverRate { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::OverRequests | Self::OverMemory | Self::SlowReply { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooLarge { .. } | Self::InflatesTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownCoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotGzip | Self::Truncated => StatusCode::BAD_REQUEST,
            Self::SlowBody { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Panic => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Where it is counted.
    pub(super) fn cell<'a>(&self, cells: &'a Cells) -> &'a AtomicU64 {
        match self {
            Self::Misdirected => &cells.misdirected,
            Self::TooManyHeaders { .. } => &cells.too_many_headers,
            Self::OverRate { .. } => &cells.over_rate,
            Self::OverRequests => &cells.over_requests,
            Self::OverMemory => &cells.over_memory,
            Self::TooLarge { .. } | Self::InflatesTooLarge { .. } => &cells.too_large,
            Self::UnknownCoding => &cells.unknown_coding,
            Self::NotGzip | Self::Truncated => &cells.broken_bodies,
            Self::SlowBody { .. } => &cells.slow_bodies,
            Self::SlowReply { .. } => &cells.slow_replies,
            Self::Panic => &cells.panics,
        }
    }

    pub(super) fn detail(&self) -> String {
        match self {
            Self::Misdirected => "the header Host names another host; without tokens only localhost and IP addresses \
                                  are accepted, so that no web page can reach this through a name of its own; set \
                                  tokens or `insecure` to accept any"
                .to_owned(),
            Self::TooManyHeaders { given, most } => format!("the request has {given} headers; accepted are {most}"),
            Self::OverRate { wait } => {
                format!("requests come too often from this address; the next one is accepted in {} s", seconds(*wait))
            }
            Self::OverRequests => "too many requests are being answered; try again later".to_owned(),
            Self::OverMemory => "the bodies of other requests take the memory there is; try again later".to_owned(),
            Self::TooLarge { most } => format!("the body is too large; accepted are {most} bytes"),
            Self::InflatesTooLarge { most } => {
                format!("the body is too large once it is decompressed; accepted are {most} bytes")
            }
            Self::UnknownCoding => {
                "the header Content-Encoding names something else than gzip or identity, which are accepted".to_owned()
            }
            Self::NotGzip => {
                "the body is not what Content-Encoding says: it is broken or incomplete as gzip".to_owned()
            }
            Self::Truncated => {
                "the body could not be read to its end: it broke off, or its framing is wrong".to_owned()
            }
            Self::SlowBody { most } => format!("the body did not arrive within {most:?}"),
            Self::Panic => "the route panicked, which is a mistake in it".to_owned(),
            Self::SlowReply { most } => format!("the reply could not be made within {most:?}"),
        }
    }

    pub(super) fn reply(&self) -> Response {
        let mut response = problem::reply(self.status(), self.detail());
        let headers = response.headers_mut();
        match self {
            Self::OverRate { wait } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds(*wait)));
            }
            Self::OverRequests | Self::OverMemory | Self::SlowReply { .. } => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::UnknownCoding => {
                // What would be accepted (RFC 9110, section 15.5.16).
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            }
            Self::SlowBody { .. } => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail())
    }
}

impl std::error::Error for Refusal {}

/// Whole seconds, rounded up: `Retry-After` knows no fractions.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}
