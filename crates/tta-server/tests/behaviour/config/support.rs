//! An engine with a configuration, served.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use serde_json::Value;
use tta_server::{ConfigApi, ConfigApiBuilder, Server, ServerLimits, ServerSettings, TokenSource};
use tta_telemetry::Telemetry;
use tta_telemetry::config::{Config, Preset, Secret};

use crate::guard::support::{ADMIN, READ, WRITE, head, send, settings};
use crate::support::Reply;

pub(crate) const MERGE: &str = "content-type: application/merge-patch+json";
pub(crate) const SALT: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

pub(crate) struct Lab {
    pub(crate) telemetry: Telemetry,
    pub(crate) api: ConfigApi,
    pub(crate) server: Server,
    /// What the callback was told.
    pub(crate) told: Arc<Mutex<Vec<String>>>,
}

/// What the file says: production, a salt, an objective, a workflow of its own.
pub(crate) fn file() -> Config {
    let mut config = Preset::Production.config();
    config.tracing.sampling.default_rate = 0.1;
    config.redaction.hash_salt = Some(Secret::new(SALT));
    let patch = serde_json::json!({
        "slo": { "quick": { "primitive": "checkout", "target": 0.99, "latency_threshold_ms": 200 } },
        "tracing": { "sampling": { "workflows": { "batch": { "default_rate": 0.01 } } } }
    });
    config.patched("file", &patch).unwrap()
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder.base(|| Ok(file()))).await
    }

    pub(crate) async fn with(with: impl FnOnce(ConfigApiBuilder) -> ConfigApiBuilder) -> Self {
        let telemetry = Telemetry::builder().config(&file()).unwrap().build().unwrap();
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let tell = Arc::clone(&told);
        let api = ConfigApi::builder(&telemetry).on_change(move |change| tell.lock().unwrap().push(change.to_string()));
        let api = with(api).build();
        let value = |token: &str| vec![TokenSource::Value(token.into())];
        let checked = ServerSettings {
            read_tokens: value(READ),
            write_tokens: value(WRITE),
            admin_tokens: vec![TokenSource::Value("first-c41f08d7be29653a".into()), TokenSource::Value(ADMIN.into())],
            ..settings(ServerLimits::default())
        };
        let checked = checked.check().unwrap();
        let server = Server::start(&checked, Router::new().merge(api.router(checked.tokens()))).await.unwrap();
        Self { telemetry, api, server, told }
    }

    pub(crate) async fn get(&self) -> Value {
        let reply = ask(self.server.local_addr(), "GET", "/api/v1/config", READ, &[], b"").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.header("etag").unwrap(), body["etag"]);
        body
    }

    /// By the second admin token.
    pub(crate) async fn patch_as(&self, headers: &[&str], body: &str) -> Reply {
        ask(self.server.local_addr(), "PATCH", "/api/v1/config", ADMIN, headers, body.as_bytes()).await
    }

    pub(crate) async fn patch(&self, patch: Value) -> (u16, Value) {
        let reply = self.patch_as(&[MERGE], &patch.to_string()).await;
        (reply.status, serde_json::from_slice(&reply.body).unwrap())
    }

    pub(crate) async fn audit(&self) -> Value {
        let reply = ask(self.server.local_addr(), "GET", "/api/v1/config/audit", READ, &[], b"").await;
        assert_eq!(reply.status, 200);
        serde_json::from_slice(&reply.body).unwrap()
    }

    pub(crate) fn config(&self) -> Config {
        (*self.telemetry.config().unwrap()).clone()
    }
}

pub(crate) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    headers: &[&str],
    body: &[u8],
) -> Reply {
    let (token, length) = (format!("authorization: Bearer {token}"), format!("content-length: {}", body.len()));
    let headers: Vec<&str> = headers.iter().copied().chain(["connection: close", &token, &length]).collect();
    send(address, &[head(method, path, &headers).as_bytes(), body].concat()).await
}

/// Path, value, accepted and nearest name of each problem.
pub(crate) fn problems(body: &Value) -> Vec<[Option<&str>; 4]> {
    let list = body["problems"].as_array().unwrap();
    list.iter().map(|problem| ["path", "value", "accepted", "nearest"].map(|key| problem[key].as_str())).collect()
}
