//! Wrong and hostile requests: the right status, and a body that names the fault.

use super::support::Served;

#[tokio::test]
async fn parameters_that_are_wrong_are_400s_that_name_field_value_and_what_is_accepted() {
    let served = Served::start().await;
    let long = "x".repeat(3_000);
    let many = "tag=a&".repeat(17);
    let cases = [
        ("limit=-1", "`limit` is `-1`, accepted is 1 to 1000"),
        ("limit=0", "`limit` is `0`, accepted is 1 to 1000"),
        ("limit=1001", "`limit` is `1001`, accepted is 1 to 1000"),
        ("limit=99999999999999999999999", "`limit` is `99999999999999999999999`, accepted is 1 to 1000"),
        ("limit=1&limit=2", "`limit` is `2`, accepted is one value: it is there twice"),
        ("service=%zz", "`service` is `%zz`, accepted is UTF-8, with %XX for bytes that are not written as they are"),
        ("service=%ff", "`service` is `%ff`, accepted is UTF-8, with %XX for bytes that are not written as they are"),
        ("min_duration=5", "`min_duration` is `5`, accepted is a duration with its unit, as 250ms, 1.5s or 1h30m"),
        ("min_duration=2s&max_duration=1s", "`max_duration` is `1s`, accepted is at least the minimum, 2s"),
        (
            "start=yesterday",
            "`start` is `yesterday`, accepted is a time as 2026-01-31T12:00:00Z, or nanoseconds since 1970",
        ),
        ("start=2&end=1", "`end` is `1 ns`, accepted is later than the start, 2 ns"),
        ("class=bad", "`class` is `bad`, accepted is failed, cancelled or normal"),
        ("status=bad", "`status`: `bad` is not a span status: expected ok, error or cancelled"),
        ("tag=%3Dvalue", "`tag` is ``, accepted is something, or leave it out"),
        (many.as_str(), "`tag` is `17 conditions`, accepted is at most 16"),
    ];
    for (query, want) in cases {
        assert_eq!(served.problem(&format!("/api/v1/traces?{query}")).await, (400, want.to_owned()));
    }
    let (status, detail) = served.problem(&format!("/api/v1/traces?cursor={long}")).await;
    assert!(status == 400 && detail.starts_with("`cursor` is `xxx") && detail.len() < 300, "{detail}");
    let (status, detail) = served.problem("/api/v1/traces?servce=a").await;
    assert!(status == 400 && detail.ends_with("(did you mean service?)"), "{detail}");
    for path in ["slo", "cost", "sampling", "live", "traces/000000000000000000000000000000a1"] {
        let want = "there is no parameter: `query` is `a`, accepted is no parameter at all";
        assert_eq!(served.problem(&format!("/api/v1/{path}?a=1")).await, (400, want.to_owned()));
    }
    assert_eq!(served.problem("/api/v1/graph?limit=0").await.0, 400);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_and_head_has_no_body() {
    let served = Served::start().await;
    let said = "there is nothing at `/api/v1/nowhere`; /api/v1/openapi.json says what there is".to_owned();
    assert_eq!(served.problem("/api/v1/nowhere").await, (404, said));
    let reply = served.ask("DELETE", "/api/v1/traces", "").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("get, head")));
    assert_eq!(reply.json()["detail"], "accepted are GET and HEAD");
    let head = served.ask("HEAD", "/api/v1/traces", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_last_event_id_that_is_none_is_a_400() {
    let served = Served::start().await;
    let reply = served.ask("GET", "/api/v1/live", "last-event-id: 7\r\n").await;
    let want = "`last-event-id` is `7`, accepted is the id of an event of this stream";
    assert_eq!((reply.status, reply.json()["detail"].as_str()), (400, Some(want)));
}
