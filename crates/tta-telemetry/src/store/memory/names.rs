//! Services and what they do, counted, so that what is evicted is no longer told of.

use std::collections::HashMap;

use super::super::Operation;
use super::super::stored::service_of;
use crate::model::{Name, Trace};

/// What a name takes beside its text: keys, counts, and room in tables.
const NAME_BYTES: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Names {
    services: HashMap<Name, Operations>,
    bytes: usize,
}

/// Kinds with how many spans have them, by name.
type Operations = HashMap<Name, Vec<(Name, u64)>>;

impl Names {
    pub(super) fn add(&mut self, part: &Trace, own_service: &Name) {
        for span in &part.spans {
            let service = service_of(span, own_service);
            if !self.services.contains_key(service.as_str()) {
                self.bytes += NAME_BYTES + service.len();
                self.services.insert(service.clone(), Operations::new());
            }
            let Some(operations) = self.services.get_mut(service.as_str()) else { continue };
            if !operations.contains_key(span.name.as_str()) {
                self.bytes += NAME_BYTES + span.name.len();
                operations.insert(span.name.clone(), Vec::new());
            }
            let Some(kinds) = operations.get_mut(span.name.as_str()) else { continue };
            match kinds.iter_mut().find(|(kind, _)| *kind == span.kind) {
                Some((_, count)) => *count += 1,
                None => {
                    self.bytes += NAME_BYTES;
                    kinds.push((span.kind.clone(), 1));
                }
            }
        }
    }

    pub(super) fn remove(&mut self, part: &Trace, own_service: &Name) {
        for span in &part.spans {
            let service = service_of(span, own_service).as_str();
            let Some(operations) = self.services.get_mut(service) else { continue };
            let Some(kinds) = operations.get_mut(span.name.as_str()) else { continue };
            if let Some(place) = kinds.iter().position(|(kind, _)| *kind == span.kind)
                && let Some((_, count)) = kinds.get_mut(place)
            {
                *count -= 1;
                if *count == 0 {
                    kinds.swap_remove(place);
                    self.bytes -= NAME_BYTES;
                }
            }
            if kinds.is_empty() {
                operations.remove(span.name.as_str());
                self.bytes -= NAME_BYTES + span.name.len();
            }
            if operations.is_empty() {
                self.services.remove(service);
                self.bytes -= NAME_BYTES + service.len();
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn services(&self) -> Vec<Name> {
        let mut services: Vec<Name> = self.services.keys().cloned().collect();
        services.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        services
    }

    pub(super) fn operations(&self, service: &str) -> Vec<Operation> {
        let operation = |name: &Name, kind: &Name| Operation { name: name.to_string(), kind: kind.to_string() };
        let of = |(name, kinds): (&Name, &Vec<(Name, u64)>)| {
            kinds.iter().map(|(kind, _)| operation(name, kind)).collect::<Vec<_>>()
        };
        let mut all: Vec<Operation> = self.services.get(service).into_iter().flatten().flat_map(of).collect();
        all.sort();
        all
    }
}
