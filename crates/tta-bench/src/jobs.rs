//! Everything that can be measured, by name. A job is a case together with who runs it.

use crate::case::SpanCase;
use crate::decisions::DECISIONS;
use crate::library_spans::LIBRARY_SPANS;
use crate::measurement::{Measurement, Plan};
use crate::metrics::{COUNTERS, HISTOGRAMS};
use crate::peers::{IMPLEMENTATIONS, Implementation};
use crate::policies::POLICIES;
use crate::propagation::PROPAGATION;
use crate::row::{Family, Row};
use crate::steps::STEPS;

/// The tables besides those of the span comparison, in the order of the report.
pub(crate) const FAMILIES: &[&Family] =
    &[&LIBRARY_SPANS, &PROPAGATION, &STEPS, &POLICIES, &DECISIONS, &COUNTERS, &HISTOGRAMS];

/// One thing that can be measured in a process of its own.
#[derive(Clone, Copy)]
pub(crate) enum Job {
    Span(SpanCase, &'static Implementation),
    Row(&'static Family, &'static Row),
}

impl Job {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Span(case, implementation) => format!("spans/{case}/{}", implementation.name),
            Self::Row(family, row) => format!("{}/{}", family.name, row.name),
        }
    }

    /// Whether the case runs in the build without the recorder.
    pub(crate) fn is_compiled_out(&self) -> bool {
        matches!(self, Self::Row(_, row) if row.compiled_out)
    }

    pub(crate) fn run(&self, plan: &Plan) -> anyhow::Result<Measurement> {
        match self {
            Self::Span(case, implementation) => (implementation.run)(case, plan),
            Self::Row(_, row) => (row.run)(plan),
        }
    }
}

/// Jobs that are compared with each other, and therefore take turns: one group for each cell of the
/// span comparison, then one for each family.
pub(crate) fn groups() -> Vec<Vec<Job>> {
    let spans = SpanCase::all().map(|case| {
        let taking_part = IMPLEMENTATIONS.iter().filter(|implementation| implementation.shapes.contains(&case.shape));
        taking_part.map(|implementation| Job::Span(case, implementation)).collect()
    });
    let families = FAMILIES.iter().map(|family| family.rows.iter().map(|row| Job::Row(family, row)).collect());
    spans.chain(families).collect()
}

pub(crate) fn find(name: &str) -> anyhow::Result<Job> {
    let job = groups().into_iter().flatten().find(|job| job.name() == name);
    job.ok_or_else(|| anyhow::anyhow!("case `{name}` is not known"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back_to_their_job() {
        let mut names: Vec<_> = groups().into_iter().flatten().map(|job| job.name()).collect();
        for name in &names {
            assert_eq!(&find(name).unwrap().name(), name);
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
