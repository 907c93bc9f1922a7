//! One way a router can take, and what is known of it beforehand.

use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::{Name, Usd};

use crate::node::Node;
use crate::parallel::one_node;
use crate::primitive::Primitive;

/// A named way to do the work, with what it costs and how good it is.
///
/// The figures are used by the strategies that need them, and checked by
/// [`RouterBuilder::build`](crate::RouterBuilder::build).
///
/// ```
/// # async fn small_model(question: String) -> Result<String, String> { Ok(question) }
/// use tta_primitives::Route;
/// use tta_telemetry::Usd;
///
/// let fast = Route::to("fast", small_model).cost(Usd::from_micros(200)).quality(0.7);
/// ```
#[must_use]
pub struct Route<In, Out> {
    pub(super) name: Name,
    pub(super) node: Arc<dyn Node>,
    pub(super) figures: Figures,
    types: PhantomData<fn(In) -> Out>,
}

/// What is known of a route beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) cost: Option<Usd>,
    pub(super) quality: Option<f64>,
    pub(super) latency: Option<Duration>,
    pub(super) up_to: Option<f64>,
}

impl<In: Send + 'static, Out: Send + 'static> Route<In, Out> {
    /// A route that runs `primitive`, under a name of its own (1 to 128 bytes): its span has it,
    /// and so have its counts.
    #[track_caller]
    pub fn to<P: Primitive<In, Out = Out>>(name: impl Into<Name>, primitive: P) -> Self {
        let node = one_node(primitive, Location::caller());
        Self { name: name.into(), node, figures: Figures::default(), types: PhantomData }
    }

    /// What one call costs. Needed of every eligible route when routing by cost; savings are
    /// counted where every eligible route has one. Entered into the engine's
    /// [cost report](tta_telemetry::Telemetry::cost_report) (category `router`) for every call that
    /// was not refused: not where the route says itself what it
    /// [spends](crate::Context::record_cost). Default: not known, counted as nothing.
    pub fn cost(mut self, cost: Usd) -> Self {
        self.figures.cost = Some(cost);
        self
    }

    /// How good its answers are, on any scale of yours from 0 to 1. Needed of every route with
    /// [`min_quality`](crate::RouterBuilder::min_quality), and when routing by complexity without
    /// [`up_to`](Self::up_to). Default: not known.
    pub fn quality(mut self, quality: f64) -> Self {
        self.figures.quality = Some(quality);
        self
    }

    /// How long it is expected to take: above 0, at most one day. When routing by latency it
    /// counts until the route's latency was first measured. Default: not known.
    pub fn latency(mut self, expected: Duration) -> Self {
        self.figures.latency = Some(expected);
        self
    }

    /// The highest complexity, above 0 to 1, of inputs that take this route, and the end of the
    /// range that begins where the route before it ends. Each must be above the one before; the
    /// last route takes the rest. Only for routing by complexity.
    pub fn up_to(mut self, score: f64) -> Self {
        self.figures.up_to = Some(score);
        self
    }
}
