//! The objectives of one engine, by the name of the primitive or workflow.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::config::{Slo, SloError};
use super::set::SloSet;
use super::state::{SloState, SloStateStore};
use super::status::SloStatus;
use super::tracker::SloTracker;
use crate::health::{Health, HealthComponent};
use crate::metrics::StepInstruments;
use crate::model::Name;

/// Names with objectives; each objective takes 25 KiB.
const MOST_NAMES: usize = 256;
/// How often states are saved.
const SAVE_INTERVAL_NS: u64 = 60_000_000_000;

/// By the name of the primitive or workflow.
type Sets = BTreeMap<Name, Arc<SloSet>>;

/// Objectives, the states they start from, and where their states are kept.
#[derive(Default)]
pub(crate) struct SloRegistry {
    sets: Mutex<Sets>,
    store: Option<Box<dyn SloStateStore>>,
    /// What was loaded, for objectives that are configured later.
    loaded: Vec<SloState>,
    saved_at_unix_ns: AtomicU64,
    trouble: Mutex<Trouble>,
}

/// What went wrong with states, and when something last went well.
#[derive(Default)]
struct Trouble {
    load: Option<String>,
    refused: Option<String>,
    save: Option<String>,
    last_success_unix_ns: Option<u64>,
}

impl SloRegistry {
    /// Loads what was saved. A store that cannot be read is told of in the health report, and
    /// counting starts anew.
    pub(crate) fn new(store: Option<Box<dyn SloStateStore>>) -> Self {
        let mut registry = Self { store, ..Self::default() };
        match registry.store.as_ref().map(|store| store.load()) {
            Some(Ok(states)) => registry.loaded = states,
            Some(Err(error)) => registry.trouble_mut().load = Some(error.to_string()),
            None => {}
        }
        registry
    }

