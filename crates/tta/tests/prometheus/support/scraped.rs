//! An engine whose metrics are served.

use std::time::Duration;
use tta::telemetry::sampling::{Rate, SamplingPolicy};

use tta::prelude::*;
use tta::server::{Format, MetricsServer, Page};
use tta::telemetry::TelemetryBuilder;

/// An engine on real time that keeps every trace, and the server of its metrics.
pub(crate) struct Scraped {
    pub(crate) telemetry: Telemetry,
    pub(crate) memory: MemorySink,
    pub(crate) server: MetricsServer,
}

impl Scraped {
    pub(crate) async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(configure: impl FnOnce(TelemetryBuilder) -> TelemetryBuilder) -> Self {
        let memory = MemorySink::new();
        // A policy, so that there are figures of one; it keeps everything.
        let policy = SamplingPolicy { rate: Rate::ONE, ..SamplingPolicy::default() };
        let builder = Telemetry::builder()
            .service("tests", "1.2.3")
            .sink(memory.clone())
            .sampling_policy(policy)
            .cpu_time(tta::host::CpuClock);
        let telemetry = configure(builder).build().unwrap();
        let server = MetricsServer::builder(&telemetry).bind("127.0.0.1:0".parse().unwrap()).start().await.unwrap();
        Self { telemetry, memory, server }
    }

    pub(crate) fn context(&self) -> Context {
        Context::on(self.telemetry.clone())
    }

    /// Waits until the engine has decided about every trace.
    pub(crate) async fn settle(&self) {
        assert!(self.telemetry.flush(Duration::from_secs(10)).await.complete);
    }

    pub(crate) fn page(&self, format: Format) -> String {
        let bytes = Page::new(self.telemetry.collect_metrics(), format).flatten().collect();
        String::from_utf8(bytes).unwrap()
    }
}
