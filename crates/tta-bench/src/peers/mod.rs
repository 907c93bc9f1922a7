//! The implementations of spans that are compared.

mod fastrace;
mod fastrace_tracing;
mod nothing;
mod opentelemetry;
mod ours;
mod registry;
mod tracing_opentelemetry;
mod tta_tracing;

use crate::case::{Shape, SpanCase};
use crate::measurement::{Measurement, Plan};
use crate::peer::{Peer, SpanPeer, TracingPeer};
use crate::run::{run, run_tracing};

pub(crate) use fastrace::Collector as FastraceCollector;
pub(crate) use fastrace_tracing::subscribe as subscribe_fastrace;
pub(crate) use opentelemetry::Pipeline as OpenTelemetryPipeline;
pub(crate) use registry::subscribe as subscribe_registry;
pub(crate) use tracing_opentelemetry::{Additions, subscribe as subscribe_opentelemetry};
pub(crate) use tta_tracing::subscribe as subscribe_tta;

/// A row of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Implementation {
    /// Name in the tables.
    pub name: &'static str,
    /// What a dropped trace is.
    pub dropped: &'static str,
    /// What a kept trace is.
    pub kept: &'static str,
    /// In which tables it takes part.
    pub shapes: &'static [Shape],
    /// Measures one case in this process; the one call that is not inlined.
    pub run: fn(&SpanCase, &Plan) -> anyhow::Result<Measurement>,
}

/// The rows, in the order in which they take turns.
pub const IMPLEMENTATIONS: &[Implementation] = &[
    Implementation::of::<ours::Ours>(),
    Implementation::of::<fastrace::Fastrace>(),
    Implementation::of::<opentelemetry::OpenTelemetry>(),
    Implementation::of::<tracing_opentelemetry::ExplicitParents<100>>(),
    Implementation::of::<tracing_opentelemetry::ExplicitParents<5>>(),
    Implementation::of::<nothing::Nothing>(),
    Implementation::of_tracing::<tta_tracing::TtaTracing>(),
    Implementation::of_tracing::<tracing_opentelemetry::Entered<false>>(),
    Implementation::of_tracing::<tracing_opentelemetry::Entered<true>>(),
    Implementation::of_tracing::<fastrace_tracing::FastraceTracing<false>>(),
    Implementation::of_tracing::<fastrace_tracing::FastraceTracing<true>>(),
    Implementation::of_tracing::<registry::Registry>(),
];

impl Implementation {
    const fn of<P: SpanPeer>() -> Self {
        Self::new::<P>(P::SHAPES, run::<P>)
    }

    const fn of_tracing<P: TracingPeer>() -> Self {
        Self::new::<P>(&[Shape::Tracing], run_tracing::<P>)
    }

    const fn new<P: Peer>(shapes: &'static [Shape], run: fn(&SpanCase, &Plan) -> anyhow::Result<Measurement>) -> Self {
        Self { name: P::NAME, dropped: P::DROPPED, kept: P::KEPT, shapes, run }
    }
}
