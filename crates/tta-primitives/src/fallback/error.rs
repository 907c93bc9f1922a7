//! The error of a step whose every way failed.

use std::error::Error as StdError;
use std::fmt;

use crate::causes::write_causes;
use crate::error::Error;

/// A step and all its fallbacks failed. Found inside an [`Error`] by
/// [`downcast_ref`](Error::downcast_ref); that error's kind and retry hint are the step's own.
///
/// The message holds each cause's, cut at 256 bytes, of the first eight; the source is the first
/// cause.
#[derive(Clone, Debug)]
pub struct FallbackError {
    causes: Vec<Error>,
}

impl FallbackError {
    pub(super) fn new(causes: Vec<Error>) -> Self {
        Self { causes }
    }

    /// Every way's error in the order of trying: the step's own first, then one for each fallback,
    /// whose path begins with the fallback's name.
    #[must_use]
    pub fn causes(&self) -> &[Error] {
        &self.causes
    }
}

impl fmt::Display for FallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all {} ways failed", self.causes.len())?;
        write_causes(f, &self.causes, |at, cause| match (at, cause.path().first()) {
            (0, _) => "primary",
            (_, name) => name.map_or("fallback", |name| name.as_str()),
        })
    }
}

impl StdError for FallbackError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.causes.first().map(|primary| primary as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_bounded_by_cause_and_in_how_many_it_shows() {
        let long = |name: &'static str| Error::from_any("x".repeat(10_000)).within(&name.into());
        let error = FallbackError::new(vec![long("inner"), long("backup")]);
        let cut = format!("{}…", "x".repeat(253));
        assert_eq!(error.to_string(), format!("all 2 ways failed: primary: {cut}; backup: {cut}"));
        let many = FallbackError::new((0..20).map(|_| Error::from_any("no").within(&"way".into())).collect());
        let seven = "; way: no".repeat(7);
        assert_eq!(many.to_string(), format!("all 20 ways failed: primary: no{seven}; and 12 more"));
        assert_eq!(many.causes().len(), 20);
    }
}
