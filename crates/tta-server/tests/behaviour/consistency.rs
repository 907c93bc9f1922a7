//! Pages while threads record: figures of one page fit together, and never go backwards.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tta_telemetry::{SpanStatus, Telemetry};

use crate::support::{engine, scrape, serve};

const NAMES: [&str; 3] = ["read", "parse", "write"];

fn work(telemetry: &Telemetry, stop: &AtomicBool, seed: u64) {
    let mut number = seed;
    while !stop.load(Ordering::Relaxed) {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let name = NAMES[(number >> 33) as usize % NAMES.len()];
        let status = [SpanStatus::Ok, SpanStatus::Ok, SpanStatus::Error][(number >> 40) as usize % 3];
        telemetry.record_execution(name, "batch", Duration::from_nanos(number >> 36), status, None);
    }
}

/// Every sample of a page.
fn samples(page: &str) -> HashMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
        .collect()
}

/// How often a name was counted: by status, by duration, and in the last bucket.
fn counts(samples: &HashMap<String, f64>, name: &str) -> [f64; 3] {
    let name = format!("primitive_name=\"{name}\"");
    let sum = |start: &str, also: &str| {
        let of = |series: &&String| series.starts_with(start) && series.contains(&name) && series.contains(also);
        samples.iter().filter(|(series, _)| of(series)).map(|(_, value)| value).sum()
    };
    [
        sum("primitive_requests_total{", ""),
        sum("primitive_duration_seconds_count{", ""),
        sum("primitive_duration_seconds_bucket{", "le=\"+Inf\""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_of_every_page_fit_together_and_never_go_backwards() {
    let telemetry = engine();
    let server = serve(&telemetry).await;
    let stop = AtomicBool::new(false);
    let mut pages = Vec::new();
    std::thread::scope(|scope| {
        for seed in 1..=2 {
            let (telemetry, stop) = (&telemetry, &stop);
            scope.spawn(move || work(telemetry, stop, seed));
        }
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            while pages.len() < 60 {
                pages.push(samples(&runtime.block_on(scrape(&server, &[])).text()));
            }
        });
        stop.store(true, Ordering::Relaxed);
    });
    let mut compared = 0;
    for (place, page) in pages.iter().enumerate() {
        for name in NAMES {
            let [requests, count, last] = counts(page, name);
            assert_eq!((requests, count), (count, last), "page {place}, {name}");
        }
        let Some(next) = pages.get(place + 1) else { continue };
        let only_grows = |series: &str| {
            let name = series.split('{').next().unwrap_or_default();
            ["_total", "_bucket", "_count", "_sum"].iter().any(|ending| name.ends_with(ending))
        };
        for (series, value) in page.iter().filter(|(series, _)| only_grows(series)) {
            let later = next.get(series).unwrap_or_else(|| panic!("{series} is gone"));
            assert!(later >= value, "{series} went from {value} to {later}");
            compared += usize::from(later > value);
        }
    }
    // Something happened between the pages.
    assert!(compared > 100, "{compared}");
    let [first, last] = [&pages[0], &pages[59]].map(|page| counts(page, "read")[0]);
    assert!(last > first, "{first} {last}");
}
