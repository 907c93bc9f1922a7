//! Any order of making, entering, leaving, polling and closing.

use std::collections::HashMap;

use proptest::prelude::*;
use tracing::{Span, info_span};
use tta_primitives::{Context, Run, traced_fn};
use tta_telemetry::{Limits, SpanId, SpanStatus};

use crate::support::{engine, here};

/// What a thread can do. Spans are named by where they stand in the list of those made so far.
#[derive(Clone, Debug)]
enum Act {
    Make,
    MakeBelow(usize),
    MakeRoot,
    Enter(usize),
    Exit(usize),
    /// Begins a step of a run; ended by `Return`.
    Step(usize),
    Return,
    Close(usize),
    Record(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let at = 0..6_usize;
    let act = prop_oneof![
        4 => Just(Act::Make),
        1 => at.clone().prop_map(Act::MakeBelow),
        1 => Just(Act::MakeRoot),
        6 => at.clone().prop_map(Act::Enter),
        6 => at.clone().prop_map(Act::Exit),
        2 => (0..2_usize).prop_map(Act::Step),
        3 => Just(Act::Return),
        1 => at.clone().prop_map(Act::Close),
        1 => at.prop_map(Act::Record),
    ];
    proptest::collection::vec(act, 0..60)
}

/// What a thread is in, innermost last: steps end in the reverse order of their beginning, library
/// spans in any.
#[derive(Clone, Copy, Debug, PartialEq)]
enum In {
    Step(SpanId),
    Span(usize),
}

/// A span that was made.
struct Made {
    span: Option<Span>,
    /// `None` when it was made outside a run or without a parent.
    id: Option<SpanId>,
}

/// The same facts, kept in the simplest way.
struct Model {
    runs: Vec<Context>,
    made: Vec<Made>,
    thread: Vec<In>,
    /// Of the library spans.
    parents: HashMap<SpanId, SpanId>,
    steps: usize,
}

impl Model {
    /// Where the thread has to be.
    fn place(&self) -> Option<SpanId> {
        match self.thread.last()? {
            In::Step(step) => Some(*step),
            In::Span(span) => self.made[*span].id,
        }
    }

    fn depth(&self) -> usize {
        self.thread.iter().filter(|entered| matches!(entered, In::Step(_))).count()
    }

    fn made(&mut self, span: Span, parent: Option<SpanId>) {
        let id = span.in_scope(here).filter(|id| Some(*id) != self.place());
        assert_eq!(id.is_some(), parent.is_some());
        if let (Some(id), Some(parent)) = (id, parent) {
            assert_eq!(self.parents.insert(id, parent), None, "ids are unique");
        }
        self.made.push(Made { span: Some(span), id });
    }

    /// Plays the acts from `at` on until the step it is in returns; tells where to go on.
    fn play(&mut self, acts: &[Act], mut at: usize) -> usize {
        while let Some(act) = acts.get(at) {
            at += 1;
            match act {
                Act::Step(run) => at = self.step(acts, at, *run),
                Act::Return if self.depth() > 0 => return at,
                Act::Return => {}
                act => self.act(act),
            }
            assert_eq!(here(), self.place(), "after {act:?}, in {:?}", self.thread);
        }
        at
    }

    fn step(&mut self, acts: &[Act], at: usize, run: usize) -> usize {
        if self.depth() >= 4 {
            return at;
        }
        self.steps += 1;
        let cx = self.runs[run].clone();
        let inside = || {
            self.thread.push(In::Step(here().unwrap()));
            let at = self.play(acts, at);
            let step = self.thread.iter().rposition(|entered| matches!(entered, In::Step(_))).unwrap();
            // Of two enterings of one span nobody could tell later which of them is left.
            while let Some(In::Span(span)) =
                self.thread[step..].iter().rev().copied().find(|entered| self.thread[..step].contains(entered))
            {
                self.act(&Act::Exit(span));
            }
            // What else was entered in the step and not left there ends with it.
            self.thread.truncate(step);
            at
        };
        let at = cx.in_scope(|| traced_fn("step", inside));
        // Spans around the step that were left inside it are left as soon as the layer is asked.
        tracing::trace!("look");
        at
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Make => self.made(info_span!("span", rows = tracing::field::Empty), self.place()),
            Act::MakeRoot => self.made(info_span!(parent: None, "span"), None),
            Act::MakeBelow(span) => {
                if let Some(Made { span: Some(parent), id }) = self.made.get(*span) {
                    let (below, expected) = (info_span!(parent: parent, "span"), id.or(self.place()));
                    self.made(below, expected);
                }
            }
            Act::Enter(span) => {
                if let Some(Made { span: Some(entered), id }) = self.made.get(*span) {
                    entered.with_subscriber(|(id, dispatch)| dispatch.enter(id));
                    self.thread.extend(id.map(|_| In::Span(*span)));
                }
            }
            Act::Exit(span) => {
                if let Some(Made { span: Some(entered), .. }) = self.made.get(*span) {
                    entered.with_subscriber(|(id, dispatch)| dispatch.exit(id));
                }
                if let Some(index) = self.thread.iter().rposition(|entered| *entered == In::Span(*span)) {
                    self.thread.remove(index);
                }
            }
            Act::Close(span) => {
                // A span that is entered is not closed: its guard would hold it.
                let is_entered = self.thread.contains(&In::Span(*span));
                if let Some(made) = self.made.get_mut(*span).filter(|_| !is_entered) {
                    made.span = None;
                }
            }
            Act::Record(span) => {
                if let Some(Made { span: Some(span), .. }) = self.made.get(*span) {
                    span.record("rows", 1);
                }
            }
            Act::Step(_) | Act::Return => {}
        }
    }
}

/// Plays the acts in two runs, and compares the traces with what was made.
fn check(acts: &[Act]) {
    let engine = engine();
    let runs: Vec<Run> = (0..2).map(|_| engine.context().start_run("run", "test")).collect();
    let contexts = runs.iter().map(|run| run.context().clone()).collect();
    let mut model = Model { runs: contexts, made: Vec::new(), thread: Vec::new(), parents: HashMap::new(), steps: 0 };
    model.play(acts, 0);
    // All that is still entered is left, the first first.
    while let Some(In::Span(span)) = model.thread.first().copied() {
        model.act(&Act::Exit(span));
        assert_eq!(here(), model.place());
    }
    assert!(Context::current().is_none(), "the thread is in no run");
    let Model { runs: contexts, made, parents, steps, .. } = model;
    drop((contexts, made));
    for run in runs {
        run.end_as(SpanStatus::Ok);
    }
    // A span of another run that was never left still holds on to the context it was entered from.
    engine.clock().advance(2 * Limits::default().decision_wait);
    let traces = engine.traces();
    let spans = || traces.iter().flat_map(|trace| &trace.spans);
    let recorded: HashMap<_, _> = spans()
        .filter(|span| span.kind == "tracing")
        .map(|span| (span.span_id, span.parent_span_id.unwrap()))
        .collect();
    assert_eq!(spans().count(), parents.len() + steps + 2);
    assert_eq!(recorded, parents);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_the_thread_is_where_it_has_to_be_and_every_span_is_recorded_once(acts in acts()) {
        // A thread of its own: what one case leaves behind must not disturb the next.
        let checked = std::thread::scope(|scope| scope.spawn(|| check(&acts)).join());
        prop_assert!(checked.is_ok());
    }
}
