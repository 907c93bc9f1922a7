//! Quantiles of latency for rules, from the stored traces themselves.
//!
//! The engine's way, on the traces' own time: of the last five minutes, by workflow, read anew when a
//! second has passed. A running estimate, so a file is read once, and what a trace is compared with is
//! what was known when it ended.

use std::collections::HashMap;
use std::time::Duration;

use super::copies;
use crate::clock::{Clock, ManualClock};
use crate::metrics::{RollingHistogram, RollingWindow};
use crate::model::{Name, SpanRecord};
use crate::rules::Quantile;

/// Workflows whose durations are remembered.
const MOST_WORKFLOWS: usize = 256;
/// How long one reading is good for.
const READING_NS: u64 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Latencies {
    quantiles: Vec<Quantile>,
    clock: Clock,
    hand: ManualClock,
    /// The latest end of a root.
    now_unix_ns: u64,
    known: HashMap<[Name; 2], Known>,
    refused: u64,
}

#[derive(Debug)]
struct Known {
    durations: RollingHistogram,
    read_unix_ns: u64,
    /// For each quantile that is named.
    quantiles_ns: Vec<Option<u64>>,
}

impl Latencies {
    pub(super) fn new(quantiles: Vec<Quantile>) -> Self {
        let (clock, hand) = Clock::manual();
        Self { quantiles, clock, hand, now_unix_ns: 0, known: HashMap::new(), refused: 0 }
    }

    /// Counts a run that has ended.
    pub(super) fn see(&mut self, root: Option<&SpanRecord>, weight: Option<f64>) {
        let Some(root) = root.filter(|_| !self.quantiles.is_empty()) else { return };
        let end = root.end_unix_ns();
        if self.now_unix_ns > 0 {
            self.hand.advance(Duration::from_nanos(end.saturating_sub(self.now_unix_ns)));
        }
        self.now_unix_ns = self.now_unix_ns.max(end);
        let key = [root.name.clone(), root.kind.clone()];
        if self.known.len() >= MOST_WORKFLOWS && !self.known.contains_key(&key) {
            self.refused += 1;
            return;
        }
        let known = self.known.entry(key).or_insert_with(|| Known {
            durations: RollingHistogram::new(self.clock.clone()),
            read_unix_ns: 0,
            quantiles_ns: Vec::new(),
        });
        (0..copies(weight)).for_each(|_| known.durations.record(root.duration_ns));
        if known.quantiles_ns.is_empty() || self.now_unix_ns - known.read_unix_ns >= READING_NS {
            let durations = known.durations.histogram(RollingWindow::FiveMinutes);
            known.quantiles_ns = self.quantiles.iter().map(|quantile| quantile.of(&durations)).collect();
            known.read_unix_ns = self.now_unix_ns;
        }
    }

    pub(super) fn of(&self, root: &SpanRecord, quantile: Quantile) -> Option<u64> {
        let place = self.quantiles.iter().position(|known| *known == quantile)?;
        self.known.get(&[root.name.clone(), root.kind.clone()])?.quantiles_ns.get(place).copied().flatten()
    }

    /// Traces of workflows beyond those that are remembered.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}
