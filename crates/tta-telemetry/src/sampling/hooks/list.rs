//! Which samplers and processors are for whom, and in which order.

use crate::model::Name;

use super::{IsolatedProcessor, IsolatedSampler};

/// Everything that an engine is given, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct HookList {
    /// Those with a name are for one workflow.
    samplers: Vec<(Option<Name>, IsolatedSampler)>,
    processors: Vec<(Option<Name>, IsolatedProcessor)>,
}

/// What is asked about the runs of one workflow, in order: what is its own, then what is for all.
#[derive(Clone, Debug, Default)]
pub(crate) struct HookSet {
    pub(crate) samplers: Vec<IsolatedSampler>,
    pub(crate) processors: Vec<IsolatedProcessor>,
}

impl HookList {
    /// Samplers and processors of one engine, at most.
    pub(crate) const MOST: usize = 64;

    pub(crate) fn add_sampler(&mut self, workflow: Option<Name>, sampler: IsolatedSampler) {
        self.samplers.push((workflow, sampler));
    }

    pub(crate) fn add_processor(&mut self, workflow: Option<Name>, processor: IsolatedProcessor) {
        self.processors.push((workflow, processor));
    }

    pub(crate) fn len(&self) -> usize {
        self.samplers.len() + self.processors.len()
    }

    pub(crate) fn has_samplers(&self) -> bool {
        !self.samplers.is_empty()
    }

    pub(crate) fn samplers(&self) -> impl Iterator<Item = &IsolatedSampler> {
        self.samplers.iter().map(|(_, sampler)| sampler)
    }

    pub(crate) fn processors(&self) -> impl Iterator<Item = &IsolatedProcessor> {
        self.processors.iter().map(|(_, processor)| processor)
    }

    /// The workflows that have something of their own, each once.
    pub(crate) fn workflows(&self) -> Vec<Name> {
        let samplers = self.samplers.iter().filter_map(|(workflow, _)| workflow.clone());
        let mut names: Vec<_> =
            samplers.chain(self.processors.iter().filter_map(|(workflow, _)| workflow.clone())).collect();
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        names
    }

    /// What is for a workflow; `None` is one that has nothing of its own.
    pub(crate) fn of(&self, workflow: Option<&Name>) -> HookSet {
        HookSet { samplers: ordered(&self.samplers, workflow), processors: ordered(&self.processors, workflow) }
    }
}

fn ordered<T: Clone>(hooks: &[(Option<Name>, T)], workflow: Option<&Name>) -> Vec<T> {
    let of = |wanted: Option<&Name>| {
        let is_wanted = |of: &Option<Name>| of.as_ref() == wanted;
        hooks.iter().filter(move |(of, _)| is_wanted(of)).map(|(_, hook)| hook.clone()).collect::<Vec<_>>()
    };
    let mut all = if workflow.is_some() { of(workflow) } else { Vec::new() };
    all.extend(of(None));
    all
}
