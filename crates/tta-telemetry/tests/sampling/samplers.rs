//! Samplers of the program in an engine: who is asked what, in which order, and with what weight.

use std::sync::Arc;

use tta_telemetry::sampling::{IsolatedSampler, Rate, RemoteParent, RemoteSampling, Threshold, Verdict};
use tta_telemetry::{HealthStatus, IdSource, RuleAction, Sampling, SamplingRule, SpanStatus, Telemetry, TraceStart};

use super::support::{Log, Says, engine, policy, says, taken};

fn quarter() -> Option<Rate> {
    Rate::new(0.25).ok()
}

#[test]
fn those_of_the_workflow_are_asked_first_each_in_the_order_of_adding_until_one_answers() {
    let log = Log::default();
    let of = |name| Says { log: Arc::clone(&log), ..says(name) };
    let engine = engine(|builder| {
        builder
            .sampling_policy(policy(0.0))
            .sampler(Says { head: || Some(Rate::ONE), ..of("all-1") })
            .sampler(of("all-2"))
            .workflow_sampler("import", of("own-1"))
            .workflow_sampler("import", Says { tail: |_| Some(Verdict::Keep), ..of("own-2") })
            .workflow_sampler("other", of("other"))
    });
    engine.run("import");
    assert_eq!(taken(&log), ["own-1 head import", "own-2 head import", "all-1 head import"]);
    assert_eq!(engine.decided(), [("rule:own-2".to_owned(), "custom")]);
    let asked = "tail import Normal 1 2 [\"tenant\"]";
    assert_eq!(taken(&log), [format!("own-1 {asked}"), format!("own-2 {asked}")]);
    engine.run("crawl");
    assert_eq!(engine.decided(), [("sampling_rate_one".to_owned(), "custom")]);
    let asked = "tail crawl Normal 1 2 [\"tenant\"]";
    assert_eq!(taken(&log), ["all-1 head crawl".to_owned(), format!("all-1 {asked}"), format!("all-2 {asked}")]);
}

#[test]
fn a_rate_of_a_quarter_keeps_a_quarter_that_stand_for_four_each_and_are_those_a_policy_would_keep() {
    let sampled =
        engine(|builder| builder.sampling_policy(policy(0.0)).sampler(Says { head: quarter, ..says("mine") }));
    let by_policy = engine(|builder| builder.sampling_policy(policy(0.25)));
    for engine in [&sampled, &by_policy] {
        for _ in 0..10 {
            (0..100).for_each(|_| engine.run("crawl"));
            engine.telemetry.flush_blocking(std::time::Duration::from_secs(60)).complete.then_some(()).unwrap();
        }
    }
    let (mine, theirs) = (sampled.kept(), by_policy.kept());
    let ids = |traces: &[Arc<tta_telemetry::Trace>]| traces.iter().map(|trace| trace.trace_id).collect::<Vec<_>>();
    assert_eq!(ids(&mine), ids(&theirs));
    assert!((200..300).contains(&mine.len()), "{}", mine.len());
    for trace in &mine {
        let decision = trace.decision;
        assert_eq!((trace.adjusted_count, decision.rate, decision.sampler), (Some(4.0), 0.25, "custom"));
        assert_eq!(decision.reason.as_str(), "probabilistic_hash");
    }
    assert!(sampled.metric("sampling_estimate_error_ratio", &[]) < 0.2);
    let counts =
        sampled.metric("sampling_decisions_total", &[("decision", "sample"), ("reason", "probabilistic_hash")]);
    assert_eq!(counts, mine.len() as f64);
}

#[test]
fn callees_are_told_the_threshold_of_the_rate_and_keep_the_same_traces_with_the_same_weight() {
    let log = Log::default();
    let caller = engine(|builder| builder.sampler(Says { head: quarter, ..says("mine") }));
    let callee =
        engine(|builder| builder.sampling_policy(policy(0.0)).sampler(Says { log: Arc::clone(&log), ..says("asked") }));
    let mut kept_by_caller = Vec::new();
    for _ in 0..40 {
        let run = caller.telemetry.start_trace("page");
        let (handle, head) = (run.handle(), run.handle().head().unwrap());
        let trace_id = handle.trace_id().unwrap();
        let tracestate = head.trace_state(&tta_telemetry::propagation::TraceState::default());
        assert_eq!(tracestate.to_string(), if head.keep { "ot=th:c" } else { "" });
        let parent = if head.keep {
            RemoteParent::Sampled(Threshold::new(0xc0_0000_0000_0000))
        } else {
            RemoteParent::NotSampled
        };
        let remote = RemoteSampling { parent, ..RemoteSampling::root(trace_id) };
        let parent = Some((trace_id, IdSource::seeded(9).span_id()));
        let start = TraceStart { parent, remote: Some(remote), ..TraceStart::default() };
        callee.run_with("stock", &start, SpanStatus::Ok, 1);
        drop(handle);
        let kept = run.end_decided().is_none_or(|decision| decision.keep);
        assert!(kept || !head.keep);
        kept_by_caller.extend(head.keep.then_some(trace_id));
    }
    let kept = callee.kept();
    assert_eq!(kept.iter().map(|trace| trace.trace_id).collect::<Vec<_>>(), kept_by_caller);
    assert!(!kept.is_empty() && kept.len() < 20, "{}", kept.len());
    assert!(kept.iter().all(|trace| trace.adjusted_count == Some(4.0) && trace.decision.sampler == "probabilistic"));
    assert!(caller.kept().iter().all(|trace| trace.adjusted_count == Some(4.0)));
    assert!(taken(&log).iter().all(|asked| asked.contains("tail")), "a caller has decided the head");
}

