//! Everything that is served, put together: which routes are at which address, and the order of the end.
//!
//! Owns the composition. Does not own any of its parts, or where settings come from.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::task::JoinSet;
use tta_telemetry::store::TraceStore;
use tta_telemetry::{ShutdownReport, Telemetry};

use crate::api::QueryApi;
use crate::config::ConfigApi;
use crate::health::{ExportInfo, HealthApi, Readiness, StorageStatus};
use crate::http::{CheckedSettings, Scope, Server, ServerError, Tokens};
use crate::metrics::Endpoint;
use crate::otlp::OtlpReceiver;

/// What a program serves about an engine, to be nested in its own routes or started at addresses of
/// its own.
///
/// ```
/// use axum::Router;
/// use tta_server::{OtlpReceiver, Services};
/// use tta_telemetry::Telemetry;
/// use tta_telemetry::store::MemoryTraceStore;
///
/// let telemetry = Telemetry::builder().trace_store(MemoryTraceStore::new("shop")).build()?;
/// let receiver = OtlpReceiver::new(&telemetry)?;
/// let services = Services::new(&telemetry).otlp(receiver.clone());
/// let app: Router = Router::new().nest("/observability", services.router()).merge(receiver.http());
/// # let _ = app;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Services {
    telemetry: Telemetry,
    store: Option<Arc<dyn TraceStore>>,
    otlp: Option<OtlpReceiver>,
    config: Option<ConfigApi>,
    export: ExportInfo,
    tokens: Tokens,
}

/// Where [`Services`] listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Health, queries and configuration.
    pub main: SocketAddr,
    /// `/metrics`; `None` for nowhere but at `main`.
    pub metrics: Option<SocketAddr>,
    /// OTLP over gRPC; `None` for nowhere.
    pub otlp_grpc: Option<SocketAddr>,
    /// OTLP over HTTP; `None` for nowhere.
    pub otlp_http: Option<SocketAddr>,
}

/// [`Services`] at work. Dropping it ends them at once.
#[derive(Debug)]
pub struct RunningServices {
    telemetry: Telemetry,
    readiness: Readiness,
    main: Server,
    metrics: Option<Server>,
    otlp: Vec<(OtlpKind, Server)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OtlpKind {
    Grpc,
    Http,
}

/// How [`RunningServices`] ended.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ServicesReport {
    /// Senders whose requests were under way had their answers in time.
    pub senders_answered: bool,
    /// What the engine decided about, sent and could not send.
    pub engine: ShutdownReport,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("telemetry", &self.telemetry).field("otlp", &self.otlp).finish_non_exhaustive()
    }
}

impl Services {
    /// Serves what there is to say of this engine, and the traces of the store that it was [built
    /// with](tta_telemetry::TelemetryBuilder::trace_store).
    pub fn new(telemetry: &Telemetry) -> Self {
        let store = telemetry.trace_store();
        let (config, export, tokens) = Default::default();
        Self { telemetry: telemetry.clone(), store, otlp: None, config, export, tokens }
    }

