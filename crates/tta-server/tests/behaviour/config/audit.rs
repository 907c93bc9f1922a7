//! Who changed what.

use std::sync::{Arc, OnceLock, mpsc};

use serde_json::json;
use tta_server::{ConfigApi, Tokens};
use tta_telemetry::Telemetry;
use tta_telemetry::config::{ConfigChange, ConfigUpdate, SHOWN_SECRET};

use super::support::{Lab, SALT, ask, file};
use crate::guard::support::{ADMIN, LONG, settings};

#[tokio::test]
async fn a_change_is_noted_with_who_when_and_what_but_no_secret() {
    let lab = Lab::new().await;
    let salt = "a salt that nobody may see";
    lab.patch(json!({ "metrics": { "max_label_values": 5 } })).await;
    lab.patch(json!({ "redaction": { "hash_salt": salt } })).await;
    lab.patch(json!({ "redaction": { "hash_salt": salt } })).await;
    let audit = lab.audit().await;
    let changes = audit["changes"].as_array().unwrap();
    assert_eq!((changes.len(), &audit["dropped"], &audit["refused"]), (2, &json!(0), &json!(0)));
    let secret = json!({ "path": "redaction.hash_salt", "old": SHOWN_SECRET, "new": SHOWN_SECRET });
    assert_eq!((&changes[0]["number"], &changes[0]["changed"]), (&json!(2), &json!([secret])));
    let (scope, by) = (&changes[1]["scope"], &changes[1]["by"]);
    assert_eq!((scope, by), (&json!("admin"), &json!("admin:2")), "the second admin token");
    assert_eq!(changes[1]["changed"], json!([{ "path": "metrics.max_label_values", "old": 100, "new": 5 }]));
    assert!(changes[1]["at"].as_str().unwrap().starts_with("20"), "{}", changes[1]);
    let told = lab.told.lock().unwrap().join("\n");
    assert!(told.starts_with("configuration changed by admin:2: metrics.max_label_values: 100 -> 5\n"), "{told}");
    for text in [audit.to_string(), told, lab.get().await.to_string(), format!("{:?}", lab.api.audit())] {
        assert!(!text.contains(salt) && !text.contains(SALT) && !text.contains(ADMIN), "{text}");
    }
}

#[tokio::test]
async fn a_callback_that_panics_is_counted_and_the_change_holds() {
    let lab = Lab::with(|builder| builder.on_change(|_| panic!("the log is gone"))).await;
    assert_eq!(lab.patch(json!({ "metrics": { "max_label_values": 5 } })).await.0, 200);
    assert_eq!((lab.config().metrics.max_label_values, &lab.audit().await["callback_panics"]), (5, &json!(1)));
}

#[test]
fn a_callback_may_note_a_change_of_its_own() {
    let telemetry = Telemetry::builder().config(&file()).unwrap().build().unwrap();
    let own: Arc<OnceLock<ConfigApi>> = Arc::default();
    let (also, update) = (Arc::clone(&own), ConfigUpdate { changed: vec![change()], needs_restart: Vec::new() });
    let again = update.clone();
    let api = ConfigApi::builder(&telemetry).on_change(move |change| {
        if change.by == "reload" {
            also.get().unwrap().note("callback", &again);
        }
    });
    let api = own.get_or_init(|| api.build());
    let (tell, told) = mpsc::channel();
    let noting = api.clone();
    std::thread::spawn(move || {
        noting.note("reload", &update);
        tell.send(()).unwrap();
    });
    told.recv_timeout(LONG).expect("noting waits for itself");
    assert_eq!(api.audit().iter().map(|change| change.by.as_str()).collect::<Vec<_>>(), ["reload", "callback"]);
}

fn change() -> ConfigChange {
    ConfigChange { path: "service_name".to_owned(), old: None, new: Some(json!("shop")) }
}

#[tokio::test]
async fn where_there_are_no_tokens_changes_are_anonymous() {
    let lab = Lab::new().await;
    let checked = settings(tta_server::ServerLimits::default()).check().unwrap();
    let open = tta_server::Server::start(&checked, lab.api.router(&Tokens::default())).await.unwrap();
    let body = br#"{"metrics":{"max_label_values":5}}"#;
    let headers = ["content-type: application/json"];
    assert_eq!(ask(open.local_addr(), "PATCH", "/api/v1/config", "x", &headers, body).await.status, 200);
    let change = &lab.audit().await["changes"][0];
    assert_eq!((&change["by"], &change["scope"]), (&json!("anonymous"), &json!(null)));
}
