//! OpenTelemetry's SDK: counters, its periodic reader and its exporter of OTLP over HTTP.

use super::load::{LARGE_SERIES, Pusher, REQUEST_SERIES, Size};
use crate::receiver::Receiver;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig as _};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use std::time::Duration;

/// So long that only a flush exports.
const DAY: Duration = Duration::from_secs(86_400);
const METRIC_SERIES: usize = 100;

pub(super) struct Sdk {
    provider: SdkMeterProvider,
    series: usize,
    pushes: u64,
    receiver: Receiver,
}

impl Sdk {
    pub(super) fn start(size: Size) -> anyhow::Result<Self> {
        let receiver = Receiver::start(Duration::ZERO)?;
        let builder = MetricExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        let exporter = builder.with_endpoint(format!("http://{}/v1/metrics", receiver.address)).build()?;
        let reader = PeriodicReader::builder(exporter).with_interval(DAY).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        let meter = provider.meter("tta-bench");
        let series = match size {
            Size::Small => REQUEST_SERIES,
            Size::Large => LARGE_SERIES,
        };
        for number in 0..series.div_ceil(METRIC_SERIES) {
            let counter = meter.u64_counter(format!("orders_{number}_total")).with_description("Orders.").build();
            for region in 0..METRIC_SERIES.min(series - number * METRIC_SERIES) {
                counter.add(7, &[KeyValue::new("region", format!("region-{region}"))]);
            }
        }
        Ok(Self { provider, series, pushes: 0, receiver })
    }
}

impl Pusher for Sdk {
    fn push(&mut self) -> anyhow::Result<u64> {
        self.provider.force_flush()?;
        self.pushes += 1;
        Ok(self.series as u64)
    }

    fn check(&self) -> anyhow::Result<()> {
        let answered = self.receiver.answered()?;
        anyhow::ensure!(answered == self.pushes, "{answered} requests came in of {}", self.pushes);
        Ok(())
    }
}
