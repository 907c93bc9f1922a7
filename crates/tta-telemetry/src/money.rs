//! Money: an exact amount of dollars.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use thiserror::Error;

const NANOS_PER_DOLLAR: u64 = 1_000_000_000;
/// Beyond this a `f64` no longer holds single nano-dollars anyway.
const MOST_DOLLARS: f64 = 1e9;

/// An amount of US dollars, exact to the nano-dollar: sums never drift. From nothing to 18 billion.
///
/// Adding saturates: no amount is worth a panic.
///
/// ```
/// use tta_telemetry::Usd;
/// let call = Usd::from_dollars(0.0021)?;
/// let total: Usd = std::iter::repeat_n(call, 1_000).sum();
/// assert_eq!((total.nanos(), total.to_string().as_str()), (2_100_000_000, "$2.10"));
/// # Ok::<(), tta_telemetry::MoneyError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(u64);

/// An amount that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("{given} dollars is not an amount, accepted is 0 to 1000000000")]
pub struct MoneyError {
    /// What was given.
    pub given: f64,
}

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount in nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// An amount in micro-dollars, a millionth each; at most what fits.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// An amount in dollars, rounded to the nano-dollar.
    ///
    /// # Errors
    /// Negative, infinite and NaN amounts, and those above a billion.
    pub fn from_dollars(dollars: f64) -> Result<Self, MoneyError> {
        if (0.0..=MOST_DOLLARS).contains(&dollars) {
            Ok(Self((dollars * NANOS_PER_DOLLAR as f64).round() as u64))
        } else {
            Err(MoneyError { given: dollars })
        }
    }

    /// In nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// In dollars, for showing.
    #[must_use]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / NANOS_PER_DOLLAR as f64
    }

    /// By how much this is more than `other`; nothing when it is not.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// As it is shown: `Usd($0.0021)`.
impl fmt::Debug for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Usd({self})")
    }
}

/// Exact, with at least two decimals: `$0.0021`, `$2.10`.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("${}.{:09}", self.0 / NANOS_PER_DOLLAR, self.0 % NANOS_PER_DOLLAR);
        let shortest = text.find('.').map_or(text.len(), |point| point + 3);
        let end = text.trim_end_matches('0').len().max(shortest);
        f.pad(text.get(..end).unwrap_or(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_show_exactly_and_with_two_decimals_at_least() {
        for (nanos, want) in [
            (0, "$0.00"),
            (1, "$0.000000001"),
            (2_100_000, "$0.0021"),
            (1_500_000_000, "$1.50"),
            (12_345_678_901, "$12.345678901"),
        ] {
            assert_eq!(Usd::from_nanos(nanos).to_string(), want);
        }
        assert_eq!(format!("{:?}", Usd::from_micros(2_100)), "Usd($0.0021)");
        assert_eq!(format!("{:>8}", Usd::from_micros(10)), "$0.00001");
        assert_eq!(format!("{:>9}", Usd::from_micros(10)), " $0.00001");
    }

    #[test]
    fn only_amounts_are_accepted() {
        for wrong in [-0.01, f64::NAN, f64::INFINITY, 1e9 + 1.0] {
            assert!(Usd::from_dollars(wrong).is_err(), "{wrong}");
        }
        let error = Usd::from_dollars(-1.0).unwrap_err();
        assert_eq!(error.to_string(), "-1 dollars is not an amount, accepted is 0 to 1000000000");
        assert_eq!(Usd::from_dollars(0.1).map(Usd::nanos), Ok(100_000_000));
    }

    #[test]
    fn sums_are_exact_and_saturate() {
        let tenth = Usd::from_dollars(0.1).unwrap();
        assert_eq!(std::iter::repeat_n(tenth, 10).sum::<Usd>(), Usd::from_nanos(1_000_000_000));
        assert_eq!(Usd::from_nanos(u64::MAX) + tenth, Usd::from_nanos(u64::MAX));
        assert_eq!(tenth.saturating_sub(tenth + tenth), Usd::ZERO);
    }
}
