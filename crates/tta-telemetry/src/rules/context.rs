//! What rules are told beside the trace: thresholds that are not in it.

use std::fmt;
use std::time::Duration;

use super::Quantile;
use crate::model::SpanRecord;

/// Looks a quantile of the durations of runs like this root's up, in nanoseconds; `None` where too
/// few of them are known.
type Latency<'c> = &'c dyn Fn(&SpanRecord, Quantile) -> Option<u64>;

/// What conditions are about beside the trace itself. The default knows nothing: no trace is slow,
/// and tests of quantiles are false.
///
/// ```
/// use std::time::Duration;
/// use tta_telemetry::RuleContext;
///
/// let latency = |root: &tta_telemetry::SpanRecord, _| (root.name == *"crawl").then_some(2_000_000_000);
/// let context = RuleContext::default().slow(Duration::from_secs(1)).latency(&latency);
/// ```
#[derive(Clone, Copy, Default)]
#[must_use]
pub struct RuleContext<'c> {
    slow: Option<Duration>,
    latency: Option<Latency<'c>>,
}

impl<'c> RuleContext<'c> {
    /// From this duration on the trace is slow, which is for the class only. Default: it never is.
    pub fn slow(mut self, threshold: impl Into<Option<Duration>>) -> Self {
        self.slow = threshold.into();
        self
    }

    /// Where quantiles are looked up: given the root, in nanoseconds, `None` where too few
    /// executions are known ([`Quantile::of`]). It must depend on what runs did and not on which
    /// traces were kept, or estimates are biased. Default: none is known.
    pub fn latency(mut self, of: &'c dyn Fn(&SpanRecord, Quantile) -> Option<u64>) -> Self {
        self.latency = Some(of);
        self
    }

    pub(super) fn slow_from(&self) -> Option<Duration> {
        self.slow
    }

    pub(super) fn quantile_ns(&self, root: Option<&SpanRecord>, quantile: Quantile) -> Option<u64> {
        self.latency?(root?, quantile)
    }
}

impl fmt::Debug for RuleContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slow, latency } = self;
        f.debug_struct("RuleContext").field("slow", slow).field("latency", &latency.is_some()).finish()
    }
}
