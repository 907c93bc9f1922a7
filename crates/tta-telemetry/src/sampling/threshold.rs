//! The two numbers of OpenTelemetry's consistent probability sampling: a trace's randomness and the
//! threshold below which traces are rejected.
//!
//! Owns their arithmetic and text. Does not own the `tracestate` member they travel in, or where a
//! threshold comes from.

use std::fmt;
use std::str::FromStr;

use super::error::SamplingError;
use crate::id::TraceId;

/// Hexadecimal digits of both numbers.
const DIGITS: u32 = 14;
/// 2^56: how many values there are.
const ALL: u64 = 1 << (4 * DIGITS);

/// How many of 2^56 equally likely values of [`Randomness`] are rejected.
///
/// As text it is the `th` of `tracestate`: 1 to 14 lower-case hexadecimal digits without trailing
/// zeros (OpenTelemetry, TraceState: Probability Sampling). A greater threshold keeps fewer traces,
/// and of those only such as a smaller one keeps as well.
///
/// ```
/// use tta_telemetry::sampling::Threshold;
///
/// let hundredth = Threshold::from_probability(0.01)?;
/// assert_eq!(hundredth.to_string(), "fd70a");
/// assert_eq!("fd70a".parse(), Ok(hundredth));
/// assert_eq!(Threshold::from_probability(0.25)?.adjusted_count(), 4.0);
/// # Ok::<(), tta_telemetry::sampling::SamplingError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(u64);

/// The 56 random bits of a trace that all its participants know.
///
/// The last 7 bytes of the trace id, unless the root has put others into `tracestate` (`rv`). As
/// text always 14 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Randomness(u64);

impl Threshold {
    /// Rejects nothing.
    pub const ALWAYS: Self = Self(0);
    /// Keeps one of 2^56: "never" is not a probability.
    pub const MAX: Self = Self(ALL - 1);
    /// The smallest probability there is, 2^-56.
    pub const MIN_PROBABILITY: f64 = 1.0 / ALL as f64;
    /// Digits that are kept of a probability unless said otherwise, leading `f` not counted. The
    /// specification recommends 4: less than 1 in 8,000 off, and short on the wire.
    pub const PRECISION: u32 = 4;

    /// A threshold from its number; `None` from 2^56 on.
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        if value < ALL { Some(Self(value)) } else { None }
    }

    /// The threshold of a probability, with [`PRECISION`](Self::PRECISION) digits.
    ///
    /// # Errors
    /// A probability outside 2^-56 to 1, or not a number.
    pub fn from_probability(probability: f64) -> Result<Self, SamplingError> {
        Self::with_precision(probability, Self::PRECISION)
    }

    /// The threshold of a probability, with 1 to 14 digits; the leading `f` of a small probability
    /// are not counted, so that its relative error is not larger.
    ///
    /// # Errors
    /// A probability outside 2^-56 to 1, or not a number; a precision outside 1 to 14.
    pub fn with_precision(probability: f64, digits: u32) -> Result<Self, SamplingError> {
        if !(Self::MIN_PROBABILITY..=1.0).contains(&probability) {
            return Err(SamplingError::new("probability", &probability, "2^-56 to 1"));
        }
        if !(1..=DIGITS).contains(&digits) {
            return Err(SamplingError::new("precision", &digits, "1 to 14"));
        }
        Ok(Self::rounded(probability, digits))
    }

    /// That of a rate above 0 and at most 1; rates below 2^-56 count as 2^-56.
    #[inline]
    pub(super) fn of_rate(rate: f64) -> Self {
        Self::rounded(rate.clamp(Self::MIN_PROBABILITY, 1.0), Self::PRECISION)
    }

    /// For 0.001 (1/1000) and 4 digits: the exponent of 0.001 is -9, so 2 digits are `f` and 6 are
    /// kept; of 2^56 values 72,057,594,037,928 are accepted, the rest is `ffbe76c8b43958`, and
    /// rounded to 6 digits `ffbe77`.
    #[inline]
    fn rounded(probability: f64, digits: u32) -> Self {
        if probability >= 1.0 {
            return Self::ALWAYS;
        }
        // A power of two, so the product is exact; only below 2^-3 may it have a fraction.
        let scaled = probability * ALL as f64;
        let whole = scaled as u64;
        let accepted = whole + u64::from(scaled - whole as f64 >= 0.5);
        // As `frexp`: the mantissa is in 0.5..1. Numbers this large are never subnormal.
        let exponent = (probability.to_bits() >> 52) as i64 - 1_022;
        let leading = u32::try_from(-exponent / 4).unwrap_or(0);
        let shift = 4 * (DIGITS - (digits + leading).min(DIGITS));
        let half = (1_u64 << shift) >> 1;
        let rejected = ((ALL - accepted.clamp(1, ALL) + half) >> shift) << shift;
        Self(rejected.min(ALL - 1))
    }

    /// The threshold as a number, below 2^56.
    #[inline]
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The probability with which a trace is kept, 2^-56 to 1.
    #[inline]
    #[must_use]
    pub fn probability(self) -> f64 {
        (ALL - self.0) as f64 / ALL as f64
    }

    /// How many traces a kept one stands for: the inverse of the probability.
    #[inline]
    #[must_use]
    pub fn adjusted_count(self) -> f64 {
        ALL as f64 / (ALL - self.0) as f64
    }

    /// Whether a trace of this randomness is kept.
    #[inline]
    #[must_use]
    pub const fn keeps(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }
}

