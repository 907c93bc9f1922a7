//! Counters over many scrapes, over restarts of the scraper, and over an endpoint that goes away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tta::prelude::*;
use tta::server::MetricsServer;

use crate::support::{Prometheus, Scraped, Settings, double, eventually, prometheus_or_skip};

/// Runs without a pause but a short one in each run, on several tasks, until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Load {
    fn start(telemetry: &Telemetry) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let (stop, cx) = (Arc::clone(&stop), Context::on(telemetry.clone()));
            tasks.spawn(async move {
                let nap = async |n: u32, cx: Context| {
                    cx.sleep(Duration::from_millis(2)).await;
                    if n.is_multiple_of(3) { Err("thirds fail") } else { Ok(n) }
                };
                let busy = workflow("busy", (step(double) | with_context(nap)).settle());
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    n += 1;
                    let _ = busy.run(n, &cx).await.unwrap();
                }
            });
        }
        Self { stop, tasks }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
    }
}

const EXECUTIONS: &str = "primitive_requests_total{primitive_name=\"busy\", status=\"success\"}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_never_go_backwards_whether_prometheus_or_the_endpoint_goes_away_and_comes_back() {
    let Scraped { telemetry, server, .. } = Scraped::start().await;
    let address = server.local_addr();
    let load = Load::start(&telemetry);
    let mut prometheus = prometheus_or_skip!(Settings::of(address).features("exemplar-storage"));
    prometheus.scraped(8).await;
    assert!(server.shutdown(Duration::from_secs(10)).await);
    until_up_is(0.0, &prometheus).await;
    // What has gone is not shown as if it still were.
    assert_eq!(prometheus.value(EXECUTIONS).await, None);
    let _again = MetricsServer::builder(&telemetry).bind(address).start().await.unwrap();
    until_up_is(1.0, &prometheus).await;
    prometheus.restart().await;
    prometheus.scraped(20).await;
    load.end().await;
    prometheus.scraped_anew().await;
    assert_eq!(prometheus.complaints(), [""; 0]);
    let (mut all, mut grew) = (0, 0);
    for series in prometheus.query("{__name__=~\".+_(total|bucket|count|sum)\"}[1h]").await {
        let values: Vec<f64> = series.values.iter().map(|(_, value)| *value).collect();
        assert!(values.is_sorted(), "{:?}: {values:?}", series.labels);
        all += 1;
        grew += usize::from(values.last() > values.first());
    }
    assert!(all > 100 && grew > 20, "{all} series, {grew} grew");
    let known = telemetry.metrics("busy").unwrap().basic.total_executions;
    let runs = prometheus.query(&format!("{EXECUTIONS}[1h]")).await.remove(0).values;
    assert!(runs.len() >= 20 && runs[0].1 < runs[runs.len() - 1].1, "{runs:?}");
    assert_eq!(runs[runs.len() - 1].1, known as f64);
    assert_eq!(prometheus.value(&format!("resets({EXECUTIONS}[1h])")).await, Some(0.0));
}

async fn until_up_is(wanted: f64, prometheus: &Prometheus) {
    eventually("the target's state", async || (prometheus.value("up").await == Some(wanted)).then_some(())).await;
}
