//! An engine that receives over both protocols, and a client of each.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request};
use http_body::Body as _;
use tokio::net::TcpStream;
use tonic::{Code, Status};
use tta_otlp::OtlpLimits;
use tta_server::{Addresses, OtlpReceiver, RunningServices, ServerLimits, ServerSettings, Services};
use tta_telemetry::receive::ReceiveLimits;
use tta_telemetry::sampling::{Rate, SamplingPolicy};
use tta_telemetry::{Clock, ManualClock, MemorySink, Telemetry, TelemetryBuilder, Trace};

use crate::guard::support::{LONG, gzip, head, http2, send};
use crate::support::Reply;

pub(crate) const PROTOBUF: &str = "content-type: application/x-protobuf";
pub(crate) const JSON: &str = "content-type: application/json";
pub(crate) const TRACES: &str = "opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// An engine whose time stands still, with nothing in the background, and its servers.
pub(crate) struct Lab {
    pub(crate) telemetry: Telemetry,
    pub(crate) receiver: OtlpReceiver,
    pub(crate) running: RunningServices,
    kept: MemorySink,
    time: ManualClock,
}

/// What a call of gRPC came to.
pub(crate) struct Call {
    pub(crate) status: Status,
    /// Those of the reply's beginning.
    pub(crate) headers: HeaderMap,
    /// The message, without its frame.
    pub(crate) message: Vec<u8>,
}

pub(crate) fn settings(limits: ServerLimits) -> ServerSettings {
    ServerSettings { address: any(), limits, ..ServerSettings::default() }
}

pub(crate) fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) fn everywhere() -> Addresses {
    Addresses { main: any(), metrics: None, otlp_grpc: Some(any()), otlp_http: Some(any()) }
}

impl Lab {
    /// Keeps everything.
    pub(crate) async fn new() -> Self {
        Self::of(|builder| builder.sampling_policy(rate(1.0)), &settings(ServerLimits::default())).await
    }

    pub(crate) async fn of(
        build: impl FnOnce(TelemetryBuilder) -> TelemetryBuilder,
        settings: &ServerSettings,
    ) -> Self {
        let (clock, time) = Clock::manual();
        let kept = MemorySink::new();
        let builder = Telemetry::builder().clock(clock).sink(kept.clone()).by_hand();
        let telemetry = build(builder).build().unwrap();
        let otlp = OtlpLimits { spans_per_request: 50_000, ..OtlpLimits::default() };
        let received = ReceiveLimits { live_bytes: 4 << 20, ..ReceiveLimits::default() };
        let receiver = OtlpReceiver::within(&telemetry, otlp, received).unwrap();
        let services = Services::new(&telemetry).otlp(receiver.clone());
        let running = services.start(&settings.check().unwrap(), &everywhere()).await.unwrap();
        Self { telemetry, receiver, running, kept, time }
    }

    fn http_address(&self) -> SocketAddr {
        self.running.addresses().otlp_http.unwrap()
    }

    /// Posts to `/v1/{signal}`.
    pub(crate) async fn post_to(&self, signal: &str, headers: &[&str], body: &[u8]) -> Reply {
        let length = format!("content-length: {}", body.len());
        let headers: Vec<&str> = headers.iter().copied().chain(["connection: close", &length]).collect();
        let head = head("POST", &format!("/v1/{signal}"), &headers);
        send(self.http_address(), &[head.as_bytes(), body].concat()).await
    }

    pub(crate) async fn post(&self, headers: &[&str], body: &[u8]) -> Reply {
        self.post_to("traces", headers, body).await
    }

    /// Sends a request that must be taken as a whole.
    pub(crate) async fn take(&self, body: &[u8]) {
        let reply = self.post(&[PROTOBUF], body).await;
        assert_eq!((reply.status, reply.body.len()), (200, 0), "{}", reply.text());
    }

    pub(crate) async fn export(&self, message: &[u8]) -> Call {
        self.call(TRACES, &[], &frame(0, message)).await
    }

    /// Calls a method by gRPC with what is already framed.
    pub(crate) async fn call(&self, method: &str, headers: &[(&str, &str)], framed: &[u8]) -> Call {
        let address = self.running.addresses().otlp_grpc.unwrap();
        let mut client = http2(TcpStream::connect(address).await.unwrap()).await;
        let mut request = Request::builder().method("POST").uri(format!("http://localhost/{method}"));
        for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        let response = client.send_request(request.body(Body::from(framed.to_vec())).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "gRPC says what is wrong by its own status");
        assert_eq!(response.headers()["content-type"], "application/grpc");
        let headers = response.headers().clone();
        let (data, trailers) = read(Body::new(response.into_body())).await;
        let status = Status::from_header_map(&trailers).or_else(|| Status::from_header_map(&headers)).unwrap();
        let message = unframe(&data);
        Call { status, headers, message }
    }

    /// Lets time pass; what was decided and kept meanwhile.
    pub(crate) fn after(&self, seconds: u64) -> Vec<Arc<Trace>> {
        self.time.advance(Duration::from_secs(seconds));
        assert!(self.telemetry.flush_blocking(LONG).complete);
        self.kept.take()
    }

    /// The value of a counter with these labels, when there is such a series.
    pub(crate) fn count(&self, family: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let families = self.telemetry.collect_metrics();
        let family = families.iter().find(|known| known.name == *family)?;
        family.value(labels).map(|value| value.as_f64())
    }
}

impl Call {
    /// Code and message.
    pub(crate) fn said(&self) -> (Code, &str) {
        (self.status.code(), self.status.message())
    }
}

pub(crate) fn rate(rate: f64) -> SamplingPolicy {
    SamplingPolicy { rate: Rate::new(rate).unwrap(), ..SamplingPolicy::default() }
}

/// A message of gRPC: whether it is compressed, its length, itself.
pub(crate) fn frame(compressed: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[compressed][..], &length, message].concat()
}

pub(crate) fn gzip_frame(message: &[u8]) -> Vec<u8> {
    frame(1, &gzip(message))
}

fn unframe(data: &[u8]) -> Vec<u8> {
    if data.is_empty() {
        return Vec::new();
    }
    let (head, message) = data.split_at(5);
    assert_eq!((head[0], u32::from_be_bytes(head[1..].try_into().unwrap())), (0, message.len() as u32));
    message.to_vec()
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Reply {
    send(address, head("GET", path, &["connection: close"]).as_bytes()).await
}

/// A body and its trailers.
async fn read(mut body: Body) -> (Vec<u8>, HeaderMap) {
    let (mut data, mut trailers) = (Vec::new(), HeaderMap::new());
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame.unwrap().into_data() {
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers = frame.into_trailers().unwrap(),
        }
    }
    (data, trailers)
}
