//! What it costs to update a metric, beside other libraries. Does not measure reading them: that is
//! the scrape.

mod dense;
mod facade;
mod load;
mod opentelemetry;
mod ours;
mod prometheus;
mod prometheus_client;

use crate::row::{Family, Row};
use load::{Nothing, SERIES, measured};

/// The table of the counters.
pub const COUNTERS: Family = Family {
    name: "metrics-counter",
    title: "Metrics: a counter, per update",
    about: "Sixteen series of one metric, told apart by one label, are each increased by one in \
        turn; with two threads both update all sixteen. The row `(harness)` is the loop by itself \
        and part of every other. After every measurement each series is read, and must have \
        counted exactly what was recorded. Who is asked by label values looks the series up for \
        every update; `cached` is a handle that was looked up once.",
    rows: COUNTER_ROWS,
};

/// The table of the histograms.
pub const HISTOGRAMS: Family = Family {
    name: "metrics-histogram",
    title: "Metrics: a histogram, per update",
    about: "The same with a histogram of durations: log-normal, the median 10 ms, of which one in \
        a hundred exceeds 100 ms. All have the same 14 bucket limits from 1 ms to 60 s; tta \
        counts beside them what it gives percentiles from, to within 1 %, which none of the others \
        has here.",
    rows: HISTOGRAM_ROWS,
};

const COUNTER_ROWS: &[Row] = &[
    Row::new("(harness)", "", measured::<Nothing, 1>),
    Row::new("tta, cached", "`Counter::add`.", measured::<ours::CachedCounter, 1>),
    Row::new("tta, cached, 2 threads", "", measured::<ours::CachedCounter, 2>),
    Row::new("tta, with", "`Family::with` for every update.", measured::<ours::CounterWith, 1>),
    Row::new("tta, with, 2 threads", "", measured::<ours::CounterWith, 2>),
    Row::new(
        "metrics, macro",
        "`counter!` with the recorder of `metrics-exporter-prometheus`, without its listener; its \
            upkeep runs between the bursts.",
        measured::<facade::CounterMacro, 1>,
    ),
    Row::new("metrics, macro, 2 threads", "", measured::<facade::CounterMacro, 2>),
    Row::new("metrics, cached", "what the macro returned.", measured::<facade::CachedCounter, 1>),
    Row::new("metrics, cached, 2 threads", "", measured::<facade::CachedCounter, 2>),
    Row::new("prometheus, by label values", "`with_label_values`.", measured::<prometheus::CounterVec, 1>),
    Row::new("prometheus, by label values, 2 threads", "", measured::<prometheus::CounterVec, 2>),
    Row::new("prometheus, cached", "", measured::<prometheus::CachedCounter, 1>),
    Row::new("prometheus, cached, 2 threads", "", measured::<prometheus::CachedCounter, 2>),
    Row::new(
        "prometheus-client, get_or_create",
        "with a label set that is a type of its own, which its macro derives.",
        measured::<prometheus_client::CounterFamily, 1>,
    ),
    Row::new("prometheus-client, get_or_create, 2 threads", "", measured::<prometheus_client::CounterFamily, 2>),
    Row::new("prometheus-client, cached", "", measured::<prometheus_client::CachedCounter, 1>),
    Row::new("prometheus-client, cached, 2 threads", "", measured::<prometheus_client::CachedCounter, 2>),
    Row::new(
        "measured",
        "version 0.0.25 with dense labels: the values are known when the program is compiled, and a \
            series is found by its number.",
        measured::<dense::Counters, 1>,
    ),
    Row::new("measured, 2 threads", "", measured::<dense::Counters, 2>),
    Row::new(
        "opentelemetry_sdk",
        "with attributes that were made once; aggregated over time (cumulative).",
        measured::<opentelemetry::Counted, 1>,
    ),
    Row::new("opentelemetry_sdk, 2 threads", "", measured::<opentelemetry::Counted, 2>),
];

const HISTOGRAM_ROWS: &[Row] = &[
    Row::new("tta, cached", "`HistogramRecorder::record`, in seconds.", measured::<ours::CachedHistogram<false>, 1>),
    Row::new("tta, cached, 2 threads", "", measured::<ours::CachedHistogram<false>, 2>),
    Row::new("tta, raw", "`record_raw`, in whole nanoseconds.", measured::<ours::CachedHistogram<true>, 1>),
    Row::new("tta, raw, 2 threads", "", measured::<ours::CachedHistogram<true>, 2>),
    Row::new("tta, with", "`Family::with` for every update.", measured::<ours::HistogramWith, 1>),
    Row::new("tta, with, 2 threads", "", measured::<ours::HistogramWith, 2>),
    Row::new(
        "metrics, macro",
        "the exporter keeps every sample until its upkeep, which runs between the bursts and is \
            in the CPU alone.",
        measured::<facade::HistogramMacro, 1>,
    ),
    Row::new("metrics, macro, 2 threads", "", measured::<facade::HistogramMacro, 2>),
    Row::new("metrics, cached", "", measured::<facade::CachedHistogram, 1>),
    Row::new("metrics, cached, 2 threads", "", measured::<facade::CachedHistogram, 2>),
    Row::new("prometheus, by label values", "", measured::<prometheus::LookedUpHistogram, 1>),
    Row::new("prometheus, by label values, 2 threads", "", measured::<prometheus::LookedUpHistogram, 2>),
    Row::new("prometheus, cached", "", measured::<prometheus::CachedHistogram, 1>),
    Row::new("prometheus, cached, 2 threads", "", measured::<prometheus::CachedHistogram, 2>),
    Row::new("prometheus-client, get_or_create", "", measured::<prometheus_client::HistogramFamily, 1>),
    Row::new("prometheus-client, get_or_create, 2 threads", "", measured::<prometheus_client::HistogramFamily, 2>),
    Row::new("prometheus-client, cached", "", measured::<prometheus_client::CachedHistogram, 1>),
    Row::new("prometheus-client, cached, 2 threads", "", measured::<prometheus_client::CachedHistogram, 2>),
    Row::new("measured", "", measured::<dense::Histograms, 1>),
    Row::new("measured, 2 threads", "", measured::<dense::Histograms, 2>),
    Row::new("opentelemetry_sdk", "with minimum and maximum, as by default.", measured::<opentelemetry::Measured, 1>),
    Row::new("opentelemetry_sdk, 2 threads", "", measured::<opentelemetry::Measured, 2>),
];

/// What was read of each series, in the order of the label values.
fn in_order(counts: impl Iterator<Item = u64>) -> anyhow::Result<[u64; SERIES]> {
    let counts: Vec<u64> = counts.collect();
    counts.try_into().map_err(|counts: Vec<u64>| anyhow::anyhow!("{} series of {SERIES} were read", counts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Plan;

    /// Each measurement fails by itself when a count is not what was recorded.
    #[test]
    fn every_library_counts_every_update() {
        for row in COUNTERS.rows.iter().chain(HISTOGRAMS.rows) {
            let measurement = (row.run)(&Plan { bursts: 1, count: None });
            let threads = if row.name.ends_with("2 threads") { 2 } else { 1 };
            let operations = threads * u64::from(load::BURST_UPDATES);
            assert_eq!(measurement.unwrap().operations, operations, "{}", row.name);
        }
    }
}
