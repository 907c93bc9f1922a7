//! What the tests share: a Prometheus of their own, an engine that is scraped, a workload, waiting.

mod prometheus;
mod scraped;
mod workload;

use std::future::Future;
use std::time::Duration;

pub(crate) use prometheus::{Labels, Prometheus, Settings, prometheus, promtool};
pub(crate) use scraped::Scraped;
pub(crate) use workload::{double, run_everything};

/// The Prometheus of a test, or the end of the test.
macro_rules! prometheus_or_skip {
    ($settings:expr) => {
        match crate::support::prometheus($settings).await {
            Some(prometheus) => prometheus,
            None => return,
        }
    };
}
pub(crate) use prometheus_or_skip;

/// Tries until it is so, for as long as another process may reasonably take.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    for _ in 0..2_400 {
        if let Some(outcome) = attempt().await {
            return outcome;
        }
        // On real time: another process has to do something.
        tokio::time::timeout(Duration::from_millis(25), std::future::pending::<()>()).await.unwrap_err();
    }
    panic!("{what} did not come about");
}
