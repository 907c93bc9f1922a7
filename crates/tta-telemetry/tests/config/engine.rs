//! What each field does to an engine: a field that was ignored would fail one of these.

use std::time::Duration;

use serde_json::json;
use tta_telemetry::config::{Config, ConfigLayers, Preset};
use tta_telemetry::{
    Clock, DecisionReason, IdSource, ManualClock, MemorySink, SpanStatus, Telemetry, Trace, TraceStart,
};

const LONG: Duration = Duration::from_secs(60);

struct Engine {
    telemetry: Telemetry,
    memory: MemorySink,
    hand: ManualClock,
    config: Config,
}

fn engine(toml: &str) -> Engine {
    let config = ConfigLayers::new().toml("test", toml).build().unwrap();
    let (clock, hand) = Clock::manual();
    let memory = MemorySink::with_capacity(100_000);
    let builder = Telemetry::builder().config(&config).unwrap();
    let builder = builder.clock(clock).ids(IdSource::seeded(7)).sink(memory.clone()).by_hand();
    Engine { telemetry: builder.build().unwrap(), memory, hand, config }
}

impl Engine {
    fn update(&mut self, patch: serde_json::Value) -> Vec<&'static str> {
        let config = self.config.patched("patch", &patch).unwrap();
        let update = self.telemetry.update(&self.config, &config).unwrap();
        self.config = config;
        update.needs_restart
    }

    fn run(&self, workflow: &'static str, status: SpanStatus, ms: u64) {
        let mut run = self.telemetry.start_trace(workflow);
        run.set("tenant", "acme");
        run.set_status(status);
        self.hand.advance(Duration::from_millis(ms));
        run.end();
    }

    fn kept(&self) -> Vec<std::sync::Arc<Trace>> {
        assert!(self.telemetry.flush_blocking(LONG).complete);
        self.memory.take()
    }

    /// How many of a thousand ordinary runs are kept.
    fn kept_of_a_thousand(&self, workflow: &'static str) -> usize {
        (0..10)
            .map(|_| {
                (0..100).for_each(|_| self.run(workflow, SpanStatus::Ok, 1));
                self.kept().len()
            })
            .sum()
    }

    fn kept_reasons(&self) -> Vec<String> {
        self.kept().iter().map(|trace| trace.decision.reason.to_string()).collect()
    }
}

#[test]
fn the_rate_keeps_its_share_with_its_weight() {
    let engine = engine("tracing.sampling.default_rate = 0.2");
    let mut weights = 0.0;
    let mut kept = 0;
    for _ in 0..20 {
        (0..100).for_each(|_| engine.run("crawl", SpanStatus::Ok, 1));
        for trace in engine.kept() {
            assert_eq!(trace.decision.reason, DecisionReason::ProbabilisticHash);
            weights += trace.adjusted_count.unwrap();
            kept += 1;
        }
    }
    assert!((340..460).contains(&kept), "{kept}");
    assert!((weights - 2_000.0).abs() < 350.0, "{weights}");
    let families = engine.telemetry.collect_metrics();
    let value = |name: &str| families.iter().find(|family| family.name == name).unwrap().points[0].value.as_f64();
    assert_eq!(value("sampling_rate"), 0.2);
    assert!(value("sampling_estimate_error_ratio") < 0.2);
}

#[test]
fn errors_slow_and_cancelled_runs_are_kept_at_rate_zero_and_whole() {
    let engine = engine("tracing.sampling.default_rate = 0.0\ntracing.sampling.slow_threshold_ms = 250.0\n");
    let failing = engine.telemetry.start_trace("crawl");
    failing.span("fetch", "lambda").end();
    let mut failing = failing;
    failing.set_status(SpanStatus::Error);
    failing.end();
    engine.run("crawl", SpanStatus::Ok, 249);
    engine.run("crawl", SpanStatus::Ok, 250);
    engine.run("crawl", SpanStatus::Cancelled, 1);
    let kept = engine.kept();
    let reasons: Vec<_> = kept.iter().map(|trace| trace.decision.reason.to_string()).collect();
    assert_eq!(reasons, ["tail_error", "tail_slow", "cancelled"]);
    assert_eq!(kept[0].spans.len(), 2);
    assert!(kept.iter().all(|trace| trace.adjusted_count == Some(1.0)));
    assert_eq!(engine.telemetry.counters().traces_dropped, 1);
}

