//! A configuration file that is broken and mended, and patches beside it.

use serde_json::json;
use tta::Telemetry;
use tta::host::{ConfigReload, ConfigSource};
use tta::server::ConfigApi;

use crate::support::{ask, healthy, serve, told};

const PATH: &str = "/api/v1/config";

#[tokio::test]
async fn a_broken_file_is_told_of_until_it_is_mended_and_what_was_before_stays_in_effect() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tta.toml");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write("[tracing.sampling]\ndefault_rate = 0.25\n");
    let source = ConfigSource::new().file(&path);
    let telemetry = Telemetry::builder().config(&source.load().unwrap()).unwrap().build().unwrap();
    let reload = ConfigReload::builder(source, &telemetry).build();
    let server = serve(&telemetry, None).await;
    assert_eq!(told(&server, "config").await, healthy());
    write("[tracing.sampling]\ndefault_rate = 7\n[redaction]\nhash_salt = \"hunter2\"\n");
    assert!(reload.reload().is_err());
    let (whole, status, reason) = told(&server, "config").await;
    assert_eq!((&*whole, &*status), ("degraded", "degraded"));
    assert!(reason.contains("`tracing.sampling.default_rate` is 7") && !reason.contains("hunter2"), "{reason}");
    let (_, sampling) = ask(&server, "GET", "/health/sampling", "").await;
    assert_eq!(sampling["sampling_rate"], 0.25);
    write("[tracing.sampling]\ndefault_rate = 0.5\n");
    reload.reload().unwrap();
    assert_eq!(told(&server, "config").await, healthy());
    let (_, sampling) = ask(&server, "GET", "/health/sampling", "").await;
    assert_eq!((&sampling["sampling_rate"], &sampling["configured_rate"]), (&json!(0.5), &json!(0.5)));
}

#[tokio::test]
async fn patches_and_the_file_change_one_configuration_and_both_are_audited() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tta.toml");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write("[metrics]\nmax_label_values = 50\n");
    let source = ConfigSource::new().file(&path);
    let telemetry = Telemetry::builder().config(&source.load().unwrap()).unwrap().build().unwrap();
    let base = source.clone();
    let api = ConfigApi::builder(&telemetry).base(move || Ok(base.load()?)).build();
    let noted = api.clone();
    let reload = ConfigReload::builder(source, &telemetry)
        .on_outcome(move |outcome| {
            if let Ok(update) = &outcome.result {
                noted.note(&format!("reload:{}", outcome.cause.as_str()), update);
            }
        })
        .build();
    let server = serve(&telemetry, Some(&api)).await;
    let (_, body) = ask(&server, "GET", PATH, "").await;
    assert_eq!(body["origins"]["metrics.max_label_values"], "file_or_environment");
    let patch = json!({ "metrics": { "max_label_values": 5 } }).to_string();
    assert_eq!(ask(&server, "PATCH", PATH, &patch).await.0, 200);
    // The file is read again for what `null` sets back to.
    write("[metrics]\nmax_label_values = 60\n");
    let back = json!({ "metrics": { "max_label_values": null } }).to_string();
    let (_, body) = ask(&server, "PATCH", PATH, &back).await;
    assert_eq!(body["changed"], json!([{ "path": "metrics.max_label_values", "old": 5, "new": 60 }]));
    write("service_name = \"shop\"\n[metrics]\nmax_label_values = 70\n");
    reload.reload().unwrap();
    let (_, body) = ask(&server, "GET", PATH, "").await;
    assert_eq!(body["config"]["metrics"]["max_label_values"], 70);
    assert_eq!(body["needs_restart"], json!([{ "path": "service_name", "in_effect": "tta", "wanted": "shop" }]));
    let (_, audit) = ask(&server, "GET", "/api/v1/config/audit", "").await;
    let by: Vec<_> = audit["changes"].as_array().unwrap().iter().map(|change| change["by"].clone()).collect();
    assert_eq!(by, ["reload:by_hand", "anonymous", "anonymous"]);
    write("[metrics\n");
    let (status, body) = ask(&server, "PATCH", PATH, &back).await;
    assert_eq!(status, 503);
    assert!(
        body["detail"].as_str().unwrap().contains("which cannot be read: 1 problem in the configuration"),
        "{body}"
    );
}
