//! The end of all services: senders are answered, then traces are decided about, then sinks are
//! flushed, then readers are cut.

use std::sync::mpsc::{Receiver as Heard, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tta_server::{OtlpReceiver, ServerLimits, Services};
use tta_telemetry::store::MemoryTraceStore;
use tta_telemetry::{Sink, SinkError, Telemetry, Trace};

use super::messages::{request, span};
use super::support::{PROTOBUF, any, everywhere, get, settings};
use crate::guard::support::{LONG, SHORT, head, rest};
use crate::support::read;

/// Tells what it is asked to do; its flush waits until it may go on.
struct Gate {
    told: SyncSender<&'static str>,
    go_on: Heard<()>,
    spans: Arc<Mutex<usize>>,
}

impl Sink for Gate {
    fn name(&self) -> &str {
        "gate"
    }

    fn export(&mut self, traces: &[Arc<Trace>]) -> Result<(), SinkError> {
        *self.spans.lock().unwrap() += traces.iter().map(|trace| trace.spans.len()).sum::<usize>();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.told.send("flush").map_err(SinkError::new)?;
        self.go_on.recv().map_err(SinkError::new)
    }
}

/// Waits until nobody listens there.
async fn until_closed(address: std::net::SocketAddr) {
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_are_answered_then_sinks_flushed_and_readers_cut_last() {
    let (told, hears) = sync_channel(1);
    let (lets_go, go_on) = sync_channel(1);
    let spans = Arc::new(Mutex::new(0));
    let gate = Gate { told, go_on, spans: Arc::clone(&spans) };
    let telemetry = Telemetry::builder().trace_store(MemoryTraceStore::new("tta")).sink(gate).build().unwrap();
    let receiver = OtlpReceiver::new(&telemetry).unwrap();
    let services = Services::new(&telemetry).otlp(receiver.clone());
    let limits =
        ServerLimits { read_timeout: LONG, request_timeout: LONG, write_timeout: LONG, ..ServerLimits::default() };
    let running = services.start(&settings(limits).check().unwrap(), &everywhere()).await.unwrap();
    let addresses = running.addresses();
    let (main, otlp) = (addresses.main, addresses.otlp_http.unwrap());
    assert_ne!((main, addresses.otlp_grpc), (any(), Some(any())));

    // A reader that never ends, and a request of which half has been sent when the end begins.
    let mut watcher = TcpStream::connect(main).await.unwrap();
    watcher.write_all(head("GET", "/api/v1/live", &["connection: close"]).as_bytes()).await.unwrap();
    let mut first = [0; 12];
    watcher.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let body = request("shop", vec![span(1, 1, 0, "GET /cart"), span(1, 2, 1, "charge")]);
    let (begin, end) = body.split_at(body.len() / 2);
    let mut sender = TcpStream::connect(otlp).await.unwrap();
    let length = format!("content-length: {}", body.len());
    let start = head("POST", "/v1/traces", &[PROTOBUF, "connection: close", &length, "expect: 100-continue"]);
    sender.write_all(start.as_bytes()).await.unwrap();
    // It is told to go on when the body is read: the request is under way.
    let mut go = [0; 25];
    sender.read_exact(&mut go).await.unwrap();
    assert!(go.starts_with(b"HTTP/1.1 100 Continue"));
    sender.write_all(begin).await.unwrap();

    let readyz = async || get(main, "/readyz").await;
    assert_eq!(readyz().await.status, 200);
    let mut ending = tokio::task::JoinSet::new();
    ending.spawn(running.shutdown(LONG));
    // Nobody new is taken anything from, but readers are answered.
    until_closed(otlp).await;
    until_closed(addresses.otlp_grpc.unwrap()).await;
    assert_eq!(get(main, "/metrics").await.status, 200);
    let said = readyz().await;
    assert_eq!((said.status, said.text()), (503, "{\"status\":\"draining\"}\n".to_owned()));
    assert!(hears.try_recv().is_err(), "sinks are flushed when all senders are answered");
    sender.write_all(end).await.unwrap();
    let reply = rest(&mut sender).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));

    // Decided about before its time has come, handed over, then flushed; readers can look meanwhile.
    let heard = tokio::task::spawn_blocking(move || hears.recv().map(|what| (what, hears))).await.unwrap();
    let (what, _hears) = heard.unwrap();
    assert_eq!((what, *spans.lock().unwrap()), ("flush", 2));
    // The store has a thread of its own, which this flush does not wait for.
    while !get(main, "/api/v1/traces?service=shop").await.text().contains("\"root_name\":\"GET /cart\"") {
        tokio::task::yield_now().await;
    }
    lets_go.send(()).unwrap();

    let report = ending.join_next().await.unwrap().unwrap();
    assert!(report.senders_answered && report.engine.complete, "{report:?}");
    assert_eq!((receiver.status().waiting_traces, receiver.status().traces), (0, 1));
    // The reader that never ends was cut, and nobody listens.
    let mut stream = Vec::new();
    let _ = watcher.read_to_end(&mut stream).await;
    assert!(String::from_utf8_lossy(&stream).contains("GET /cart"), "it heard of the last trace");
    assert!(TcpStream::connect(main).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_sends_no_more_does_not_keep_the_rest_from_being_flushed() {
    let telemetry = Telemetry::builder().trace_store(MemoryTraceStore::new("tta")).build().unwrap();
    let receiver = OtlpReceiver::new(&telemetry).unwrap();
    let services = Services::new(&telemetry).otlp(receiver);
    let running = services.start(&settings(ServerLimits::default()).check().unwrap(), &everywhere()).await.unwrap();
    let otlp = running.addresses().otlp_http.unwrap();
    let body = request("shop", vec![span(1, 1, 0, "GET /cart")]);
    let length = format!("content-length: {}", body.len());
    let whole = [head("POST", "/v1/traces", &[PROTOBUF, "connection: close", &length]).as_bytes(), &body].concat();
    let mut stuck = TcpStream::connect(otlp).await.unwrap();
    let begin = head("POST", "/v1/traces", &[PROTOBUF, &length, "expect: 100-continue"]);
    stuck.write_all(begin.as_bytes()).await.unwrap();
    let mut go = [0; 25];
    stuck.read_exact(&mut go).await.unwrap();
    let mut sender = TcpStream::connect(otlp).await.unwrap();
    sender.write_all(&whole).await.unwrap();
    let mut bytes = Vec::new();
    sender.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(read(&bytes).status, 200);
    let report = running.shutdown(SHORT * 45).await;
    assert!(!report.senders_answered && report.engine.complete, "{report:?}");
    assert_eq!(telemetry.trace_store().unwrap().status().traces, 1);
}