#[test]
fn what_is_always_kept_can_be_switched_off() {
    let text = "[tracing.sampling]\ndefault_rate = 0.0\nalways_sample_errors = false\nalways_sample_slow = false\n";
    let engine = engine(text);
    engine.run("crawl", SpanStatus::Error, 5_000);
    assert_eq!(engine.kept_reasons(), [""; 0]);
}

#[test]
fn a_workflow_can_have_settings_of_its_own() {
    let text = "[tracing.sampling]\ndefault_rate = 0.0\n[tracing.sampling.workflows.checkout]\ndefault_rate = 1.0\n\
                [tracing.sampling.workflows.search]\nslow_threshold_ms = 20\n";
    let engine = engine(text);
    engine.run("crawl", SpanStatus::Ok, 30);
    engine.run("checkout", SpanStatus::Ok, 1);
    engine.run("search", SpanStatus::Ok, 30);
    assert_eq!(engine.kept_reasons(), ["sampling_rate_one", "tail_slow"]);
}

#[test]
fn the_hash_of_the_original_decides_by_the_correlation_id() {
    let engine = engine("[tracing.sampling]\nhash = \"md5\"\ndefault_rate = 0.5\n");
    assert!(engine.telemetry.samples_by_correlation_id());
    let keeps = |id: &str| {
        let start = TraceStart { correlation_id: Some(id), ..TraceStart::default() };
        engine.telemetry.start_trace_with("crawl", &start).end_decided().unwrap().keep
    };
    // The first eight digits of the MD5 of "a" are 0cc175b9, of "c" 4a8a08f0, of "d" 8277e091.
    assert_eq!([keeps("a"), keeps("c"), keeps("d"), keeps("a")], [true, true, false, true]);
}

#[test]
fn rules_decide_about_whole_traces_and_are_counted() {
    let text = r#"
[tracing.sampling]
default_rate = 0.0
[[tracing.sampling.rules]]
name = "health"
condition = 'workflow == "health"'
action = "drop"
[[tracing.sampling.rules]]
name = "acme"
condition = 'root.attr("tenant") == "acme" and duration > 5ms'
action = "keep"
[[tracing.sampling.rules]]
name = "half"
condition = 'workflow == "half"'
action = "0.5"
"#;
    let engine = engine(text);
    engine.run("health", SpanStatus::Ok, 10);
    engine.run("crawl", SpanStatus::Ok, 10);
    engine.run("crawl", SpanStatus::Ok, 1);
    engine.run("health", SpanStatus::Error, 1);
    assert_eq!(engine.kept_reasons(), ["rule:acme", "tail_error"]);
    let kept: Vec<_> = (0..10)
        .flat_map(|_| {
            (0..50).for_each(|_| engine.run("half", SpanStatus::Ok, 1));
            engine.kept()
        })
        .collect();
    assert!((190..310).contains(&kept.len()), "{}", kept.len());
    assert!(kept.iter().all(|trace| trace.adjusted_count == Some(2.0)));
    let counts = engine.telemetry.rule_counts();
    assert_eq!(counts, [("health".to_owned(), 1), ("acme".to_owned(), 1), ("half".to_owned(), 500)]);
}

