//! tta's push, by a clock that is set forward: a round begins when it is told to.

use super::load::{LARGE_SERIES, Pusher, REQUEST_SERIES, Size};
use super::prometheus::Prometheus;
use crate::receiver::Receiver;
use std::net::SocketAddr;
use std::time::Duration;
use tta_otlp::export::{Endpoint, ExportSettings, MetricsPush, PushFormat, PushSettings};
use tta_telemetry::{Clock, ManualClock, Metric, MetricFamily, MetricValue, Resource, Telemetry};

const INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks whether a round has ended: what a time may be too long by.
const BETWEEN_LOOKS: Duration = Duration::from_micros(20);
/// Looks until a round has failed.
const LOOKS: u32 = 500_000;
/// Series of one metric: as many values as a label may have.
const METRIC_SERIES: usize = 100;

pub(super) struct Ours {
    push: MetricsPush,
    hand: ManualClock,
    target: Target,
}

/// Where metrics are pushed to.
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    /// Asked what it has answered.
    pub(super) receiver: Option<Receiver>,
    /// Lives as long as there is something to push.
    pub(super) _prometheus: Option<Prometheus>,
}

/// One that answers at once.
pub(super) fn receiver() -> anyhow::Result<Target> {
    let receiver = Receiver::start(Duration::ZERO)?;
    let endpoint = Endpoint::Base(url(receiver.address));
    Ok(Target { endpoint, receiver: Some(receiver), _prometheus: None })
}

pub(super) fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

impl Ours {
    pub(super) fn start(format: PushFormat, size: Size, batch_size: usize, target: Target) -> anyhow::Result<Self> {
        let (clock, hand) = Clock::manual();
        let telemetry = Telemetry::builder().clock(clock).by_hand().build()?;
        fill(&telemetry, format, size)?;
        let export = ExportSettings { endpoint: target.endpoint.clone(), ..ExportSettings::default() };
        let settings = PushSettings { format, interval: INTERVAL, batch_size, ..PushSettings::to(export) };
        let identity = Resource {
            service: "shop".into(),
            attributes: Vec::new(),
            dropped_attributes: 0,
            schema_url: String::new(),
        };
        Ok(Self { push: MetricsPush::start(&telemetry, &settings, identity)?, hand, target })
    }
}

impl Pusher for Ours {
    fn push(&mut self) -> anyhow::Result<u64> {
        let before = self.push.status();
        let rounds = self.push.rounds();
        // It waits for its next interval.
        until("a round begins", || self.hand.sleepers() == 1)?;
        self.hand.advance(INTERVAL);
        until("a round ends", || self.push.rounds() > rounds)?;
        let status = self.push.status();
        let whole = status.dropped.total() == 0 && status.rejected == 0;
        anyhow::ensure!(whole, "series were not taken: {status:?}");
        Ok(status.sent - before.sent)
    }

    fn check(&self) -> anyhow::Result<()> {
        let Some(receiver) = &self.target.receiver else { return Ok(()) };
        let (sent, answered) = (self.push.status().attempts, receiver.answered()?);
        anyhow::ensure!(sent == answered, "{answered} requests came in of {sent}");
        Ok(())
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) -> anyhow::Result<()> {
    let came = (0..LOOKS).any(|_| {
        is_so() || {
            std::thread::park_timeout(BETWEEN_LOOKS);
            false
        }
    });
    anyhow::ensure!(came, "waited in vain until {what}");
    Ok(())
}

/// Adds counters until there are as many series as there should be, those of the engine's own among them.
fn fill(telemetry: &Telemetry, format: PushFormat, size: Size) -> anyhow::Result<()> {
    let metrics = match size {
        Size::Small => 1,
        Size::Large => LARGE_SERIES / METRIC_SERIES,
    };
    for number in 0..metrics {
        let name = format!("orders_{number}_total");
        let family = telemetry.counter(Metric::named(name).help("Orders.").labels(&["region"]))?;
        for region in 0..METRIC_SERIES {
            // A metric comes with series about itself.
            if size == Size::Small && series(&telemetry.collect_metrics(), format) >= REQUEST_SERIES {
                break;
            }
            family.with(&[&format!("region-{region}")])?.add(7);
        }
    }
    let all = series(&telemetry.collect_metrics(), format);
    anyhow::ensure!(size == Size::Large || all == REQUEST_SERIES, "an engine has {all} series");
    Ok(())
}

/// How many series these are: in Prometheus' formats a histogram is one for each limit and for infinity, the
/// sum and the count.
fn series(families: &[MetricFamily], format: PushFormat) -> usize {
    let points = families.iter().flat_map(|family| &family.points);
    let of = points.map(|point| match &point.value {
        MetricValue::Histogram(histogram) if format == PushFormat::RemoteWrite => histogram.limits.len() + 3,
        MetricValue::Histogram(_) | MetricValue::Count(_) | MetricValue::Number(_) => 1,
    });
    of.sum()
}
