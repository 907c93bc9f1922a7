//! What is checked and worked out when a router is built.

use std::fmt;
use std::time::Duration;

use tta_telemetry::Name;

use super::config::{By, RouterBuilder, Settings};
use super::error::list;
use super::route::Figures;
use super::strategy::{Plan, Strategy};
use super::weights::Shares;
use crate::policy::PolicyError;

/// Routes that a router may have: as many as a number has bits ([`Tried`](super::strategy::Tried)).
pub(super) const MAX_ROUTES: usize = 64;
/// Bytes of a route's name.
const NAME_BYTES: usize = 128;
/// A weight beyond which sums are no longer exact enough.
const MOST_WEIGHT: f64 = 1e9;

/// The share of calls that try a route whose latency is not known.
const EXPLORATION: f64 = 0.1;

type Checked<T> = Result<T, PolicyError>;

/// A route as the checks see it.
#[derive(Clone)]
pub(super) struct Facts {
    pub(super) name: Name,
    pub(super) figures: Figures,
    pub(super) is_eligible: bool,
}

fn check(
    parameter: &'static str,
    given: impl fmt::Debug,
    accepted: impl Into<std::borrow::Cow<'static, str>>,
    within: bool,
) -> Checked<()> {
    PolicyError::check("router", parameter, given, accepted, within)
}

/// Checks a parameter of one route.
fn check_of(
    route: &Name,
    parameter: &'static str,
    given: Option<impl fmt::Debug>,
    accepted: &'static str,
    within: bool,
) -> Checked<()> {
    match given {
        Some(given) => check(parameter, format_args!("{given:?} of route `{}`", route.as_str()), accepted, within),
        None => check(parameter, format_args!("none of route `{}`", route.as_str()), accepted, within),
    }
}

/// Checks everything that does not depend on the strategy.
pub(super) fn facts<In, Out>(builder: &RouterBuilder<In, Out>) -> Checked<Vec<Facts>> {
    let settings = builder.settings;
    let count = builder.routes.len();
    check("routes", count, "1 to 64", (1..=MAX_ROUTES).contains(&count))?;
    let mut facts: Vec<Facts> = Vec::with_capacity(count);
    for route in &builder.routes {
        let name = route.name.as_str();
        check("route", name, "a name of 1 to 128 bytes", (1..=NAME_BYTES).contains(&name.len()))?;
        let is_new = facts.iter().all(|before| before.name != route.name);
        check("route", format_args!("{name:?} twice"), "each name once", is_new)?;
        check_figures(&route.name, &route.figures)?;
        let is_eligible = settings.min_quality.is_none_or(|least| route.figures.quality.is_some_and(|q| q >= least));
        facts.push(Facts { name: route.name.clone(), figures: route.figures, is_eligible });
    }
    check_quality(settings.min_quality, &facts)?;
    check_settings(&settings)?;
    Ok(facts)
}

fn check_figures(name: &Name, figures: &Figures) -> Checked<()> {
    if let Some(quality) = figures.quality {
        check_of(name, "quality", Some(quality), "0 to 1", (0.0..=1.0).contains(&quality))?;
    }
    if let Some(latency) = figures.latency {
        let within = !latency.is_zero() && latency <= Duration::from_secs(86_400);
        check_of(name, "latency", Some(latency), "above 0, at most one day", within)?;
    }
    if let Some(end) = figures.up_to {
        check_of(name, "up_to", Some(end), "above 0, at most 1", end > 0.0 && end <= 1.0)?;
    }
    Ok(())
}

fn check_quality(min_quality: Option<f64>, facts: &[Facts]) -> Checked<()> {
    let Some(least) = min_quality else { return Ok(()) };
    check("min_quality", least, "0 to 1", (0.0..=1.0).contains(&least))?;
    for route in facts {
        let quality = route.figures.quality;
        check_of(&route.name, "quality", quality, "a quality of every route with min_quality", quality.is_some())?;
    }
    let best = facts.iter().filter_map(|route| route.figures.quality).fold(0.0, f64::max);
    check("min_quality", least, format!("at most {best}, the best route's quality"), least <= best)
}

