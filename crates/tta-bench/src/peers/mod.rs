//! The implementations of spans that are compared.

mod fastrace;
mod nothing;
mod opentelemetry;
mod ours;

use crate::case::SpanCase;
use crate::measurement::{Measurement, Plan};
use crate::peer::SpanPeer;
use crate::run::run;

/// A row of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Implementation {
    /// Name in the tables.
    pub name: &'static str,
    /// What a dropped trace is.
    pub dropped: &'static str,
    /// What a kept trace is.
    pub kept: &'static str,
    /// Measures one case in this process; the one call that is not inlined.
    pub run: fn(&SpanCase, &Plan) -> anyhow::Result<Measurement>,
}

/// The rows, in the order in which they take turns.
pub const IMPLEMENTATIONS: &[Implementation] = &[
    Implementation::of::<ours::Ours>(),
    Implementation::of::<fastrace::Fastrace>(),
    Implementation::of::<opentelemetry::OpenTelemetry>(),
    Implementation::of::<nothing::Nothing>(),
];

impl Implementation {
    const fn of<P: SpanPeer>() -> Self {
        Self { name: P::NAME, dropped: P::DROPPED, kept: P::KEPT, run: run::<P> }
    }
}
