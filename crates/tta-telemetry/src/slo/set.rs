//! The objectives of one primitive or workflow.

use std::sync::Arc;

use super::config::{Slo, SloError};
use super::state::{SloState, SloStateError};
use super::status::SloStatus;
use super::tracker::SloTracker;
use crate::model::{Name, SpanStatus};

/// Objectives of one subject: each costs its few nanoseconds per request.
const MOST: usize = 8;

/// Up to 8 objectives of one primitive or workflow, counted together.
///
/// ```
/// use std::time::Duration;
/// use tta_telemetry::{Slo, SloSet, SpanStatus};
///
/// let slos = SloSet::new("payments")
///     .with(Slo::named("available").target(0.999).build()?)?
///     .with(Slo::named("quick").target(0.95).latency_threshold(Duration::from_millis(300)).build()?)?;
/// slos.record(SpanStatus::Ok, 400_000_000);
/// let statuses = slos.statuses(1_800_000_000_000_000_000);
/// assert_eq!((statuses[0].compliance, statuses[1].compliance), (1.0, 0.0));
/// # Ok::<(), tta_telemetry::SloError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SloSet {
    subject: Name,
    trackers: Vec<Arc<SloTracker>>,
}

impl SloSet {
    /// None yet.
    #[must_use]
    pub fn new(subject: impl Into<Name>) -> Self {
        Self { subject: subject.into(), trackers: Vec::new() }
    }

    /// The same with one more. Clones made before share the trackers they have, and go without it.
    ///
    /// # Errors
    /// There is one of that name, or there are 8.
    pub fn with(mut self, slo: Slo) -> Result<Self, SloError> {
        let known = self.tracker(slo.name()).is_some();
        SloError::check(slo.name(), "name", slo.name().as_str(), "a name that no other has", !known)?;
        self.check_room(&slo)?;
        self.trackers.push(Arc::new(SloTracker::new(self.subject.clone(), slo)));
        Ok(self)
    }

    /// The same with one more, or with this one in place of the one of its name: the new set, its
    /// tracker, and the state of the one that it replaces.
    pub(crate) fn replacing(
        mut self,
        slo: Slo,
        now_unix_ns: u64,
    ) -> Result<(Self, Arc<SloTracker>, Option<SloState>), SloError> {
        let known = self.trackers.iter().position(|tracker| tracker.slo().name() == slo.name());
        let tracker = Arc::new(SloTracker::new(self.subject.clone(), slo));
        let Some(place) = known.and_then(|place| self.trackers.get_mut(place)) else {
            self.check_room(tracker.slo())?;
            self.trackers.push(Arc::clone(&tracker));
            return Ok((self, tracker, None));
        };
        let state = place.state(now_unix_ns);
        *place = Arc::clone(&tracker);
        Ok((self, tracker, Some(state)))
    }

    /// The same without the one of this name.
    pub(crate) fn without(&self, name: &str) -> Self {
        let others = self.trackers.iter().filter(|tracker| tracker.slo().name() != name);
        Self { subject: self.subject.clone(), trackers: others.cloned().collect() }
    }

    fn check_room(&self, slo: &Slo) -> Result<(), SloError> {
        SloError::check(slo.name(), "objectives", self.trackers.len() + 1, "at most 8", self.trackers.len() < MOST)
    }

    /// Counts one request against each objective.
    #[inline]
    pub fn record(&self, outcome: SpanStatus, duration_ns: u64) {
        self.trackers.iter().for_each(|tracker| tracker.record(outcome, duration_ns));
    }

    /// [`SloTracker::advance`] of each.
    pub fn advance(&self, now_unix_ns: u64) {
        self.trackers.iter().for_each(|tracker| tracker.advance(now_unix_ns));
    }

    /// [`SloTracker::status`] of each, in the order in which they were added.
    #[must_use]
    pub fn statuses(&self, now_unix_ns: u64) -> Vec<SloStatus> {
        self.trackers.iter().map(|tracker| tracker.status(now_unix_ns)).collect()
    }

    /// [`SloTracker::state`] of each.
    #[must_use]
    pub fn states(&self, now_unix_ns: u64) -> Vec<SloState> {
        self.trackers.iter().map(|tracker| tracker.state(now_unix_ns)).collect()
    }

    /// Gives each objective its own state, by subject and name; states of others are left alone.
    /// What was refused, while the others are restored.
    pub fn restore(&self, states: &[SloState]) -> Vec<SloStateError> {
        let own = |state: &&SloState| *state.subject() == self.subject;
        let restored = states.iter().filter(own).filter_map(|state| Some(self.tracker(state.slo())?.restore(state)));
        restored.filter_map(Result::err).collect()
    }

    /// The objective of this name.
    #[must_use]
    pub fn tracker(&self, name: &str) -> Option<&Arc<SloTracker>> {
        self.trackers.iter().find(|tracker| tracker.slo().name() == name)
    }

    /// All, in the order in which they were added.
    #[must_use]
    pub fn trackers(&self) -> &[Arc<SloTracker>] {
        &self.trackers
    }
}