    fn trouble_mut(&mut self) -> &mut Trouble {
        self.trouble.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an objective to a name, or replaces the one that is called the same, which keeps what
    /// was counted if it is judged by the same threshold and window. `steps` are those of a name.
    pub(crate) fn configure(
        &self,
        subject: &Name,
        slo: Slo,
        now_unix_ns: u64,
        steps: impl Fn(&Name) -> Vec<Arc<StepInstruments>>,
    ) -> Result<Arc<SloTracker>, SloError> {
        let mut sets = self.lock();
        let mut new = sets.clone();
        let tracker = self.set(&mut new, subject, slo, now_unix_ns)?;
        exchange(&mut sets, new, steps);
        Ok(tracker)
    }

    /// Takes objectives away, by primitive and name, and sets those that are new or differ. When one
    /// of them is one too many, nothing is changed.
    pub(crate) fn reconfigure(
        &self,
        gone: &[(Name, Name)],
        wanted: Vec<(Name, Slo)>,
        now_unix_ns: u64,
        steps: impl Fn(&Name) -> Vec<Arc<StepInstruments>>,
    ) -> Result<(), SloError> {
        let mut sets = self.lock();
        let mut new = sets.clone();
        for (subject, name) in gone {
            let Some(rest) = new.get(subject).map(|set| set.without(name)) else { continue };
            match rest.trackers().is_empty() {
                true => new.remove(subject),
                false => new.insert(subject.clone(), Arc::new(rest)),
            };
        }
        for (subject, slo) in wanted {
            let known = new.get(&subject).and_then(|set| set.tracker(slo.name()));
            // One that is replaced forgets whom to call back.
            if known.is_none_or(|tracker| *tracker.slo() != slo) {
                self.set(&mut new, &subject, slo, now_unix_ns)?;
            }
        }
        exchange(&mut sets, new, steps);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Sets> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, sets: &mut Sets, subject: &Name, slo: Slo, now_unix_ns: u64) -> Result<Arc<SloTracker>, SloError> {
        let room = sets.len() < MOST_NAMES || sets.contains_key(subject);
        SloError::check(slo.name(), "primitives with objectives", sets.len() + 1, "at most 256", room)?;
        let known = sets.get(subject).map_or_else(|| SloSet::new(subject.clone()), |set| SloSet::clone(set));
        let name = slo.name().clone();
        let (set, tracker, state) = known.replacing(slo, now_unix_ns)?;
        let earlier = || self.loaded.iter().find(|state| state.subject() == subject && *state.slo() == name);
        if let Some(Err(error)) = state.as_ref().or_else(earlier).map(|state| tracker.restore(state)) {
            self.trouble.lock().unwrap_or_else(PoisonError::into_inner).refused = Some(error.to_string());
        }
        sets.insert(subject.clone(), Arc::new(set));
        Ok(tracker)
    }

    /// Gives a step that was just met the objectives of its name.
    pub(crate) fn attach(&self, name: &str, step: &StepInstruments) {
        let sets = self.lock();
        if let Some(set) = sets.get(name) {
            step.set_slos(Some(Arc::clone(set)));
        }
    }

    fn all(&self) -> Vec<Arc<SloSet>> {
        self.lock().values().cloned().collect()
    }

    pub(crate) fn tracker(&self, subject: &str, slo: &str) -> Option<Arc<SloTracker>> {
        let sets = self.lock();
        sets.get(subject).and_then(|set| set.tracker(slo)).cloned()
    }

    pub(crate) fn statuses(&self, subject: &str, now_unix_ns: u64) -> Vec<SloStatus> {
        let set = self.lock().get(subject).cloned();
        set.map(|set| set.statuses(now_unix_ns)).unwrap_or_default()
    }

    /// Of every name.
    pub(crate) fn all_statuses(&self, now_unix_ns: u64) -> Vec<SloStatus> {
        self.all().iter().flat_map(|set| set.statuses(now_unix_ns)).collect()
    }

    /// Lets time pass for every objective, and saves states now and then.
    pub(crate) fn advance(&self, now_unix_ns: u64) {
        self.all().iter().for_each(|set| set.advance(now_unix_ns));
        let saved = self.saved_at_unix_ns.load(Ordering::Relaxed);
        // The first round only starts the interval: what was loaded is saved already.
        if saved == 0 {
            self.saved_at_unix_ns.store(now_unix_ns.max(1), Ordering::Relaxed);
        } else if now_unix_ns.abs_diff(saved) >= SAVE_INTERVAL_NS {
            self.save(now_unix_ns);
        }
    }

    /// Saves the states of all objectives; and, unchanged, those loaded for names that have not been
    /// configured yet.
    pub(crate) fn save(&self, now_unix_ns: u64) {
        let Some(store) = &self.store else { return };
        self.saved_at_unix_ns.store(now_unix_ns.max(1), Ordering::Relaxed);
        let mut states: Vec<SloState> = self.all().iter().flat_map(|set| set.states(now_unix_ns)).collect();
        let known = states.len();
        for loaded in &self.loaded {
            let is_known = |state: &SloState| state.subject() == loaded.subject() && state.slo() == loaded.slo();
            if !states.iter().take(known).any(is_known) {
                states.push(loaded.clone());
            }
        }
        if states.is_empty() {
            return;
        }
        let saved = store.save(&states);
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match saved {
            Ok(()) => {
                trouble.save = None;
                trouble.last_success_unix_ns = Some(now_unix_ns);
            }
            Err(error) => trouble.save = Some(error.to_string()),
        }
    }

    pub(crate) fn has_store(&self) -> bool {
        self.store.is_some()
    }
}

/// Puts new sets in the place of the old, and tells the steps of those that changed. Still under the
/// lock: whoever attaches a new step meanwhile waits, and finds the new ones.
fn exchange(sets: &mut Sets, new: Sets, steps: impl Fn(&Name) -> Vec<Arc<StepInstruments>>) {
    let old = std::mem::replace(sets, new);
    let gone = old.keys().filter(|subject| !sets.contains_key(*subject)).map(|subject| (subject, None));
    let is_same = |subject: &Name, set: &Arc<SloSet>| old.get(subject).is_some_and(|known| Arc::ptr_eq(known, set));
    let set = sets.iter().filter(|(subject, set)| !is_same(subject, set)).map(|(subject, set)| (subject, Some(set)));
    for (subject, set) in gone.chain(set) {
        steps(subject).iter().for_each(|step| step.set_slos(set.cloned()));
    }
}

impl HealthComponent for SloRegistry {
    fn name(&self) -> Name {
        Name::from_static("slo_state")
    }

    /// Degraded while states cannot be saved; what could not be loaded or restored is told, and
    /// mended by the next save.
    fn health(&self) -> Health {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let health = match (&trouble.save, &trouble.load, &trouble.refused) {
            (Some(error), ..) | (None, Some(error), _)
                if trouble.save.is_some() || trouble.last_success_unix_ns.is_none() =>
            {
                Health::degraded(error.clone())
            }
            (_, _, Some(error)) => Health { reason: Some(error.clone()), ..Health::healthy() },
            _ => Health::healthy(),
        };
        health.last_success(trouble.last_success_unix_ns)
    }
}

impl std::fmt::Debug for SloRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SloRegistry").field("has_store", &self.has_store()).finish_non_exhaustive()
    }
}
