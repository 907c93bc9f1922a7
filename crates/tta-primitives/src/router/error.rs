//! What a router fails with when it is not one route's own error.

use std::error::Error as StdError;
use std::fmt;

use tta_telemetry::Name;

use crate::causes::write_causes;
use crate::clip::clip;
use crate::error::{Error, ErrorKind};

/// Routes that a message lists; the others are counted.
const LISTED_ROUTES: usize = 8;
/// Bytes of an unknown route's name that are kept.
const ASKED_BYTES: usize = 128;

/// No route answered. Found inside an [`Error`] by [`downcast_ref`](Error::downcast_ref).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RouterError {
    /// The routing function named no eligible route, and there is no default route. Of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput).
    NoRoute {
        /// What it named, at most 128 bytes of it; `None` when it asked for the default route.
        asked: Option<String>,
        /// The eligible routes.
        accepted: Vec<Name>,
    },
    /// Several routes were tried and all failed with errors that lead to another route. Kind and
    /// retry hint are the first one's.
    AllFailed {
        /// Each route's error in the order of trying; its path begins with the route's name.
        causes: Vec<Error>,
    },
}

impl RouterError {
    #[cold]
    pub(super) fn no_route<'a>(asked: Option<&Name>, accepted: impl Iterator<Item = &'a Name>) -> Error {
        let asked = asked.map(|name| clip(name, ASKED_BYTES));
        let error = Self::NoRoute { asked, accepted: accepted.cloned().collect() };
        Error::new(ErrorKind::InvalidInput, error)
    }

    /// Each route's error in the order of trying; empty when none was tried.
    #[must_use]
    pub fn causes(&self) -> &[Error] {
        match self {
            Self::NoRoute { .. } => &[],
            Self::AllFailed { causes } => causes,
        }
    }
}

/// `` `a`, `b` and 3 more ``.
pub(super) fn list<'a>(names: impl ExactSizeIterator<Item = &'a Name>) -> String {
    let unlisted = names.len().saturating_sub(LISTED_ROUTES);
    let listed: Vec<String> = names.take(LISTED_ROUTES).map(|name| format!("`{}`", clip(name, ASKED_BYTES))).collect();
    let more = if unlisted > 0 { format!(" and {unlisted} more") } else { String::new() };
    format!("{}{more}", listed.join(", "))
}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoute { asked: Some(asked), accepted } => {
                write!(f, "no route `{asked}` and no default route, accepted is {}", list(accepted.iter()))
            }
            Self::NoRoute { asked: None, accepted } => {
                write!(f, "no route was named and there is no default route, accepted is {}", list(accepted.iter()))
            }
            Self::AllFailed { causes } => {
                write!(f, "all {} routes failed", causes.len())?;
                write_causes(f, causes, |_, cause| cause.path().first().map_or("route", |name| name.as_str()))
            }
        }
    }
}

impl StdError for RouterError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.causes().first().map(|first| first as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routes_listed_are_bounded_in_number_and_length() {
        let names: Vec<Name> = (0..10).map(|i| Name::from(format!("{i}"))).collect();
        assert_eq!(list(names[..2].iter()), "`0`, `1`");
        assert_eq!(list(names.iter()), "`0`, `1`, `2`, `3`, `4`, `5`, `6`, `7` and 2 more");
        let long = Name::from("x".repeat(10_000));
        let error = RouterError::no_route(Some(&long), names[..1].iter());
        assert_eq!(error.to_string(), format!("no route `{}…` and no default route, accepted is `0`", "x".repeat(125)));
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.downcast_ref::<RouterError>().is_some_and(|error| error.causes().is_empty()));
        let unnamed = RouterError::no_route(None, names[..1].iter());
        assert_eq!(unnamed.to_string(), "no route was named and there is no default route, accepted is `0`");
    }
}
