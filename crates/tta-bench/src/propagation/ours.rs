//! The headers by tta.

use super::carriers::{Carrier, Headers};
use crate::measurement::{Measurement, Plan};
use tta_telemetry::propagation::{extract, inject};

pub(super) fn round_trip<C: Carrier, const BAGGAGE: bool>(plan: &Plan) -> anyhow::Result<Measurement> {
    super::measured::<C>(plan, &Headers { baggage: BAGGAGE }, |source, sink| {
        let incoming = std::hint::black_box(extract(source));
        if let Some(caller) = &incoming.trace {
            inject(caller, &incoming.baggage, sink);
        }
    })
}
