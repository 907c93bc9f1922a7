//! The description by OpenAPI: it says what there is, and replies are as it says.

use serde_json::{Value as Json, json};

use super::support::{Served, order};

/// The schema of a path's good reply, with the components that it refers to.
fn schema(description: &Json, path: &str) -> Json {
    let schema = &description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    let mut schema = schema.clone();
    assert!(schema.is_object(), "{path} has no schema");
    schema["components"] = description["components"].clone();
    schema
}

#[tokio::test]
async fn every_reply_is_as_the_description_says() {
    let served = Served::start().await;
    served.put(order(0xa1));
    served.telemetry.start_trace("import").end();
    let description = served.json("/api/v1/openapi.json").await;
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    let want = ["cost", "graph", "live", "metrics", "sampling", "slo", "traces", "traces/{trace_id}"];
    assert_eq!(paths, want.map(|path| format!("/api/v1/{path}")).iter().collect::<Vec<_>>());
    for path in paths.iter().filter(|path| !path.ends_with("/live")) {
        let reply = served.json(&path.replace("{trace_id}", "000000000000000000000000000000a1")).await;
        let validator = jsonschema::validator_for(&schema(&description, path)).unwrap();
        let faults: Vec<String> =
            validator.iter_errors(&reply).map(|fault| format!("{} {fault}", fault.instance_path())).collect();
        assert_eq!(faults, Vec::<String>::new(), "{path}: {reply}");
        // The check does check.
        assert!(!validator.is_valid(&json!({})), "{path}");
    }
}

#[tokio::test]
async fn every_path_says_its_problems_and_every_parameter_what_it_is() {
    let served = Served::start().await;
    let description = served.json("/api/v1/openapi.json").await;
    for (path, item) in description["paths"].as_object().unwrap() {
        let of = &item["get"];
        assert!(of["responses"]["400"]["content"]["application/problem+json"].is_object(), "{path}");
        for parameter in of["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].as_str().is_some_and(|text| !text.is_empty()), "{path} {parameter}");
        }
    }
    assert_eq!(tta_server::QueryApi::open_api().paths.paths.len(), 8);
}
