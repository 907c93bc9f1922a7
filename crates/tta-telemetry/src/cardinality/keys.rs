//! The values of one label key.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use md5::{Digest, Md5};

use super::{CardinalityLimits, MAX_TEXT_BYTES};
use crate::model::Name;
use crate::redaction::SharedRedactor;

/// Classes that values beyond the limit fall into when they are hashed: one hex digit.
const CLASSES: usize = 16;

#[derive(Debug)]
pub(super) struct LabelKey {
    name: Name,
    values: RwLock<HashSet<Name>>,
    dropped: AtomicU64,
    /// What stands for values beyond the limit: made once, so that a flood allocates nothing.
    classes: [OnceLock<Name>; CLASSES],
    other: OnceLock<Name>,
}

impl LabelKey {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            values: RwLock::default(),
            dropped: AtomicU64::new(0),
            classes: std::array::from_fn(|_| OnceLock::new()),
            other: OnceLock::new(),
        }
    }

    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    /// The value itself if it is known or there is room, otherwise what stands for it. A secret is
    /// never known: its hash is.
    pub(super) fn limit(&self, value: &str, limits: &CardinalityLimits, redactor: &SharedRedactor) -> Name {
        if let Some(known) = self.values.read().unwrap_or_else(PoisonError::into_inner).get(value) {
            return known.clone();
        }
        match redactor.current().redact_name(&self.name, value) {
            Some(redacted) => self.within(&redacted, limits),
            None => self.within(value, limits),
        }
    }

    fn within(&self, value: &str, limits: &CardinalityLimits) -> Name {
        let has_room = {
            let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = values.get(value) {
                return known.clone();
            }
            values.len() < limits.max_label_values && value.len() <= MAX_TEXT_BYTES
        };
        if has_room {
            let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = values.get(value) {
                return known.clone();
            }
            // Others may have been quicker.
            if values.len() < limits.max_label_values {
                let name = Name::from(value.to_owned());
                values.insert(name.clone());
                return name;
            }
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.substitute(value, limits.hash_high_cardinality)
    }

    fn substitute(&self, value: &str, hash: bool) -> Name {
        if !hash {
            return self.other.get_or_init(|| Name::from(format!("{}_other", self.name))).clone();
        }
        let class = Md5::digest(value.as_bytes()).first().map_or(0, |byte| byte >> 4);
        let name = || Name::from(format!("{}_hash_{class:08x}", self.name));
        self.classes.get(usize::from(class)).map_or_else(name, |known| known.get_or_init(name).clone())
    }

    pub(super) fn known(&self) -> usize {
        self.values.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        // A hash table has a byte of its own beside each place; a shared text has two counts.
        let text = |name: &Name| name.len() + 2 * size_of::<usize>();
        let substitutes = self.classes.iter().chain([&self.other]).filter_map(OnceLock::get);
        let places = values.capacity() * (size_of::<Name>() + 1);
        size_of::<Self>() + places + values.iter().chain(substitutes).map(text).sum::<usize>() + text(&self.name)
    }
}
