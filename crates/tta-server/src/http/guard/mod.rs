//! What stands between connections and routes: every limit of a request, and what every reply has.
//!
//! In this order: host, headers, rate, places, coding and length; then, while the routes read it, the
//! body's bytes and time. What goes wrong with a body decides the reply, whatever a route makes of it.

mod body;
mod inflate;
mod rate;
mod refusal;
mod reply;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, Request, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tower_service::Service;

use super::counters::{Cells, count};
use super::limits::{MessageBytes, ServerLimits};
use super::patient::{Marks, Reply};
pub(super) use body::ReplyBody;
use body::{Held, Inspected};
use inflate::Inflate;
use rate::Rates;
use refusal::Refusal;

/// The guard of one server's routes.
#[derive(Debug)]
pub(super) struct Guard {
    router: Router,
    limits: ServerLimits,
    cells: Arc<Cells>,
    places: Arc<Semaphore>,
    held: Arc<AtomicUsize>,
    rates: Option<Rates>,
    /// Whether only this machine may ask: then names of other hosts are refused.
    is_private: bool,
    start: Instant,
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) client: IpAddr,
    pub(super) marks: Marks,
}

impl Guard {
    pub(super) fn new(router: Router, limits: ServerLimits, cells: Arc<Cells>, is_private: bool) -> Self {
        Self {
            // That of the extractors is lower, and would be the one that is in effect.
            router: router.layer(DefaultBodyLimit::disable()),
            cells,
            places: Arc::new(Semaphore::new(limits.requests)),
            held: Arc::default(),
            rates: limits.rate.map(Rates::new),
            is_private,
            start: Instant::now(),
            limits,
        }
    }

    /// The reply to a request.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        origin: Origin,
    ) -> http::Response<ReplyBody> {
        let marks = origin.marks.clone();
        let under_way = marks.begin();
        let is_http2 = request.version() == Version::HTTP_2;
        let is_grpc = is_grpc(request.headers());
        let (response, place) = match self.admit(&request, &origin) {
            Ok((place, is_gzip)) => {
                count(&self.cells.requests);
                (self.pass_on(request, origin, is_gzip).await, Some(place))
            }
            Err(refusal) => {
                if !request.body().is_end_stream() {
                    origin.marks.refused();
                }
                origin.marks.taken();
                (self.refuse(&refusal), None)
            }
        };
        marks.replied(if reply::is_endless(&response) { Reply::Endless } else { Reply::Begun });
        reply::finish(response, is_grpc, is_http2).map(|inner| ReplyBody {
            inner,
            rest: axum::body::Bytes::new(),
            is_http2,
            _place: place,
            _under_way: under_way,
        })
    }

    fn refuse(&self, refusal: &Refusal) -> Response {
        count(refusal.cell(&self.cells));
        refusal.reply()
    }

    /// A place for the request, and whether its body is compressed.
    fn admit(&self, request: &Request<Incoming>, origin: &Origin) -> Result<(OwnedSemaphorePermit, bool), Refusal> {
        let headers = request.headers();
        if self.is_private && !names_this_machine(request.uri(), headers) {
            return Err(Refusal::Misdirected);
        }
        if headers.len() > self.limits.headers {
            return Err(Refusal::TooManyHeaders { given: headers.len(), most: self.limits.headers });
        }
        if let Some(rates) = &self.rates {
            let now_ns = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let taken = rates.take(origin.client, now_ns);
            if taken.is_shared {
                count(&self.cells.untracked);
            }
            if let Some(wait) = taken.wait {
                return Err(Refusal::OverRate { wait });
            }
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Refusal::OverRequests)?;
        let is_gzip = is_gzip(headers)?;
        // What is announced; that it is kept to is seen when it comes.
        if request.body().size_hint().lower() > self.limits.body_bytes as u64 {
            return Err(Refusal::TooLarge { most: self.limits.body_bytes });
        }
        Ok((place, is_gzip))
    }

    async fn pass_on(&self, request: Request<Incoming>, origin: Origin, is_gzip: bool) -> Response {
        let limits = &self.limits;
        let now = Instant::now();
        let fault = Arc::new(OnceLock::new());
        let held = Arc::new(Held::new(Arc::clone(&self.held), limits.held_bytes));
        let (mut head, incoming) = request.into_parts();
        head.extensions.insert(Arc::clone(&self.cells));
        head.extensions.insert(MessageBytes(limits.decompressed_bytes));
        let body = if incoming.is_end_stream() {
            origin.marks.taken();
            Body::empty()
        } else {
            if is_gzip {
                // The routes see what is in the body.
                head.headers.remove(CONTENT_ENCODING);
                head.headers.remove(CONTENT_LENGTH);
            }
            Body::new(Inspected {
                incoming,
                inflate: is_gzip.then(|| Inflate::new(limits.decompressed_bytes)),
                sent: 0,
                most: limits.body_bytes,
                held: Arc::clone(&held),
                deadline: Box::pin(tokio::time::sleep_until(now + limits.read_timeout)),
                on_time_out: Refusal::SlowBody { most: limits.read_timeout },
                fault: Arc::clone(&fault),
                is_whole: false,
                marks: origin.marks,
            })
        };
        // Routes are always ready.
        let answer = caught(self.router.clone().call(Request::from_parts(head, body)));
        let answer = tokio::time::timeout_at(now + limits.request_timeout, answer).await;
        let refusal = match (fault.get(), answer) {
            (Some(fault), _) => fault.clone(),
            (None, Ok(Some(Ok(response)))) => return response,
            (None, Ok(Some(Err(never)))) => match never {},
            (None, Ok(None)) => Refusal::Panic,
            (None, Err(_)) => Refusal::SlowReply { most: limits.request_timeout },
        };
        self.refuse(&refusal)
    }
}

