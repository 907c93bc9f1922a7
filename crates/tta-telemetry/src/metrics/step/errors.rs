//! How often executions failed with which kind of error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::model::Name;

/// Kinds that are told apart.
const MOST: usize = 64;
/// Bytes of a kind that are kept.
const MAX_KIND_BYTES: usize = 128;

/// Counts by kind. Kinds are few and words of the program, so a list is searched: tens of
/// nanoseconds, beside which an error costs far more.
#[derive(Debug, Default)]
pub(super) struct ErrorCounts(RwLock<Vec<(Name, AtomicU64)>>);

impl ErrorCounts {
    #[cold]
    pub(super) fn count(&self, kind: &str) {
        let kind = if kind.len() > MAX_KIND_BYTES { "other" } else { kind };
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, count)) = known.iter().find(|(known, _)| known == kind) {
                count.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let kind = if known.len() < MOST { kind } else { "other" };
        match known.iter().find(|(known, _)| known == kind) {
            Some((_, count)) => {
                count.fetch_add(1, Ordering::Relaxed);
            }
            None => known.push((Name::from(kind.to_owned()), AtomicU64::new(1))),
        }
    }

    /// In the order in which they first came.
    pub(super) fn read(&self) -> Vec<(Name, u64)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(kind, count)| (kind.clone(), count.load(Ordering::Relaxed))).collect()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let text: usize = known.iter().map(|(kind, _)| kind.len() + 2 * size_of::<usize>()).sum();
        known.capacity() * size_of::<(Name, AtomicU64)>() + text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_apart_and_bounded_whatever_arrives() {
        let errors = ErrorCounts::default();
        for round in 0..10_000 {
            errors.count("timeout");
            errors.count(&format!("kind {round}"));
            errors.count(&"long".repeat(1_000));
        }
        let read = errors.read();
        assert!(read.len() <= MOST + 1, "{}", read.len());
        assert_eq!(read[0], ("timeout".into(), 10_000));
        assert_eq!(read.iter().map(|(_, count)| count).sum::<u64>(), 30_000);
        assert!(errors.heap_bytes() < 16_384);
    }
}
