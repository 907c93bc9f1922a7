//! Which route an input takes, and which one follows when that fails.
//!
//! Owns the choice. Nothing here waits, and nothing but the user's own functions allocates; by
//! cost a choice is a constant, by weight a random number, by latency a load for each route.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tta_telemetry::Name;

use super::error::RouterError;
use super::ledger::Ledger;
use super::reason::{RouteChoice, RouteReason};
use super::weights::{Shares, fraction};
use crate::clip::clip;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::node::{missing_value, panic_error};

/// Bytes of what led to the default route that are recorded.
const CAUSE_BYTES: usize = 256;

pub(super) type Function<In> = Box<dyn Fn(&In, &Context) -> Result<RouteChoice> + Send + Sync>;
pub(super) type Score<In> = Box<dyn Fn(&In) -> f64 + Send + Sync>;
pub(super) type Key<In> = Box<dyn Fn(&In) -> u64 + Send + Sync>;

/// How a route is chosen. Routes are given by their place.
pub(super) enum Strategy<In> {
    Function(Function<In>),
    /// The first of the ranked.
    Cost,
    /// The first of the ranked whose range ends at the input's score or above.
    Complexity {
        score: Score<In>,
        ends: Vec<f64>,
    },
    Latency {
        exploration: f64,
    },
    Weight {
        shares: Shares,
        sticky: Option<Key<In>>,
    },
}

/// A strategy with what was worked out about its routes when it was built.
pub(super) struct Plan<In> {
    pub(super) strategy: Strategy<In>,
    /// Every eligible route, in the order in which they follow one another.
    pub(super) ranked: Vec<usize>,
    pub(super) default: Option<usize>,
    /// Of all routes.
    pub(super) names: Vec<Name>,
}

/// A route, and why.
pub(super) struct Choice {
    pub(super) route: usize,
    pub(super) reason: RouteReason,
    /// What led to the default route.
    pub(super) cause: Option<String>,
}

/// Routes that were tried, one bit each: there are at most 64.
#[derive(Clone, Copy, Default)]
pub(super) struct Tried(u64);

impl Tried {
    pub(super) fn add(&mut self, route: usize) {
        self.0 |= 1 << (route & 63);
    }

    pub(super) fn contains(self, route: usize) -> bool {
        self.0 & (1 << (route & 63)) != 0
    }

    pub(super) fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The one at a place among those in it.
    fn nth(self, at: u64) -> Option<usize> {
        (0..64).filter(|route| self.contains(*route)).nth(at as usize)
    }
}

impl Choice {
    fn new(route: usize, reason: RouteReason) -> Self {
        Self { route, reason, cause: None }
    }
}

impl<In> Plan<In> {
    #[inline]
    pub(super) fn choose(&self, input: &In, ledger: &Ledger, cx: &Context) -> Result<Choice> {
        let (route, reason) = match &self.strategy {
            Strategy::Function(function) => return self.ask(|| function(input, cx)),
            Strategy::Cost => (self.ranked.first().copied(), RouteReason::Cheapest),
            Strategy::Complexity { score, ends } => match scored(score, input) {
                Ok(score) => (self.in_range(score, ends), RouteReason::Complexity),
                Err(error) => return self.after_error(error),
            },
            Strategy::Latency { exploration } => self.by_latency(*exploration, ledger, cx),
            Strategy::Weight { shares, sticky: None } => (shares.draw(cx.ids().next_u64()), RouteReason::Weighted),
            Strategy::Weight { shares, sticky: Some(key) } => match caught(|| Ok(key(input))) {
                Ok(hash) => (shares.draw(hash), RouteReason::Weighted),
                Err(error) => return self.after_error(error),
            },
        };
        // There is always one: a router without an eligible route is not built.
        Ok(Choice::new(route.ok_or_else(missing_value)?, reason))
    }

