//! Tempo's queries as Grafana's data source makes them: replies by schemas of the public
//! documentation, and what they find.

use serde_json::{Value as Json, json};
use tta_telemetry::Trace;

use super::support::{Served, order, span, trace};

const ID: &str = "000000000000000000000000000000a1";

fn check(schema: &Json, reply: &Json) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(reply).map(|fault| format!("{} {fault}", fault.instance_path())).collect();
    assert_eq!(faults, Vec::<String>::new(), "{reply}");
}

/// Key and value by OTLP's JSON.
fn key_values() -> Json {
    json!({"type": "array", "items": {
        "type": "object", "required": ["key", "value"], "additionalProperties": false,
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

/// `ResourceSpans` by OTLP's JSON: ids in hexadecimal, enumerations as numbers, 64 bits as text.
fn resource_spans() -> Json {
    let hex = |digits: &str| json!({"type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$")});
    let nano = json!({"type": "string", "pattern": "^[0-9]+$"});
    let count = json!({"type": "integer", "minimum": 0});
    let link = json!({
        "type": "object", "required": ["traceId", "spanId"],
        "properties": {"traceId": hex("32"), "spanId": hex("16"), "attributes": key_values(), "flags": count}
    });
    let event = json!({
        "type": "object", "required": ["timeUnixNano", "name"],
        "properties": {"timeUnixNano": nano, "name": {"type": "string"}, "attributes": key_values()}
    });
    let span = json!({
        "type": "object", "required": ["traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "status"],
        "properties": {
            "traceId": hex("32"), "spanId": hex("16"), "parentSpanId": {"type": "string", "pattern": "^([0-9a-f]{16})?$"},
            "kind": {"type": "integer", "minimum": 0, "maximum": 5}, "startTimeUnixNano": nano, "endTimeUnixNano": nano,
            "attributes": key_values(), "events": {"type": "array", "items": event}, "links": {"type": "array", "items": link},
            "status": {"type": "object", "properties": {"code": {"enum": [0, 1, 2]}, "message": {"type": "string"}}},
            "droppedAttributesCount": count, "droppedEventsCount": count, "droppedLinksCount": count, "flags": count
        }
    });
    let scope = json!({"type": "object", "properties": {"name": {"type": "string"}, "version": {"type": "string"}, "attributes": key_values()}});
    json!({"type": "array", "minItems": 1, "items": {
        "type": "object", "required": ["resource", "scopeSpans"], "properties": {
            "resource": {"type": "object", "properties": {"attributes": key_values()}},
            "scopeSpans": {"type": "array", "items": {
                "type": "object", "required": ["scope", "spans"],
                "properties": {"scope": scope, "spans": {"type": "array", "items": span, "minItems": 1}}
            }}
        }
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
async fn a_trace_is_otlp_with_all_that_was_sent() {
    let served = Served::start().await;
    served.put(Trace { incomplete: true, ..order(0xa1) });
    let v1 = served.json(&format!("/tempo/api/traces/{ID}")).await;
    let v2 = served.json("/tempo/api/v2/traces/A1").await;
    check(&json!({"type": "object", "required": ["batches"], "properties": {"batches": resource_spans()}}), &v1);
    let trace =
        json!({"type": "object", "required": ["resourceSpans"], "properties": {"resourceSpans": resource_spans()}});
    check(
        &json!({"type": "object", "required": ["trace"], "properties": {"trace": trace, "status": {"enum": ["COMPLETE", "PARTIAL"]}}}),
        &v2,
    );
    assert_eq!((&v1["batches"], &v2["status"]), (&v2["trace"]["resourceSpans"], &json!("PARTIAL")));
    let string = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let [own, stock] = [&v1["batches"][0], &v1["batches"][1]];
    assert_eq!(own["resource"]["attributes"], json!([string("service.name", "shop")]));
    assert_eq!(
        (&own["scopeSpans"][0]["scope"]["name"], &own["scopeSpans"][0]["spans"][0]["kind"]),
        (&json!("tta"), &json!(1))
    );
    let resource = json!({
        "attributes": [string("service.name", "stock"), {"key": "host.cpus", "value": {"intValue": "4"}}],
        "droppedAttributesCount": 5
    });
    assert_eq!((&stock["resource"], &stock["schemaUrl"]), (&resource, &json!("https://example.org/resource")));
    let span = json!({
        "traceId": ID, "spanId": "0000000000000002", "parentSpanId": "0000000000000001", "traceState": "ot=th:8,x=y",
        "flags": 257, "name": "GET /cart", "kind": 2, "startTimeUnixNano": "2000000001", "endTimeUnixNano": "2500000001",
        "attributes": [
            string("http.route", "/cart/{id}"),
            {"key": "http.status_code", "value": {"intValue": "503"}},
            {"key": "big", "value": {"intValue": "9223372036854775807"}},
            {"key": "ratio", "value": {"doubleValue": 0.5}},
            {"key": "nan", "value": {"doubleValue": "NaN"}},
            {"key": "raw", "value": {"bytesValue": "3q0="}},
            {"key": "tags", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}},
            {"key": "mixed", "value": {"arrayValue": {"values": [{"intValue": "1"}, {"boolValue": true}]}}},
            {"key": "map", "value": {"kvlistValue": {"values": [string("k", "v")]}}},
            {"key": "empty", "value": {}}
        ],
        "droppedAttributesCount": 1,
        "events": [{
            "timeUnixNano": "2000000005", "name": "exception",
            "attributes": [string("exception.type", "OutOfStock")], "droppedAttributesCount": 8
        }],
        "droppedEventsCount": 3,
        "links": [{
            "traceId": "0000000000000000000000000000feed", "spanId": "000000000000beef", "traceState": "a=b",
            "attributes": [string("why", "retry")], "droppedAttributesCount": 7, "flags": 1
        }],
        "droppedLinksCount": 4,
        "status": {"code": 2, "message": "no \"stock\""}
    });
    assert_eq!(stock["scopeSpans"][0]["spans"], json!([span]));
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
