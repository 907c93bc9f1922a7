//! Tempo's queries as Grafana's data source makes them: replies by schemas of the public
//! documentation, and what they find.

use serde_json::{Value as Json, json};

use tta_telemetry::Value;

use super::support::{Served, attribute, order, span, text, trace};

const ID: &str = "000000000000000000000000000000a1";

pub(crate) fn check(schema: &Json, reply: &Json) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(reply).map(|fault| format!("{} {fault}", fault.instance_path())).collect();
    assert_eq!(faults, Vec::<String>::new(), "{reply}");
}

/// Key and value by OTLP's JSON; a value that is empty is left out, as protobuf leaves it out.
pub(crate) fn key_values() -> Json {
    json!({"type": "array", "items": {
        "type": "object", "required": ["key"], "additionalProperties": false,
        "properties": {"key": {"type": "string"}, "value": {
            "type": "object", "maxProperties": 1, "additionalProperties": false, "properties": {
                "stringValue": {"type": "string"}, "boolValue": {"type": "boolean"},
                "intValue": {"type": "string", "pattern": "^-?[0-9]+$"},
                "doubleValue": {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]},
                "bytesValue": {"type": "string"}, "arrayValue": {"type": "object", "required": ["values"]},
                "kvlistValue": {"type": "object", "required": ["values"]}
            }
        }}
    }})
}

fn search_schema() -> Json {
    let nano = json!({"type": "string", "pattern": "^[0-9]+$"});
    let span = json!({
        "type": "object", "required": ["spanID", "startTimeUnixNano", "durationNanos"],
        "properties": {"spanID": {"type": "string"}, "startTimeUnixNano": nano, "durationNanos": nano, "attributes": key_values()}
    });
    let set = json!({
        "type": "object", "required": ["spans", "matched"],
        "properties": {"spans": {"type": "array", "items": span}, "matched": {"type": "integer"}}
    });
    json!({"type": "object", "required": ["traces", "metrics"], "properties": {"traces": {"type": "array", "items": {
        "type": "object", "required": ["traceID", "rootServiceName", "rootTraceName", "startTimeUnixNano", "durationMs"],
        "properties": {
            "traceID": {"type": "string", "pattern": "^[0-9a-f]{32}$"}, "startTimeUnixNano": nano,
            "durationMs": {"type": "integer"}, "spanSets": {"type": "array", "items": set}
        }
    }}}})
}

async fn search(served: &Served, query: &str) -> Vec<Json> {
    let reply = served.json(&format!("/tempo/api/search?{query}")).await;
    check(&search_schema(), &reply);
    reply["traces"].as_array().unwrap().clone()
}

/// Percent-encodes everything.
fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn traces_are_found_by_traceql_and_by_tags() {
    let served = Served::start().await;
    served.put(order(0xa1));
    served.put(trace(0xa2, vec![span(5, None, "alone")]));
    for (q, count) in [
        ("{}", 2),
        ("{ resource.service.name = \"stock\" && status = error && kind = server }", 1),
        ("{ .service.name = \"shop\" }", 2),
        ("{ span.http.status_code = 503 && duration >= 500ms }", 1),
        ("{ .http.status_code = 503 && duration > 500ms }", 0),
        ("{ resource.host.cpus = 4 }", 1),
        ("{ resource.http.route != nil }", 0),
        ("{ traceDuration > 1s }", 1),
    ] {
        assert_eq!(search(&served, &format!("q={}", encode(q))).await.len(), count, "{q}");
    }
    for (tags, count) in [
        ("service.name=stock http.status_code=503", 1),
        ("name=\"GET /cart\" error=true", 1),
        ("service.name=nobody", 0),
        ("", 2),
    ] {
        assert_eq!(search(&served, &format!("tags={}", encode(tags))).await.len(), count, "{tags}");
    }
    assert_eq!(search(&served, "start=5&end=6&limit=20&spss=10").await.len(), 1);
    assert_eq!(search(&served, "minDuration=1.2s").await.len(), 1);
    let found = search(&served, &format!("q={}", encode("{ status = error }"))).await;
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (&one["rootServiceName"], &one["rootTraceName"], &one["durationMs"]),
        (&json!("shop"), &json!("order"), &json!(1_500))
    );
    let set = &one["spanSets"][0];
    assert_eq!(
        (&set["matched"], &set["spans"][0]["spanID"], &set["spans"][0]["durationNanos"]),
        (&json!(1), &json!("0000000000000002"), &json!("500000000"))
    );
}

