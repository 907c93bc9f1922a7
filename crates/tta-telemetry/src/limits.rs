//! The bounds of one engine.

use std::time::Duration;

use thiserror::Error;

/// Every bound of the recorder and of each sink's queue. Each has a counter in
/// [`RecorderCounters`](crate::RecorderCounters) or [`SinkStatus`](crate::SinkStatus) that tells
/// when it bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory of traces that are being recorded, decided or pooled, in bytes. When it is reached,
    /// traces are decided early, oldest first, failed ones last. Late records may hold an eighth of
    /// it beside that. Default 64 MiB; at least 64 KiB.
    pub live_bytes: usize,
    /// Spans per trace, the root included. As many events, links and annotations may be recorded
    /// beside them; an eighth of those is kept for annotations. Default 10,000; 2 to 100,000.
    pub spans_per_trace: u32,
    /// Attributes per span, and per event. Default 64; 1 to 1,024.
    pub attributes_per_span: u16,
    /// Bytes per attribute value; longer text is cut at a character. Default 4 KiB; 16 bytes to
    /// 128 KiB.
    pub attribute_bytes: u32,
    /// Events per span. Default 128; 1 to 10,000.
    pub events_per_span: u32,
    /// Links per span. Default 128; 1 to 10,000.
    pub links_per_span: u32,
    /// Spans waiting in each sink's queue. A single larger trace is accepted when the queue is
    /// empty. Default 2,048; at least 1.
    pub queue_spans: usize,
    /// Spans given to a sink at once; a larger trace is given alone. Default 512; at least 1.
    pub batch_spans: usize,
    /// Bytes waiting in each sink's queue. Default 64 MiB; at least 4 KiB.
    pub queue_bytes: usize,
    /// How long a trace waits for spans that are open when its root has ended. Default 10 s;
    /// at most 1 h; 0 decides at the next housekeeping.
    pub decision_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            live_bytes: 64 * 1024 * 1024,
            spans_per_trace: 10_000,
            attributes_per_span: 64,
            attribute_bytes: 4 * 1024,
            events_per_span: 128,
            links_per_span: 128,
            queue_spans: 2_048,
            batch_spans: 512,
            queue_bytes: 64 * 1024 * 1024,
            decision_wait: Duration::from_secs(10),
        }
    }
}

/// A limit outside its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("limit `{field}` is {given}, accepted is {accepted}")]
pub struct LimitError {
    /// The field of [`Limits`].
    pub field: &'static str,
    /// The value given.
    pub given: String,
    /// The accepted range, in words.
    pub accepted: &'static str,
}

impl Limits {
    /// Checks every range.
    ///
    /// # Errors
    /// The first field that is outside its range.
    pub fn check(&self) -> Result<(), LimitError> {
        let check = |field, given: u64, accepted, range: std::ops::RangeInclusive<u64>| {
            if range.contains(&given) {
                return Ok(());
            }
            Err(LimitError { field, given: given.to_string(), accepted })
        };
        check("live_bytes", self.live_bytes as u64, "at least 65536", 65_536..=u64::MAX)?;
        check("spans_per_trace", self.spans_per_trace.into(), "2 to 100000", 2..=100_000)?;
        check("attributes_per_span", self.attributes_per_span.into(), "1 to 1024", 1..=1_024)?;
        check("attribute_bytes", self.attribute_bytes.into(), "16 to 131072", 16..=131_072)?;
        check("events_per_span", self.events_per_span.into(), "1 to 10000", 1..=10_000)?;
        check("links_per_span", self.links_per_span.into(), "1 to 10000", 1..=10_000)?;
        check("queue_spans", self.queue_spans as u64, "at least 1", 1..=u64::MAX)?;
        check("batch_spans", self.batch_spans as u64, "at least 1", 1..=u64::MAX)?;
        check("queue_bytes", self.queue_bytes as u64, "at least 4096", 4_096..=u64::MAX)?;
        if self.decision_wait > Duration::from_secs(3600) {
            let given = format!("{:?}", self.decision_wait);
            return Err(LimitError { field: "decision_wait", given, accepted: "0 to 1 h" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_documented_ones_and_valid() {
        let limits = Limits::default();
        assert_eq!(limits.check(), Ok(()));
        assert_eq!((limits.live_bytes, limits.spans_per_trace), (67_108_864, 10_000));
        assert_eq!((limits.attributes_per_span, limits.attribute_bytes, limits.events_per_span), (64, 4_096, 128));
        assert_eq!((limits.queue_spans, limits.queue_bytes), (2_048, 67_108_864));
        assert_eq!(limits.decision_wait, Duration::from_secs(10));
    }

    #[test]
    fn a_value_out_of_range_names_field_value_and_range() {
        let error = Limits { spans_per_trace: 1, ..Limits::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "limit `spans_per_trace` is 1, accepted is 2 to 100000");
        let error = Limits { decision_wait: Duration::from_secs(7200), ..Limits::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "limit `decision_wait` is 7200s, accepted is 0 to 1 h");
    }
}