fn check_settings(settings: &Settings) -> Checked<()> {
    if let Some(share) = settings.exploration {
        check("exploration", share, "0 to 1", (0.0..=1.0).contains(&share))?;
    }
    if let Some(quantile) = settings.latency_percentile {
        check("latency_percentile", quantile, "above 0, below 1", quantile > 0.0 && quantile < 1.0)?;
    }
    if let Some(latency) = settings.failure_latency {
        check("failure_latency", latency, "0 to one hour", latency <= Duration::from_secs(3_600))?;
    }
    check("max_reroutes", settings.max_reroutes, "0 to 63", settings.max_reroutes < MAX_ROUTES)?;
    check("history", settings.history, "0 to 10000", settings.history <= 10_000)
}

/// Settings that only one strategy has a use for.
fn check_uses<In, Out>(builder: &RouterBuilder<In, Out>, by: &By<In>) -> Checked<()> {
    let settings = &builder.settings;
    let is_latency = matches!(by, By::Latency);
    if let Some(share) = settings.exploration {
        check("exploration", share, "none, except when routing by latency", is_latency)?;
    }
    if let Some(latency) = settings.failure_latency {
        let is_measured = is_latency || settings.latency_percentile.is_some();
        check("failure_latency", latency, "none, except where latencies are measured", is_measured)?;
    }
    let is_used = builder.sticky.is_none() || matches!(by, By::Weight(_));
    check("sticky_by", format_args!("a key"), "none, except when routing by weight", is_used)?;
    let with_end = builder.routes.iter().find(|route| route.figures.up_to.is_some());
    if let Some(route) = with_end {
        let accepted = "none, except when routing by complexity";
        check_of(&route.name, "up_to", route.figures.up_to, accepted, matches!(by, By::Complexity(_)))?;
    }
    Ok(())
}

/// The percentile that is measured, if any.
pub(super) fn quantile<In, Out>(builder: &RouterBuilder<In, Out>) -> Option<f64> {
    let standard = matches!(builder.by, Some(By::Latency)).then_some(0.95);
    builder.settings.latency_percentile.or(standard)
}

/// Checks the strategy and works out what it needs.
pub(super) fn plan<In, Out>(builder: &mut RouterBuilder<In, Out>, facts: &[Facts]) -> Checked<Plan<In>> {
    let default = match &builder.default {
        Some(name) => Some(find("default_route", name, facts)?),
        None => None,
    };
    let Some(by) = builder.by.take() else {
        let accepted = "by, try_by, by_cost, by_complexity, by_complexity_of, by_score, by_latency or by_weight";
        return Err(PolicyError {
            policy: "router",
            parameter: "strategy",
            given: "none".to_owned(),
            accepted: accepted.into(),
        });
    };
    check_uses(builder, &by)?;
    let (strategy, mut ranked) = match by {
        By::Function(function) => (Strategy::Function(function), Vec::new()),
        By::Cost => (Strategy::Cost, by_cost(facts)?),
        By::Complexity(score) => {
            let (ends, ranked) = by_complexity(facts)?;
            (Strategy::Complexity { score, ends }, ranked)
        }
        By::Latency => {
            let exploration = builder.settings.exploration.unwrap_or(EXPLORATION);
            (Strategy::Latency { exploration }, eligible(facts).collect())
        }
        By::Weight(weights) => {
            let (shares, ranked) = by_weight(&weights, facts)?;
            (Strategy::Weight { shares, sticky: builder.sticky.take() }, ranked)
        }
    };
    for route in default.into_iter().chain(eligible(facts)) {
        if !ranked.contains(&route) {
            ranked.push(route);
        }
    }
    let names = facts.iter().map(|route| route.name.clone()).collect();
    Ok(Plan { strategy, ranked, default, names })
}

fn eligible(facts: &[Facts]) -> impl Iterator<Item = usize> {
    facts.iter().enumerate().filter(|(_, route)| route.is_eligible).map(|(at, _)| at)
}

