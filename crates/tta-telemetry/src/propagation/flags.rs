//! The flags of a `traceparent`.
//!
//! Owns which bits there are. Does not own who sets them: a sampler and whoever starts a trace.

/// The `trace-flags` of a `traceparent` (W3C Trace Context level 2, section 3.2.2.5).
///
/// Holds the two bits that level 2 defines and no other: a sender of version 00 sets the rest to
/// zero (section 3.2.2.5.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// The caller may have recorded the trace (section 3.2.2.5.1).
    pub const SAMPLED: Self = Self(0x01);
    /// The last 7 bytes of the trace id are random (section 3.2.2.5.2). Belongs to the trace id:
    /// whoever sends the same id on sends the flag on as it was received.
    pub const RANDOM: Self = Self(0x02);

    /// The flags of a byte; bits without a meaning are dropped.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & (Self::SAMPLED.0 | Self::RANDOM.0))
    }

    /// The flags as a byte.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the caller may have recorded the trace.
    #[inline]
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether the last 7 bytes of the trace id are random.
    #[inline]
    #[must_use]
    pub const fn is_random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }

    /// The same flags with `sampled` set or cleared.
    #[inline]
    #[must_use]
    pub const fn with_sampled(self, is_sampled: bool) -> Self {
        self.with(Self::SAMPLED, is_sampled)
    }

    /// The same flags with `random` set or cleared.
    #[inline]
    #[must_use]
    pub const fn with_random(self, is_random: bool) -> Self {
        self.with(Self::RANDOM, is_random)
    }

    #[inline]
    const fn with(self, flag: Self, is_set: bool) -> Self {
        if is_set { Self(self.0 | flag.0) } else { Self(self.0 & !flag.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_without_a_meaning_are_dropped() {
        assert_eq!(TraceFlags::from_bits(0xff).bits(), 0x03);
        assert_eq!(TraceFlags::from_bits(0x08).bits(), 0x00);
        assert_eq!(TraceFlags::from_bits(0x0a), TraceFlags::RANDOM);
    }

    #[test]
    fn each_flag_is_set_and_cleared_without_touching_the_other() {
        let flags = TraceFlags::default().with_sampled(true);
        assert_eq!((flags, flags.is_sampled(), flags.is_random()), (TraceFlags::SAMPLED, true, false));
        let flags = flags.with_random(true);
        assert_eq!((flags.bits(), flags.is_random()), (0x03, true));
        assert_eq!(flags.with_sampled(false), TraceFlags::RANDOM);
        assert_eq!(flags.with_random(false), TraceFlags::SAMPLED);
    }
}
