//! A program's own samplers and processors at work.
//!
//! Owns when they are asked, what is counted of it, and that what they do inside does not come back
//! to them. Does not own their panics, which stay in `sampling::hooks`.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use super::core::CounterCells;
use super::live::LiveTrace;
use crate::health::{Health, HealthComponent};
use crate::limits::Limits;
use crate::model::{Name, Trace};
use crate::sampling::{
    FinishedRun, FinishedTrace, HookList, HookSet, IsolatedSampler, Panicked, Rate, RemoteParent, RuleOutcome,
    RunStart, TraceEdit,
};

/// Who decided, in decisions that a program's sampler made or whose rate it set.
pub(crate) const SAMPLER: &str = "custom";

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a hook. What would ask hooks again, or wait for who called them, is not
/// done then: a sampler that starts runs would be asked about them without end.
pub(crate) fn is_inside() -> bool {
    INSIDE.try_with(Cell::get).unwrap_or(false)
}

/// Inside a hook until it is dropped; holds whether the thread was before.
struct Inside(bool);

impl Inside {
    fn enter() -> Self {
        Self(INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(false))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.set(self.0));
    }
}

/// What hooks have to know of a run until its trace is gone.
#[derive(Clone, Debug)]
pub(crate) struct HookedRun {
    pub(crate) workflow: Name,
    /// Which hooks it has.
    place: usize,
    /// What a sampler said at its start.
    pub(crate) rate: Option<Rate>,
}

/// The hooks of one engine.
#[derive(Debug)]
pub(crate) struct Hooks {
    all: HookList,
    /// Places of workflows that have hooks of their own.
    places: HashMap<Name, usize>,
    /// The first is for all other workflows.
    sets: Vec<HookSet>,
}

impl Hooks {
    /// `None` when there are no hooks.
    pub(crate) fn new(all: HookList) -> Option<Self> {
        if all.len() == 0 {
            return None;
        }
        let workflows = all.workflows();
        let sets = std::iter::once(None).chain(workflows.iter().map(Some)).map(|workflow| all.of(workflow)).collect();
        let places = workflows.into_iter().zip(1..).collect();
        Some(Self { all, places, sets })
    }

    /// What has to be known of a run that starts. Its samplers are asked when `asks` says so and nobody
    /// has decided yet.
    pub(crate) fn begin(&self, workflow: &Name, start: &RunStart<'_>, asks: bool, cells: &CounterCells) -> HookedRun {
        let place = if self.places.is_empty() { 0 } else { self.places.get(workflow).copied().unwrap_or(0) };
        let is_open = !start.forced && start.remote.parent == RemoteParent::None;
        let samplers = self.sets.get(place).filter(|_| asks && is_open).map_or(&[][..], |set| &set.samplers);
        let rate = first(samplers, cells, |sampler| sampler.try_head(workflow, start));
        HookedRun { workflow: workflow.clone(), place, rate }
    }

    /// Whether anybody has to be asked when such a run has ended.
    pub(super) fn samples(&self, run: &HookedRun) -> bool {
        self.sets.get(run.place).is_some_and(|set| !set.samplers.is_empty())
    }

    /// What the first sampler that has something to say says about a trace.
    pub(super) fn tail(
        &self,
        run: &HookedRun,
        finished: &FinishedTrace,
        trace: &Trace,
        cells: &CounterCells,
    ) -> RuleOutcome {
        let seen = FinishedRun {
            workflow: &run.workflow,
            class: finished.class,
            duration_ms: finished.duration_ms,
            spans: trace.spans.len(),
            attributes: trace.root().map_or(&[], |root| &root.attributes),
        };
        let samplers = self.sets.get(run.place).map_or(&[][..], |set| &set.samplers);
        let ask = |sampler: &IsolatedSampler| {
            sampler.try_tail(&seen).map(|outcome| Some(outcome).filter(|outcome| *outcome != RuleOutcome::None))
        };
        first(samplers, cells, ask).unwrap_or_default()
    }

