//! Probes, methods, tokens, and the description of the routes.

use axum::Router;
use tta_server::{HealthApi, Scope, Server, ServerLimits, ServerSettings, TokenSource};
use tta_telemetry::Telemetry;

use super::support::Lab;
use crate::guard::support::{READ, get_once, head, problem, send, settings};

#[tokio::test]
async fn readiness_is_from_when_it_is_told_until_it_drains_and_liveness_always() {
    let lab = Lab::new(|builder| builder).await;
    let readyz = async || {
        let (code, body) = lab.get("/readyz").await;
        assert_eq!(lab.get("/livez").await, (200, serde_json::json!({ "status": "alive" })));
        (code, body["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(readyz().await, (503, "starting".to_owned()));
    lab.api.readiness().set_ready();
    assert_eq!(readyz().await, (200, "ready".to_owned()));
    lab.sink.fail(true);
    lab.run("page");
    lab.after(1);
    lab.run("page");
    lab.after(60);
    assert_eq!(lab.get("/health").await.0, 503);
    assert_eq!(readyz().await, (200, "ready".to_owned()), "what is unhealthy still takes requests");
    lab.api.readiness().set_draining();
    assert_eq!(readyz().await, (503, "draining".to_owned()));
    assert_eq!(lab.get("/health").await.1["details"]["readiness"], "draining");
}

#[tokio::test]
async fn probes_are_open_and_the_rest_may_ask_for_a_token() {
    let read_tokens = vec![TokenSource::Value(READ.into())];
    let checked = ServerSettings { read_tokens, ..settings(ServerLimits::default()) }.check().unwrap();
    let api = HealthApi::builder(&Telemetry::disabled()).build();
    let router = Router::new().merge(api.probes()).merge(api.router().layer(checked.tokens().require(Scope::Read)));
    let server = Server::start(&checked, router).await.unwrap();
    for path in ["/livez", "/readyz"] {
        assert_ne!(get_once(&server, path, &[]).await.status, 401, "{path}");
    }
    let token = format!("authorization: Bearer {READ}");
    for path in ["/health", "/health/full", "/health/sampling", "/health/metrics", "/health/storage"] {
        assert_eq!(problem(&get_once(&server, path, &[]).await).0, 401, "{path}");
        assert_eq!(get_once(&server, path, &[&token]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_problems_and_head_has_no_body() {
    let lab = Lab::new(|builder| builder).await;
    for path in ["/health", "/health/full", "/livez", "/readyz"] {
        let post = head("POST", path, &["connection: close"]);
        let reply = send(lab.server.local_addr(), post.as_bytes()).await;
        assert_eq!((problem(&reply).0, reply.header("allow")), (405, Some("get, head")), "{path}");
    }
    let reply = send(lab.server.local_addr(), head("HEAD", "/health", &["connection: close"]).as_bytes()).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
}

#[test]
fn the_description_names_every_route_and_what_it_replies() {
    let description = serde_json::to_value(HealthApi::open_api()).unwrap();
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    let mut want =
        ["/health", "/health/full", "/health/metrics", "/health/sampling", "/health/storage", "/livez", "/readyz"];
    want.sort_unstable();
    let mut paths: Vec<&str> = paths.into_iter().map(String::as_str).collect();
    paths.sort_unstable();
    assert_eq!(paths, want);
    let full =
        &description["paths"]["/health/full"]["get"]["responses"]["503"]["content"]["application/json"]["schema"];
    assert_eq!(full["$ref"], "#/components/schemas/FullHealth");
    let details = &description["components"]["schemas"]["Details"]["properties"];
    assert_eq!(details["uptime_seconds"]["type"], "number", "{details}");
    assert_eq!(description["components"]["schemas"]["HealthBody"]["properties"]["status"]["type"], "string");
}
