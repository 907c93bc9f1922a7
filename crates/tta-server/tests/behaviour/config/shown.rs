//! What is shown of the configuration, and to whom.

use serde_json::{Value, json};
use tta_server::{ConfigApi, Tokens};
use tta_telemetry::Telemetry;

use super::support::{Lab, SALT, ask, file};
use crate::guard::support::{ADMIN, READ, WRITE, problem, settings};

#[tokio::test]
async fn every_field_is_shown_but_secrets_with_where_it_comes_from() {
    let lab = Lab::new().await;
    let body = lab.get().await;
    let mut shown = body["config"].clone();
    assert_eq!(shown["redaction"]["hash_salt"].take(), json!("(a secret)"));
    shown["redaction"].as_object_mut().unwrap().remove("hash_salt");
    assert_eq!(shown, file().to_json());
    assert!(!body.to_string().contains(SALT));
    let origin = |path: &str| body["origins"][path].as_str().unwrap().to_owned();
    assert_eq!(origin("tracing.sampling.default_rate"), "file_or_environment");
    assert_eq!(origin("slo.quick.target"), "file_or_environment");
    assert_eq!(origin("redaction.hash_salt"), "file_or_environment");
    assert_eq!(origin("metrics.max_label_values"), "preset");
    assert_eq!((&body["needs_restart"], &body["changed"]), (&json!([]), &json!([])));
    lab.patch(json!({ "metrics": { "max_label_values": 55 } })).await;
    assert_eq!(lab.get().await["origins"]["metrics.max_label_values"], "patch");
}

#[tokio::test]
async fn without_a_source_values_are_of_the_preset_or_of_the_start() {
    let lab = Lab::with(|builder| builder).await;
    let body = lab.get().await;
    assert_eq!(body["origins"]["tracing.sampling.default_rate"], "start");
    assert_eq!(body["origins"]["tracing.sampling.adaptive_min_rate"], "preset");
}

#[tokio::test]
async fn readers_see_it_admins_change_it_and_others_do_neither() {
    let lab = Lab::new().await;
    let address = lab.server.local_addr();
    let merge = ["content-type: application/json"];
    let status = async |method, path, token| ask(address, method, path, token, &merge, b"{}").await.status;
    for (token, want) in [(READ, [200, 200, 403]), (WRITE, [403, 403, 403]), (ADMIN, [200, 200, 200])] {
        let seen = [
            status("GET", "/api/v1/config", token).await,
            status("GET", "/api/v1/config/audit", token).await,
            status("PATCH", "/api/v1/config", token).await,
        ];
        assert_eq!(seen, want, "{token}");
    }
    assert_eq!(status("PATCH", "/api/v1/config", "unknown-0123456789").await, 401);
    let put = ask(address, "PUT", "/api/v1/config", ADMIN, &[], b"").await;
    assert_eq!((problem(&put).0, put.header("allow")), (405, Some("get, head, patch")));
    assert_eq!(status("DELETE", "/api/v1/config/audit", ADMIN).await, 405);
}

#[tokio::test]
async fn an_engine_that_was_built_in_code_has_none_to_show_or_change() {
    let telemetry = Telemetry::builder().build().unwrap();
    let api = ConfigApi::builder(&telemetry).build();
    let checked = settings(tta_server::ServerLimits::default()).check().unwrap();
    let server = tta_server::Server::start(&checked, api.router(&Tokens::default())).await.unwrap();
    for method in ["GET", "PATCH"] {
        let headers = ["content-type: application/json"];
        let reply = ask(server.local_addr(), method, "/api/v1/config", ADMIN, &headers, b"{}").await;
        let (status, detail) = problem(&reply);
        assert_eq!(status, 404);
        assert!(detail.starts_with("this engine was built in code, without a configuration"), "{detail}");
    }
    assert!(telemetry.config().is_none());
}

#[test]
fn the_description_names_every_route_and_the_problem() {
    let description = serde_json::to_value(ConfigApi::open_api()).unwrap();
    let paths: Vec<&str> = description["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(paths.len(), 2);
    let patch = &description["paths"]["/api/v1/config"]["patch"];
    let content = patch["requestBody"]["content"].as_object().unwrap();
    assert!(content.contains_key("application/merge-patch+json") && content.contains_key("application/json"));
    let invalid = &patch["responses"]["422"]["content"]["application/problem+json"]["schema"]["$ref"];
    assert_eq!(invalid, "#/components/schemas/InvalidConfig");
    assert!(description["components"]["schemas"]["ConfigBody"].is_object());
    assert_ne!(description["paths"]["/api/v1/config/audit"]["get"], Value::Null);
}
