//! Patches: what they change, what `null` sets back to, and many at once.

use serde_json::{Value, json};
use tta_telemetry::HealthStatus;
use tta_telemetry::config::Secret;

use super::support::{Lab, MERGE, SALT, ask, file};
use crate::guard::support::{ADMIN, problem};

#[tokio::test]
async fn a_patch_changes_what_it_names_in_the_running_engine_and_nothing_else() {
    let lab = Lab::new().await;
    let before = lab.get().await;
    let sampling = json!({ "default_rate": 0.15, "workflows": { "batch": { "always_sample_slow": false } } });
    let (status, body) = lab.patch(json!({ "tracing": { "sampling": sampling } })).await;
    assert_eq!(status, 200, "{body}");
    let mut want = file();
    want.tracing.sampling.default_rate = 0.15;
    want.tracing.sampling.workflows.get_mut("batch").unwrap().always_sample_slow = Some(false);
    assert_eq!(lab.config(), want);
    assert_eq!(lab.telemetry.state().sampling_rate, 0.15);
    let changed: Vec<_> = body["changed"].as_array().unwrap().iter().map(Value::to_string).collect();
    assert_eq!(
        changed,
        [
            r#"{"new":0.15,"old":0.1,"path":"tracing.sampling.default_rate"}"#,
            r#"{"new":false,"old":null,"path":"tracing.sampling.workflows.batch.always_sample_slow"}"#
        ]
    );
    let after = lab.get().await;
    assert_eq!((&after["config"], &after["etag"]), (&body["config"], &body["etag"]));
    assert_ne!(after["etag"], before["etag"]);
}

#[tokio::test]
async fn null_sets_back_to_what_the_file_says_and_removes_what_it_does_not_have() {
    let lab = Lab::new().await;
    let all = json!({
        "tracing": { "sampling": { "default_rate": 0.2, "slow_threshold_ms": 5, "workflows": {
            "batch": { "default_rate": 0.5, "slow_threshold_ms": 7 }, "new": { "default_rate": 1 } } } },
        "slo": { "quick": { "target": 0.5 }, "other": { "primitive": "search" } },
        "redaction": { "hash_salt": "another salt of 16 bytes or more", "mode": "drop" },
        "metrics": { "max_label_values": 7 }
    });
    assert_eq!(lab.patch(all).await.0, 200);
    assert_eq!(lab.config().slo.len(), 2);
    // Fields; an entry of the file; one of nobody's; fields of entries; a table; a section.
    let (status, body) = lab.patch(json!({ "tracing": { "sampling": { "default_rate": null } } })).await;
    assert_eq!((status, &body["changed"][0]["new"]), (200, &json!(0.1)));
    let workflows = json!({ "batch": { "slow_threshold_ms": null }, "new": null });
    lab.patch(json!({ "tracing": { "sampling": { "workflows": workflows } } })).await;
    let own = lab.config().tracing.sampling.workflows;
    assert_eq!((own.len(), own["batch"].default_rate, own["batch"].slow_threshold_ms), (1, Some(0.5), None));
    lab.patch(json!({ "slo": { "quick": { "target": null, "latency_threshold_ms": null } } })).await;
    assert_eq!((lab.config().slo["quick"].target, lab.config().slo.len()), (0.99, 2));
    lab.patch(json!({ "slo": null, "redaction": null })).await;
    assert_eq!((lab.config().slo, lab.config().redaction), (file().slo, file().redaction));
    assert_eq!(lab.config().redaction.hash_salt, Some(Secret::new(SALT)));
    lab.patch(json!({ "tracing": null, "metrics": null })).await;
    assert_eq!(lab.config(), file());
    assert_eq!(lab.get().await["origins"]["tracing.sampling.default_rate"], "patch", "it was set by a patch");
}

#[tokio::test]
async fn without_a_source_null_sets_back_to_the_preset() {
    let lab = Lab::with(|builder| builder).await;
    let (status, _) = lab.patch(json!({ "tracing": { "sampling": { "default_rate": null } } })).await;
    assert_eq!((status, lab.config().tracing.sampling.default_rate), (200, 0.05));
}