    /// Lets every processor of a workflow look at a trace, or edit it.
    pub(super) fn process(&self, run: Option<&HookedRun>, trace: &mut Trace, limits: &Limits, cells: &CounterCells) {
        let Some(set) = self.sets.get(run.map_or(0, |run| run.place)) else { return };
        for processor in &set.processors {
            let mut edit = TraceEdit::new(trace, limits);
            let inside = Inside::enter();
            if !processor.process(&mut edit) {
                cells.processor_panics.add(1);
            }
            drop(inside);
            if edit.refused() > 0 {
                cells.edits_refused.add(edit.refused());
            }
        }
    }

    /// Samplers that did not even say what their name is.
    pub(crate) fn nameless(&self) -> u64 {
        self.all.samplers().filter(|sampler| sampler.name().is_none()).count() as u64
    }
}

/// What a trace and its hooks have to do with each other.
impl LiveTrace {
    /// What hooks have to know of this run; `None` where there are none.
    #[inline]
    pub(crate) fn hooked(&self) -> Option<HookedRun> {
        if self.core.hooks.is_none() { None } else { self.hooked.lock().clone() }
    }

    /// Comes before [`begin`](Self::begin), so that whoever sees the run sees this.
    pub(crate) fn set_hooked(&self, run: HookedRun) {
        *self.hooked.lock() = Some(run);
    }

    /// The rate that a sampler of the program wants for this run.
    #[inline]
    pub(crate) fn asked_rate(&self) -> Option<Rate> {
        if self.core.hooks.is_none() { None } else { self.hooked.lock().as_ref()?.rate }
    }

    /// Whether samplers of the program have to be asked about this trace.
    #[inline]
    pub(crate) fn has_samplers(&self) -> bool {
        let samples = |hooks: &Arc<Hooks>| self.hooked.lock().as_ref().is_some_and(|run| hooks.samples(run));
        self.core.hooks.as_ref().is_some_and(samples)
    }

    /// What samplers of the program say about this trace.
    pub(crate) fn ask_samplers(&self, finished: &FinishedTrace, trace: &Trace) -> RuleOutcome {
        let (Some(hooks), Some(run)) = (&self.core.hooks, self.hooked()) else { return RuleOutcome::None };
        hooks.tail(&run, finished, trace, &self.core.counters)
    }
}

/// The first answer. One that panicked has said nothing.
fn first<T>(
    samplers: &[IsolatedSampler],
    cells: &CounterCells,
    ask: impl Fn(&IsolatedSampler) -> Result<Option<T>, Panicked>,
) -> Option<T> {
    if samplers.is_empty() {
        return None;
    }
    let _inside = Inside::enter();
    samplers.iter().find_map(|sampler| {
        ask(sampler).unwrap_or_else(|Panicked| {
            cells.sampler_panics.add(1);
            None
        })
    })
}

/// Says which hook panics, not with what message: that could hold what the trace holds.
impl HealthComponent for Hooks {
    fn name(&self) -> Name {
        Name::from_static("hooks")
    }

    fn health(&self) -> Health {
        let samplers = self.all.samplers().filter_map(|sampler| match sampler.name() {
            None => Some("a sampler that panicked when it was asked for its name is not asked".to_owned()),
            Some(name) if sampler.is_failing() => {
                Some(format!("sampler `{name}` panics again and again, {} times so far", sampler.panics()))
            }
            Some(_) => None,
        });
        let processors = self.all.processors().filter(|processor| processor.is_failing()).map(|processor| {
            let name: String = processor.name().chars().take(64).collect();
            format!("processor `{name}` panics again and again, {} times so far", processor.panics())
        });
        let mut failing = samplers.chain(processors);
        match (failing.next(), failing.count()) {
            (None, _) => Health::healthy(),
            (Some(reason), 0) => Health::degraded(reason),
            (Some(reason), more) => Health::degraded(format!("{reason}; and {more} more")),
        }
    }
}
