//! What survives a restart: plain data, its text, and where it is kept.

mod text;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use thiserror::Error;

use super::config::Slo;
use super::counts::Counts;
use super::timeline::{BURN_RINGS, BURN_WIDTHS, RINGS, Timeline, WINDOW_WIDTHS};
use crate::model::Name;

/// What a [`SloTracker`](super::SloTracker) had counted at a moment.
///
/// Its text ([`SloState::encode`]) is versioned, has a line per bucket that holds anything and a
/// checksum, and takes a few KiB per tracker, at most 70.
///
/// ```
/// use tta_telemetry::{Slo, SloState, SloTracker, SpanStatus};
///
/// let slo = Slo::named("availability").build()?;
/// let tracker = SloTracker::new("payments", slo.clone());
/// tracker.record(SpanStatus::Error, 1_000_000);
/// let now_unix_ns = 1_800_000_000_000_000_000;
/// let text = SloState::encode(&[tracker.state(now_unix_ns)]);
///
/// let after_restart = SloTracker::new("payments", slo);
/// after_restart.restore(&SloState::decode(&text)?[0])?;
/// assert_eq!(after_restart.status(now_unix_ns).totals.failed, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SloState {
    subject: Name,
    slo: Name,
    latency_threshold_ns: Option<u64>,
    window_ns: u64,
    as_of_unix_ns: u64,
    elapsed_ns: u64,
    rings: [Vec<Bucket>; RINGS],
}

/// A bucket that holds anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    /// How many came after.
    age: usize,
    counts: Counts,
}

/// Why a state cannot be read or restored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SloStateError {
    /// It was written by a version of the program that writes it otherwise.
    #[error("SLO state has version {given}, accepted is version {}", SloState::VERSION)]
    Version {
        /// The version it says, clipped.
        given: String,
    },
    /// It is not a state, or was damaged.
    #[error("SLO state, line {line}: {problem}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// It reads well and is not what was written.
    #[error("SLO state is damaged: its checksum is {computed:016x}, expected {written:016x}")]
    Checksum {
        /// What the text adds up to.
        computed: u64,
        /// What it says.
        written: u64,
    },
    /// The state is not of this objective.
    #[error("state of SLO `{slo}`: `{what}` is {saved}, accepted is {configured}, as configured")]
    Mismatch {
        /// The objective.
        slo: Name,
        /// What differs.
        what: &'static str,
        /// As it was when the state was saved.
        saved: String,
        /// As it is.
        configured: String,
    },
    /// A tracker takes one state; two would be counted twice.
    #[error("SLO `{slo}`: a state was restored before, accepted is one")]
    AlreadyRestored {
        /// The objective.
        slo: Name,
    },
}

/// Where states are kept between two lives of a process.
pub trait SloStateStore: Send + Sync + 'static {
    /// What was saved last; nothing when nothing ever was.
    ///
    /// # Errors
    /// It cannot be read. Counting starts anew then.
    fn load(&self) -> Result<Vec<SloState>, SloStoreError>;

    /// Keeps these states instead of those that were saved before: all of them, or as before on
    /// failure.
    ///
    /// # Errors
    /// They cannot be kept.
    fn save(&self, states: &[SloState]) -> Result<(), SloStoreError>;
}

/// Why states could not be loaded or saved.
#[derive(Debug)]
pub struct SloStoreError(Box<dyn Error + Send + Sync>);

impl SloStoreError {
    /// Wraps any error or message.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for SloStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SLO state store failed: {}", self.0)
    }
}

impl Error for SloStoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl SloState {
    /// The version of the text.
    pub const VERSION: u32 = 1;

    /// The primitive or workflow.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The objective's name.
    #[must_use]
    pub fn slo(&self) -> &Name {
        &self.slo
    }

    /// When it was taken, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn as_of_unix_ns(&self) -> u64 {
        self.as_of_unix_ns
    }

    /// States as text, in lines.
    #[must_use]
    pub fn encode(states: &[SloState]) -> String {
        text::encode(states)
    }

    /// States from text.
    ///
    /// # Errors
    /// Another version, a line that is not as expected, or a checksum that does not fit.
    pub fn decode(text: &str) -> Result<Vec<SloState>, SloStateError> {
        text::decode(text)
    }

    pub(super) fn of(subject: &Name, slo: &Slo, timeline: &Timeline) -> Self {
        let buckets = |ring: &super::ring::Ring| ring.filled().map(|(age, counts)| Bucket { age, counts }).collect();
        Self {
            subject: subject.clone(),
            slo: slo.name().clone(),
            latency_threshold_ns: slo.latency_threshold_ns(),
            window_ns: slo.window_ns(),
            as_of_unix_ns: timeline.wall_unix_ns(),
            elapsed_ns: timeline.elapsed_ns(),
            rings: timeline.rings().each_ref().map(buckets),
        }
    }

    /// The timeline as it was, if the state is of this objective.
    pub(super) fn timeline(&self, subject: &Name, slo: &Slo) -> Result<Timeline, SloStateError> {
        let nanos = |nanos: u64| format!("{:?}", Duration::from_nanos(nanos));
        let threshold = |given: Option<u64>| given.map_or("none".to_owned(), nanos);
        let same = |what, saved: String, configured: String| {
            if saved == configured {
                return Ok(());
            }
            Err(SloStateError::Mismatch { slo: slo.name().clone(), what, saved, configured })
        };
        same("name", self.slo.to_string(), slo.name().to_string())?;
        same("subject", self.subject.to_string(), subject.to_string())?;
        same("latency_threshold", threshold(self.latency_threshold_ns), threshold(slo.latency_threshold_ns()))?;
        same("window", nanos(self.window_ns), nanos(slo.window_ns()))?;
        let mut timeline = Timeline::at(slo, self.as_of_unix_ns, self.elapsed_ns);
        for (ring, buckets) in self.rings.iter().enumerate() {
            for bucket in buckets {
                let fits = timeline.add_at(ring, bucket.age, &bucket.counts);
                debug_assert!(fits, "checked when the state was read");
            }
        }
        Ok(timeline)
    }
}

/// How many buckets a ring has.
fn buckets_in(ring: usize) -> usize {
    if ring < BURN_RINGS { BURN_WIDTHS + 1 } else { WINDOW_WIDTHS + 1 }
}
