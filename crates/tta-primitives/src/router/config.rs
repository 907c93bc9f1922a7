//! Which routes there are, and how one is chosen: the builder.

use std::hash::Hash;
use std::time::Duration;

use tta_telemetry::Name;

use super::complexity::complexity;
use super::reason::RouteChoice;
use super::route::Route;
use super::strategy::{Function, Key, Score};
use super::weights::stable_hash;
use crate::context::Context;
use crate::error::{BoxError, Error};

/// Builds a [`Router`](crate::Router): routes, then one strategy (`by..`), then the rest. Made by
/// [`router`](crate::router()). Of a setting that is given twice, the last one counts.
#[must_use = "a router is a step once `.build()?` has checked it"]
pub struct RouterBuilder<In, Out> {
    pub(super) name: Name,
    pub(super) routes: Vec<Route<In, Out>>,
    pub(super) by: Option<By<In>>,
    pub(super) default: Option<Name>,
    pub(super) settings: Settings,
    pub(super) sticky: Option<Key<In>>,
    pub(super) reroute_when: Option<Predicate>,
}

pub(super) type Predicate = Box<dyn Fn(&Error) -> bool + Send + Sync>;

/// The strategy asked for.
pub(super) enum By<In> {
    Function(Function<In>),
    Cost,
    Complexity(Score<In>),
    Latency,
    Weight(Vec<(Name, f64)>),
}

/// The parameters that are numbers; `None` where not given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) min_quality: Option<f64>,
    pub(super) exploration: Option<f64>,
    pub(super) latency_percentile: Option<f64>,
    pub(super) failure_latency: Option<Duration>,
    pub(super) max_reroutes: usize,
    pub(super) history: usize,
}

impl<In: Send + 'static, Out: Send + 'static> RouterBuilder<In, Out> {
    pub(super) fn new() -> Self {
        let settings = Settings {
            min_quality: None,
            exploration: None,
            latency_percentile: None,
            failure_latency: None,
            max_reroutes: super::plan::MAX_ROUTES - 1,
            history: 100,
        };
        Self {
            name: Name::from_static("router"),
            routes: Vec::new(),
            by: None,
            default: None,
            settings,
            sticky: None,
            reroute_when: None,
        }
    }

