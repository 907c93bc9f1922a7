//! Requests on the wire: URL, headers, encoding, compression, and the exchange itself.

use std::io::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tta_telemetry::Clock;

use super::super::problem::{ExportError, ExportProblem, ExportProblems};
use super::super::settings::{Compression, Endpoint, ExportSettings, Protocol};
use super::super::tls;
use super::Signal;
use super::answer::{self, Failure, Received};
use crate::ExportReply;
use crate::json::print_json;

/// Bytes of an answer that are read.
const MOST_ANSWER_BYTES: usize = 64 << 10;

/// Everything about requests but their bodies.
pub(super) struct Wire {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    signal: Signal,
    protocol: Protocol,
    compression: Compression,
    /// Values of headers that must not appear in what we say.
    secrets: Vec<String>,
    clock: Clock,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("protocol", &self.protocol).field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// A body as it is sent, also again.
pub(super) struct Prepared(Bytes);

impl Wire {
    pub(super) fn new(settings: &ExportSettings, signal: Signal, clock: Clock) -> Result<Self, ExportError> {
        let uri = uri(settings, signal)?;
        check_combination(settings, signal)?;
        let is_secure = uri.scheme_str() == Some("https");
        // The system's certificates are many files: not read for nothing.
        let tls = if is_secure { tls::client_config(&settings.tls)? } else { tls::unused()? };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(settings.timeout));
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let is_grpc = settings.protocol == Protocol::Grpc && signal != Signal::RemoteWrite;
        #[cfg(feature = "export-grpc")]
        let connector = if is_grpc {
            builder.enable_http2().wrap_connector(http)
        } else {
            builder.enable_http1().wrap_connector(http)
        };
        #[cfg(not(feature = "export-grpc"))]
        let connector = builder.enable_http1().wrap_connector(http);
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).timer(TokioTimer::new());
        client.pool_max_idle_per_host(settings.max_export_workers);
        #[cfg(feature = "export-grpc")]
        {
            client.http2_only(is_grpc);
            // A connection of HTTP/2 outlives its requests, also one that died without a word: without this,
            // all attempts would go over it until the system gives it up, after a quarter of an hour. No
            // answer to a ping within half the limit of an attempt, and the next one makes a new connection.
            let patience = settings.timeout / 2;
            client.http2_keep_alive_interval(patience).http2_keep_alive_timeout(patience);
        }
        let protocol = if is_grpc { Protocol::Grpc } else { settings.protocol };
        Ok(Self {
            client: client.build(connector),
            uri,
            headers: headers(settings, signal, is_grpc),
            signal,
            protocol,
            compression: settings.compression,
            secrets: settings.headers.0.iter().map(|(_, value)| value.clone()).collect(),
            clock,
        })
    }

    /// Encodes and compresses, once for all attempts.
    pub(super) fn prepare(&self, body: &[u8]) -> Result<Prepared, Failure> {
        let failed = |what: &str| Failure::lasting(format!("a request that cannot be {what}"));
        if self.signal == Signal::RemoteWrite {
            return snappy(body).map(|body| Prepared(body.into())).ok_or_else(|| failed("compressed"));
        }
        let printed;
        let body = if self.protocol == Protocol::HttpJson {
            printed = print_json(body).map_err(|_| failed("written as JSON"))?;
            &printed
        } else {
            body
        };
        let compressed = compress(body, self.compression).map_err(|_| failed("compressed"))?;
        if self.protocol != Protocol::Grpc {
            return Ok(Prepared(compressed.into()));
        }
        // gRPC: whether it is compressed, its length, the message.
        let length = u32::try_from(compressed.len()).map_err(|_| failed("longer than 4 GiB"))?;
        let mut framed = BytesMut::with_capacity(compressed.len() + 5);
        framed.put_u8(u8::from(self.compression != Compression::None));
        framed.put_u32(length);
        framed.put_slice(&compressed);
        Ok(Prepared(framed.freeze()))
    }

    pub(super) async fn exchange(&self, prepared: &Prepared) -> Result<ExportReply, Failure> {
        self.exchange_openly(prepared).await.map_err(|failure| failure.without(&self.secrets))
    }

    async fn exchange_openly(&self, prepared: &Prepared) -> Result<ExportReply, Failure> {
        let mut request = Request::new(Full::new(prepared.0.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let answer = self.client.request(request).await.map_err(|error| Failure::of_network(&error))?;
        let (head, body) = answer.into_parts();
        let (body, trailers) = match Limited::new(body, MOST_ANSWER_BYTES).collect().await {
            Ok(read) => {
                let trailers = read.trailers().cloned();
                (read.to_bytes(), trailers)
            }
            // More than anybody has to say: its head counts.
            Err(error) if error.is::<LengthLimitError>() => (Bytes::new(), None),
            Err(error) => return Err(Failure::of_network(&*error)),
        };
        let now_unix_ns = self.clock.unix_ns(self.clock.ticks());
        let received = Received { status: head.status, headers: head.headers, body, trailers, now_unix_ns };
        if self.protocol == Protocol::Grpc {
            answer::of_grpc(&received)
        } else {
            answer::of_http(&received, self.signal)
        }
    }
}

fn problem(field: &str, given: String, accepted: &'static str) -> ExportError {
    ExportError::Settings(ExportProblems(vec![ExportProblem::new(field, given, accepted)]))
}

fn check_combination(settings: &ExportSettings, signal: Signal) -> Result<(), ExportError> {
    if signal == Signal::Metrics && settings.protocol == Protocol::HttpJson {
        return Err(problem("protocol", "http/json for metrics".to_owned(), "grpc or http/protobuf for metrics"));
    }
    if signal == Signal::RemoteWrite && !cfg!(feature = "remote-write") {
        return Err(problem("format", "remote write".to_owned(), "otlp, or with the feature `remote-write` also that"));
    }
    Ok(())
}

fn uri(settings: &ExportSettings, signal: Signal) -> Result<Uri, ExportError> {
    let refused = || problem("endpoint", format!("`{}`", settings.endpoint.url()), "a URL");
    let given: Uri = settings.endpoint.url().parse().map_err(|_| refused())?;
    let (is_grpc, is_exact) = (settings.protocol == Protocol::Grpc, matches!(settings.endpoint, Endpoint::Exact(_)));
    let added = match signal {
        Signal::RemoteWrite if is_exact => return Ok(given),
        Signal::RemoteWrite => "/api/v1/write",
        Signal::Traces if is_grpc => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics if is_grpc => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Traces | Signal::Metrics if is_exact => return Ok(given),
        Signal::Traces => "/v1/traces",
        Signal::Metrics => "/v1/metrics",
    };
    // gRPC has no paths but its own.
    let base = if is_grpc && signal != Signal::RemoteWrite { "" } else { given.path().trim_end_matches('/') };
    let path = format!("{base}{added}");
    let mut parts = given.into_parts();
    parts.path_and_query = Some(path.parse().map_err(|_| refused())?);
    Uri::from_parts(parts).map_err(|_| refused())
}

fn headers(settings: &ExportSettings, signal: Signal, is_grpc: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tta-otlp/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in &settings.headers.0 {
        // Checked before.
        if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            value.set_sensitive(true);
            headers.append(name, value);
        }
    }
    let mut set = |name: HeaderName, value| drop(headers.insert(name, HeaderValue::from_static(value)));
    if signal == Signal::RemoteWrite {
        set(CONTENT_TYPE, "application/x-protobuf");
        set(CONTENT_ENCODING, "snappy");
        set(HeaderName::from_static("x-prometheus-remote-write-version"), "0.1.0");
        return headers;
    }
    let compression = (settings.compression != Compression::None).then(|| settings.compression.as_str());
    if is_grpc {
        set(CONTENT_TYPE, "application/grpc");
        set(HeaderName::from_static("te"), "trailers");
        if let Some(compression) = compression {
            set(HeaderName::from_static("grpc-encoding"), compression);
        }
        let limit = format!("{}m", settings.timeout.as_millis());
        if let Ok(limit) = HeaderValue::from_str(&limit) {
            headers.insert(HeaderName::from_static("grpc-timeout"), limit);
        }
        return headers;
    }
    set(
        CONTENT_TYPE,
        if settings.protocol == Protocol::HttpJson { "application/json" } else { "application/x-protobuf" },
    );
    if let Some(compression) = compression {
        set(CONTENT_ENCODING, compression);
    }
    headers
}

