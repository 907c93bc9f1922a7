//! What arrives, against what the engine knows and against the table of its metrics.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tta::telemetry::catalog::{self, BuiltIn};
use tta::telemetry::{MetricFamily, MetricKind, MetricValue};

use crate::document::queries_are_answered;
use crate::support::{Labels, Prometheus, Scraped, Settings, prometheus_or_skip, run_everything};

/// Gauges that change while nothing runs.
const RESTLESS: [&str; 3] = ["primitive_requests_per_second", "telemetry_live_bytes", "telemetry_overhead_ratio"];

/// Every series of the last scrape, without what Prometheus adds.
async fn arrived(prometheus: &Prometheus) -> BTreeMap<Labels, f64> {
    prometheus.scraped_anew().await;
    let own = |name: &str| name == "up" || name.starts_with("scrape_");
    let found = prometheus.query("{job=\"tta\"}").await.into_iter().filter(|sample| !own(&sample.labels["__name__"]));
    let series = found.map(|mut sample| {
        sample.labels.retain(|key, _| key != "job" && key != "instance");
        // There are several ways to write a limit.
        sample.labels.entry("le".to_owned()).and_modify(|le| *le = limit(le.parse().unwrap()));
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
            labels.extend(le.map(|le| ("le".to_owned(), limit(le))));
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

fn limit(limit: f64) -> String {
    limit.to_string()
}

fn is_restless(labels: &Labels) -> bool {
    RESTLESS.contains(&labels["__name__"].as_str())
}

#[tokio::test]
async fn every_series_the_engine_knows_arrives_and_every_metric_of_the_table_is_among_them() {
    let scraped = Scraped::start().await;
    let _alive = run_everything(&scraped.telemetry).await;
    scraped.settle().await;
    let prometheus = prometheus_or_skip!(Settings::of(scraped.server.local_addr()).seldom());
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
    let metadata = prometheus.ask("/api/v1/targets/metadata", &[]).await;
    compare_with_table(metadata.as_array().unwrap(), &arrived);
    queries_are_answered(&prometheus, "promql").await;
    assert_eq!(prometheus.complaints(), [""; 0]);
}

/// What Prometheus was told of metrics, and their series, against the table.
fn compare_with_table(metadata: &[Value], arrived: &BTreeMap<Labels, f64>) {
    let of_the_program = ["odd", "page_size_bytes", "water_level"];
    let mut seen = BTreeSet::new();
    for said in metadata {
        let family = said["metric"].as_str().unwrap();
        if of_the_program.contains(&family) {
            let help = "Size of a page: \"\\\".";
            assert!(family != "page_size_bytes" || (&said["help"], &said["unit"]) == (&help.into(), &"bytes".into()));
            continue;
        }
        // In OpenMetrics the ending of a counter belongs to its samples.
        let found = ["", "_total", "_info"].iter().find_map(|ending| catalog::find(&format!("{family}{ending}")));
        let metric = found.unwrap_or_else(|| panic!("{family} is not in the table"));
        seen.insert(metric.name);
        assert_eq!((&said["type"], &said["help"]), (&metric.kind.as_str().into(), &metric.help.into()), "{family}");
        let unit = metric.unit.as_str();
        let unit = if family.ends_with(&format!("_{unit}")) { unit } else { "" };
        assert_eq!(said["unit"], unit, "{family}");
        let endings = if metric.kind == MetricKind::Histogram { &["_bucket", "_count", "_sum"][..] } else { &[""] };
        for ending in endings {
            assert_eq!(keys(&format!("{}{ending}", metric.name), arrived), expected_keys(metric, ending), "{family}");
        }
    }
    let missing = catalog::ALL.iter().map(|metric| metric.name).filter(|name| !seen.contains(name));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0]);
}

/// The label keys of all series of a name.
fn keys<'a>(name: &str, arrived: &'a BTreeMap<Labels, f64>) -> BTreeSet<&'a str> {
    let of_name = arrived.keys().filter(|labels| labels["__name__"] == name);
    of_name.flat_map(|labels| labels.keys().map(String::as_str)).collect()
}

fn expected_keys<'a>(metric: &'a BuiltIn, ending: &str) -> BTreeSet<&'a str> {
    // What the tests' process says of itself.
    let of_process: &[&str] =
        if metric.name == catalog::TARGET.name { &["service_name", "service_version"] } else { &[] };
    let le: &[&str] = if ending == "_bucket" { &["le"] } else { &[] };
    [&["__name__"], metric.labels, of_process, le].concat().into_iter().collect()
}
