//! Fields that wait for a restart, and changes that are made otherwise.

use serde_json::json;

use super::support::{Lab, file};

#[tokio::test]
async fn what_takes_effect_at_start_is_accepted_and_shown_as_waiting_until_it_is_taken_back() {
    let lab = Lab::new().await;
    let (status, body) = lab.patch(json!({ "service_name": "shop", "metrics": { "max_label_values": 5 } })).await;
    assert_eq!(status, 200, "{body}");
    let waiting = json!([{ "path": "service_name", "in_effect": "tta", "wanted": "shop" }]);
    assert_eq!((&body["needs_restart"], &body["config"]["service_name"]), (&waiting, &json!("tta")));
    assert_eq!((lab.config().service_name.as_str(), lab.config().metrics.max_label_values), ("tta", 5));
    // It waits on through other patches, which do not change it again.
    let (_, body) = lab.patch(json!({ "metrics": { "max_label_values": 6 } })).await;
    assert_eq!((&body["needs_restart"], body["changed"].as_array().unwrap().len()), (&waiting, 1));
    assert_eq!(lab.get().await["needs_restart"], waiting);
    let (_, body) = lab.patch(json!({ "service_name": null })).await;
    assert_eq!((&body["needs_restart"], &body["changed"][0]["new"]), (&json!([]), &json!("tta")));
    let noted: Vec<_> = lab.api.audit().iter().map(|entry| entry.needs_restart.clone()).collect();
    assert_eq!(noted, [vec!["service_name".to_owned()], vec![], vec![]]);
}

#[tokio::test]
async fn a_change_that_was_made_otherwise_is_noted_and_takes_the_place_of_patches() {
    let lab = Lab::new().await;
    lab.patch(json!({ "service_name": "shop", "metrics": { "max_label_values": 5 } })).await;
    let etag = lab.get().await["etag"].clone();
    let mut reloaded = file();
    reloaded.tracing.batch_size = 100;
    let update = lab.telemetry.update(&file(), &reloaded).unwrap();
    lab.api.note("reload:signal", &update);
    let body = lab.get().await;
    let waiting = json!([{ "path": "tracing.batch_size", "in_effect": 512, "wanted": 100 }]);
    assert_eq!((&body["needs_restart"], &body["config"]["metrics"]["max_label_values"]), (&waiting, &json!(100)));
    assert_eq!(body["origins"]["metrics.max_label_values"], "preset");
    assert_ne!(body["etag"], etag);
    let last = lab.api.audit().pop().unwrap();
    assert_eq!(
        (last.by.as_str(), last.scope, &*last.needs_restart),
        ("reload:signal", None, &["tracing.batch_size".to_owned()][..])
    );
    assert!(last.to_string().contains("metrics.max_label_values: 5 -> 100"), "{last}");
    assert!(lab.told.lock().unwrap().last().unwrap().starts_with("configuration changed by reload:signal: "));
    // It waits on beside what a patch wants.
    let (_, body) = lab.patch(json!({ "service_name": "shop" })).await;
    assert_eq!(body["needs_restart"].as_array().unwrap().len(), 2);
}