    /// Serves the traces that this store has, in place of the engine's own.
    pub fn store(mut self, store: Arc<dyn TraceStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Takes also spans of other processes.
    pub fn otlp(mut self, receiver: OtlpReceiver) -> Self {
        self.otlp = Some(receiver);
        self
    }

    /// Serves the configuration by this, which knows what a field is set back to and who is to hear of
    /// changes. Default: one that knows of nothing but the presets.
    pub fn config(mut self, config: ConfigApi) -> Self {
        self.config = Some(config);
        self
    }

    /// How what is kept and counted leaves the process, for `/health/full`. Default: by sinks and
    /// scrapes alone.
    pub fn export(mut self, export: ExportInfo) -> Self {
        self.export = export;
        self
    }

    /// Asks for these tokens. Default: none, everything is open.
    pub fn tokens(mut self, tokens: &Tokens) -> Self {
        self.tokens = tokens.clone();
        self
    }

    /// The routes for people and programs that ask: `/health`, `/metrics`, `/api/v1` with
    /// `/api/v1/config` and, with a store, `/jaeger` and `/tempo`; and with a receiver `/v1/traces` for senders of
    /// OTLP over HTTP (gRPC knows no paths of a program's own: see [`start`](Self::start)). Where there are tokens,
    /// those of scope read, write for senders, and admin for changes; `/livez` and `/readyz` are open.
    ///
    /// Whether the program is ready is its own business: `/readyz` says that it is.
    pub fn router(&self) -> Router {
        let health = self.health();
        health.readiness().set_ready();
        let router = self.router_with(&health);
        match &self.otlp {
            Some(receiver) => router.merge(receiver.http().layer(self.tokens.require(Scope::Write))),
            None => router,
        }
    }

    fn router_with(&self, health: &HealthApi) -> Router {
        let read = Router::new().merge(health.router()).merge(self.metrics()).merge(self.queries());
        let read = read.layer(self.tokens.require(Scope::Read));
        // These ask for tokens themselves, or for none.
        let config = self.config.clone().unwrap_or_else(|| ConfigApi::builder(&self.telemetry).build());
        read.merge(config.router(&self.tokens)).merge(health.probes())
    }

    fn health(&self) -> HealthApi {
        let health = HealthApi::builder(&self.telemetry).export(self.export);
        let Some(store) = self.store.clone() else { return health.build() };
        let status = move || {
            let status = store.status();
            StorageStatus {
                kind: store.kind(),
                bytes: status.bytes,
                capacity_bytes: status.capacity_bytes,
                traces: status.traces,
                evicted_traces: status.evicted_traces,
                oldest_unix_ns: status.oldest_unix_ns,
                newest_unix_ns: status.newest_unix_ns,
                ..StorageStatus::default()
            }
        };
        health.storage(status).build()
    }

    fn metrics(&self) -> Router {
        Endpoint::new(&self.telemetry).router()
    }

    fn queries(&self) -> Router {
        let api = QueryApi::with(&self.telemetry, self.store.clone());
        let mut description = QueryApi::open_api();
        description.merge(HealthApi::open_api());
        description.merge(ConfigApi::open_api());
        let router = api.described_by(&description);
        if self.store.is_some() { router.merge(api.jaeger()).merge(api.tempo()) } else { router }
    }

    /// Starts serving, with the tokens, certificate and limits of these settings, whose address is
    /// not looked at.
    ///
    /// # Errors
    /// An address is taken, none of this machine's, or open to others without tokens. Nothing is
    /// served then.
    pub async fn start(mut self, settings: &CheckedSettings, at: &Addresses) -> Result<RunningServices, ServerError> {
        self.tokens = settings.tokens().clone();
        // All before any: an address that may not be served is known before anything is.
        let main = settings.at(at.main)?;
        let metrics = at.metrics.map(|address| settings.at(address)).transpose()?;
        let grpc = at.otlp_grpc.map(|address| settings.at(address)).transpose()?;
        let http = at.otlp_http.map(|address| settings.at(address)).transpose()?;
        let health = self.health();
        let mut running = RunningServices {
            telemetry: self.telemetry.clone(),
            readiness: health.readiness().clone(),
            main: Server::start(&main, self.router_with(&health)).await?,
            metrics: None,
            otlp: Vec::new(),
        };
        if let Some(metrics) = metrics {
            let router = self.metrics().layer(self.tokens.require(Scope::Read));
            running.metrics = Some(Server::start(&metrics, router).await?);
        }
        let write = self.tokens.require(Scope::Write);
        if let Some(receiver) = &self.otlp {
            if let Some(grpc) = grpc {
                let server = Server::start(&grpc, receiver.grpc().layer(write.clone())).await?;
                running.otlp.push((OtlpKind::Grpc, server));
            }
            if let Some(http) = http {
                let server = Server::start(&http, receiver.http().layer(write)).await?;
                running.otlp.push((OtlpKind::Http, server));
            }
        }
        running.readiness.set_ready();
        Ok(running)
    }
}

impl RunningServices {
    /// Where it listens: with the real ports where port 0 was asked for.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        let otlp = |wanted| self.otlp.iter().find(|(kind, _)| *kind == wanted).map(|(_, server)| server.local_addr());
        Addresses {
            main: self.main.local_addr(),
            metrics: self.metrics.as_ref().map(Server::local_addr),
            otlp_grpc: otlp(OtlpKind::Grpc),
            otlp_http: otlp(OtlpKind::Http),
        }
    }

    /// The scheme of all addresses: `https` with a certificate.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.main.url().starts_with("https") { "https" } else { "http" }
    }

    /// Ends in order, within `deadline` in all: senders get the answers of what they have sent and
    /// are taken nothing more from; then everything received is decided about, and what is kept is
    /// flushed to the sinks, while those who ask can still look; then those.
    ///
    /// # Cancel safety
    /// Dropping the future ends the servers at once; the engine's end goes on.
    pub async fn shutdown(self, deadline: Duration) -> ServicesReport {
        self.readiness.set_draining();
        let clock = self.telemetry.clock().clone();
        let start = clock.ticks();
        let left = || deadline.saturating_sub(clock.elapsed(start));
        // A third for senders: those that answer nobody must not use up the others' time.
        let mut senders_answered = true;
        let mut ending: JoinSet<bool> =
            self.otlp.into_iter().map(|(_, server)| server.shutdown(deadline / 3)).collect();
        while let Some(is_answered) = ending.join_next().await {
            senders_answered &= is_answered.unwrap_or(false);
        }
        let engine = self.telemetry.shutdown(left()).await;
        // Readers that are slow are cut off.
        let rest = left().min(Duration::from_secs(3));
        let metrics = self.metrics.map(|server| server.shutdown(rest));
        if let Some(metrics) = metrics {
            metrics.await;
        }
        self.main.shutdown(left().min(Duration::from_secs(3))).await;
        ServicesReport { senders_answered, engine }
    }
}
