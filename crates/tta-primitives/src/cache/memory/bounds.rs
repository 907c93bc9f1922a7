//! How much may be kept, in entries and in bytes, as one weight.
//!
//! The library below bounds one number. Each entry weighs the larger of its share of the entries
//! and its share of the bytes: the sum of either share is then never above the whole.
//!
//! Worked example: 4 entries and 100 bytes, a whole of 1,000. An entry weighs at least 250; one of
//! 50 bytes weighs 500. Two of those fill the store (by bytes), and so do four small ones.

use std::fmt;
use std::sync::Arc;

use crate::cache::store::Payload;
use crate::policy::PolicyError;

/// Says how many bytes a value takes.
pub(in crate::cache) type Weigher<V> = Arc<dyn Fn(&V) -> u64 + Send + Sync>;

pub(in crate::cache) const MAX_ENTRIES: u64 = 100_000_000;

/// The bounds of a store.
pub(in crate::cache) struct Bounds<V> {
    /// What one entry weighs at least.
    share: u32,
    entries: u64,
    bytes: Option<u64>,
    weigh: Option<Weigher<V>>,
}

impl<V> Bounds<V> {
    pub(in crate::cache) fn entries(entries: u64) -> Result<Self, PolicyError> {
        let within = (1..=MAX_ENTRIES).contains(&entries);
        PolicyError::check("cache", "capacity", entries, "1 to 100000000", within)?;
        // The whole is just below the largest weight that one entry can have.
        let share = u32::try_from(u64::from(u32::MAX) / entries).unwrap_or(1);
        Ok(Self { share, entries, bytes: None, weigh: None })
    }

    pub(in crate::cache) fn bytes(self, bytes: u64) -> Result<Self, PolicyError> {
        PolicyError::check("cache", "capacity_bytes", bytes, "above 0", bytes > 0)?;
        Ok(Self { bytes: Some(bytes), ..self })
    }

    pub(in crate::cache) fn weigh(self, weigh: Weigher<V>) -> Self {
        Self { weigh: Some(weigh), ..self }
    }

    pub(super) fn total_weight(&self) -> u64 {
        u64::from(self.share) * self.entries
    }

    pub(super) fn is_weighed(&self) -> bool {
        self.weigh.is_some()
    }

    /// The bytes of a payload, and its weight unless it can never fit.
    pub(super) fn weigh_payload(&self, payload: &Payload<V>) -> (u64, Option<u32>) {
        let bytes = match (payload, &self.weigh) {
            (_, None) => 0,
            (Payload::Value(value), Some(weigh)) => weigh(value),
            (Payload::Failure { message, .. }, Some(_)) => message.len() as u64,
        };
        let Some(most) = self.bytes else { return (bytes, Some(self.share)) };
        if bytes > most {
            return (bytes, None);
        }
        // Rounded up: many small roundings down would add up to more than the bound.
        let by_bytes = (u128::from(bytes) * u128::from(self.total_weight())).div_ceil(u128::from(most));
        (bytes, Some(self.share.max(u32::try_from(by_bytes).unwrap_or(u32::MAX))))
    }
}

impl<V> fmt::Debug for Bounds<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounds").field("entries", &self.entries).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
