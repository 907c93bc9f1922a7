//! Jaeger's queries: replies by a schema of its public documentation, and what they find.

use serde_json::{Value as Json, json};
use tta_telemetry::{Trace, Value};

use super::support::{Served, attribute, full, order, span, text, trace};
use super::tempo::check;
use super::tempo_trace::resource_spans;

const ID: &str = "000000000000000000000000000000a1";

/// What Jaeger's documentation says of a reply with traces ("Jaeger UI JSON", model/json).
fn schema() -> Json {
    let hex = |digits: &str| json!({"type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$")});
    let tag = json!({
        "type": "object", "required": ["key", "type", "value"], "additionalProperties": false,
        "properties": {"key": {"type": "string"}, "type": {"enum": ["string", "bool", "int64", "float64", "binary"]}, "value": {}},
        "allOf": [
            {"if": {"properties": {"type": {"const": "bool"}}}, "then": {"properties": {"value": {"type": "boolean"}}}},
            {"if": {"properties": {"type": {"enum": ["string", "binary"]}}}, "then": {"properties": {"value": {"type": "string"}}}},
            {"if": {"properties": {"type": {"const": "float64"}}}, "then": {"properties": {"value": {"type": "number"}}}},
            {"if": {"properties": {"type": {"const": "int64"}}}, "then": {"properties": {"value": {"type": ["integer", "string"]}}}}
        ]
    });
    let tags = json!({"type": "array", "items": tag});
    let micros = json!({"type": "integer", "minimum": 0});
    let reference = json!({
        "type": "object", "required": ["refType", "traceID", "spanID"],
        "properties": {"refType": {"enum": ["CHILD_OF", "FOLLOWS_FROM"]}, "traceID": hex("32"), "spanID": hex("16")}
    });
    let span = json!({
        "type": "object",
        "required": ["traceID", "spanID", "operationName", "references", "startTime", "duration", "tags", "logs", "processID"],
        "properties": {
            "traceID": hex("32"), "spanID": hex("16"), "operationName": {"type": "string"}, "startTime": micros,
            "duration": micros, "references": {"type": "array", "items": reference}, "tags": tags,
            "processID": {"type": "string", "pattern": "^p[1-9][0-9]*$"}, "flags": {"type": "integer"},
            "warnings": {"type": ["array", "null"]},
            "logs": {"type": "array", "items": {
                "type": "object", "required": ["timestamp", "fields"], "properties": {"timestamp": micros, "fields": tags}
            }}
        }
    });
    let process = json!({
        "type": "object", "required": ["serviceName", "tags"],
        "properties": {"serviceName": {"type": "string"}, "tags": tags}
    });
    let trace = json!({
        "type": "object", "required": ["traceID", "spans", "processes", "warnings"],
        "properties": {
            "traceID": hex("32"), "spans": {"type": "array", "items": span, "minItems": 1},
            "processes": {"type": "object", "additionalProperties": process}
        }
    });
    json!({
        "type": "object", "required": ["data", "total", "limit", "offset", "errors"],
        "properties": {
            "data": {"type": "array", "items": trace}, "total": {"type": "integer"}, "limit": {"type": "integer"},
            "offset": {"type": "integer"}, "errors": {"type": ["array", "null"]}
        }
    })
}

/// A reply with traces, checked.
async fn traces(served: &Served, path: &str) -> Json {
    let reply = served.json(path).await;
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(&reply).map(|fault| format!("{} {fault}", fault.instance_path())).collect();
    assert_eq!(faults, Vec::<String>::new(), "{path}: {reply}");
    for trace in reply["data"].as_array().unwrap() {
        for span in trace["spans"].as_array().unwrap() {
            assert!(trace["processes"][span["processID"].as_str().unwrap()].is_object());
        }
    }
    reply
}

