//! One kept trace for each bucket of a step's durations.

use std::sync::{Mutex, PoisonError};

use crate::metrics::bounds::Bounds;
use crate::metrics::sample::Exemplar;

/// Written when a kept trace is decoded, in the background; never by who runs a step.
#[derive(Debug)]
pub(crate) struct Exemplars {
    buckets: usize,
    latest: Mutex<Vec<Option<Exemplar>>>,
}

impl Exemplars {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self { buckets: bounds.limits().len() + 1, latest: Mutex::default() }
    }

    /// Replaces the bucket's, unless that is of a later time: a run that ends late has executions that
    /// ended long before, and who stores exemplars takes none that is older than what it has.
    pub(super) fn note(&self, bucket: usize, exemplar: Exemplar) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.is_empty() {
            latest.resize(self.buckets, None);
        }
        if let Some(place) = latest.get_mut(bucket)
            && place.is_none_or(|known| known.unix_ns <= exemplar.unix_ns)
        {
            *place = Some(exemplar);
        }
    }

    /// Of each bucket; empty when there is none at all.
    pub(super) fn read(&self) -> Vec<Option<Exemplar>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).capacity() * size_of::<Option<Exemplar>>()
    }
}
