//! The error of a call whose every attempt failed.

use std::error::Error as StdError;
use std::fmt;

use crate::causes::write_causes;
use crate::error::Error;

/// What attempts are called, by number.
const NAMES: [&str; 11] = [
    "primary", "hedge 1", "hedge 2", "hedge 3", "hedge 4", "hedge 5", "hedge 6", "hedge 7", "hedge 8", "hedge 9",
    "hedge 10",
];

/// All attempts of a hedged call failed. Found inside an [`Error`] by
/// [`downcast_ref`](Error::downcast_ref); that error's kind and retry hint are the first attempt's.
///
/// The message holds each cause's, cut at 256 bytes, of the first eight; the source is the first
/// attempt's error.
#[derive(Clone, Debug)]
pub struct HedgeError {
    causes: Vec<Error>,
}

impl HedgeError {
    pub(super) fn new(causes: Vec<Error>) -> Self {
        Self { causes }
    }

    /// Every attempt's error, in the order in which the attempts were started.
    #[must_use]
    pub fn causes(&self) -> &[Error] {
        &self.causes
    }
}

impl fmt::Display for HedgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all {} attempts failed", self.causes.len())?;
        write_causes(f, &self.causes, |at, _| NAMES.get(at).copied().unwrap_or("hedge"))
    }
}

impl StdError for HedgeError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.causes.first().map(|first| first as &(dyn StdError + 'static))
    }
}
