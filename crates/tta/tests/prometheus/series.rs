//! What arrives, against what the engine knows and against the table of its metrics.

use std::collections::{BTreeMap, BTreeSet};

use tta::telemetry::{MetricFamily, MetricKind, MetricValue, catalog};

use crate::support::{Labels, Prometheus, Scraped, Settings, prometheus_or_skip, run_everything};

/// Gauges that change while nothing runs.
const RESTLESS: [&str; 2] = ["primitive_requests_per_second", "telemetry_live_bytes"];

/// Metrics of the table that an engine without sinks that fail, or primitives that say nothing yet, lacks.
const MAY_BE_ABSENT: [&str; 0] = [];

/// Every series of the last scrape, without what Prometheus adds.
async fn arrived(prometheus: &Prometheus) -> BTreeMap<Labels, f64> {
    prometheus.scraped_anew().await;
    let own = |name: &str| name == "up" || name.starts_with("scrape_");
    let found = prometheus.query("{job=\"tta\"}").await.into_iter().filter(|sample| !own(&sample.labels["__name__"]));
    let series = found.map(|mut sample| {
        sample.labels.retain(|key, _| key != "job" && key != "instance");
        (sample.labels, sample.values[0].1)
    });
    series.collect()
}

/// The series that a family is on the wire.
fn series(family: &MetricFamily) -> Vec<(Labels, f64)> {
    let mut all = Vec::new();
    for point in &family.points {
        let own = point.labels.iter().filter(|(_, value)| !value.is_empty());
        let own: Labels = own.map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut add = |ending: &str, le: Option<f64>, value: f64| {
            let mut labels = own.clone();
            labels.insert("__name__".to_owned(), format!("{}{ending}", family.name));
            // As OpenMetrics writes limits, of which there are none so large or small that it takes an exponent.
            labels
                .extend(le.map(|le| ("le".to_owned(), if le.is_finite() { format!("{le:?}") } else { "+Inf".into() })));
            all.push((labels, value));
        };
        match &point.value {
            MetricValue::Histogram(histogram) => {
                for (limit, count) in histogram.limits.iter().zip(&histogram.cumulative) {
                    add("_bucket", Some(*limit), *count as f64);
                }
                add("_bucket", Some(f64::INFINITY), histogram.count as f64);
                add("_count", None, histogram.count as f64);
                add("_sum", None, histogram.sum);
            }
            value => add("", None, value.as_f64()),
        }
    }
    all
}

fn is_restless(labels: &Labels) -> bool {
    RESTLESS.contains(&labels["__name__"].as_str())
}

#[tokio::test]
async fn every_series_the_engine_knows_arrives_with_its_labels_and_its_value() {
    let scraped = Scraped::start().await;
    let _alive = run_everything(&scraped.telemetry).await;
    scraped.settle().await;
    let prometheus = prometheus_or_skip!(Settings { target: scraped.server.local_addr(), features: "" });
    let arrived = arrived(&prometheus).await;
    let known: BTreeMap<Labels, f64> = scraped.telemetry.collect_metrics().iter().flat_map(series).collect();
    for (labels, value) in &known {
        let got = arrived.get(labels).copied();
        assert!(got.is_some_and(|got| got == *value || is_restless(labels)), "{labels:?}: {value}, but {got:?}");
    }
    for labels in arrived.keys() {
        assert!(known.contains_key(labels), "{labels:?} is not known");
    }
    assert!(known.len() > 1_500, "{}", known.len());
}

#[tokio::test]
async fn what_arrives_is_what_the_table_says_and_nothing_of_it_is_missing() {
    let scraped = Scraped::start().await;
    let _alive = run_everything(&scraped.telemetry).await;
    let prometheus = prometheus_or_skip!(Settings { target: scraped.server.local_addr(), features: "" });
    let arrived = arrived(&prometheus).await;
    let metadata = prometheus.ask("/api/v1/targets/metadata", &[]).await;
    let of_the_program = ["odd", "page_size_bytes", "water_level"];
    let mut seen = BTreeSet::new();
    for said in metadata.as_array().unwrap() {
        let family = said["metric"].as_str().unwrap();
        if of_the_program.contains(&family) {
            continue;
        }
        let found = ["", "_total", "_info"].iter().find_map(|ending| catalog::find(&format!("{family}{ending}")));
        let metric = found.unwrap_or_else(|| panic!("{family} is not in the table"));
        seen.insert(metric.name);
        assert_eq!((&said["type"], &said["help"]), (&metric.kind.as_str().into(), &metric.help.into()), "{family}");
        let endings = if metric.kind == MetricKind::Histogram { &["_bucket", "_count", "_sum"][..] } else { &[""] };
        for ending in endings {
            let name = format!("{}{ending}", metric.name);
            let of_name = arrived.keys().filter(|labels| labels["__name__"] == name);
            let mut keys: BTreeSet<&str> = of_name.flat_map(|labels| labels.keys().map(String::as_str)).collect();
            assert!(keys.remove("__name__"), "{name} has no series");
            assert_eq!(keys.remove("le"), *ending == "_bucket", "{name}");
            // What a process says of itself is its own choice.
            if metric.name != catalog::TARGET.name {
                assert_eq!(keys, metric.labels.iter().copied().collect(), "{name}");
            }
        }
    }
    let missing: Vec<&str> =
        catalog::ALL.iter().map(|metric| metric.name).filter(|name| !seen.contains(name)).collect();
    let missing: Vec<&str> = missing.into_iter().filter(|name| !MAY_BE_ABSENT.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
