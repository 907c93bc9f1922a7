//! How a primitive says what it decided: once, in one place.
//!
//! From one call derive the exact count (before any sampling), the attributes of the step's span,
//! and what observers such as logs are told.

use std::marker::PhantomData;

use tta_telemetry::{Decision, DecisionCells, DecisionKey, Name, Severity, ValueRef};

use crate::context::Context;
use crate::per_engine::PerEngine;

/// What a family of primitives can decide. Made by [`outcomes!`].
pub(crate) trait Outcome: Copy + 'static {
    /// What decides, in lower case: `circuit`.
    const FAMILY: &'static str;
    /// The attribute that holds the outcome: `circuit.decision`.
    const ATTRIBUTE: &'static str;
    /// The stable words, by index.
    const NAMES: &'static [&'static str];

    fn index(self) -> usize;

    fn severity(self) -> Severity;

    fn as_str(self) -> &'static str {
        Self::NAMES.get(self.index()).copied().unwrap_or_default()
    }
}

/// Declares the outcomes of a family, each with its stable word and its severity:
/// `outcomes! { enum Verdict in "circuit" as "circuit.decision" { Rejected = "rejected": Warning } }`.
macro_rules! outcomes {
    (
        $(#[$meta:meta])*
        enum $name:ident in $family:literal as $attribute:literal {
            $($(#[$doc:meta])* $variant:ident = $word:literal : $severity:ident),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$doc])* $variant),+
        }

        impl $crate::decide::Outcome for $name {
            const FAMILY: &'static str = $family;
            const ATTRIBUTE: &'static str = $attribute;
            const NAMES: &'static [&'static str] = &[$($word),+];

            #[inline]
            fn index(self) -> usize {
                self as usize
            }

            #[inline]
            fn severity(self) -> ::tta_telemetry::Severity {
                match self {
                    $($name::$variant => ::tta_telemetry::Severity::$severity),+
                }
            }
        }

        const _: () = assert!(
            <$name as $crate::decide::Outcome>::NAMES.len() <= ::tta_telemetry::MAX_OUTCOMES,
            "too many outcomes in one family"
        );
    };
}

pub(crate) use outcomes;

/// Where one primitive makes decisions of one family.
#[derive(Debug)]
pub(crate) struct Decisions<O> {
    primitive: Name,
    subject: Name,
    cells: PerEngine<DecisionCells>,
    family: PhantomData<fn(O)>,
}

impl<O: Outcome> Decisions<O> {
    /// Decisions at a primitive.
    pub(crate) fn at(primitive: Name) -> Self {
        Self::about(primitive, Name::from_static(""))
    }

    /// Decisions at a primitive about one of the things it chooses among.
    pub(crate) fn about(primitive: Name, subject: Name) -> Self {
        Self { primitive, subject, cells: PerEngine::default(), family: PhantomData }
    }

    /// Counts a decision that needs no words: for what happens in every execution.
    #[inline]
    pub(crate) fn count(&self, outcome: O, cx: &Context) {
        if let Some(cells) = self.cells.get(cx, || self.resolve(cx)).get() {
            cells.count(outcome.index());
        }
    }

    /// Counts a decision, puts it on the current step's span together with what led to it, and
    /// tells the observers, unless it is routine.
    pub(crate) fn record(&self, outcome: O, attributes: &[(&'static str, ValueRef<'_>)], cx: &Context) {
        let cells = self.cells.get(cx, || self.resolve(cx));
        let Some(cells) = cells.get() else { return };
        cells.count(outcome.index());
        let said = (O::ATTRIBUTE, ValueRef::literal(outcome.as_str()));
        cx.annotate(std::iter::once(&said).chain(attributes));
        let severity = outcome.severity();
        if severity > Severity::Routine {
            let decision = Decision::new(cells.key(), outcome.as_str(), severity, attributes);
            cx.telemetry().tell(&decision.within(cx.trace_id(), cx.span_id()));
        }
    }

    #[cold]
    fn resolve(&self, cx: &Context) -> Option<std::sync::Arc<DecisionCells>> {
        let key = DecisionKey {
            workflow: cx.workflow_name().clone(),
            primitive: self.primitive.clone(),
            family: O::FAMILY,
            subject: self.subject.clone(),
        };
        cx.telemetry().decision_cells(&key, O::NAMES)
    }
}