async fn found(served: &Served, query: &str) -> usize {
    traces(served, &format!("/jaeger/api/traces?{query}")).await["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_trace_has_its_processes_references_tags_and_logs() {
    let served = Served::start().await;
    served.put(Trace { incomplete: true, ..order(0xa1) });
    // Leading zeros may be missing, and letters be large.
    for id in [ID, "a1", "A1"] {
        assert_eq!(traces(&served, &format!("/jaeger/api/traces/{id}")).await["data"][0]["traceID"], ID);
    }
    let trace = traces(&served, &format!("/jaeger/api/traces/{ID}")).await["data"][0].clone();
    assert_eq!(
        (&trace["processes"]["p1"]["serviceName"], &trace["processes"]["p2"]["serviceName"]),
        (&json!("shop"), &json!("stock"))
    );
    assert_eq!(trace["processes"]["p2"]["tags"], json!([{"key": "host.cpus", "type": "int64", "value": 4}]));
    assert_eq!(trace["warnings"], json!(["the trace was decided about before its end"]));
    let call = &trace["spans"][1];
    assert_eq!(
        (&call["startTime"], &call["duration"], &call["flags"]),
        (&json!(2_000_000), &json!(500_000), &json!(1))
    );
    let references = json!([
        {"refType": "CHILD_OF", "traceID": ID, "spanID": "0000000000000001"},
        {"refType": "FOLLOWS_FROM", "traceID": "0000000000000000000000000000feed", "spanID": "000000000000beef"}
    ]);
    assert_eq!(call["references"], references);
    let tag = |key: &str, kind: &str, value: Json| json!({"key": key, "type": kind, "value": value});
    let tags = json!([
        tag("http.route", "string", json!("/cart/{id}")),
        tag("http.status_code", "int64", json!(503)),
        tag("big", "int64", json!("9223372036854775807")),
        tag("ratio", "float64", json!(0.5)),
        tag("nan", "string", json!("NaN")),
        tag("raw", "binary", json!("3q0=")),
        tag("tags", "string", json!("[\"a\",\"b\"]")),
        tag("mixed", "string", json!("[1,true]")),
        tag("map", "string", json!("{\"k\":\"v\"}")),
        tag("empty", "string", json!("")),
        tag("span.kind", "string", json!("server")),
        tag("otel.status_code", "string", json!("ERROR")),
        tag("error", "bool", json!(true)),
        tag("otel.status_description", "string", json!("no \"stock\"")),
        tag("otel.scope.name", "string", json!("lib")),
        tag("otel.scope.version", "string", json!("1.2")),
        tag("w3c.tracestate", "string", json!("ot=th:8,x=y"))
    ]);
    assert_eq!(call["tags"], tags);
    let fields =
        json!([tag("event", "string", json!("exception")), tag("exception.type", "string", json!("OutOfStock"))]);
    assert_eq!(call["logs"], json!([{"timestamp": 2_000_000, "fields": fields}]));
    let own = json!([tag("span.kind", "string", json!("internal")), tag("tta.kind", "string", json!("lambda"))]);
    assert_eq!(trace["spans"][0]["tags"], own);
}

#[tokio::test]
async fn traces_are_found_by_jaegers_parameters() {
    let served = Served::start().await;
    served.put(order(0xa1));
    let mut fast = span(3, None, "fast");
    fast.attributes = vec![attribute("user", text("7")), attribute("n", Value::I64(5))];
    fast.duration_ns = 1_200_000;
    served.put(trace(0xa2, vec![fast]));
    for (query, count) in [
        ("service=shop", 2),
        ("service=stock", 1),
        ("service=nobody", 0),
        ("service=stock&operation=GET+%2Fcart", 1),
        ("service=shop&operation=all", 2),
        ("service=shop&operation=GET+%2Fcart", 0),
        ("service=stock&tags=%7B%22error%22%3A%22true%22%2C%22span.kind%22%3A%22server%22%7D", 1),
        ("service=stock&tags=%7B%22error%22%3A%22false%22%7D", 0),
        ("service=shop&tags=%7B%22n%22%3A5%7D", 1),
        ("service=shop&tag=user:7&tag=n:5", 1),
        ("service=shop&tags=%7B%22user%22%3A%227%22%7D&tags=%7B%22n%22%3A%225%22%7D", 1),
        ("service=shop&tags=%7B%22user%22%3A%227%22%7D&tags=%7B%22n%22%3A%226%22%7D", 0),
        ("service=shop&tag=user:8", 0),
        ("service=shop&maxDuration=1.2ms&minDuration=1200us", 1),
        ("service=shop&minDuration=1.3ms", 1),
        ("service=shop&start=3000000&end=3000001&lookback=custom", 1),
        ("service=shop&lookback=1h", 0),
        ("service=shop&limit=1", 1),
        ("service=shop&limit=1500&prettyPrint=true&maxDuration=", 2),
        ("traceID=a1&traceID=a2&traceID=ff", 2),
    ] {
        assert_eq!(found(&served, query).await, count, "{query}");
    }
}

#[tokio::test]
async fn a_reply_is_made_of_16_mib_of_traces_at_most() {
    let served = Served::start().await;
    for number in 1..=4 {
        let mut large = span(1, None, "large");
        large.attributes = vec![attribute("text", Value::Str("x".repeat(6 << 20).into()))];
        served.put(trace(number, vec![large]));
    }
    assert_eq!(found(&served, "service=shop").await, 2);
    assert_eq!(served.json("/tempo/api/search").await["traces"].as_array().unwrap().len(), 2);
    assert_eq!(served.json("/api/v1/traces").await["traces"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn services_operations_and_dependencies_are_listed() {
    let served = Served::start().await;
    served.put(order(1));
    served.put(order(2));
    let data = |reply: Json| reply["data"].clone();
    assert_eq!(data(served.json("/jaeger/api/services").await), json!(["shop", "stock"]));
    assert_eq!(data(served.json("/jaeger/api/services/stock/operations").await), json!(["GET /cart"]));
    assert_eq!(data(served.json("/jaeger/api/services/no%20body/operations").await), json!([]));
    let want = json!([{"name": "order", "spanKind": "internal"}]);
    assert_eq!(data(served.json("/jaeger/api/operations?service=shop").await), want);
    assert_eq!(data(served.json("/jaeger/api/operations?service=shop&spanKind=server").await), json!([]));
    let want = json!([{"parent": "shop", "child": "stock", "callCount": 2}]);
    assert_eq!(data(served.json("/jaeger/api/dependencies?endTs=2000&lookback=2000").await), want);
    assert_eq!(data(served.json("/jaeger/api/dependencies").await), json!([]));
    served.put(trace(3, vec![full(4, 9, "orphan")]));
    assert_eq!(data(served.json("/jaeger/api/dependencies?endTs=0&lookback=0").await), json!([]));
}

#[tokio::test]
async fn errors_are_problems_with_the_errors_that_jaegers_clients_look_for() {
    let served = Served::start().await;
    for (path, status, want) in [
        ("traces", 400, "parameter 'service' is required"),
        ("operations", 400, "parameter 'service' is required"),
        ("traces?service=a&limit=-1", 400, "`limit` is `-1`, accepted is 1 or more; 1000 are found at most"),
        ("traces?service=a&limit=0", 400, "`limit` is `0`, accepted is 1 to 1000"),
        ("traces?service=a&tags=x", 400, "`tags` is `x`, accepted is a JSON object of texts, as {\"error\":\"true\"}"),
        ("traces?service=a&tag=x", 400, "`tag` is `x`, accepted is key:value"),
        ("traces?service=a&start=-5", 400, "`start` is `-5`, accepted is microseconds since 1970"),
        ("traces?service=a&service=b", 400, "`service` is `b`, accepted is one value: it is there twice"),
        (
            "traces?service=a&lookback=x",
            400,
            "`lookback` is `x`, accepted is a duration with its unit, as 1h or 2d, or custom",
        ),
        ("traces/xyz", 400, "`traceID` is `xyz`, accepted is 1 to 32 hexadecimal digits, not all zero"),
        ("traces/0", 400, "`traceID` is `0`, accepted is 1 to 32 hexadecimal digits, not all zero"),
        ("dependencies?endTs=x", 400, "`endTs` is `x`, accepted is milliseconds since 1970"),
        ("nowhere", 404, "this path of Jaeger's API is not served"),
    ] {
        let path = format!("/jaeger/api/{path}");
        assert_eq!(served.problem(&path).await, (status, want.to_owned()));
        let reply = served.get(&path).await.json();
        assert_eq!((&reply["data"], &reply["errors"]), (&json!(null), &json!([{"code": status, "msg": want}])));
    }
    assert_eq!(served.problem(&format!("/jaeger/api/traces/{ID}")).await.0, 404);
    let many = "traceID=1&".repeat(51);
    assert!(served.problem(&format!("/jaeger/api/traces?{many}")).await.1.contains("at most 50"));
}

#[tokio::test]
async fn names_and_dependencies_have_the_form_that_the_documentation_gives_them() {
    let served = Served::start().await;
    served.put(order(1));
    let text = json!({"type": "string"});
    let operation = json!({
        "type": "object", "required": ["name", "spanKind"], "additionalProperties": false,
        "properties": {"name": text, "spanKind": {"enum": ["", "server", "client", "producer", "consumer", "internal"]}}
    });
    let dependency = json!({
        "type": "object", "required": ["parent", "child", "callCount"], "additionalProperties": false,
        "properties": {"parent": text, "child": text, "callCount": {"type": "integer", "minimum": 1}}
    });
    for (path, item) in [
        ("services", &text),
        ("services/stock/operations", &text),
        ("operations?service=stock", &operation),
        ("dependencies?endTs=9000&lookback=9000", &dependency),
    ] {
        let number = json!({"type": "integer", "minimum": 0});
        let schema = json!({
            "type": "object", "required": ["data", "total", "limit", "offset", "errors"], "additionalProperties": false,
            "properties": {
                "data": {"type": "array", "items": item, "minItems": 1}, "total": number, "limit": number,
                "offset": number, "errors": {"type": "null"}
            }
        });
        check(&schema, &served.json(&format!("/jaeger/api/{path}")).await);
    }
}

#[tokio::test]
async fn version_3_has_traces_as_otlp() {
    let served = Served::start().await;
    served.put(order(0xa1));
    served.put(trace(0xa2, vec![span(5, None, "alone")]));
    let v3 = async |path: &str| served.json(&format!("/jaeger/api/v3/{path}")).await;
    assert_eq!(v3("services").await, json!({"services": ["shop", "stock"]}));
    let want = json!({"operations": [{"name": "GET /cart", "spanKind": "server"}]});
    assert_eq!(v3("operations?service=stock&span_kind=server").await, want);
    assert_eq!(v3("operations?service=stock&span_kind=client").await, json!({"operations": []}));
    let schema = json!({"type": "object", "required": ["result"], "additionalProperties": false, "properties": {
        "result": {"type": "object", "properties": {"resourceSpans": resource_spans()}, "additionalProperties": false}
    }});
    let one = v3("traces/A1?start_time=2026-01-01T00:00:00Z&end_time=2026-01-01T00:00:01Z").await;
    check(&schema, &one);
    assert_eq!(one["result"]["resourceSpans"], served.json("/tempo/api/traces/a1").await["batches"]);
    for (query, spans) in [
        ("", 3),
        ("query.service_name=stock", 2),
        ("query.service_name=stock&query.operation_name=order", 0),
        ("query.span_name=alone", 1),
        ("query.start_time_min=1970-01-01T00:00:04Z&query.start_time_max=1970-01-01T00:00:06Z", 1),
        ("query.start_time_min=1970-01-01T01:00:04+01:00", 1),
        ("query.num_traces=1", 1),
        ("query.search_depth=1", 1),
        ("query.duration_max=500ms&query.duration_min=0.5s", 2),
        ("query.attributes=%7B%22http.status_code%22%3A%22503%22%2C%22error%22%3A%22true%22%7D", 2),
    ] {
        let found = v3(&format!("traces?{query}")).await;
        check(&schema, &found);
        let all = found["result"]["resourceSpans"].as_array().cloned().unwrap_or_default();
        let all = all.iter().flat_map(|resource| resource["scopeSpans"].as_array().unwrap());
        assert_eq!(all.map(|scope| scope["spans"].as_array().unwrap().len()).sum::<usize>(), spans, "{query}");
    }
    for (path, status, want) in [
        ("operations", 400, "parameter 'service' is required"),
        ("traces?query.num_traces=x", 400, "`query.num_traces` is `x`, accepted is 1 or more; 1000 are found at most"),
        (
            "traces?query.start_time_min=1h",
            400,
            "`query.start_time_min` is `1h`, accepted is a time as 2026-01-31T12:00:00Z",
        ),
        (
            "traces?query.attributes=x",
            400,
            "`query.attributes` is `x`, accepted is a JSON object of texts, as {\"error\":\"true\"}",
        ),
        ("traces/x", 400, "`traceID` is `x`, accepted is 1 to 32 hexadecimal digits, not all zero"),
    ] {
        let path = format!("/jaeger/api/v3/{path}");
        assert_eq!(served.problem(&path).await, (status, want.to_owned()));
        assert_eq!(served.get(&path).await.json()["error"], json!({"httpCode": status, "message": want}));
    }
    assert_eq!(served.problem("/jaeger/api/v3/traces/b1").await.0, 404);
}
