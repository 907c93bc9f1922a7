//! Nothing grows with time, with runs, or with what arrives.

use tta_telemetry::{Metric, SpanStatus};

use super::support::{SECOND, engine};

#[test]
fn a_day_without_a_scrape_grows_nothing() {
    let engine = engine();
    let step = engine.step("crawl", "fetch");
    let mut after_an_hour = 0;
    for second in 0..86_400_u64 {
        engine.count(&step, 5 + second % 145, if second % 50 == 0 { SpanStatus::Error } else { SpanStatus::Ok });
        if second % 50 == 0 {
            step.count_error("timeout");
        }
        engine.hand.advance(SECOND);
        if second % 10 == 9 {
            engine.housekeep();
        }
        if second == 5_000 {
            after_an_hour = step.heap_bytes();
        }
    }
    assert!(step.heap_bytes() <= after_an_hour + 512, "{} after {after_an_hour}", step.heap_bytes());
    assert!(after_an_hour < 34 * 1_024, "{after_an_hour}");
    let fetch = engine.telemetry.metrics("fetch").unwrap();
    assert_eq!((fetch.basic.total_executions, fetch.percentiles.hour.count), (86_400, 3_600));
}

#[test]
fn a_million_label_values_leave_a_scrape_flat() {
    let engine = engine();
    let calls = engine.telemetry.counter(Metric::named("calls_total").labels(&["user", "model"])).unwrap();
    let size = || {
        let families = engine.telemetry.collect_metrics();
        families.iter().map(|family| family.points.len()).sum::<usize>()
    };
    let mut early = 0;
    for value in 0..1_000_000_u64 {
        calls.with(&[&format!("user {value}"), &format!("model {}", value % 79)]).unwrap().add(1);
        if value == 100_000 {
            early = size();
        }
    }
    let family = engine.family("calls_total");
    assert_eq!((family.points.len(), size()), (1_001, early));
    let counted: f64 = family.points.iter().map(|point| point.value.as_f64()).sum();
    assert_eq!(counted, 1_000_000.0);
    let rest = engine.value("calls_total", &[("user", "other"), ("model", "other")]);
    assert!(rest > 0.0);
    assert_eq!(engine.value("telemetry_series_overflow_total", &[("metric", "calls_total")]), rest);
}
