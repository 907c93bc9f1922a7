//! A share of traces to keep, as a value and as one that changes while it is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::SamplingError;

/// A share of traces to keep, `0.0..=1.0`.
///
/// 0 keeps none, 1 all; rates between 0 and 2^-56 count as 2^-56 where a threshold is made of them.
///
/// ```
/// use tta_telemetry::sampling::Rate;
///
/// assert_eq!(Rate::new(0.25)?.get(), 0.25);
/// assert_eq!(Rate::new(1.5).unwrap_err().to_string(), "`rate` is 1.5, accepted is 0 to 1");
/// # Ok::<(), tta_telemetry::sampling::SamplingError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// Keeps none.
    pub const ZERO: Self = Self(0.0);
    /// Keeps all.
    pub const ONE: Self = Self(1.0);

    /// A rate.
    ///
    /// # Errors
    /// Outside 0 to 1, or not a number.
    pub fn new(rate: f64) -> Result<Self, SamplingError> {
        Self::named("rate", rate)
    }

    /// A rate whose error names this parameter.
    ///
    /// # Errors
    /// Outside 0 to 1, or not a number.
    pub fn named(field: &'static str, rate: f64) -> Result<Self, SamplingError> {
        if (0.0..=1.0).contains(&rate) {
            // Not -0.0, which would be written as such.
            return Ok(Self(rate.abs()));
        }
        Err(SamplingError::new(field, &rate, "0 to 1"))
    }

    /// The rate as a number.
    #[inline]
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// A rate that adaptive control and configuration change while decisions read it: one atomic load.
/// Clones share it.
#[derive(Clone, Debug)]
pub struct SharedRate(Arc<AtomicU64>);

impl SharedRate {
    /// Starts at this rate.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self(Arc::new(AtomicU64::new(rate.0.to_bits())))
    }

    /// The rate now.
    #[inline]
    #[must_use]
    pub fn get(&self) -> Rate {
        // Nothing else is published with it, so relaxed is enough.
        Rate(f64::from_bits(self.0.load(Ordering::Relaxed)))
    }

    /// Decisions from now on use this rate.
    pub fn set(&self, rate: Rate) {
        self.0.store(rate.0.to_bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_outside_zero_to_one_are_refused_by_name() {
        for (given, text) in [(-0.01, "-0.01"), (1.01, "1.01"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
            let error = Rate::named("default_rate", given).unwrap_err().to_string();
            assert_eq!(error, format!("`default_rate` is {text}, accepted is 0 to 1"));
        }
        assert_eq!((Rate::new(0.0), Rate::new(1.0)), (Ok(Rate::ZERO), Ok(Rate::ONE)));
        assert!(Rate::new(-0.0).unwrap().get().is_sign_positive());
    }

    #[test]
    fn clones_of_a_shared_rate_see_each_others_changes() {
        let shared = SharedRate::new(Rate::ONE);
        let other = shared.clone();
        shared.set(Rate::new(0.3).unwrap());
        assert_eq!(other.get().get(), 0.3);
    }
}