/// `None`: the future panicked, which is to be seen by its client and nobody else.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    std::future::poll_fn(move |cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    // Also application/grpc+proto, but not application/grpc-web, which is another protocol.
    kind.strip_prefix(b"application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+") || rest.starts_with(b";"))
}

/// Whether the body is compressed by gzip, the one coding that is accepted.
pub(crate) fn is_gzip(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut is_gzip = false;
    for value in headers.get_all(CONTENT_ENCODING) {
        for coding in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let is_new = coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip");
            if is_new && !is_gzip {
                is_gzip = true;
            } else if !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") {
                return Err(Refusal::UnknownCoding);
            }
        }
    }
    Ok(is_gzip)
}

/// Whether a request is for `localhost` or for an address. A web page whose own name is made to lead to
/// this machine (DNS rebinding) still asks by that name.
pub(crate) fn names_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = match (uri.host(), headers.get(HOST)) {
        (Some(host), _) => host,
        (None, Some(host)) => match host.to_str() {
            Ok(host) => without_port(host),
            Err(_) => return false,
        },
        // HTTP/1.0, which no browser speaks.
        (None, None) => return true,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || host.parse::<IpAddr>().is_ok()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(name: http::HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        values.iter().for_each(|value| {
            headers.append(name.clone(), HeaderValue::from_static(value));
        });
        headers
    }

    #[test]
    fn codings_are_gzip_once_or_none() {
        let of = |values: &[&'static str]| is_gzip(&headers(CONTENT_ENCODING, values));
        for plain in [&[][..], &[""], &["identity"], &["Identity, "]] {
            assert_eq!(of(plain), Ok(false), "{plain:?}");
        }
        for gzip in [&["gzip"][..], &["GZip"], &["identity, x-gzip"], &["identity", "gzip"]] {
            assert_eq!(of(gzip), Ok(true), "{gzip:?}");
        }
        for other in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"], &["zstd"], &["deflate"], &["gzip;q=1"]] {
            assert_eq!(of(other), Err(Refusal::UnknownCoding), "{other:?}");
        }
    }

    #[test]
    fn only_localhost_and_addresses_name_this_machine() {
        let is_ours = |host: &'static str| names_this_machine(&Uri::from_static("/x"), &headers(HOST, &[host]));
        for ours in
            ["localhost", "LocalHost:8000", "app.localhost", "127.0.0.1:8000", "[::1]:8000", "[::1]", "localhost."]
        {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["example.com", "localhost.example.com:80", "127.0.0.1.example.com", "", "notlocalhost", "::1:x"] {
            assert!(!is_ours(other), "{other}");
        }
        assert!(names_this_machine(&Uri::from_static("/x"), &HeaderMap::new()));
        let absolute = Uri::from_static("http://example.com/x");
        assert!(!names_this_machine(&absolute, &headers(HOST, &["localhost"])));
    }

    #[test]
    fn grpc_is_told_apart_from_what_is_called_alike() {
        let of = |kind: &'static str| is_grpc(&headers(CONTENT_TYPE, &[kind]));
        assert!(of("application/grpc") && of("application/grpc+proto") && of("application/grpc;x=y"));
        assert!(!of("application/grpc-web") && !of("application/json") && !of(""));
    }
}
