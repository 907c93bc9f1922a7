//! Metrics, objectives, cost and sampling.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tta_telemetry::sampling::{Rate, SamplingPolicy, WorkflowPolicy};
use tta_telemetry::store::MemoryTraceStore;
use tta_telemetry::{RuleAction, SamplingRule, Slo, SpanStatus, Telemetry, Usd};

use super::support::{LONG, Served};

fn record(telemetry: &Telemetry, ms: u64, status: SpanStatus) {
    telemetry.record_execution("import", "batch", Duration::from_millis(ms), status, Some(Usd::from_micros(2_100)));
}

#[tokio::test]
async fn metrics_are_those_of_the_engine_and_one_name_is_one_entry() {
    let served = Served::start().await;
    record(&served.telemetry, 10, SpanStatus::Ok);
    record(&served.telemetry, 30, SpanStatus::Error);
    served.telemetry.record_execution("other", "batch", Duration::ZERO, SpanStatus::Ok, None);
    let all = served.json("/api/v1/metrics").await;
    assert_eq!(all["metrics"].as_array().unwrap().len(), 2);
    let one = served.json("/api/v1/metrics?name=import").await;
    let import = &one["metrics"][0];
    assert_eq!(one["metrics"].as_array().unwrap().len(), 1);
    let executions = &import["executions"];
    assert_eq!(
        (&executions["total"], &executions["failed"], &executions["success_rate"]),
        (&json!(2), &json!(1), &json!(0.5))
    );
    assert_eq!(executions["total_duration_ns"], 40_000_000);
    assert_eq!(
        (&import["duration_ns"]["minute"]["count"], &import["duration_ns"]["hour"]["max"]),
        (&json!(2), &json!(30_000_000))
    );
    assert_eq!(import["cost"]["cost"], json!({"usd": "0.0042", "nano_usd": 4_200_000}));
    let said = "nothing of the name `nobody` has been counted".to_owned();
    assert_eq!(served.problem("/api/v1/metrics?name=nobody").await, (404, said));
}

#[tokio::test]
async fn objectives_and_cost_are_shown_exactly() {
    let served = Served::start().await;
    let slo = Slo::named("quick").target(0.5).latency_threshold(Duration::from_millis(20)).build().unwrap();
    served.telemetry.configure_slo("import", slo).unwrap();
    record(&served.telemetry, 10, SpanStatus::Ok);
    record(&served.telemetry, 30, SpanStatus::Ok);
    let slo = served.json("/api/v1/slo").await;
    let quick = &slo["objectives"][0];
    assert_eq!((&quick["subject"], &quick["name"], &quick["target"]), (&json!("import"), &json!("quick"), &json!(0.5)));
    assert_eq!((&quick["compliance"], &quick["latency_threshold_ns"]), (&json!(0.5), &json!(20_000_000)));
    assert_eq!(quick["totals"], json!({"total": 2, "bad": 1, "failed": 0, "slow": 1}));
    assert_eq!((quick["burn_rates"].as_array().unwrap().len(), &quick["burn_rates"][0]["window"]), (7, &json!("5m")));
    let cost = served.json("/api/v1/cost").await;
    assert_eq!(cost["total"]["cost"], json!({"usd": "0.0042", "nano_usd": 4_200_000}));
    assert_eq!((&cost["by_category"][0]["name"], &cost["by_category"][0]["entries"]), (&json!("batch"), &json!(2)));
}

#[tokio::test]
async fn sampling_shows_the_policy_in_effect_and_what_it_decided() {
    let store = MemoryTraceStore::new("shop");
    let rule = SamplingRule::new("imports", RuleAction::Keep, None).unwrap();
    let own = WorkflowPolicy { rate: Some(Rate::ONE), tail: None };
    let policy = SamplingPolicy {
        rate: Rate::ZERO,
        workflows: [("checkout".into(), own)].into(),
        rules: vec![rule],
        ..SamplingPolicy::default()
    };
    let telemetry = Telemetry::builder().sampling_policy(policy).sink(store.clone()).build().unwrap();
    let served = Served::of(telemetry, store.clone(), Arc::new(store)).await;
    served.telemetry.start_trace("import").end();
    assert!(served.telemetry.flush_blocking(LONG).complete);
    let sampling = served.json("/api/v1/sampling").await;
    assert_eq!(
        (&sampling["mode"], &sampling["rate"], &sampling["adaptive"]),
        (&json!("policy"), &json!(0.0), &json!(null))
    );
    let policy = &sampling["policy"];
    assert_eq!(
        (&policy["hash"], &policy["always_sample_slow"], &policy["slow_threshold_ms"]),
        (&json!("otel"), &json!(true), &json!(1000.0))
    );
    assert_eq!(policy["workflows"], json!({"checkout": {"rate": 1.0, "tail": null}}));
    assert_eq!(policy["rules"], json!([{"name": "imports", "action": "keep", "condition": null}]));
    assert_eq!(sampling["rules"], json!([{"name": "imports", "count": 1}]));
    assert_eq!(sampling["traces"], json!({"kept": 1, "dropped": 0, "evicted": 0, "incomplete": 0}));
    let decisions = sampling["decisions"].as_array().unwrap();
    assert!(
        decisions
            .iter()
            .any(|decided| decided["count"] == 1 && decided["reason"].as_str().unwrap().starts_with("rule"))
    );
}

#[tokio::test]
async fn an_engine_without_a_policy_says_its_simple_choice() {
    let served = Served::start().await;
    let sampling = served.json("/api/v1/sampling").await;
    assert_eq!(
        (&sampling["mode"], &sampling["rate"], &sampling["policy"]),
        (&json!("keep_all"), &json!(1.0), &json!(null))
    );
    let store = MemoryTraceStore::new("off");
    let off = Telemetry::builder().enabled(false).build().unwrap();
    let served = Served::of(off, store.clone(), Arc::new(store)).await;
    assert_eq!(served.json("/api/v1/sampling").await["mode"], "keep_none");
    assert_eq!(served.json("/api/v1/metrics").await, json!({"metrics": []}));
    assert_eq!(served.json("/api/v1/traces").await, json!({"traces": [], "next_cursor": null}));
}
