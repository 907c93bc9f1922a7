//! Records that arrive after their trace was decided.
//!
//! A late record follows the decision: kept ones wait here, bounded, until housekeeping sends them
//! to the sinks as the late part of their trace.

use super::core::CounterCells;
use super::sync::Mutex;
use crate::id::{SpanId, TraceId};
use crate::model::SamplingDecision;

/// Late records waiting for the next housekeeping.
const MAX_WAITING: usize = 10_000;

#[derive(Debug)]
pub(crate) struct LateRecord {
    pub(crate) trace_id: TraceId,
    pub(crate) root_span_id: SpanId,
    pub(crate) decision: SamplingDecision,
    pub(crate) words: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct LateRecords(Mutex<Vec<LateRecord>>);

impl LateRecords {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn push(&self, record: LateRecord, counters: &CounterCells) {
        let mut waiting = self.0.lock();
        if waiting.len() >= MAX_WAITING {
            counters.late_lost.add(1);
            return;
        }
        counters.late_kept.add(1);
        waiting.push(record);
    }

    /// Takes everything, grouped by trace in order of arrival.
    pub(crate) fn take(&self) -> Vec<Vec<LateRecord>> {
        let mut records = std::mem::take(&mut *self.0.lock());
        records.sort_by_key(|record| record.trace_id);
        let mut groups: Vec<Vec<LateRecord>> = Vec::new();
        for record in records {
            match groups.last_mut() {
                Some(group) if group.first().is_some_and(|first| first.trace_id == record.trace_id) => {
                    group.push(record);
                }
                _ => groups.push(vec![record]),
            }
        }
        groups
    }
}
