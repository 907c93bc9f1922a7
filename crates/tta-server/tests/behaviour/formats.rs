//! The text formats, byte by byte, from families made by hand.

use tta_server::{Format, Page};
use tta_telemetry::{
    Exemplar, Histogram, HistogramValue, MetricFamily, MetricKind, MetricPoint, MetricValue, Name, SpanId, TraceId,
    Unit,
};

pub(crate) fn family(name: &'static str, help: &'static str, kind: MetricKind, unit: Unit) -> MetricFamily {
    MetricFamily { name: Name::from_static(name), help: Name::from_static(help), kind, unit, points: Vec::new() }
}

pub(crate) fn with(mut family: MetricFamily, labels: &[(&'static str, &str)], value: MetricValue) -> MetricFamily {
    let labels = labels.iter().map(|(key, value)| (Name::from_static(key), Name::from((*value).to_owned()))).collect();
    family.points.push(MetricPoint { labels, value });
    family
}

/// Four values of 0, 4, 40 and 4,000 ms; the third is of a kept trace.
pub(crate) fn durations() -> MetricValue {
    let mut values = Histogram::default();
    [0, 4_000_000, 40_000_000, 4_000_000_000].iter().for_each(|value| values.record(*value));
    let exemplar = Exemplar {
        trace_id: TraceId::new(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736).unwrap(),
        span_id: SpanId::new(0x00f0_67aa_0ba9_02b7).unwrap(),
        value: 0.04,
        unix_ns: 1_700_000_000_012_345_678,
    };
    MetricValue::Histogram(Box::new(HistogramValue {
        limits: [0.005, 0.1, 1.0].into(),
        cumulative: vec![2, 3, 3],
        count: 4,
        sum: 4.044,
        values,
        resolution: 1e-9,
        exemplars: vec![None, Some(exemplar), None, None],
    }))
}

pub(crate) fn families() -> Vec<MetricFamily> {
    use MetricKind::{Counter, Gauge, Info};
    let hostile = "C:\\new \"quoted\"\nline";
    vec![
        with(
            family("work_duration_seconds", "How long.", MetricKind::Histogram, Unit::Seconds),
            &[("name", "a")],
            durations(),
        ),
        with(
            with(
                family("spent_usd_total", "Paths as C:\\dir,\nand \"quotes\".", Counter, Unit::Dollars),
                &[("who", hostile), ("empty", "")],
                MetricValue::Number(0.25),
            ),
            &[("who", ""), ("empty", "")],
            MetricValue::Number(12.0),
        ),
        with(family("requests_total", "", Counter, Unit::None), &[("who", "größe")], MetricValue::Count(u64::MAX)),
        with(family("load", "Tiny.", Gauge, Unit::Ratio), &[], MetricValue::Number(2.5e-9)),
        with(family("target_info", "The process.", Info, Unit::None), &[("version", "1")], MetricValue::Number(1.0)),
    ]
}

fn page(families: Vec<MetricFamily>, format: Format) -> String {
    String::from_utf8(Page::new(families, format).flatten().collect()).unwrap()
}

#[test]
fn the_text_format_is_as_prometheus_describes_it() {
    let want = r#"# HELP work_duration_seconds How long.
# TYPE work_duration_seconds histogram
work_duration_seconds_bucket{name="a",le="0.005"} 2
work_duration_seconds_bucket{name="a",le="0.1"} 3
work_duration_seconds_bucket{name="a",le="1"} 3
work_duration_seconds_bucket{name="a",le="+Inf"} 4
work_duration_seconds_sum{name="a"} 4.044
work_duration_seconds_count{name="a"} 4
# HELP spent_usd_total Paths as C:\\dir,\nand "quotes".
# TYPE spent_usd_total counter
spent_usd_total{who="C:\\new \"quoted\"\nline"} 0.25
spent_usd_total 12
# TYPE requests_total counter
requests_total{who="größe"} 18446744073709551615
# HELP load Tiny.
# TYPE load gauge
load 2.5e-9
# HELP target_info The process.
# TYPE target_info gauge
target_info{version="1"} 1
"#;
    assert_eq!(page(families(), Format::Text), want);
}

#[test]
fn open_metrics_is_as_its_specification_describes_it() {
    let want = r##"# HELP work_duration_seconds How long.
# TYPE work_duration_seconds histogram
# UNIT work_duration_seconds seconds
work_duration_seconds_bucket{name="a",le="0.005"} 2
work_duration_seconds_bucket{name="a",le="0.1"} 3 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736",span_id="00f067aa0ba902b7"} 0.04 1700000000.012
work_duration_seconds_bucket{name="a",le="1.0"} 3
work_duration_seconds_bucket{name="a",le="+Inf"} 4
work_duration_seconds_sum{name="a"} 4.044
work_duration_seconds_count{name="a"} 4
# HELP spent_usd Paths as C:\\dir,\nand \"quotes\".
# TYPE spent_usd counter
# UNIT spent_usd usd
spent_usd_total{who="C:\\new \"quoted\"\nline"} 0.25
spent_usd_total 12
# TYPE requests counter
requests_total{who="größe"} 18446744073709551615
# HELP load Tiny.
# TYPE load gauge
load 2.5e-9
# HELP target The process.
# TYPE target info
target_info{version="1"} 1
# EOF
"##;
    assert_eq!(page(families(), Format::OpenMetrics), want);
}

#[test]
fn a_page_comes_in_pieces_of_bounded_size_that_are_the_same_page() {
    let long = "x".repeat(1_000);
    let mut histograms = family("h", "", MetricKind::Histogram, Unit::Seconds);
    for series in 0..300 {
        histograms = with(histograms, &[("series", &format!("{series}-{long}"))], durations());
    }
    for format in Format::ALL {
        let pieces: Vec<Vec<u8>> = Page::new(vec![histograms.clone(), families().remove(1)], format).collect();
        let sizes: Vec<usize> = pieces.iter().map(Vec::len).collect();
        let (last, others) = sizes.split_last().unwrap();
        assert!(others.len() >= 9 && others.iter().all(|size| (32_768..34_816).contains(size)), "{format:?} {sizes:?}");
        assert!((1..34_816).contains(last));
    }
    let whole = page(vec![histograms], Format::Text);
    assert_eq!(whole.lines().count(), 1 + 300 * 6);
    assert_eq!(whole.matches("h_count{series=\"299-").count(), 1);
}

#[test]
fn a_page_of_nothing_is_valid_in_every_format() {
    assert_eq!(page(Vec::new(), Format::Text), "");
    assert_eq!(page(Vec::new(), Format::OpenMetrics), "# EOF\n");
    assert_eq!(Page::new(Vec::new(), Format::Protobuf).count(), 0);
}