/// The eligible route of a name that a parameter gives.
fn find(parameter: &'static str, name: &Name, facts: &[Facts]) -> Checked<usize> {
    let place = facts.iter().position(|route| route.is_eligible && route.name == *name);
    let names: Vec<&Name> = facts.iter().filter(|route| route.is_eligible).map(|route| &route.name).collect();
    check(parameter, name.as_str(), list(names.into_iter()), place.is_some())?;
    Ok(place.unwrap_or_default())
}

fn by_cost(facts: &[Facts]) -> Checked<Vec<usize>> {
    for route in facts.iter().filter(|route| route.is_eligible) {
        let cost = route.figures.cost;
        check_of(&route.name, "cost", cost, "a cost of every eligible route when routing by cost", cost.is_some())?;
    }
    let mut ranked: Vec<usize> = eligible(facts).collect();
    let figures = |at: &usize| facts.get(*at).map(|route| route.figures).unwrap_or_default();
    // Stable: what is equal stays in the order given.
    ranked.sort_by(|a, b| {
        let (a, b) = (figures(a), figures(b));
        let quality = |figures: Figures| figures.quality.unwrap_or(-1.0);
        a.cost.cmp(&b.cost).then(quality(b).total_cmp(&quality(a)))
    });
    Ok(ranked)
}

/// The routes from the least to the most capable, and where the range of each ends.
fn by_complexity(facts: &[Facts]) -> Checked<(Vec<f64>, Vec<usize>)> {
    let mut routes: Vec<(usize, &Facts)> = facts.iter().enumerate().filter(|(_, route)| route.is_eligible).collect();
    let count = routes.len();
    if routes.iter().all(|(_, route)| route.figures.up_to.is_none()) {
        for (_, route) in &routes {
            let accepted = "a quality of every eligible route when routing by complexity without up_to";
            check_of(&route.name, "quality", route.figures.quality, accepted, route.figures.quality.is_some())?;
        }
        let quality = |route: &Facts| route.figures.quality.unwrap_or_default();
        routes.sort_by(|(_, a), (_, b)| quality(a).total_cmp(&quality(b)));
        let ends = (1..=count).map(|place| place as f64 / count as f64).collect();
        return Ok((ends, routes.into_iter().map(|(at, _)| at).collect()));
    }
    let mut ends = Vec::with_capacity(count);
    let mut before = 0.0;
    for (place, (_, route)) in routes.iter().enumerate() {
        let end = route.figures.up_to;
        if place + 1 == count {
            check_of(&route.name, "up_to", end, "1 or none of the last route", end.is_none_or(|end| end == 1.0))?;
        } else {
            check_of(&route.name, "up_to", end, "an end of every range but the last", end.is_some())?;
        }
        let end = end.unwrap_or(1.0);
        if route.figures.up_to.is_some() {
            check_of(&route.name, "up_to", Some(end), "above that of the route before it", end > before)?;
        }
        before = end;
        ends.push(end);
    }
    Ok((ends, routes.into_iter().map(|(at, _)| at).collect()))
}

/// The shares, and the routes that have one by falling weight.
fn by_weight(weights: &[(Name, f64)], facts: &[Facts]) -> Checked<(Shares, Vec<usize>)> {
    let mut known: Vec<(usize, f64)> = Vec::with_capacity(weights.len().min(MAX_ROUTES));
    for (name, weight) in weights {
        let route = find("weights", name, facts)?;
        let is_new = known.iter().all(|(before, _)| *before != route);
        check("weights", format_args!("{:?} twice", name.as_str()), "each route once", is_new)?;
        let within = (0.0..=MOST_WEIGHT).contains(weight);
        check_of(name, "weights", Some(weight), "0 to 1000000000", within)?;
        known.push((route, *weight));
    }
    let is_some = known.iter().any(|(_, weight)| *weight > 0.0);
    let given = if known.is_empty() { "none" } else { "0 of every route" };
    check("weights", format_args!("{given}"), "at least one above 0", is_some)?;
    let shares = Shares::of(&known);
    known.retain(|(_, weight)| *weight > 0.0);
    known.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok((shares, known.into_iter().map(|(route, _)| route).collect()))
}
