//! Making a stale value anew in the background.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use futures_util::future::{Either, select};

use super::key::CacheKey;
use super::run::{Cached, is_for_all, say_stored};
use super::shared::Shared;
use super::stats::count;
use crate::context::Context;
use crate::error::Error;

/// Refreshes that one cache runs at once.
pub(super) const MAX_REFRESHES: usize = 64;

/// One of the refreshes that may run at once, until dropped.
struct Slot<V>(Arc<Shared<V>>);

impl<V> Slot<V> {
    fn take(shared: &Arc<Shared<V>>) -> Option<Self> {
        let more = |running| (running < MAX_REFRESHES).then_some(running + 1);
        shared.refreshing.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).ok()?;
        Some(Self(Arc::clone(shared)))
    }
}

impl<V> Drop for Slot<V> {
    fn drop(&mut self) {
        self.0.refreshing.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<In, Out> Cached<In, Out>
where
    In: Send + 'static,
    Out: Clone + Send + Sync + 'static,
{
    /// Begins a refresh, unless one is under way for this key; whether it did. It is a task of the run, and its
    /// result is never an error: a run that was given its value has not failed.
    #[cold]
    pub(super) fn refresh(&self, key: &CacheKey, input: In, cx: &Context) -> bool {
        let shared = &self.cache.0;
        // Without a runtime a task fails, and with it the run.
        let slot = tokio::runtime::Handle::try_current().ok().and_then(|_| Slot::take(shared));
        let Some(slot) = slot else {
            count(&shared.counters.refreshes_skipped);
            return false;
        };
        let Some(lead) = shared.flights.try_lead(key) else { return false };
        count(&shared.counters.refreshes);
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        let keeping = Arc::clone(&self.keeping);
        let since = shared.invalidations.mark();
        // The deadline is of those who were given the stale value: the value may take longer to make.
        let cx = cx.outliving(shared.policy.refresh_timeout);
        let outer = cx.clone();
        let work = async move {
            let shared = &slot.0;
            let cx = Context::current().unwrap_or(outer);
            let limit = pin!(cx.sleep(shared.policy.refresh_timeout));
            let result = match select(pin!(inner.run(input, &cx)), limit).await {
                Either::Left((result, _)) => Some(result),
                Either::Right(_) => None,
            };
            let Some(Ok(value)) = &result else {
                // The stale value is better than a failure: that one is not kept.
                count(&shared.counters.refresh_failures);
                let why = match &result {
                    Some(Err(error)) => error.to_string(),
                    _ => format!("no result within {:?}", shared.policy.refresh_timeout),
                };
                cx.set("cache.refresh_error", &why);
                if let Some(result) = result.filter(is_for_all) {
                    lead.tell(result);
                }
                return;
            };
            lead.tell(Ok(value.clone()));
            if let Some(stored) = shared.keep(&key, Ok(value), since, &cx).await {
                say_stored(&keeping, stored, &cx);
            }
        };
        cx.spawn("refresh", AssertUnwindSafe(work).catch_unwind().map(|_| Ok::<(), Error>(()))).detach();
        true
    }
}