impl Randomness {
    /// Randomness from its number; `None` from 2^56 on.
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        if value < ALL { Some(Self(value)) } else { None }
    }

    /// The last 7 bytes of a trace id.
    #[inline]
    #[must_use]
    pub fn of(trace_id: TraceId) -> Self {
        Self::truncated(trace_id.get() as u64)
    }

    /// The last 56 of 64 bits.
    pub(super) const fn truncated(bits: u64) -> Self {
        Self(bits & (ALL - 1))
    }

    /// The randomness as a number, below 2^56.
    #[inline]
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0");
        }
        // What trailing zeros stand for is shifted out instead of trimmed: no text is allocated.
        let zeros = self.0.trailing_zeros() / 4;
        write!(f, "{:0width$x}", self.0 >> (4 * zeros), width = (DIGITS - zeros) as usize)
    }
}

impl fmt::Display for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014x}", self.0)
    }
}

impl fmt::Debug for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Threshold({self})")
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Randomness({self})")
    }
}

/// Lower-case hexadecimal digits, as if zeros followed up to 14.
pub(super) fn parse_digits(text: &str) -> Option<u64> {
    let mut value = 0;
    for byte in text.bytes() {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        value = (value << 4) | u64::from(digit);
    }
    let missing = DIGITS.checked_sub(u32::try_from(text.len()).ok()?)?;
    (!text.is_empty()).then_some(value << (4 * missing))
}

impl FromStr for Threshold {
    type Err = SamplingError;

    fn from_str(text: &str) -> Result<Self, SamplingError> {
        let refused = || SamplingError::new("th", &text, "1 to 14 lower-case hexadecimal digits");
        // Longer ones are not read at all: the number would overflow.
        let value = if text.len() <= DIGITS as usize { parse_digits(text) } else { None };
        value.map(Self).ok_or_else(refused)
    }
}

impl FromStr for Randomness {
    type Err = SamplingError;

    fn from_str(text: &str) -> Result<Self, SamplingError> {
        let refused = || SamplingError::new("rv", &text, "14 lower-case hexadecimal digits");
        let value = if text.len() == DIGITS as usize { parse_digits(text) } else { None };
        value.map(Self).ok_or_else(refused)
    }
}

#[cfg(test)]
#[path = "threshold_tests.rs"]
mod tests;
