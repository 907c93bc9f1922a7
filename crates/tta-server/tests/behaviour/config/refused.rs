//! What is refused, with all that is wrong, and nothing changed.

use serde_json::{Value, json};

use super::support::{Lab, MERGE, ask, file, problems};
use crate::guard::support::{ADMIN, gzip, problem};

#[tokio::test]
async fn all_that_is_wrong_is_listed_and_nothing_is_changed() {
    let lab = Lab::new().await;
    let wrong = json!({
        "metrics": { "max_label_values": 5 },
        "tracing": { "sampling": { "default_rate": 7, "slow_treshold_ms": 5 } },
        "slo": { "quick": { "target": "high" } },
        "redaction": { "hash_salt": "too short" }
    });
    let reply = lab.patch_as(&[MERGE], &wrong.to_string()).await;
    assert_eq!((reply.status, reply.header("content-type")), (422, Some("application/problem+json")));
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((&body["status"], &body["title"]), (&json!(422), &json!("Unprocessable Entity")));
    assert_eq!(body["detail"], "4 problems in the patch; nothing was changed");
    let mut listed = problems(&body);
    listed.sort_unstable();
    assert_eq!(
        listed,
        [
            [Some("redaction.hash_salt"), Some("a text of 9 bytes"), Some("a secret text of 16 to 256 bytes"), None],
            [Some("slo.quick.target"), Some("\"high\""), Some("a number above 0 and at most 0.999999999"), None],
            [Some("tracing.sampling.default_rate"), Some("7"), Some("a number from 0 to 1"), None],
            [Some("tracing.sampling.slow_treshold_ms"), None, None, Some("tracing.sampling.slow_threshold_ms")],
        ]
    );
    assert!(!reply.text().contains("too short"));
    assert_eq!(lab.config(), file());
    assert_eq!((&lab.audit().await["refused"], lab.told.lock().unwrap().len()), (&json!(1), 0));
}

#[tokio::test]
async fn fields_that_do_not_fit_together_are_refused_as_a_whole() {
    let lab = Lab::new().await;
    let (status, body) = lab.patch(json!({ "tracing": { "sampling": { "adaptive_min_rate": 0.9 } } })).await;
    let listed = problems(&body);
    assert_eq!((status, listed[0][0], lab.config()), (422, Some("tracing.sampling.adaptive_min_rate"), file()));
    assert_eq!(listed[0][2], Some("at most `tracing.sampling.adaptive_max_rate`, which is 0.2 (in effect)"));
}

#[tokio::test]
async fn what_is_no_table_is_no_patch() {
    let lab = Lab::new().await;
    for patch in [json!(null), json!([]), json!("enabled"), json!(5), json!({ "tracing": 5 }), json!({ "x": null })] {
        let (status, body) = lab.patch(patch.clone()).await;
        assert_eq!((status, problems(&body).len()), (422, 1), "{patch}");
    }
    assert_eq!(lab.config(), file());
}

#[tokio::test]
async fn other_bodies_get_a_problem_that_names_what_is_accepted() {
    let lab = Lab::new().await;
    for kind in ["text/plain", "application/json-patch+json", "application/x-www-form-urlencoded", ""] {
        let reply = lab.patch_as(&[&format!("content-type: {kind}")], "{}").await;
        let accepted = "application/merge-patch+json, application/json";
        assert_eq!((reply.status, reply.header("accept-patch")), (415, Some(accepted)), "{kind}");
        assert_eq!(problem(&reply).1, format!("the content type is `{kind}`, accepted are {accepted}"));
    }
    assert!(problem(&lab.patch_as(&[], "{}").await).1.starts_with("the content type is missing"));
    for kind in ["application/json; charset=utf-8", "Application/Merge-Patch+JSON"] {
        assert_eq!(lab.patch_as(&[&format!("content-type: {kind}")], "{}").await.status, 200, "{kind}");
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for text in ["", "{", "{\"a\":}", "\u{feff}{}", "{} {}", "NaN", "{\"metrics\":{\"max_label_values\":1e999}}", &deep]
    {
        let (status, detail) = problem(&lab.patch_as(&[MERGE], text).await);
        assert_eq!(status, 400);
        assert!(detail.starts_with("the body is no JSON: "), "{detail}");
    }
    assert_eq!(lab.config(), file());
}

#[tokio::test]
async fn a_patch_beyond_a_mebibyte_is_refused_also_when_it_comes_compressed() {
    let lab = Lab::new().await;
    let large = format!("{{\"service_name\":\"{}\"}}", "x".repeat(1 << 20));
    for (headers, body) in
        [(vec![MERGE], large.clone().into_bytes()), (vec![MERGE, "content-encoding: gzip"], gzip(large.as_bytes()))]
    {
        let reply = ask(lab.server.local_addr(), "PATCH", "/api/v1/config", ADMIN, &headers, &body).await;
        let (status, detail) = problem(&reply);
        assert_eq!((status, detail.as_str()), (413, "the patch is too large, accepted are at most 1048576 bytes"));
    }
    let (status, body) = lab.patch(json!({ "tracing": { "sampling": { "workflows": many(300) } } })).await;
    assert_eq!((status, problems(&body)[0][2]), (422, Some("at most 256 entries")));
    let unknown: serde_json::Map<String, Value> = (0..150).map(|n| (format!("x{n}"), json!(1))).collect();
    let (_, body) = lab.patch(Value::Object(unknown)).await;
    assert_eq!((problems(&body).len(), &body["more_problems"]), (100, &json!(50)));
}

fn many(count: usize) -> Value {
    Value::Object((0..count).map(|n| (format!("w{n}"), json!({ "default_rate": 1 }))).collect())
}
