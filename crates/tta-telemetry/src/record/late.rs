//! Records that arrive after their trace was decided.
//!
//! A late record follows the decision: kept ones wait here, bounded, until housekeeping sends them
//! to the sinks as the late part of their trace.

use super::core::CounterCells;
use super::hooks::HookedRun;
use super::sync::Mutex;
use crate::id::{SpanId, TraceId};
use crate::sampling::TailDecision;

/// Late records waiting for the next housekeeping.
const MAX_WAITING: usize = 10_000;
/// They may hold this part of what live traces may hold, beside them.
const BYTES_PART: usize = 8;

#[derive(Debug)]
pub(crate) struct LateRecord {
    pub(crate) trace_id: TraceId,
    pub(crate) root_span_id: SpanId,
    pub(crate) decided: TailDecision,
    /// For the processors of its workflow, where there are hooks.
    pub(crate) hooked: Option<HookedRun>,
    pub(crate) words: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct LateRecords {
    waiting: Mutex<Waiting>,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    records: Vec<LateRecord>,
    bytes: usize,
    refused: bool,
}

impl LateRecords {
    pub(crate) fn new(live_bytes: usize) -> Self {
        Self { waiting: Mutex::new(Waiting::default()), max_bytes: live_bytes / BYTES_PART }
    }

    pub(crate) fn push(&self, record: LateRecord, counters: &CounterCells) {
        let mut waiting = self.waiting.lock();
        let bytes = record.words.len() * 8;
        // A record larger than the bound could otherwise never be sent.
        let over = !waiting.records.is_empty() && waiting.bytes + bytes > self.max_bytes;
        if waiting.refused || waiting.records.len() >= MAX_WAITING || over {
            counters.late_lost.add(1);
            return;
        }
        counters.late_kept.add(1);
        waiting.bytes += bytes;
        waiting.records.push(record);
    }

    /// Refuses all further records: nobody will take them.
    pub(crate) fn refuse(&self) {
        self.waiting.lock().refused = true;
    }

    /// Takes everything, grouped by trace in order of arrival.
    pub(crate) fn take(&self) -> Vec<Vec<LateRecord>> {
        let mut records = {
            let mut waiting = self.waiting.lock();
            waiting.bytes = 0;
            std::mem::take(&mut waiting.records)
        };
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
