//! The bounds of traces that are received.

use std::time::Duration;

use crate::limits::LimitError;

/// What a [`Receiver`](super::Receiver) holds at most, and for how long.
///
/// ```
/// use tta_telemetry::receive::ReceiveLimits;
/// let limits = ReceiveLimits { live_bytes: 256 << 20, ..ReceiveLimits::default() };
/// assert_eq!(limits.root_wait.as_secs(), 10);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiveLimits {
    /// Memory of traces that are not decided about, in bytes. When it is reached, traces are decided
    /// about early, oldest first where most is held, those that have their root before the others.
    /// Default 64 MiB; at least 64 KiB.
    pub live_bytes: usize,
    /// Spans per trace; further ones are refused and counted, but a root or an error among
    /// them counts for the decision. Default 10,000; 1 to 1,000,000.
    pub spans_per_trace: u32,
    /// How long a trace waits for further spans once its root is there. Default 10 s; at most 1 h;
    /// 0 decides at the next housekeeping.
    pub root_wait: Duration,
    /// How long a trace waits for its root, from its first span on. Default 30 s; at most 1 h.
    pub rootless_wait: Duration,
    /// Decisions that are remembered for spans that come later, of the latest traces. Default
    /// 100,000, of some 150 bytes each; at most 10 million; 0 remembers none.
    pub remembered_decisions: usize,
}

impl Default for ReceiveLimits {
    fn default() -> Self {
        Self {
            live_bytes: 64 << 20,
            spans_per_trace: 10_000,
            root_wait: Duration::from_secs(10),
            rootless_wait: Duration::from_secs(30),
            remembered_decisions: 100_000,
        }
    }
}

impl ReceiveLimits {
    /// Checks every range.
    ///
    /// # Errors
    /// The first limit outside its range.
    pub fn check(&self) -> Result<(), LimitError> {
        const LONGEST: Duration = Duration::from_secs(3_600);
        let check = |field, given: u64, accepted, within: bool| {
            if within { Ok(()) } else { Err(LimitError { field, given: given.to_string(), accepted }) }
        };
        check("live_bytes", self.live_bytes as u64, "at least 65536", self.live_bytes >= 64 << 10)?;
        let spans = self.spans_per_trace;
        check("spans_per_trace", spans.into(), "1 to 1000000", (1..=1_000_000).contains(&spans))?;
        for (field, wait) in [("root_wait", self.root_wait), ("rootless_wait", self.rootless_wait)] {
            check(field, wait.as_secs(), "at most 3600 s", wait <= LONGEST)?;
        }
        let remembered = self.remembered_decisions;
        check("remembered_decisions", remembered as u64, "at most 10000000", remembered <= 10_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_out_of_range_are_refused_by_name() {
        let said = |limits: ReceiveLimits| limits.check().unwrap_err().to_string();
        let default = ReceiveLimits::default;
        assert_eq!(default().check(), Ok(()));
        assert_eq!(
            said(ReceiveLimits { live_bytes: 10, ..default() }),
            "limit `live_bytes` is 10, accepted is at least 65536"
        );
        assert!(said(ReceiveLimits { spans_per_trace: 0, ..default() }).contains("1 to 1000000"));
        assert!(said(ReceiveLimits { rootless_wait: Duration::MAX, ..default() }).starts_with("limit `rootless_wait`"));
        assert!(said(ReceiveLimits { remembered_decisions: usize::MAX, ..default() }).contains("10000000"));
    }
}
