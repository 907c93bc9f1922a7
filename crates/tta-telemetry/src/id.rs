//! Trace and span identifiers and where they come from.
//!
//! Owns the 128-bit trace id and 64-bit span id of W3C Trace Context, their hexadecimal form and
//! the id source. Does not own propagation headers.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

/// A trace identifier: 16 bytes, never all zero (W3C Trace Context level 2, section 3.2.2.3).
///
/// The last 7 bytes are random, as the `random` flag promises.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(u128);

/// A span identifier: 8 bytes, never zero (W3C Trace Context level 2, section 3.2.2.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(NonZeroU64);

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{given}` is not a {what}: expected {digits} lower-case hexadecimal digits, not all zero")]
pub struct ParseIdError {
    what: &'static str,
    given: String,
    digits: usize,
}

impl TraceId {
    /// An id from its number; `None` for zero.
    #[must_use]
    pub fn new(value: u128) -> Option<Self> {
        (value != 0).then_some(Self(value))
    }

    /// The id as a number.
    #[must_use]
    pub fn get(self) -> u128 {
        self.0
    }
}

impl SpanId {
    /// The smallest id, where one is needed and never read.
    #[cfg(feature = "record")]
    pub(crate) const PLACEHOLDER: Self = Self(NonZeroU64::MIN);

    /// An id from its number; `None` for zero.
    #[inline]
    #[must_use]
    pub fn new(value: u64) -> Option<Self> {
        NonZeroU64::new(value).map(Self)
    }

    /// The id as a number.
    #[inline]
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}

/// Lower-case hexadecimal digits only, as the specification demands; no sign, no prefix.
fn parse_hex(text: &str, what: &'static str, digits: usize) -> Result<u128, ParseIdError> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let value = (text.len() == digits && text.bytes().all(hex))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
        .filter(|value| *value != 0);
    // Clipped: the text may come from a hostile header.
    value.ok_or_else(|| ParseIdError { what, given: text.chars().take(40).collect(), digits })
}

impl FromStr for TraceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        parse_hex(text, "trace id", 32).map(Self)
    }
}

impl FromStr for SpanId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let value = parse_hex(text, "span id", 16)? as u64;
        SpanId::new(value).ok_or_else(|| ParseIdError { what: "span id", given: text.into(), digits: 16 })
    }
}

/// Where identifiers and random numbers come from: the process's generator, or a seed that gives
/// the same sequence every time (tests and replay).
#[derive(Debug, Default)]
pub struct IdSource {
    seeded: Option<AtomicU64>,
}

impl IdSource {
    /// Random ids (a per-thread wyrand generator seeded by the standard library's hasher keys;
    /// unpredictable enough for identifiers, not for secrets).
    #[must_use]
    pub fn random() -> Self {
        Self { seeded: None }
    }

    /// The same ids in the same order for the same seed, across threads in order of asking.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seeded: Some(AtomicU64::new(seed)) }
    }

    /// 64 random bits.
    #[inline]
    #[must_use]
    pub fn next_u64(&self) -> u64 {
        match &self.seeded {
            None => fastrand::u64(..),
            // SplitMix64 (Steele, Lea and Flood, 2014): a counter and a mixing function, so that
            // concurrent callers need one atomic addition.
            Some(state) => {
                const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
                let mut z = state.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^ (z >> 31)
            }
        }
    }

    /// A fraction in `0.0..1.0`, for jitter.
    #[must_use]
    pub fn next_fraction(&self) -> f64 {
        // 53 bits fill the mantissa exactly.
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A fresh trace id.
    #[inline]
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        let value = (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64());
        TraceId(value.max(1))
    }

    /// A fresh span id.
    #[inline]
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        SpanId(NonZeroU64::new(self.next_u64()).unwrap_or(NonZeroU64::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_were_written() {
        let trace: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
        assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let span: SpanId = "00f067aa0ba902b7".parse().unwrap();
        assert_eq!(span.to_string(), "00f067aa0ba902b7");
    }

    #[test]
    fn zero_short_long_upper_case_and_signed_texts_are_refused() {
        for text in [
            "",
            "00000000000000000000000000000000",
            "4bf9",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "+bf92f3577b34da6a3ce929d0e0e4736",
        ] {
            let error = text.parse::<TraceId>().unwrap_err();
            assert!(error.to_string().contains("expected 32 lower-case hexadecimal digits"), "{error}");
        }
        assert!("0000000000000000".parse::<SpanId>().is_err());
    }

    #[test]
    fn a_seed_gives_the_same_ids_again_and_another_seed_others() {
        let (a, b, c) = (IdSource::seeded(7), IdSource::seeded(7), IdSource::seeded(8));
        let first = a.trace_id();
        assert_eq!(first, b.trace_id());
        assert_ne!(first, c.trace_id());
        assert_ne!(a.trace_id(), first);
    }

    #[test]
    fn fractions_stay_inside_their_range() {
        let ids = IdSource::seeded(1);
        let mean = (0..10_000).map(|_| ids.next_fraction()).inspect(|f| assert!((0.0..1.0).contains(f))).sum::<f64>()
            / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
    }
}