#[test]
fn a_rule_that_does_not_read_points_at_the_character() {
    let rule = json!([{ "name": "slow", "condition": "duratoin > 2s", "action": "keep" }]);
    let patch = json!({ "tracing": { "sampling": { "rules": rule } } });
    let error = Preset::Development.config().patched("patch", &patch).unwrap_err().to_string();
    assert!(
        error.contains("`tracing.sampling.rules[0].condition`") && error.contains("did you mean `duration`"),
        "{error}"
    );
    for (key, value, want) in
        [("name", "Slow One", "accepted is 1 to 32 of a-z"), ("action", "1.5", "keep, drop or a rate")]
    {
        let mut rule = json!({ "name": "slow", "condition": "duration > 2s", "action": "keep" });
        rule[key] = value.into();
        let patch = json!({ "tracing": { "sampling": { "rules": [rule] } } });
        let error = Preset::Development.config().patched("patch", &patch).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn a_budget_lowers_what_is_kept_without_changing_what_it_stands_for() {
    let engine = engine("[tracing.sampling]\ndefault_rate = 1.0\nmax_traces_per_second = 10\n");
    let (mut kept, mut weights) = (0, 0.0);
    for second in 0..20 {
        (0..100).for_each(|_| engine.run("crawl", SpanStatus::Ok, 10));
        let traces = engine.kept();
        if second >= 2 {
            kept += traces.len();
            weights += traces.iter().filter_map(|trace| trace.adjusted_count).sum::<f64>();
        }
    }
    assert!((90..300).contains(&kept), "{kept}");
    assert!((weights - 1_800.0).abs() < 600.0, "{weights}");
}

#[test]
fn labels_buckets_objectives_and_the_service_are_as_configured() {
    let text = "service_name = \"shop\"\nservice_version = \"9\"\n[metrics]\nmax_label_values = 3\nmax_series_per_metric = 2\n\
                hash_high_cardinality = false\nbuckets = { fetch = [0.5, 1.0] }\n\
                [slo.quick]\nprimitive = \"fetch\"\ntarget = 0.5\nlatency_threshold_ms = 100\nwindow_days = 1\n";
    let engine = engine(text);
    for ms in [50, 700] {
        engine.telemetry.record_execution("fetch", "batch", Duration::from_millis(ms), SpanStatus::Ok, None);
    }
    for name in ["a", "b", "c", "d"] {
        engine.telemetry.record_execution(name, "batch", Duration::ZERO, SpanStatus::Ok, None);
    }
    let families = engine.telemetry.collect_metrics();
    let family = |name: &str| families.iter().find(|family| family.name == name).unwrap();
    assert!(family("target_info").value(&[("service_name", "shop"), ("service_version", "9")]).is_some());
    let names: Vec<_> =
        family("primitive_duration_seconds").points.iter().map(|point| point.labels[1].1.to_string()).collect();
    assert_eq!(names, ["fetch", "a", "other"]);
    let fetch = family("primitive_duration_seconds").value(&[("primitive_name", "fetch")]).unwrap();
    let tta_telemetry::MetricValue::Histogram(fetch) = fetch else { panic!("it is a histogram") };
    assert_eq!((&*fetch.limits, &*fetch.cumulative), (&[0.5, 1.0][..], &[1, 2][..]));
    let stats = engine.telemetry.cardinality();
    assert_eq!((stats.max_label_values, stats.hash_high_cardinality), (3, false));
    let [status] = &engine.telemetry.slo_statuses()[..] else { panic!("there is one objective") };
    assert_eq!((status.subject.as_str(), status.compliance, status.slo.target()), ("fetch", 0.5, 0.5));
    assert_eq!(status.slo.window(), Duration::from_secs(86_400));
}

#[test]
fn limits_of_the_recorder_are_as_configured() {
    let text = "[tracing]\ndecision_wait_seconds = 0\n[tracing.limits]\nspans_per_trace = 3\nattributes_per_span = 1\n\
                attribute_bytes = 16\nevents_per_span = 1\nlinks_per_span = 1\nlive_bytes = 65536\n";
    let engine = engine(text);
    let mut run = engine.telemetry.start_trace("crawl");
    run.set("long", &*"x".repeat(100));
    run.set("second", 2);
    let handle = run.handle();
    for _ in 0..5 {
        handle.span(handle.root_span_id(), "fetch", "lambda").end();
    }
    let root = handle.root_span_id().unwrap();
    (0..2).for_each(|_| handle.event(root, "retry", &[]));
    run.end();
    // A handle is open: with no time to wait the trace is decided at the next round.
    let trace = engine.kept().remove(0);
    let root = trace.root().unwrap();
    assert_eq!((root.attributes.len(), root.dropped_attributes, root.truncated_attributes), (1, 1, 1));
    assert!(trace.spans.len() <= 3 && trace.incomplete, "{trace:?}");
    assert!(engine.telemetry.counters().spans_over_limit > 0);
    drop(handle);
}

#[test]
fn enabled_and_tracing_enabled_switch_off() {
    assert!(!engine("enabled = false").telemetry.is_enabled());
    let engine = engine("tracing.enabled = false");
    engine.run("crawl", SpanStatus::Error, 1);
    assert_eq!(engine.kept_reasons(), [""; 0]);
    assert!(engine.telemetry.is_enabled(), "metrics are exact either way");
}

#[test]
fn metrics_enabled_switches_off_all_that_is_counted_and_leaves_traces() {
    let text = "metrics.enabled = false\nslo.quick = { primitive = \"fetch\" }\n";
    let mut engine = engine(text);
    let telemetry = &engine.telemetry;
    assert!(telemetry.instruments(&"flow".into(), &"fetch".into(), &"lambda".into()).is_none());
    telemetry.record_execution(
        "fetch",
        "batch",
        Duration::ZERO,
        SpanStatus::Error,
        Some(tta_telemetry::Usd::from_micros(7)),
    );
    let orders = telemetry.counter(tta_telemetry::Metric::named("orders_total").help("Orders.")).unwrap();
    orders.with(&[]).unwrap().add(1);
    engine.run("crawl", SpanStatus::Ok, 1);
    assert_eq!(engine.kept_reasons(), ["sampling_rate_one"]);
    let families = engine.telemetry.collect_metrics();
    let names: Vec<_> = families.iter().map(|family| family.name.as_str()).collect();
    assert_eq!(names, ["target_info", "telemetry_up"]);
    assert_eq!(families[1].points[0].value.as_f64(), 1.0);
    assert!(engine.telemetry.step_statistics().is_empty() && engine.telemetry.metrics("fetch").is_none());
    assert_eq!(engine.telemetry.slo_statuses()[0].totals.failed, 0);
    assert_eq!(engine.telemetry.cost_report().total.cost, tta_telemetry::Usd::ZERO);
    assert_eq!(engine.update(json!({ "metrics": { "enabled": true } })), ["metrics.enabled"]);
}

#[test]
fn an_update_is_seen_by_the_next_run_and_says_what_needs_a_restart() {
    let mut engine = engine("tracing.sampling.default_rate = 0.0");
    engine.run("crawl", SpanStatus::Ok, 1);
    assert_eq!(engine.kept_reasons(), [""; 0]);
    assert_eq!(engine.update(json!({ "tracing": { "sampling": { "default_rate": 1.0 } } })), [""; 0]);
    engine.run("crawl", SpanStatus::Ok, 1);
    assert_eq!(engine.kept_reasons(), ["sampling_rate_one"]);
    let restart = engine.update(json!({
        "service_name": "other", "metrics": { "max_label_values": 7 }, "tracing": { "enabled": false, "max_queue_size": 4_096 }
    }));
    assert_eq!(restart, ["service_name", "tracing.max_queue_size"]);
    assert_eq!(engine.telemetry.cardinality().max_label_values, 7);
    engine.run("crawl", SpanStatus::Error, 1);
    assert_eq!(engine.kept_reasons(), [""; 0]);
    engine.update(json!({ "tracing": { "enabled": true, "sampling": { "default_rate": 0.5 } } }));
    assert!((400..600).contains(&engine.kept_of_a_thousand("crawl")));
}

#[test]
fn an_update_leaves_objectives_that_do_not_differ_alone_with_whom_they_call() {
    let mut engine = engine("[slo.a]\nprimitive = \"fetch\"\n[slo.b]\nprimitive = \"fetch\"\n");
    let telemetry = engine.telemetry.clone();
    let tracker = |name| telemetry.slo("fetch", name).unwrap();
    let before = [tracker("a"), tracker("b")];
    let patch = json!({ "slo": { "b": { "target": 0.5 } }, "metrics": { "buckets": { "fetch": [1.0] } } });
    assert_eq!(engine.update(patch), ["metrics.buckets"]);
    let same = |place: usize, name| std::sync::Arc::ptr_eq(&before[place], &tracker(name));
    assert_eq!((same(0, "a"), same(1, "b")), (true, false));
    assert_eq!(engine.update(json!({ "slo": { "b": null } })), ["metrics.buckets"], "it waits still");
    assert!(telemetry.slo("fetch", "b").is_none() && same(0, "a"), "what is no longer named is taken away");
}

#[test]
fn two_updates_at_once_leave_one_of_them_whole() {
    let engine = engine("");
    let config = |rate: f64, labels: u64| {
        let patch =
            json!({ "tracing": { "sampling": { "default_rate": rate } }, "metrics": { "max_label_values": labels } });
        engine.config.patched("patch", &patch).unwrap()
    };
    let (one, other) = (config(0.25, 25), config(0.75, 75));
    let rate = || {
        let families = engine.telemetry.collect_metrics();
        families.iter().find(|family| family.name == "sampling_rate").unwrap().points[0].value.as_f64()
    };
    for _ in 0..50 {
        std::thread::scope(|scope| {
            for config in [&one, &other] {
                scope.spawn(|| engine.telemetry.update(&engine.config, config).unwrap());
            }
        });
        let seen = (rate(), engine.telemetry.cardinality().max_label_values);
        assert!(seen == (0.25, 25) || seen == (0.75, 75), "{seen:?}");
    }
}

#[test]
fn secrets_are_in_no_kept_trace_unless_redaction_is_off() {
    let secret = "hunter2-hunter2";
    let with = |redaction: tta_telemetry::Redaction| {
        let memory = MemorySink::new();
        let telemetry = Telemetry::builder().redaction(redaction).sink(memory.clone()).by_hand().build().unwrap();
        let mut run = telemetry.start_trace("login");
        run.set("password", secret);
        run.set("error.message", &*format!("login failed: password={secret}"));
        run.set("session.id", "s-1");
        run.end();
        assert!(telemetry.flush_blocking(LONG).complete);
        (format!("{:?}", memory.traces()), telemetry.counters().redacted)
    };
    let (shown, redacted) = with(tta_telemetry::Redaction::default());
    assert!(!shown.contains(secret) && shown.contains("[REDACTED]") && shown.contains("s-1"), "{shown}");
    assert_eq!(redacted, 2);
    let (shown, redacted) = with(tta_telemetry::Redaction::builder().enabled(false).build().unwrap());
    assert!(shown.contains(secret));
    assert_eq!(redacted, 0);
}

/// CPU time that moves when it is asked for: each export seems to take 50 ms of its thread, each second
/// of the process is one second.
#[derive(Clone, Default)]
struct DearExports(std::sync::Arc<std::sync::atomic::AtomicU64>, std::sync::Arc<std::sync::atomic::AtomicU64>);

impl tta_telemetry::CpuTime for DearExports {
    fn process(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
    }

    fn thread(&self) -> Option<Duration> {
        Some(Duration::from_millis(50 * self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
    }
}

#[test]
fn an_adaptive_rate_falls_while_telemetry_is_dear_and_rises_while_it_is_cheap_within_its_bounds() {
    let text = "[tracing.sampling]\nadaptive_enabled = true\ndefault_rate = 0.5\nadaptive_min_rate = 0.3\n\
                adaptive_max_rate = 0.6\nadjustment_interval_seconds = 1\n";
    let config = ConfigLayers::new().toml("test", text).build().unwrap();
    let (clock, hand) = Clock::manual();
    let builder = Telemetry::builder().config(&config).unwrap().cpu_time(DearExports::default());
    let telemetry = builder.clock(clock).sink(MemorySink::new()).by_hand().build().unwrap();
    let rate = || telemetry.adaptive_stats().unwrap().current_rate;
    let second = |exports: bool| {
        if exports {
            let mut run = telemetry.start_trace("crawl");
            run.set_status(SpanStatus::Error);
            run.end();
        }
        hand.advance(Duration::from_secs(1));
        assert!(telemetry.flush_blocking(LONG).complete);
        rate()
    };
    second(true);
    let falling: Vec<f64> = (0..6).map(|_| second(true)).collect();
    assert_eq!(falling.last(), Some(&0.3), "{falling:?}");
    assert!(falling.windows(2).all(|pair| pair[1] <= pair[0]), "{falling:?}");
    let rising: Vec<f64> = (0..8).map(|_| second(false)).collect();
    assert_eq!(rising.last(), Some(&0.6), "{rising:?}");
    let families = telemetry.collect_metrics();
    let value = |name: &str| families.iter().find(|family| family.name == name).unwrap().points[0].value.as_f64();
    assert_eq!((value("sampling_rate"), value("telemetry_overhead_ratio")), (0.6, 0.0));
    let stats = telemetry.adaptive_stats().unwrap();
    assert_eq!((stats.min_rate, stats.max_rate, stats.target_overhead), (0.3, 0.6, 0.02));
    assert_eq!((stats.total_decisions, stats.sampled), (7, 7));
}

#[test]
fn without_async_export_a_kept_run_ends_when_its_sinks_have_it() {
    let engine = |toml: &str| {
        let config = ConfigLayers::new().toml("test", toml).build().unwrap();
        let memory = MemorySink::with_capacity(100);
        let builder = Telemetry::builder().config(&config).unwrap().sink(memory.clone());
        (builder.build().unwrap(), memory)
    };
    let (telemetry, memory) = engine("async_export = false");
    for runs in 1..=20 {
        telemetry.start_trace("checkout").end();
        assert_eq!(memory.traces().len(), runs, "nothing was flushed");
    }
    // Rules look at the whole trace, which is done on the way.
    let rule =
        "[[tracing.sampling.rules]]\nname = \"all\"\ncondition = 'workflow == \"checkout\"'\naction = \"keep\"\n";
    let (telemetry, memory) = engine(&format!("async_export = false\ntracing.sampling.default_rate = 0.0\n{rule}"));
    telemetry.start_trace("checkout").end();
    assert_eq!(memory.traces().len(), 1);
}

/// A sink that takes nothing until it is let.
struct Gate(std::sync::mpsc::Receiver<()>);

impl tta_telemetry::Sink for Gate {
    fn name(&self) -> &str {
        "gate"
    }

    fn export(&mut self, _: &[std::sync::Arc<Trace>]) -> Result<(), tta_telemetry::SinkError> {
        self.0.recv().map_err(|_| tta_telemetry::SinkError::new("the test is over"))
    }
}

#[test]
fn a_run_waits_for_a_sink_that_hangs_no_longer_than_it_may() {
    let config = ConfigLayers::new().toml("test", "async_export = false\notlp.timeout_seconds = 0.05").build().unwrap();
    let (open, gate) = std::sync::mpsc::channel();
    let telemetry = Telemetry::builder().config(&config).unwrap().sink(Gate(gate)).build().unwrap();
    telemetry.start_trace("checkout").end();
    assert_eq!((telemetry.sinks()[0].exported_traces, telemetry.sinks()[0].waiting_traces), (0, 1));
    open.send(()).unwrap();
    assert!(telemetry.flush_blocking(LONG).complete);
    assert_eq!(telemetry.sinks()[0].exported_traces, 1);
}