    /// The route after those that were tried, of which `first` was chosen.
    pub(super) fn next(&self, first: usize, tried: Tried, ledger: &Ledger, cx: &Context) -> Option<usize> {
        let mut left = self.ranked.iter().copied().filter(|route| !tried.contains(*route));
        match &self.strategy {
            Strategy::Latency { .. } => {
                let fastest = left.clone().filter_map(|route| Some((ledger.latency(route, cx)?, route))).min();
                fastest.map(|(_, route)| route).or_else(|| left.next())
            }
            // A more capable route before a less capable one.
            Strategy::Complexity { .. } => {
                let place = self.ranked.iter().position(|route| *route == first).unwrap_or(0);
                let (below, above) = self.ranked.split_at(place);
                above.iter().chain(below.iter().rev()).copied().find(|route| !tried.contains(*route))
            }
            _ => left.next(),
        }
    }

    /// The eligible routes' names, in the order in which the routes were given.
    fn accepted(&self) -> impl Iterator<Item = &Name> {
        self.names.iter().enumerate().filter(|(route, _)| self.ranked.contains(route)).map(|(_, name)| name)
    }

    fn ask(&self, function: impl FnOnce() -> Result<RouteChoice>) -> Result<Choice> {
        match caught(function) {
            Ok(RouteChoice(Some(name))) => match self.names.iter().position(|known| *known == name) {
                Some(route) if self.ranked.contains(&route) => Ok(Choice::new(route, RouteReason::RoutingFunction)),
                _ => self.after_invalid(&name),
            },
            Ok(RouteChoice(None)) => match self.default {
                Some(route) => Ok(Choice::new(route, RouteReason::DefaultRoute)),
                None => Err(RouterError::no_route(None, self.accepted())),
            },
            Err(error) => self.after_error(error),
        }
    }

    #[cold]
    fn after_invalid(&self, name: &Name) -> Result<Choice> {
        let Some(route) = self.default else { return Err(RouterError::no_route(Some(name), self.accepted())) };
        let cause = Some(clip(&format_args!("no route `{name}`"), CAUSE_BYTES));
        Ok(Choice { route, reason: RouteReason::InvalidRouteFallback, cause })
    }

    #[cold]
    fn after_error(&self, error: Error) -> Result<Choice> {
        let Some(route) = self.default else { return Err(error) };
        Ok(Choice { route, reason: RouteReason::RoutingErrorFallback, cause: Some(clip(&error, CAUSE_BYTES)) })
    }

    fn in_range(&self, score: f64, ends: &[f64]) -> Option<usize> {
        let place = ends.iter().position(|end| score <= *end);
        place.and_then(|place| self.ranked.get(place)).or(self.ranked.last()).copied()
    }

    #[inline]
    fn by_latency(&self, exploration: f64, ledger: &Ledger, cx: &Context) -> (Option<usize>, RouteReason) {
        let mut fastest = None;
        let mut unknown = Tried::default();
        for route in self.ranked.iter().copied() {
            match ledger.latency(route, cx) {
                None => unknown.add(route),
                Some(latency) if fastest.is_none_or(|(best, _)| latency < best) => fastest = Some((latency, route)),
                Some(_) => {}
            }
        }
        if let Some((_, route)) = fastest
            && (unknown.count() == 0 || fraction(cx.ids().next_u64()) >= exploration)
        {
            return (Some(route), RouteReason::Fastest);
        }
        let at = cx.ids().next_u64() % (unknown.count().max(1) as u64);
        (unknown.nth(at), RouteReason::Exploring)
    }
}

/// Asks a function of the user's, whose panic is no more than its failure.
fn caught<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| Err(panic_error(&*panic)))
}

fn scored<In>(score: &Score<In>, input: &In) -> Result<f64> {
    let score = caught(|| Ok(score(input)))?;
    if score.is_nan() {
        return Err(Error::new(ErrorKind::App, "the complexity score is NaN, accepted is 0 to 1"));
    }
    Ok(score)
}