    /// The step's name, which its counts have too. Default: `router`.
    pub fn named(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds a route: 1 to 64, each under a name of its own.
    pub fn route(mut self, route: Route<In, Out>) -> Self {
        self.routes.push(route);
        self
    }

    /// The route for inputs that the strategy has none for: a routing function that names no
    /// eligible route or none at all; a function for choosing, scoring or keys that fails or
    /// panics. It is also preferred among the routes that a strategy does not rank when another
    /// fails. Default: none, and such an input fails.
    pub fn default_route(mut self, name: impl Into<Name>) -> Self {
        self.default = Some(name.into());
        self
    }

    /// Strategy: `function` names the route, or says `None` for the default route.
    ///
    /// A name that no eligible route has leads to the default route, with the reason
    /// `invalid_route_fallback`; without one it is an error that lists the routes. A panic leads
    /// there too, with the reason `routing_error_fallback`.
    pub fn by<R: Into<RouteChoice>>(self, function: impl Fn(&In) -> R + Send + Sync + 'static) -> Self {
        self.strategy(By::Function(Box::new(move |input, _| Ok(function(input).into()))))
    }

    /// Strategy: [`by`](Self::by) with a function that sees the context and may fail. Its error
    /// leads to the default route, with the reason `routing_error_fallback`; without one it is the
    /// step's.
    pub fn try_by<R, E>(self, function: impl Fn(&In, &Context) -> Result<R, E> + Send + Sync + 'static) -> Self
    where
        R: Into<RouteChoice>,
        E: Into<BoxError>,
    {
        self.strategy(By::Function(Box::new(move |input, cx| {
            function(input, cx).map(Into::into).map_err(|error| Error::from_any(error))
        })))
    }

    /// Strategy: the cheapest eligible route. Of routes that cost the same, the one of higher
    /// quality. Every eligible route needs a [`cost`](Route::cost).
    pub fn by_cost(self) -> Self {
        self.strategy(By::Cost)
    }

    /// Strategy: the more complex the text, the more capable the route. Scores are those of
    /// [`complexity`](crate::complexity()).
    ///
    /// Routes share the scores from 0 to 1 as their [`up_to`](Route::up_to) says, in the order
    /// given; when no route has one, evenly, in the order of their [`quality`](Route::quality).
    pub fn by_complexity(self) -> Self
    where
        In: AsRef<str>,
    {
        self.by_score(|input| complexity(input.as_ref()))
    }

    /// Strategy: [`by_complexity`](Self::by_complexity) of a text that is a part of the input.
    pub fn by_complexity_of(self, text: impl Fn(&In) -> &str + Send + Sync + 'static) -> Self {
        self.by_score(move |input| complexity(text(input)))
    }

    /// Strategy: [`by_complexity`](Self::by_complexity) with an estimator of your own. Scores
    /// beyond 0 to 1 count as 0 or 1; one that is not a number, or a panic, leads to the default
    /// route, with the reason `routing_error_fallback`.
    pub fn by_score(self, score: impl Fn(&In) -> f64 + Send + Sync + 'static) -> Self {
        self.strategy(By::Complexity(Box::new(score)))
    }

    /// Strategy: the route that is fastest lately, by its
    /// [`latency_percentile`](Self::latency_percentile) over the last 30 to 60 seconds. A route is
    /// known after three calls, and no longer known after 60 seconds without one: then it is
    /// explored, so that it can come back after a bad time.
    ///
    /// Failed calls count as [`failure_latency`](Self::failure_latency). Those that were refused
    /// (rate limited, circuit open, bulkhead full), or whose input was wrong, do not count: they say
    /// nothing about speed. A call that was dropped counts when it already took longer than what is
    /// known. Expected latencies ([`Route::latency`]) count until a route was first measured.
    pub fn by_latency(self) -> Self {
        self.strategy(By::Latency)
    }

    /// Strategy: at random, in proportion to weights of 0 to 1000000000, not all of them 0:
    /// `[("stable", 95), ("canary", 5)]`. A route that is not listed, or of weight 0, is taken only
    /// when another fails.
    pub fn by_weight<N: Into<Name>, W: Into<f64>>(self, weights: impl IntoIterator<Item = (N, W)>) -> Self {
        let weights = weights.into_iter().map(|(name, weight)| (name.into(), weight.into())).collect();
        self.strategy(By::Weight(weights))
    }

    /// Draws the same route for the same key (a user, a session): by the key's hash, which is the
    /// same in every process of one kind of machine. When the last listed route's weight grows, keys
    /// move to it and none away from it. A panic in `key` leads to the default route. Only when
    /// routing by weight. Default: every call is drawn anew.
    pub fn sticky_by<K: Hash>(mut self, key: impl Fn(&In) -> K + Send + Sync + 'static) -> Self {
        self.sticky = Some(Box::new(move |input| stable_hash(&key(input))));
        self
    }

    /// Routes of a lower [`quality`](Route::quality) are not eligible: no strategy takes them, and
    /// none follows when another fails. 0 to 1; every route needs a quality then. Default: all are
    /// eligible.
    pub fn min_quality(mut self, quality: f64) -> Self {
        self.settings.min_quality = Some(quality);
        self
    }

    /// The share of calls that try a route of unknown latency while others are known: 0 to 1; 0
    /// tries one only when none is known. Deterministic where the engine's ids are. Only when
    /// routing by latency. Default 0.1: a route that is still slow costs three calls a minute.
    pub fn exploration(mut self, share: f64) -> Self {
        self.settings.exploration = Some(share);
        self
    }

    /// Which percentile of a route's latency counts: above 0, below 1. Naming it has latencies
    /// measured under any strategy, for [`RouteStats`](crate::RouteStats). Default 0.95 when routing
    /// by latency; otherwise not measured.
    pub fn latency_percentile(mut self, quantile: f64) -> Self {
        self.settings.latency_percentile = Some(quantile);
        self
    }

    /// A failed call counts as having taken at least this long, so that a route that fails fast
    /// does not pass for a fast one: 0 to one hour; 0 counts its own time. Only where latencies are
    /// measured. Default 30 s.
    pub fn failure_latency(mut self, latency: Duration) -> Self {
        self.settings.failure_latency = Some(latency);
        self
    }

    /// After which errors another route is tried; any other is returned as it is. Default: those
    /// that say that nothing was done, [`RateLimited`](crate::ErrorKind::RateLimited),
    /// [`CircuitOpen`](crate::ErrorKind::CircuitOpen),
    /// [`BulkheadFull`](crate::ErrorKind::BulkheadFull) and
    /// [`BudgetExceeded`](crate::ErrorKind::BudgetExceeded).
    pub fn reroute_when(mut self, predicate: impl Fn(&Error) -> bool + Send + Sync + 'static) -> Self {
        self.reroute_when = Some(Box::new(predicate));
        self
    }

    /// How many other routes may be tried after the first: 0 to 63; 0 tries none, and the input is
    /// then never cloned. Default 63: as many as there are.
    pub fn max_reroutes(mut self, reroutes: usize) -> Self {
        self.settings.max_reroutes = reroutes;
        self
    }

    /// How many of the last decisions [`RouterHandle::history`](crate::RouterHandle::history)
    /// holds: 0 to 10,000; 0 keeps none. Default 100.
    pub fn history(mut self, decisions: usize) -> Self {
        self.settings.history = decisions;
        self
    }

    fn strategy(mut self, by: By<In>) -> Self {
        self.by = Some(by);
        self
    }
}