#[tokio::test]
async fn when_the_file_cannot_be_read_nothing_is_set_back_but_the_rest_can_be_changed() {
    let lab = Lab::with(|builder| builder.base(|| Err("cannot read `tta.toml`: no such file".into()))).await;
    let reply = lab.patch_as(&[MERGE], r#"{"metrics":{"max_label_values":null}}"#).await;
    let (status, detail) = problem(&reply);
    assert_eq!((status, lab.config()), (503, file()));
    assert!(detail.ends_with("which cannot be read: cannot read `tta.toml`: no such file"), "{detail}");
    assert_eq!(lab.patch(json!({ "metrics": { "max_label_values": 5 } })).await.0, 200);
    assert_eq!(lab.get().await["origins"]["slo.quick.target"], "start");
}

#[tokio::test]
async fn what_is_shown_can_be_sent_back_and_changes_nothing() {
    let lab = Lab::new().await;
    let shown = lab.get().await;
    let (status, body) = lab.patch(shown["config"].clone()).await;
    assert_eq!((status, &body["changed"], &body["etag"]), (200, &json!([]), &shown["etag"]));
    assert_eq!(lab.config().redaction.hash_salt, Some(Secret::new(SALT)));
    assert_eq!(lab.audit().await["changes"], json!([]));
}

#[tokio::test]
async fn with_if_match_only_the_configuration_that_was_seen_is_changed() {
    let lab = Lab::new().await;
    let etag = lab.get().await["etag"].as_str().unwrap().to_owned();
    let if_match = format!("if-match: {etag}");
    let first = lab.patch_as(&[MERGE, &if_match], r#"{"metrics":{"max_label_values":5}}"#).await;
    assert_eq!(first.status, 200);
    let second = lab.patch_as(&[MERGE, &if_match], r#"{"metrics":{"max_label_values":6}}"#).await;
    let (status, detail) = problem(&second);
    assert_eq!((status, lab.config().metrics.max_label_values), (412, 5));
    assert!(detail.starts_with("the configuration is not what If-Match says"), "{detail}");
    assert_eq!(lab.patch_as(&[MERGE, "if-match: *"], r#"{"metrics":{"max_label_values":7}}"#).await.status, 200);
    // A tag comes back with the configuration, whatever happened between.
    lab.patch(json!({ "metrics": { "max_label_values": null } })).await;
    let again = lab.patch_as(&[MERGE, &if_match], r#"{"metrics":{"max_label_values":8}}"#).await;
    assert_eq!((again.status, lab.config().metrics.max_label_values), (200, 8));
    let malformed = lab.patch_as(&[MERGE, "if-match: abc"], "{}").await;
    assert_eq!(problem(&malformed).0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_patches_at_once_each_is_whole_and_each_is_audited() {
    let lab = Lab::new().await;
    let address = lab.server.local_addr();
    let mut patches = tokio::task::JoinSet::new();
    for number in 1..=40_u64 {
        // Two fields that must stay together.
        let patch = json!({ "metrics": { "max_label_values": number, "max_series_per_metric": number } }).to_string();
        patches.spawn(async move { ask(address, "PATCH", "/api/v1/config", ADMIN, &[MERGE], patch.as_bytes()).await });
    }
    while let Some(reply) = patches.join_next().await {
        let reply = reply.unwrap();
        assert_eq!(reply.status, 200);
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        let metrics = &body["config"]["metrics"];
        assert_eq!(metrics["max_label_values"], metrics["max_series_per_metric"]);
    }
    let metrics = lab.config().metrics;
    assert_eq!(metrics.max_label_values, metrics.max_series_per_metric);
    let audit = lab.api.audit();
    assert_eq!(audit.len(), 40);
    // Each began where the one before had ended, and the last is in effect.
    for pair in audit.windows(2) {
        assert_eq!(pair[0].changed[0].new, pair[1].changed[0].old);
    }
    assert_eq!(audit[39].changed[0].new, Some(json!(metrics.max_label_values)));
    assert_eq!(lab.telemetry.health().status, HealthStatus::Healthy);
}