fn compress(body: &[u8], compression: Compression) -> std::io::Result<Vec<u8>> {
    match compression {
        Compression::None => Ok(body.to_vec()),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::fast());
            encoder.write_all(body)?;
            encoder.finish()
        }
        #[cfg(feature = "zstd")]
        Compression::Zstd => zstd::bulk::compress(body, 1),
        #[cfg(not(feature = "zstd"))]
        Compression::Zstd => Err(std::io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(feature = "remote-write")]
fn snappy(body: &[u8]) -> Option<Vec<u8>> {
    snap::raw::Encoder::new().compress_vec(body).ok()
}

#[cfg(not(feature = "remote-write"))]
fn snappy(_: &[u8]) -> Option<Vec<u8>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri_of(url: Endpoint, protocol: Protocol, signal: Signal) -> String {
        uri(&ExportSettings { endpoint: url, ..ExportSettings::to(protocol) }, signal).unwrap().to_string()
    }

    #[test]
    fn a_base_gets_the_signals_path_and_an_exact_url_none() {
        let base = |url: &str| Endpoint::Base(url.to_owned());
        let http = |url, signal| uri_of(url, Protocol::HttpProtobuf, signal);
        assert_eq!(http(base("http://c:4318"), Signal::Traces), "http://c:4318/v1/traces");
        assert_eq!(http(base("https://c/otlp/"), Signal::Metrics), "https://c/otlp/v1/metrics");
        assert_eq!(http(base("http://p:9090"), Signal::RemoteWrite), "http://p:9090/api/v1/write");
        assert_eq!(http(Endpoint::Exact("http://c/in?x=1".to_owned()), Signal::Traces), "http://c/in?x=1");
        let grpc = uri_of(base("http://c:4317/x"), Protocol::Grpc, Signal::Traces);
        assert_eq!(grpc, "http://c:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    }
}
