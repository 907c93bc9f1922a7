//! What taking a received span costs: `cargo bench -p tta-telemetry --bench receive`.
//!
//! Nanoseconds for a span of 300 bytes in traces of 10, counted, put together and decided about,
//! nearly all traces dropped: the least of several rounds, without and with the bound of memory
//! biting.
#![allow(clippy::print_stdout, clippy::disallowed_methods, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tta_telemetry::receive::{ReceiveLimits, Receiver, SpanCodec, SpanHead, SpanKind};
use tta_telemetry::sampling::{Rate, SamplingPolicy};
use tta_telemetry::{
    Clock, ManualClock, Name, Resource, Scope, Source, SpanId, SpanRecord, StatusCode, Telemetry, TraceId,
};

const ROUNDS: usize = 10;
const TRACES: u64 = 20_000;
const SPANS: u64 = 10;
const REQUEST_TRACES: u64 = 51;
/// As a service has them.
const OPERATIONS: [&str; 8] = ["GET /cart", "POST /cart", "charge", "quote", "ship", "list", "convert", "email"];

struct NoCodec;

impl SpanCodec for NoCodec {
    fn decode(&self, _: &Arc<Source>, _: &[u8]) -> Option<SpanRecord> {
        None
    }
}

fn source() -> Arc<Source> {
    let name = Name::from_static;
    let resource =
        Resource { service: name("shop"), attributes: Vec::new(), dropped_attributes: 0, schema_url: String::new() };
    let scope = Scope::new(name("lib"), name("1"));
    Arc::new(Source { resource: Arc::new(resource), scope })
}

/// Nanoseconds for a span of the traces from this number on.
fn round(telemetry: &Telemetry, receiver: &Receiver, time: &ManualClock, first: u64) -> f64 {
    let (source, bytes) = (source(), [b'x'; 300]);
    let start = Instant::now();
    // As many to a request as a sender puts into one.
    let mut intake = receiver.intake();
    for trace in first..first + TRACES {
        if trace % REQUEST_TRACES == 0 {
            intake = receiver.intake();
        }
        for span in 1..=SPANS {
            let head = SpanHead {
                trace_id: TraceId::new(u128::from(trace) << 64 | u128::from(trace)).expect("it is not zero"),
                span_id: SpanId::new(span).expect("it is not zero"),
                parent_span_id: SpanId::new(span - 1),
                name: OPERATIONS[(span % 8) as usize],
                kind: SpanKind::Server,
                start_unix_ns: span,
                duration_ns: 1_000 * span,
                status: StatusCode::Unset,
                error_type: "",
                trace_state: "",
                cost: None,
            };
            intake.receive(&source, &head, &bytes);
        }
    }
    intake.finish();
    time.advance(Duration::from_secs(10));
    let _ = telemetry.flush_blocking(Duration::from_secs(5));
    start.elapsed().as_nanos() as f64 / (TRACES * SPANS) as f64
}

fn main() {
    for (what, live_bytes) in [("with memory for all", 1 << 30), ("decided early", 16 << 20)] {
        let (clock, time) = Clock::manual();
        let policy = SamplingPolicy { rate: Rate::ZERO, ..SamplingPolicy::default() };
        let builder = Telemetry::builder().clock(clock).sampling_policy(policy).by_hand();
        let telemetry = builder.build().expect("the engine starts");
        let limits = ReceiveLimits { live_bytes, ..ReceiveLimits::default() };
        let receiver = telemetry.receiver(NoCodec, limits).expect("the limits are right");
        let rounds = (0..ROUNDS as u64).map(|number| round(&telemetry, &receiver, &time, 1 + number * TRACES));
        println!("{what}: {:.0} ns for a span", rounds.fold(f64::INFINITY, f64::min));
    }
}