#[tokio::test]
async fn a_search_shows_what_was_asked_for_in_columns_of_one_type() {
    let served = Served::start().await;
    served.put(order(0xa1));
    let mut other = span(5, None, "other");
    other.attributes = vec![attribute("ratio", text("half")), attribute("n", Value::F64(1.5))];
    served.put(trace(0xa2, vec![other]));
    let mut third = span(6, None, "third");
    third.attributes = vec![attribute("n", Value::I64(2)), attribute("on", Value::Bool(true))];
    served.put(trace(0xa3, vec![third]));
    let attributes = async |q: &str| -> Vec<Json> {
        let found = search(&served, &format!("q={}", encode(q))).await;
        found.iter().map(|trace| trace["spanSets"][0]["spans"][0]["attributes"].clone()).collect()
    };
    let key = |key: &str, kind: &str, value: Json| json!({"key": key, "value": {kind: value}});
    assert_eq!(attributes("{}").await, [json!([]), json!([]), json!([])]);
    // What is no single value is text, and so is a key with values of several types.
    let want = json!([
        key("tags", "stringValue", json!("[\"a\",\"b\"]")),
        key("map", "stringValue", json!("{\"k\":\"v\"}")),
        key("raw", "stringValue", json!("3q0=")),
        key("empty", "stringValue", json!("")),
        key("nan", "stringValue", json!("NaN")),
        key("http.status_code", "intValue", json!("503")),
        key("host.cpus", "intValue", json!("4")),
        key("ratio", "doubleValue", json!(0.5))
    ]);
    let q = "{ .tags != nil && .map != nil && .raw != nil && .empty != nil && .nan != nil && span.http.status_code = 503 \
             && resource.host.cpus = 4 && .ratio = 0.5 }";
    assert_eq!(attributes(q).await, [want]);
    let want =
        [json!([key("ratio", "stringValue", json!("half"))]), json!([key("ratio", "stringValue", json!("0.5"))])];
    assert_eq!(attributes("{ .ratio != nil }").await, want);
    let want = [json!([key("n", "intValue", json!("2"))]), json!([key("n", "doubleValue", json!(1.5))])];
    assert_eq!(attributes("{ .n != nil }").await, want);
    assert_eq!(attributes("{ .on = true }").await, [json!([key("on", "boolValue", json!(true))])]);
    let services = attributes("{ resource.service.name != nil && name = \"other\" }").await;
    assert_eq!(services, [json!([key("service.name", "stringValue", json!("shop"))])]);
}

#[tokio::test]
async fn names_and_values_of_tags_are_listed_in_both_versions() {
    let served = Served::start().await;
    served.put(order(0xa1));
    assert_eq!(served.get("/tempo/api/echo").await.body, "echo");
    let names = served.json("/tempo/api/search/tags").await;
    let names = names["tagNames"].as_array().unwrap();
    assert!(["http.route", "host.cpus", "service.name"].iter().all(|name| names.contains(&json!(name))));
    let scopes = served.json("/tempo/api/v2/search/tags?limit=5000").await;
    let scopes: Vec<&str> =
        scopes["scopes"].as_array().unwrap().iter().map(|scope| scope["name"].as_str().unwrap()).collect();
    assert_eq!(scopes, ["span", "resource", "intrinsic"]);
    let resource = json!({"scopes": [{"name": "resource", "tags": ["host.cpus", "service.name"]}]});
    assert_eq!(served.json("/tempo/api/v2/search/tags?scope=resource").await, resource);
    let v1 = |name: &str| format!("/tempo/api/search/tag/{name}/values");
    assert_eq!(served.json(&v1("service.name")).await, json!({"tagValues": ["shop", "stock"]}));
    assert_eq!(served.json(&v1("http.route")).await, json!({"tagValues": ["/cart/{id}"]}));
    let v2 = |name: &str| format!("/tempo/api/v2/search/tag/{name}/values?q=%7B%7D");
    let string = |value: &str| json!({"type": "string", "value": value});
    assert_eq!(served.json(&v2("resource.service.name")).await["tagValues"], json!([string("shop"), string("stock")]));
    assert_eq!(served.json(&v2("span.http.status_code")).await["tagValues"], json!([string("503")]));
    assert_eq!(served.json(&v2("resource.http.status_code")).await["tagValues"], json!([]));
    assert_eq!(
        served.json(&v2("name")).await["tagValues"],
        json!([string("order"), string("GET /cart")].into_iter().rev().collect::<Vec<_>>())
    );
    assert_eq!(served.json(&v2("status")).await["tagValues"][0], json!({"type": "keyword", "value": "error"}));
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_a_problem() {
    let served = Served::start().await;
    let (status, detail) = served.problem(&format!("/tempo/api/search?q={}", encode("{ .a =~ \"x\" } | rate()"))).await;
    assert!(status == 400 && detail.contains("from TraceQL only { condition && condition ... }"), "{detail}");
    for (path, want) in [
        ("search?limit=0", "`limit` is `0`, accepted is 1 to 1000"),
        ("search?limit=-1", "`limit` is `-1`, accepted is 1 or more; 1000 are found at most"),
        ("search?start=x", "`start` is `x`, accepted is seconds since 1970"),
        ("search?q=%7B%7D&tags=a%3Db", "`tags` is `a=b`, accepted is either q or tags"),
        ("traces/xyz", "`traceID` is `xyz`, accepted is 1 to 32 hexadecimal digits, not all zero"),
        ("v2/traces/%ff", "the path is not UTF-8"),
    ] {
        assert_eq!(served.problem(&format!("/tempo/api/{path}")).await, (400, want.to_owned()));
    }
    for tags in ["novalue", "=x", "a=\"open"] {
        let (status, detail) = served.problem(&format!("/tempo/api/search?tags={}", encode(tags))).await;
        assert!(status == 400 && detail.contains("accepted is logfmt"), "{detail}");
    }
    assert_eq!(served.problem(&format!("/tempo/api/traces/{ID}")).await.0, 404);
    assert_eq!(served.problem("/tempo/api/nowhere").await.0, 404);
    assert_eq!(served.ask("POST", "/tempo/api/search", "").await.status, 405);
}
