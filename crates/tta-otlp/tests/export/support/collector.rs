//! A collector: takes OTLP over HTTP and gRPC, and answers as a test wants.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tta_otlp::ExportReply;

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Take,
    Partial(u64, &'static str),
    /// An HTTP status with headers and a body.
    Status(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// A gRPC status with headers.
    Grpc(u32, Vec<(&'static str, String)>),
    /// Refused as too large when it has more spans.
    AtMost(usize),
    Hang,
    /// Half of an answer.
    CloseMidway,
}

/// A request as it came, decompressed.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) taken: bool,
}

impl Seen {
    pub(crate) fn traces(&self) -> ExportTraceServiceRequest {
        if self.header("content-type") == "application/json" {
            serde_json::from_slice(&self.body).unwrap()
        } else {
            ExportTraceServiceRequest::decode(self.body.as_slice()).unwrap()
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Default)]
struct State {
    /// For the next requests; the last one stays.
    script: VecDeque<Reply>,
    seen: Vec<Seen>,
}

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    _runtime: Runtime,
}

impl Collector {
    pub(crate) fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None, script)
    }

    pub(crate) fn listen(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        script: impl IntoIterator<Item = Reply>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { script: script.into_iter().collect(), seen: Vec::new() }));
        let serving = Arc::clone(&state);
        runtime.spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                drop(tokio::runtime::Handle::current().spawn(serve(socket, tls.clone(), Arc::clone(&serving))));
            }
        });
        Self { address, state, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub(crate) fn now(&self, script: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().script = script.into_iter().collect();
    }
}

async fn serve(socket: tokio::net::TcpStream, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
    let server = Builder::new(TokioExecutor::new());
    // A client that goes away is part of the tests.
    match tls {
        None => drop(server.serve_connection(TokioIo::new(socket), service).await),
        Some(tls) => {
            if let Ok(socket) = tls.accept(socket).await {
                drop(server.serve_connection(TokioIo::new(socket), service).await);
            }
        }
    }
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Pieces>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let is_grpc = head.headers.get("content-type").is_some_and(|value| value == "application/grpc");
    let encoding = head.headers.get(if is_grpc { "grpc-encoding" } else { "content-encoding" });
    let encoding = encoding.map_or("", |value| value.to_str().unwrap()).to_owned();
    let body = if is_grpc {
        assert_eq!(usize::from(body[0]), usize::from(!encoding.is_empty()));
        assert_eq!(u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize, body.len() - 5);
        decompressed(&body[5..], &encoding)
    } else {
        decompressed(&body, &encoding)
    };
    let mut seen = Seen { path: head.uri.path().to_owned(), headers: head.headers, body, taken: true };
    let reply = {
        let mut state = state.lock().unwrap();
        let reply = state.script.front().cloned().unwrap_or(Reply::Take);
        if state.script.len() > 1 {
            state.script.pop_front();
        }
        let reply = match reply {
            Reply::AtMost(most) if super::spans_of(std::slice::from_ref(&seen)) <= most => Reply::Take,
            other => other,
        };
        seen.taken = matches!(reply, Reply::Take | Reply::Partial(..));
        state.seen.push(seen);
        reply
    };
    let body = match &reply {
        Reply::Partial(count, message) => {
            ExportReply { rejected_spans: *count, message: (*message).to_owned() }.to_protobuf()
        }
        _ => Vec::new(),
    };
    Ok(match reply {
        Reply::Take | Reply::Partial(..) if is_grpc => grpc(&body, 0, Vec::new()),
        Reply::Take | Reply::Partial(..) => Response::new(Pieces::of(body)),
        Reply::Grpc(code, headers) => grpc(&[], code, headers),
        Reply::AtMost(_) if is_grpc => {
            grpc(&[], 8, vec![("grpc-message", "received message larger than max".to_owned())])
        }
        Reply::AtMost(_) => status(413, Vec::new(), b"too large".to_vec()),
        Reply::Status(code, headers, body) => status(code, headers, body),
        Reply::Hang => std::future::pending().await,
        Reply::CloseMidway => {
            let half = Pieces { pieces: VecDeque::from([Some(Ok(Frame::data(Bytes::from_static(b"half")))), None]) };
            Response::builder().header("content-length", "100").body(half).unwrap()
        }
    })
}

fn status(code: u16, headers: Vec<(&'static str, String)>, body: Vec<u8>) -> Response<Pieces> {
    let mut response = Response::builder().status(code);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Pieces::of(body)).unwrap()
}

/// A message, then the status as trailers; for failures no message.
fn grpc(message: &[u8], code: u32, headers: Vec<(&'static str, String)>) -> Response<Pieces> {
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code));
    for (name, value) in headers {
        trailers.insert(name, value.parse().unwrap());
    }
    let mut pieces = VecDeque::new();
    if code == 0 {
        pieces.push_back(Some(Ok(Frame::data(Bytes::from(framed)))));
    }
    pieces.push_back(Some(Ok(Frame::trailers(trailers))));
    Response::builder().header("content-type", "application/grpc").body(Pieces { pieces }).unwrap()
}

fn decompressed(body: &[u8], encoding: &str) -> Vec<u8> {
    let mut plain = Vec::new();
    match encoding {
        "gzip" => drop(flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap()),
        "zstd" => plain = zstd::decode_all(body).unwrap(),
        "snappy" => plain = snap::raw::Decoder::new().decompress_vec(body).unwrap(),
        "" => plain = body.to_vec(),
        other => panic!("compressed by {other}"),
    }
    plain
}

/// A body in pieces; `None` breaks the connection.
struct Pieces {
    pieces: VecDeque<Option<Result<Frame<Bytes>, std::io::Error>>>,
}

impl Pieces {
    fn of(body: Vec<u8>) -> Self {
        Self { pieces: VecDeque::from([Some(Ok(Frame::data(Bytes::from(body))))]) }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.pieces.pop_front() {
            Some(None) => Poll::Ready(Some(Err(std::io::Error::other("closed in the middle")))),
            Some(piece) => Poll::Ready(piece),
            None => Poll::Ready(None),
        }
    }
}
