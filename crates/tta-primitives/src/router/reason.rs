//! Why a route was taken, what a routing function may answer, and how routing ended.

use std::fmt;

use tta_telemetry::{Name, Severity};

use crate::decide::{Outcome, outcomes};

/// Why a router took a route: the attribute `router.reason`, and the label of its counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteReason {
    /// The routing function named it.
    RoutingFunction,
    /// It costs least.
    Cheapest,
    /// Its range holds the input's score.
    Complexity,
    /// Its recent latency is the lowest.
    Fastest,
    /// Nothing recent is known of its latency.
    Exploring,
    /// It was drawn by weight, or by the hash of the input's key.
    Weighted,
    /// The routing function left it to the default route.
    DefaultRoute,
    /// The routing function named no eligible route: the default route.
    InvalidRouteFallback,
    /// The function that chooses, scores or makes keys failed or panicked: the default route.
    RoutingErrorFallback,
    /// The route before it failed.
    RouteFailed,
}

impl RouteReason {
    pub(super) const ALL: [Self; 10] = [
        Self::RoutingFunction,
        Self::Cheapest,
        Self::Complexity,
        Self::Fastest,
        Self::Exploring,
        Self::Weighted,
        Self::DefaultRoute,
        Self::InvalidRouteFallback,
        Self::RoutingErrorFallback,
        Self::RouteFailed,
    ];

    /// The stable word, as in `router.reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Outcome::as_str(self)
    }
}

impl fmt::Display for RouteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// By hand what `outcomes!` does: this one is public.
impl Outcome for RouteReason {
    const FAMILY: &'static str = "router";
    const ATTRIBUTE: &'static str = "router.reason";
    const NAMES: &'static [&'static str] = &[
        "routing_function",
        "cheapest",
        "complexity",
        "fastest",
        "exploring",
        "weighted",
        "default_route",
        "invalid_route_fallback",
        "routing_error_fallback",
        "route_failed",
    ];

    #[inline]
    fn index(self) -> usize {
        self as usize
    }

    fn severity(self) -> Severity {
        match self {
            Self::InvalidRouteFallback | Self::RoutingErrorFallback => Severity::Warning,
            Self::RouteFailed => Severity::Info,
            _ => Severity::Routine,
        }
    }
}

const _: () = assert!(RouteReason::ALL.len() == RouteReason::NAMES.len());
const _: () = assert!(RouteReason::ALL.len() <= tta_telemetry::MAX_OUTCOMES);

outcomes! {
    /// How routing ended when no route answered.
    enum Verdict in "router_outcome" as "router.outcome" {
        /// Every route that could be tried failed.
        Exhausted = "exhausted": Warning,
        /// None could be chosen, and there is no default.
        NoRoute = "no_route": Warning,
    }
}

/// What a routing function answers: a route's name, or `None` for the default route.
///
/// Functions return anything that converts: `&'static str`, `String`, [`Name`], or an `Option` of
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteChoice(pub(super) Option<Name>);

impl From<&'static str> for RouteChoice {
    fn from(name: &'static str) -> Self {
        Self(Some(name.into()))
    }
}

impl From<String> for RouteChoice {
    fn from(name: String) -> Self {
        Self(Some(name.into()))
    }
}

impl From<Name> for RouteChoice {
    fn from(name: Name) -> Self {
        Self(Some(name))
    }
}

impl<N: Into<Name>> From<Option<N>> for RouteChoice {
    fn from(name: Option<N>) -> Self {
        Self(name.map(Into::into))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_place_and_word() {
        for (at, reason) in RouteReason::ALL.into_iter().enumerate() {
            assert_eq!((reason.index(), reason.to_string().as_str()), (at, RouteReason::NAMES[at]));
        }
        assert_eq!(RouteReason::RouteFailed.to_string(), "route_failed");
        assert_eq!(RouteReason::RoutingErrorFallback.to_string(), "routing_error_fallback");
    }

    #[test]
    fn functions_may_answer_with_any_kind_of_name_or_none() {
        let named = RouteChoice(Some("fast".into()));
        assert_eq!(RouteChoice::from("fast"), named);
        assert_eq!(RouteChoice::from("fast".to_owned()), named);
        assert_eq!(RouteChoice::from(Name::from_static("fast")), named);
        assert_eq!(RouteChoice::from(Some("fast")), named);
        assert_eq!(RouteChoice::from(None::<&'static str>), RouteChoice(None));
    }
}
