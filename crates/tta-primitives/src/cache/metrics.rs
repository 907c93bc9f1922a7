//! What the engine's metrics know of one operation's use of a cache.
//!
//! Hits, misses and errors derive from the decisions. Here are times and money, of one engine and
//! workflow each, and what the cache holds, which is the cache's whoever uses it.

use std::sync::{Arc, PoisonError, Weak};

use tta_telemetry::{
    Charge, CostPlace, Counter, HistogramRecorder, MetricCollector, MetricSource, Name, SavingsSource, StepCost, Usd,
    catalog,
};

use super::shared::Shared;
use crate::context::Context;

/// The category of what caches enter into the cost report.
const CATEGORY: &str = "cache";
/// Operations of one cache that its contents are told under; those of further ones are not.
const MAX_OPERATIONS: usize = 64;

/// An operation's instruments in one engine and workflow.
#[derive(Debug)]
pub(super) struct CacheMetrics {
    answered: HistogramRecorder,
    made: HistogramRecorder,
    /// Where a call that is not made saves something.
    savings: Option<(Counter, Arc<StepCost>, Charge)>,
}

impl CacheMetrics {
    /// `None` in an engine that records nothing.
    #[cold]
    pub(super) fn find(operation: &Name, kind: &str, per_call: Usd, cx: &Context) -> Option<Arc<Self>> {
        let telemetry = cx.telemetry();
        if !telemetry.is_enabled() {
            return None;
        }
        let seconds = |hit| telemetry.built_in_histogram(&catalog::CACHE_LATENCY).with(&[operation, hit]).ok();
        let savings = || {
            let workflow = cx.workflow_name();
            let place = CostPlace { workflow, name: operation, kind, category: CATEGORY, ..CostPlace::default() };
            let counter = telemetry.built_in_counter(&catalog::CACHE_SAVINGS).with(&[operation]).ok()?;
            let charge = Charge::saved(SavingsSource::Caching, per_call);
            Some((counter, telemetry.cost_account(&place)?, charge))
        };
        let savings = if per_call > Usd::ZERO { savings() } else { None };
        Some(Arc::new(Self { answered: seconds("true")?, made: seconds("false")?, savings }))
    }

    /// An execution has ended that the cache answered, or not.
    #[inline]
    pub(super) fn took(&self, duration_ns: u64, is_answered: bool) {
        let seconds = if is_answered { &self.answered } else { &self.made };
        seconds.record_raw(duration_ns);
    }

    /// A call was not made.
    #[inline]
    pub(super) fn saved(&self, per_call: Usd, cx: &Context) {
        if let Some((counter, account, charge)) = &self.savings {
            counter.add(per_call.nanos());
            account.record_for(cx.user_id(), charge);
        }
    }
}

/// Tells what a cache holds, under the name of an operation that uses it. There is one for each
/// operation, however many clones of its step there are, so that nothing is told twice.
pub(super) struct Contents<V> {
    operation: Name,
    cache: Weak<Shared<V>>,
}

impl<V: Clone + Send + Sync + 'static> Shared<V> {
    /// The source for an operation.
    pub(super) fn contents(self: &Arc<Self>, operation: &Name) -> Option<Arc<dyn MetricSource>> {
        let mut known = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|contents| contents.operation == *operation).cloned();
        let found = found.or_else(|| {
            let new = Arc::new(Contents { operation: operation.clone(), cache: Arc::downgrade(self) });
            (known.len() < MAX_OPERATIONS).then(|| known.push(Arc::clone(&new)))?;
            Some(new)
        });
        found.map(|contents| contents as Arc<dyn MetricSource>)
    }
}

impl<V: Clone + Send + Sync + 'static> MetricSource for Contents<V> {
    fn collect(&self, out: &mut MetricCollector) {
        let Some(cache) = self.cache.upgrade() else { return };
        if let Some(entries) = cache.store.entries() {
            out.number(&catalog::CACHE_ENTRIES, &[&self.operation], entries as f64);
        }
        let (evicted, expired) = cache.evictions();
        for (cause, count) in [("size", evicted), ("expired", expired)] {
            out.count(&catalog::CACHE_EVICTIONS, &[&self.operation, &Name::from_static(cause)], count);
        }
    }
}