#[test]
fn what_is_kept_anyway_is_not_asked_about() {
    let log = Log::default();
    let drops = Says { log: Arc::clone(&log), tail: |_| Some(Verdict::Drop), ..says("drops") };
    let engine = engine(|builder| builder.sampling_policy(policy(1.0)).sampler(drops));
    let forced = TraceStart { is_forced: true, ..TraceStart::default() };
    engine.run_with("crawl", &forced, SpanStatus::Ok, 1);
    engine.run_with("crawl", &TraceStart::default(), SpanStatus::Error, 1);
    engine.run_with("crawl", &TraceStart::default(), SpanStatus::Cancelled, 1);
    engine.run_with("crawl", &TraceStart::default(), SpanStatus::Ok, 1_000);
    engine.run_with("crawl", &TraceStart::default(), SpanStatus::Ok, 999);
    let reasons: Vec<_> = engine.decided().into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(reasons, ["forced", "tail_error", "cancelled", "tail_slow"]);
    let asked = taken(&log);
    assert_eq!(asked.iter().filter(|asked| asked.contains("head")).count(), 4, "a forced run is not");
    assert_eq!(asked.last().unwrap(), "drops tail crawl Normal 999 2 [\"tenant\"]");
    assert_eq!(asked.len(), 5);
}

#[test]
fn verdicts_come_before_rules_and_are_counted_by_name() {
    let rule = SamplingRule::new("health", RuleAction::Keep, Some("workflow == \"health\"")).unwrap();
    let with_rules = tta_telemetry::sampling::SamplingPolicy { rules: vec![rule], ..policy(0.0) };
    let engine = engine(|builder| {
        builder
            .sampling_policy(with_rules)
            .workflow_sampler("import", Says { tail: |_| Rate::new(0.5).ok().map(Verdict::Rate), ..says("half") })
            .workflow_sampler("noise", Says { tail: |_| Some(Verdict::Drop), ..says("noise") })
            .sampler(Says { tail: |run| (run.workflow == "page").then_some(Verdict::Keep), ..says("pages") })
    });
    for workflow in ["health", "noise", "page", "crawl"] {
        engine.run(workflow);
    }
    (0..100).for_each(|_| engine.run("import"));
    let kept = engine.kept();
    let halves = kept.iter().filter(|trace| trace.decision.reason.as_str() == "rule:half").collect::<Vec<_>>();
    assert!((30..70).contains(&halves.len()), "{}", halves.len());
    assert!(halves.iter().all(|trace| trace.adjusted_count == Some(2.0)));
    let others = kept.iter().filter(|trace| trace.decision.reason.as_str() != "rule:half");
    let others: Vec<_> = others.map(|trace| (trace.decision.reason.to_string(), trace.decision.sampler)).collect();
    assert_eq!(others, [("rule:health".to_owned(), "rules"), ("rule:pages".to_owned(), "custom")]);
    let counted =
        |decision, reason| engine.metric("sampling_decisions_total", &[("decision", decision), ("reason", reason)]);
    assert_eq!(counted("sample", "rule:half") + counted("drop", "rule:half"), 100.0);
    assert_eq!(counted("sample", "rule:half"), halves.len() as f64);
    assert_eq!(
        [counted("drop", "rule:noise"), counted("sample", "rule:pages"), counted("sample", "rule:health")],
        [1.0; 3]
    );
    assert_eq!((counted("drop", "tail_normal"), counted("drop", "rule"), counted("sample", "rule")), (1.0, 0.0, 0.0));
}

