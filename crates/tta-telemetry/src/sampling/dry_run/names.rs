//! Names that the policy has and no trace, and which were probably meant.

use std::collections::BTreeSet;

use super::report::UnknownName;
use crate::model::{Name, Trace};
use crate::rules::nearest;

/// Names of either sort that are remembered, to find the nearest.
const MOST_NAMES: usize = 1_000;
/// Longer ones are no misspelt names.
const MOST_NAME_BYTES: usize = 200;

#[derive(Debug)]
pub(super) struct Names {
    attributes: Wanted,
    workflows: Wanted,
}

#[derive(Debug)]
struct Wanted {
    /// Not met yet.
    missing: BTreeSet<String>,
    met: BTreeSet<Name>,
}

impl Names {
    pub(super) fn new<'n>(
        attributes: impl IntoIterator<Item = &'n str>,
        workflows: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        Self { attributes: Wanted::new(attributes), workflows: Wanted::new(workflows) }
    }

    pub(super) fn see(&mut self, trace: &Trace) {
        if !self.attributes.missing.is_empty() {
            let keys = trace.spans.iter().flat_map(|span| &span.attributes);
            keys.for_each(|attribute| self.attributes.see(&attribute.key));
        }
        if let Some(root) = trace.root() {
            self.workflows.see(&root.name);
        }
    }

    /// That no span had.
    pub(super) fn attributes(&self) -> Vec<UnknownName> {
        self.attributes.unknown()
    }

    /// That no root had.
    pub(super) fn workflows(&self) -> Vec<UnknownName> {
        self.workflows.unknown()
    }
}

impl Wanted {
    fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self { missing: names.into_iter().map(str::to_owned).collect(), met: BTreeSet::new() }
    }

    fn see(&mut self, name: &Name) {
        if self.missing.is_empty() || self.met.contains(name) {
            return;
        }
        self.missing.remove(name.as_str());
        if self.met.len() < MOST_NAMES && name.len() <= MOST_NAME_BYTES {
            self.met.insert(name.clone());
        }
    }

    fn unknown(&self) -> Vec<UnknownName> {
        let met: Vec<&str> = self.met.iter().map(Name::as_str).collect();
        let unknown =
            |name: &String| UnknownName { name: name.clone(), nearest: nearest(name, &met).map(str::to_owned) };
        self.missing.iter().map(unknown).collect()
    }
}
