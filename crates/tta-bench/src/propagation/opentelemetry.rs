//! The headers by the propagators of the OpenTelemetry SDK.

use super::carriers::{Carrier, Headers};
use crate::measurement::{Measurement, Plan};
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

pub(super) fn round_trip<C: Carrier, const BAGGAGE: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    let trace = TraceContextPropagator::new();
    let baggage = BaggagePropagator::new();
    // Made once, so that no call is charged for it.
    let nothing = Context::new();
    super::measured::<C>(plan, &Headers { baggage: BAGGAGE }, |source, sink| {
        let mut incoming = trace.extract_with_context(&nothing, source);
        if BAGGAGE {
            incoming = baggage.extract_with_context(&incoming, source);
        }
        let incoming = std::hint::black_box(incoming);
        trace.inject_context(&incoming, sink);
        if BAGGAGE {
            baggage.inject_context(&incoming, sink);
        }
    })
}