#[test]
fn one_that_panics_has_said_nothing_costs_no_run_and_is_seen_until_it_works_again() {
    static WORKS: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    let works = || WORKS.load(std::sync::atomic::Ordering::Relaxed);
    let sampler = IsolatedSampler::new(Says {
        head: || WORKS.load(std::sync::atomic::Ordering::Relaxed).then_some(Rate::ZERO).or_else(|| panic!("card 4111")),
        tail: |_| if WORKS.load(std::sync::atomic::Ordering::Relaxed) { None } else { panic!("tail") },
        ..says("shaky")
    });
    let engine = engine(|builder| builder.sampling_policy(policy(1.0)).sampler(sampler.clone()));
    assert_eq!(engine.hooks_health(), (HealthStatus::Healthy, String::new()));
    engine.run("crawl");
    assert_eq!(engine.decided(), [("sampling_rate_one".to_owned(), "probabilistic")]);
    assert_eq!(engine.hooks_health().0, HealthStatus::Healthy, "twice is not again and again");
    (0..3).for_each(|_| engine.run("crawl"));
    assert_eq!(engine.kept().len(), 3);
    let reason = "sampler `shaky` panics again and again, 8 times so far";
    assert_eq!(engine.hooks_health(), (HealthStatus::Degraded, reason.to_owned()));
    assert_eq!((engine.telemetry.counters().sampler_panics, sampler.panics()), (8, 8));
    let dropped = [("what", "sampler_answers"), ("cause", "panicked")];
    assert_eq!(engine.metric("telemetry_dropped_total", &dropped), 8.0);
    assert_eq!(engine.metric("health_status", &[("component", "hooks")]), 1.0);
    assert!(!works());
    WORKS.store(true, std::sync::atomic::Ordering::Relaxed);
    (0..60).for_each(|_| engine.run("crawl"));
    assert_eq!(engine.kept().len(), 0, "it keeps none now");
    assert_eq!(engine.hooks_health(), (HealthStatus::Healthy, String::new()));
}

#[test]
fn one_without_a_name_is_not_asked_and_degrades_health() {
    let engine = engine(|builder| {
        builder.sampler(Says { head: || Some(Rate::ZERO), tail: |_| Some(Verdict::Drop), ..says("Not A Name") })
    });
    engine.run("crawl");
    assert_eq!(engine.kept().len(), 1);
    let reason = "a sampler that panicked when it was asked for its name is not asked";
    assert_eq!(engine.hooks_health(), (HealthStatus::Degraded, reason.to_owned()));
    assert_eq!(engine.telemetry.counters().sampler_panics, 1);
}

#[test]
fn a_new_policy_keeps_the_samplers_and_a_run_the_rate_it_started_with() {
    let log = Log::default();
    let mine = Says { log: Arc::clone(&log), head: || Some(Rate::ONE), ..says("mine") };
    let engine = engine(|builder| builder.sampling_policy(policy(0.5)).sampler(mine));
    let run = engine.telemetry.start_trace("crawl");
    engine.telemetry.set_sampling_policy(policy(0.0)).unwrap();
    run.end();
    engine.run("crawl");
    assert_eq!(
        engine.decided(),
        [("sampling_rate_one".to_owned(), "custom"), ("sampling_rate_one".to_owned(), "custom")]
    );
    let heads = taken(&log).iter().filter(|asked| asked.contains("head")).count();
    assert_eq!(heads, 2, "each run asks once");
}

#[test]
fn the_simple_choices_ask_them_but_for_keeping_none() {
    let of = |sampling: Sampling| {
        let tail = |run: &tta_telemetry::sampling::FinishedRun<'_>| match run.workflow {
            "noise" => Some(Verdict::Drop),
            "page" => Some(Verdict::Keep),
            _ => None,
        };
        let engine = engine(|builder| builder.sampling(sampling).sampler(Says { tail, ..says("mine") }));
        for workflow in ["noise", "page", "crawl"] {
            engine.run(workflow);
        }
        engine.run_with("noise", &TraceStart::default(), SpanStatus::Error, 1);
        engine.run_with("crawl", &TraceStart::default(), SpanStatus::Ok, 5_000);
        engine.decided().into_iter().map(|(reason, _)| reason).collect::<Vec<_>>()
    };
    assert_eq!(of(Sampling::KeepAll), ["rule:mine", "sampling_rate_one", "tail_error", "tail_slow"]);
    assert_eq!(of(Sampling::KeepFailed), ["rule:mine", "tail_error"]);
    assert_eq!(of(Sampling::KeepNone), [""; 0]);
}

#[test]
fn a_trace_that_is_decided_before_its_end_is_asked_about_as_it_stands() {
    let log = Log::default();
    let mine = Says { log: Arc::clone(&log), tail: |_| Some(Verdict::Keep), ..says("mine") };
    let engine = engine(|builder| builder.sampling_policy(policy(0.0)).workflow_sampler("crawl", mine));
    let run = engine.telemetry.start_trace("crawl");
    run.span("step", "lambda").end();
    engine.hand.advance(std::time::Duration::from_millis(7));
    assert_eq!(engine.telemetry.shutdown_blocking(std::time::Duration::from_secs(60)).open_runs, 1);
    run.end();
    assert_eq!(taken(&log), ["mine head crawl", "mine tail crawl Normal 7 1 []"]);
    let kept = engine.memory.take();
    assert_eq!((kept.len(), kept[0].incomplete, kept[0].decision.reason.as_str()), (1, true, "rule:mine"));
}

#[test]
fn more_than_64_hooks_are_refused() {
    let with = |count: usize| {
        let builder = (0..count).fold(Telemetry::builder(), |builder, _| builder.sampler(says("mine")));
        builder.by_hand().build().map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(with(64), Ok(()));
    assert_eq!(with(65), Err("65 samplers and processors, accepted are at most 64".to_owned()));
}
