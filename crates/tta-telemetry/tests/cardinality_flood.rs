//! A million distinct label values arrive. Alone in its file: it looks at the memory of the process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use tta_telemetry::{CardinalityLimits, HealthComponent, HealthStatus, LabelLimiter, SeriesSet};

const VALUES: u64 = 1_000_000;
/// Every which value is also looked up alone.
const SAMPLED: u64 = 100;
/// With the users' 116 labels more combinations than a metric may have.
const MODELS: u64 = 79;
/// As the process has settled.
const WARM: u64 = 100_000;

/// Memory that the process holds, where the system tells.
fn resident_bytes() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4_096)
}

#[test]
fn a_million_distinct_values_leave_values_series_and_memory_flat() {
    let limiter = LabelLimiter::new(CardinalityLimits::default()).unwrap();
    let set: SeriesSet<AtomicU64> = SeriesSet::new(&limiter, "calls_total", &["user", "model"]);
    let models: Vec<String> = (0..MODELS).map(|model| format!("model-{model}")).collect();
    let mut seen = HashSet::new();
    let mut warm = None;
    for value in 0..VALUES {
        let (user, model) = (format!("user-{value}"), &models[value as usize % models.len()]);
        set.resolve(&[&user, model], AtomicU64::default).unwrap().fetch_add(1, Ordering::Relaxed);
        if value < 100 || value % SAMPLED == 0 {
            seen.insert(limiter.label("user", &user));
        }
        if value == WARM {
            warm = Some((limiter.heap_bytes(), seen.len(), set.read().len(), resident_bytes()));
        }
    }
    let (heap, values, series, resident) = warm.unwrap();
    assert_eq!((limiter.heap_bytes(), seen.len(), set.read().len()), (heap, values, series));
    assert_eq!(values, 100 + 16);
    assert_eq!(series, 1_000 + 1);
    assert!(heap < 100_000, "{heap}");
    if let (Some(before), Some(after)) = (resident, resident_bytes()) {
        assert!(after < before + 8 * 1024 * 1024, "grew from {before} to {after} bytes");
    }

    let counted: u64 = set.read().iter().map(|(_, count)| count.load(Ordering::Relaxed)).sum();
    assert_eq!(counted, VALUES);
    let stats = limiter.stats();
    assert_eq!(stats.dropped_labels["user"], (VALUES - 100) + (VALUES / SAMPLED - 1));
    assert_eq!((stats.label_cardinality["user"], stats.total_labels), (100, 100 + MODELS));
    assert_eq!(limiter.health().status, HealthStatus::Degraded);
    let higher = CardinalityLimits { max_label_values: 1_000, max_series_per_metric: 10_000, ..limiter.limits() };
    limiter.set_limits(higher).unwrap();
    assert_eq!(limiter.health().status, HealthStatus::Healthy);
}
