//! A server of the API, a plain HTTP client, an engine with traces, and traces of other processes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tta_server::QueryApi;
use tta_telemetry::store::{MemoryTraceStore, TraceStore};
use tta_telemetry::{
    Attribute, DecisionReason, Name, Received, Resource, SamplingDecision, Scope, Sink, Source, SpanEvent, SpanId,
    SpanLink, SpanRecord, SpanStatus, StatusCode, Telemetry, Trace, TraceClass, TraceCounts, TraceId, Value,
};

/// Longer than any test waits.
pub(crate) const LONG: Duration = Duration::from_secs(600);
pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) telemetry: Telemetry,
    pub(crate) store: MemoryTraceStore,
    _task: JoinSet<()>,
}

pub(crate) struct Reply<B = String> {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: B,
}

impl<B> Reply<B> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Served {
    pub(crate) async fn start() -> Self {
        let store = MemoryTraceStore::new("shop");
        let telemetry = Telemetry::builder().service("shop", "1").sink(store.clone()).build().unwrap();
        Self::of(telemetry, store.clone(), Arc::new(store)).await
    }

    pub(crate) async fn of(telemetry: Telemetry, store: MemoryTraceStore, served: Arc<dyn TraceStore>) -> Self {
        let api = QueryApi::new(&telemetry, served);
        let app = api.router().merge(api.jaeger()).merge(api.tempo());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, telemetry, store, _task: task }
    }

    /// Stores a trace as the engine would.
    pub(crate) fn put(&self, trace: Trace) {
        self.store.clone().export(&[Arc::new(trace)]).unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "").await
    }

    /// A reply that must be good, as JSON.
    pub(crate) async fn json(&self, path: &str) -> Json {
        let reply = self.get(path).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{}", reply.body);
        reply.json()
    }

    /// Status and detail of a reply that must be a problem.
    pub(crate) async fn problem(&self, path: &str) -> (u16, String) {
        let reply = self.get(path).await;
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{path}: {}", reply.body);
        let json = reply.json();
        assert_eq!(json["status"], reply.status);
        (reply.status, json["detail"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str) -> Reply {
        let Reply { status, head, body } = self.ask_bytes(method, path, headers).await;
        Reply { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// A reply to GET whose body is no text.
    pub(crate) async fn bytes(&self, path: &str, headers: &str) -> Reply<Vec<u8>> {
        self.ask_bytes("GET", path, headers).await
    }

    async fn ask_bytes(&self, method: &str, path: &str, headers: &str) -> Reply<Vec<u8>> {
        let mut stream = self.connect(method, path, &format!("connection: close\r\n{headers}")).await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_ascii_lowercase(), body: bytes[end + 4..].to_vec() }
    }

    pub(crate) async fn connect(&self, method: &str, path: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: api\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

pub(crate) fn attribute(key: &'static str, value: Value) -> Attribute {
    Attribute { key: key.into(), value }
}

pub(crate) fn text(value: &'static str) -> Value {
    Value::Str(value.into())
}

pub(crate) fn span_id(id: u64) -> SpanId {
    SpanId::new(id).unwrap()
}

/// A span of our own, a second long.
pub(crate) fn span(id: u64, parent: Option<u64>, name: &'static str) -> SpanRecord {
    SpanRecord {
        parent_span_id: parent.and_then(SpanId::new),
        start_unix_ns: id * SECOND,
        duration_ns: SECOND,
        ..SpanRecord::new(span_id(id), name.into(), Name::from_static("lambda"))
    }
}

/// A span with everything that another process can send.
pub(crate) fn full(id: u64, parent: u64, service: &'static str) -> SpanRecord {
    let resource = Resource {
        service: service.into(),
        attributes: vec![attribute("service.name", text(service)), attribute("host.cpus", Value::I64(4))],
        dropped_attributes: 5,
        schema_url: "https://example.org/resource".into(),
    };
    let scope = Scope {
        name: "lib".into(),
        version: "1.2".into(),
        attributes: vec![attribute("build", text("abc"))],
        dropped_attributes: 6,
        schema_url: "https://example.org/scope".into(),
    };
    let received = Received {
        source: Arc::new(Source { resource: Arc::new(resource), scope }),
        status_code: StatusCode::Error,
        status_message: "no \"stock\"".into(),
        trace_state: "ot=th:8,x=y".into(),
        flags: 0x101,
    };
    let link = SpanLink {
        attributes: vec![attribute("why", text("retry"))],
        dropped_attributes: 7,
        trace_state: "a=b".into(),
        flags: 1,
        ..SpanLink::new(TraceId::new(0xfeed).unwrap(), span_id(0xbeef))
    };
    let mut event = SpanEvent::new("exception".into(), id * SECOND + 5);
    event.attributes = vec![attribute("exception.type", text("OutOfStock"))];
    event.dropped_attributes = 8;
    SpanRecord {
        kind: "server".into(),
        start_unix_ns: id * SECOND + 1,
        duration_ns: SECOND / 2,
        status: SpanStatus::Error,
        attributes: vec![
            attribute("http.route", text("/cart/{id}")),
            attribute("http.status_code", Value::I64(503)),
            attribute("big", Value::I64(i64::MAX)),
            attribute("ratio", Value::F64(0.5)),
            attribute("nan", Value::F64(f64::NAN)),
            attribute("raw", Value::Bytes(vec![0xde, 0xad])),
            attribute("tags", Value::List(vec!["a".into(), "b".into()])),
            attribute("mixed", Value::Array(vec![Value::I64(1), Value::Bool(true)])),
            attribute("map", Value::Map(vec![attribute("k", text("v"))])),
            attribute("empty", Value::Empty),
        ],
        events: vec![event],
        links: vec![link],
        dropped_attributes: 1,
        truncated_attributes: 2,
        dropped_events: 3,
        dropped_links: 4,
        received: Some(Box::new(received)),
        ..span(id, Some(parent), "GET /cart")
    }
}

pub(crate) fn trace(number: u128, spans: Vec<SpanRecord>) -> Trace {
    let class =
        if spans.iter().any(|span| span.status == SpanStatus::Error) { TraceClass::Failed } else { TraceClass::Normal };
    Trace {
        trace_id: TraceId::new(number).unwrap(),
        root_span_id: spans[0].span_id,
        spans,
        decision: SamplingDecision {
            keep: true,
            rate: 0.25,
            reason: DecisionReason::ProbabilisticHash,
            sampler: "probabilistic",
        },
        adjusted_count: Some(4.0),
        class,
        dropped: TraceCounts::default(),
        incomplete: false,
        late: false,
    }
}

/// A trace of two services: `shop` calls `stock`, which fails.
pub(crate) fn order(number: u128) -> Trace {
    trace(number, vec![span(1, None, "order"), full(2, 1, "stock")])
}
