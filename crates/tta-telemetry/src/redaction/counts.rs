//! What redaction did to one trace.

use std::ops::AddAssign;

/// How often redaction changed something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedactionCounts {
    /// Attributes whose key says that they are secret.
    pub keys: u32,
    /// Attributes in whose value a secret was found, and spans and events in whose name.
    pub values: u32,
    /// Of these, attributes that were dropped.
    pub dropped: u32,
    /// Attributes with a text longer than `scan_bytes`, whose end was masked unseen.
    pub over_length: u32,
}

impl RedactionCounts {
    /// How many attributes and names were changed or dropped.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.keys.saturating_add(self.values)
    }
}

impl AddAssign for RedactionCounts {
    fn add_assign(&mut self, other: Self) {
        self.keys = self.keys.saturating_add(other.keys);
        self.values = self.values.saturating_add(other.values);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.over_length = self.over_length.saturating_add(other.over_length);
    }
}
