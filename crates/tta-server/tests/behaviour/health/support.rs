//! An engine whose time is moved by hand, with a sink that fails when told to, served with its health.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tta_server::{HealthApi, Server, ServerLimits};
use tta_telemetry::config::Config;
use tta_telemetry::{Clock, ManualClock, Sink, SinkError, Telemetry, TelemetryBuilder, Trace};

use crate::guard::support::{get_once, settings};

/// Fails while it is told to.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<AtomicBool>);

impl Switch {
    pub(crate) fn fail(&self, fails: bool) {
        self.0.store(fails, Ordering::Relaxed);
    }
}

impl Sink for Switch {
    fn name(&self) -> &str {
        "switch"
    }

    fn export(&mut self, _: &[Arc<Trace>]) -> Result<(), SinkError> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(SinkError::new("no route to the collector, password=hunter2hunter2")),
            false => Ok(()),
        }
    }
}

pub(crate) struct Lab {
    pub(crate) telemetry: Telemetry,
    pub(crate) time: ManualClock,
    pub(crate) sink: Switch,
    pub(crate) api: HealthApi,
    pub(crate) server: Server,
}

impl Lab {
    pub(crate) async fn new(with: impl FnOnce(TelemetryBuilder) -> TelemetryBuilder) -> Self {
        let ((clock, time), sink) = (Clock::manual(), Switch::default());
        let telemetry = with(Telemetry::builder().clock(clock).sink(sink.clone())).by_hand().build().unwrap();
        let api = HealthApi::builder(&telemetry).build();
        let server = serve(&api).await;
        Self { telemetry, time, sink, api, server }
    }

    pub(crate) async fn configured(config: &Config) -> Self {
        Self::new(|builder| builder.config(config).unwrap()).await
    }

    pub(crate) fn run(&self, name: &'static str) {
        self.telemetry.start_trace(name).end();
    }

    /// Lets time pass. What a sink did in one round is seen in the next.
    pub(crate) fn after(&self, seconds: u64) {
        self.time.advance(Duration::from_secs(seconds));
        for _ in 0..2 {
            let _ = self.telemetry.flush_blocking(Duration::ZERO);
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        get(&self.server, path).await
    }

    /// The reply's status, that of the whole, and that of a component with its reason.
    pub(crate) async fn told(&self, component: &str) -> (u16, String, String, Option<String>) {
        let (code, body) = self.get("/health").await;
        let component = &body["details"]["components"][component];
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        (code, word(&body["status"]), word(&component["status"]), component["reason"].as_str().map(str::to_owned))
    }

    pub(crate) async fn assert_healthy(&self, component: &str) {
        let (code, whole, status, reason) = self.told(component).await;
        assert_eq!((code, &*whole, &*status), (200, "healthy", "healthy"), "{component}: {reason:?}");
    }

    /// That it is degraded, and the whole with it; its reason.
    pub(crate) async fn assert_degraded(&self, component: &str) -> String {
        let (code, whole, status, reason) = self.told(component).await;
        assert_eq!((code, &*whole, &*status), (200, "degraded", "degraded"), "{component}: {reason:?}");
        reason.unwrap()
    }
}

pub(crate) async fn serve(api: &HealthApi) -> Server {
    let settings = settings(ServerLimits::default()).check().unwrap();
    Server::start(&settings, api.router().merge(api.probes())).await.unwrap()
}

pub(crate) async fn get(server: &Server, path: &str) -> (u16, Value) {
    let reply = get_once(server, path, &[]).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{}", reply.head);
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

/// The keys of an object, sorted.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
