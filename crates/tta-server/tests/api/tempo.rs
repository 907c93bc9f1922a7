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
    // Both that and the query must hold.
    let (long, short) = (encode("{ traceDuration > 1s }"), encode("{ traceDuration <= 1s }"));
    assert_eq!(search(&served, &format!("q={long}&minDuration=1ms")).await.len(), 1);
    assert_eq!(search(&served, &format!("q={short}&maxDuration=1h")).await.len(), 1);
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

/// Several values of a field are alternatives, of `!=` conditions; lists have patterns.
#[tokio::test]
async fn grafanas_form_finds_what_it_says() {
    let served = Served::start().await;
    served.put(order(0xa1));
    let mut other = span(5, None, "other");
    other.attributes = vec![attribute("n", Value::F64(1.5)), attribute("user", text("ann"))];
    served.put(trace(0xa2, vec![other]));
    let mut third = span(6, None, "third");
    third.attributes = vec![attribute("n", Value::I64(2)), attribute("user", text("bob"))];
    served.put(trace(0xa3, vec![third]));
    for (q, want) in [
        ("{(name=\"third\" || name=\"other\")}", "a3 a2"),
        ("{(name=\"third\" || name=\"GET /cart\") && resource.service.name=\"shop\"}", "a3"),
        ("{name=\"third\" || name=\"order\" && .user=\"ann\"}", "a3"),
        ("{(span.user!=\"ann\" && span.user!=\"cid\")}", "a3"),
        ("{.user!=\"ann\"}", "a3"),
        ("{.user = nil && name != \"order\"}", "a1"),
        ("{.user=~\"ann|bob\"}", "a3 a2"),
        ("{.user=~\"an|bo\"}", ""),
        ("{name=~\"GET.*\" && resource.service.name=~`st.+`}", "a1"),
        ("{.user!~\"a.*\"}", "a3"),
        ("{.n>1.5}", "a3"),
        ("{.n>=1.5}", "a3 a2"),
        ("{.n<2}", "a2"),
        ("{span.http.status_code>=500 && span.http.status_code<600}", "a1"),
        ("{.user>1}", ""),
        ("{.tags=\"b\" && .tags!=\"c\" && .mixed=~\"tr.e\"}", "a1"),
        ("{.tags!=\"b\"}", ""),
        ("{(status=error || status=unset) && kind!=internal}", "a1"),
        ("{kind!=server}", "a3 a2 a1"),
        ("{status!=error && kind=internal}", "a3 a2 a1"),
        ("{statusMessage=\"no \\\"stock\\\"\"}", "a1"),
        ("{rootName=\"order\" && rootServiceName=~\"sh.*\" && name=\"GET /cart\"}", "a1"),
        ("{trace:rootName!=\"order\"}", "a3 a2"),
        ("{(duration<600ms || traceDuration>=1.5s) && name!=\"order\"}", "a1"),
        ("{duration=500ms}", "a1"),
        ("{duration>2s && duration<1s}", ""),
        ("{resource.service.name!=\"shop\"}", "a1"),
    ] {
        let found = search(&served, &format!("q={}", encode(q))).await;
        let ids: Vec<&str> =
            found.iter().map(|trace| trace["traceID"].as_str().unwrap().trim_start_matches('0')).collect();
        assert_eq!(ids.join(" "), want, "{q}");
    }
    // It stops when it has as many as are asked for, and says how many it had to look at.
    let reply = served.json(&format!("/tempo/api/search?limit=1&q={}", encode("{.user=~\"a.*\"}"))).await;
    assert_eq!((reply["traces"].as_array().unwrap().len(), &reply["metrics"]["inspectedTraces"]), (1, &json!(2)));
}

#[tokio::test]
async fn more_traces_are_looked_at_than_a_store_gives_at_once() {
    let served = Served::start().await;
    let mut wanted = span(1, None, "wanted");
    wanted.attributes = vec![attribute("n", Value::I64(7))];
    served.put(trace(1, vec![wanted]));
    for number in 2..=450 {
        served.put(trace(number, vec![span(1, None, "other")]));
    }
    let reply = served.json(&format!("/tempo/api/search?q={}", encode("{.n > 6}"))).await;
    assert_eq!((reply["traces"].as_array().unwrap().len(), &reply["metrics"]["inspectedTraces"]), (1, &json!(450)));
}

#[tokio::test]
async fn names_of_tags_are_understood_however_often_they_were_encoded() {
    let served = Served::start().await;
    let mut one = span(1, None, "one");
    let keys = ["a b", "a/b", "a+b", "status"];
    one.attributes = keys.iter().map(|key| attribute(key, text("x"))).collect();
    served.put(trace(1, vec![one]));
    let string = json!({"tagValues": [{"type": "string", "value": "x"}]});
    let v2 = |name: &str| format!("/tempo/api/v2/search/tag/{name}/values?limit=5000");
    for name in [
        "span.a%2Fb",
        "span.a%252Fb",
        "span.a+b",
        "span.a%252Bb",
        "span.%22a%20b%22",
        "span.%2522a%2520b%2522",
        ".status",
    ] {
        assert_eq!(served.json(&v2(name)).await, string, "{name}");
    }
    assert_eq!(served.json("/tempo/api/search/tag/a%252Fb/values").await, json!({"tagValues": ["x"]}));
    assert_eq!(served.json(&v2("status")).await["tagValues"][0]["type"], "keyword");
    assert_eq!(served.json(&v2("rootServiceName")).await["tagValues"], json!([{"type": "string", "value": "shop"}]));
    assert_eq!(served.json(&v2("rootName")).await["tagValues"], json!([{"type": "string", "value": "one"}]));
    assert_eq!(served.json(&v2("duration")).await["tagValues"], json!([]));
    let (status, detail) = served.problem(&v2("span.%22open")).await;
    assert_eq!(
        (status, detail.starts_with("`tag` is `span.\"open`, accepted is a name as resource.service.name")),
        (400, true)
    );
}

#[tokio::test]
async fn what_tempo_says_of_itself_is_said_and_what_is_not_served_is_refused_in_words() {
    let served = Served::start().await;
    let info = served.json("/tempo/api/status/buildinfo").await;
    let text = json!({"type": "string"});
    let schema = json!({
        "type": "object", "required": ["version", "revision", "branch", "buildUser", "buildDate", "goVersion"],
        "additionalProperties": text, "properties": {"version": {"type": "string", "pattern": "^[0-9]+[.][0-9]+[.][0-9]+"}}
    });
    check(&schema, &info);
    for path in ["query", "query_range"] {
        let (status, detail) = served.problem(&format!("/tempo/api/metrics/{path}?q=%7B%7D%7Crate()")).await;
        assert!(status == 501 && detail.contains("metrics by TraceQL are not served"), "{detail}");
    }
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
    assert!(status == 400 && detail.contains("from TraceQL only { conditions }"), "{detail}");
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
