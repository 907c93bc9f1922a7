//! What receiving has done so far.

/// How many spans of one [`Intake`](super::Intake) were refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Because their trace had [`spans_per_trace`](super::ReceiveLimits) already.
    pub over_span_limit: u64,
    /// Because the engine has ended.
    pub after_end: u64,
}

/// What a [`Receiver`](super::Receiver) has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverStatus {
    /// Spans that were taken.
    pub spans: u64,
    /// Spans refused because their trace had [`spans_per_trace`](super::ReceiveLimits) already.
    pub over_span_limit: u64,
    /// Spans refused because the engine has ended.
    pub after_end: u64,
    /// Traces decided about.
    pub traces: u64,
    /// Traces decided about early because memory ran out.
    pub evicted: u64,
    /// Traces decided about without their root.
    pub rootless: u64,
    /// Spans that came after the decision to keep their trace, and followed it.
    pub late_kept: u64,
    /// Spans that came after the decision to drop their trace.
    pub late_dropped: u64,
    /// Failed spans among `late_dropped`: errors that the decision could not know of.
    pub missed_error_spans: u64,
    /// Spans that came twice, and are there once. Of kept traces, and those that rules looked at.
    pub duplicates: u64,
    /// Spans whose bytes the codec could not decode, of the same traces.
    pub undecodable: u64,
    /// Traces that wait for their decision.
    pub waiting_traces: u64,
    /// Memory of those, in bytes.
    pub waiting_bytes: u64,
}

impl std::ops::AddAssign for ReceiverStatus {
    fn add_assign(&mut self, other: Self) {
        self.spans += other.spans;
        self.over_span_limit += other.over_span_limit;
        self.after_end += other.after_end;
        self.traces += other.traces;
        self.evicted += other.evicted;
        self.rootless += other.rootless;
        self.late_kept += other.late_kept;
        self.late_dropped += other.late_dropped;
        self.missed_error_spans += other.missed_error_spans;
        self.duplicates += other.duplicates;
        self.undecodable += other.undecodable;
        self.waiting_traces += other.waiting_traces;
        self.waiting_bytes += other.waiting_bytes;
    }
}
