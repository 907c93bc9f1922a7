//! Tail decisions: the order of reasons, weights, budgets, bad parameters.

use super::super::budget::RateBudgetConfig;
use super::super::head::{HeadSampler, RunStart, SamplingHash};
use super::super::threshold::Randomness;
use super::*;
use crate::id::{IdSource, TraceId};

/// A root's head decision at a rate, for a trace id that ends in these seven bytes.
fn head(hash: SamplingHash, rate: f64, randomness: &str) -> HeadDecision {
    let id: TraceId = format!("400000000000000001{randomness}").parse().unwrap();
    HeadSampler::new(hash, Rate::new(rate).unwrap()).decide(&RunStart::root(id))
}

const LUCKY: &str = "ffffffffffffff";
const UNLUCKY: &str = "00000000000001";

fn trace(class: TraceClass, duration_ms: f64, head: HeadDecision) -> FinishedTrace {
    FinishedTrace { duration_ms, ..FinishedTrace::new(class, 0, head) }
}

fn rule(text: &str) -> RuleName {
    text.parse().unwrap()
}

/// Keep, reason, sampler, weight.
fn told(decision: TailDecision) -> (bool, String, &'static str, Option<f64>) {
    let SamplingDecision { keep, reason, sampler, .. } = decision.decision;
    (keep, reason.to_string(), sampler, decision.adjusted_count)
}

#[test]
fn the_first_reason_that_applies_decides_and_its_class_is_kept_whole() {
    use TraceClass::{Cancelled, Failed, Normal};
    let unlucky = head(SamplingHash::Otel, 0.01, UNLUCKY);
    let policy = TailPolicy::default();
    let expect = |class, ms, reason: &str| {
        let decided = told(policy.decide(&trace(class, ms, unlucky), None));
        assert_eq!(decided, (true, reason.to_owned(), "tail", Some(1.0)), "{class:?} {ms}");
    };
    expect(Failed, 5_000.0, "tail_error");
    expect(Cancelled, 5_000.0, "cancelled");
    expect(Normal, 1_000.0, "tail_slow");
    let normal = policy.decide(&trace(Normal, 999.9, unlucky), None);
    assert_eq!(told(normal), (false, "tail_normal".to_owned(), "probabilistic", None));
    assert_eq!((normal.decision.rate, normal.is_excluded), (0.01, false));
    // The class decides, not luck: a failed trace that chance had kept anyway weighs 1 as well.
    let lucky = head(SamplingHash::Otel, 0.01, LUCKY);
    assert_eq!(policy.decide(&trace(Failed, 1.0, lucky), None).adjusted_count, Some(1.0));
}

#[test]
fn each_switch_takes_its_class_back_to_chance() {
    use TraceClass::{Cancelled, Failed, Normal};
    let off = TailPolicy {
        always_sample_errors: false,
        always_sample_slow: false,
        always_sample_cancelled: false,
        slow_threshold_ms: 100.0,
    };
    for (class, policy) in [
        (Failed, TailPolicy { always_sample_errors: true, ..off }),
        (Cancelled, TailPolicy { always_sample_cancelled: true, ..off }),
        (Normal, TailPolicy { always_sample_slow: true, ..off }),
    ] {
        let trace = trace(class, 100.0, head(SamplingHash::Otel, 0.25, UNLUCKY));
        assert!(policy.decide(&trace, None).decision.keep, "{class:?}");
        assert!(!off.decide(&trace, None).decision.keep, "{class:?}");
        let kept = FinishedTrace { head: head(SamplingHash::Otel, 0.25, LUCKY), ..trace };
        let kept = off.decide(&kept, None);
        assert_eq!(told(kept), (true, "probabilistic_hash".to_owned(), "probabilistic", Some(4.0)));
        assert_eq!(kept.decision.rate, 0.25);
    }
}

#[test]
fn a_slow_threshold_of_zero_makes_every_trace_slow_and_a_duration_that_is_no_number_none() {
    let policy = TailPolicy { slow_threshold_ms: 0.0, ..TailPolicy::default() };
    let head = head(SamplingHash::Otel, 0.0, UNLUCKY);
    assert_eq!(policy.decide(&trace(TraceClass::Normal, 0.0, head), None).decision.reason, DecisionReason::TailSlow);
    assert!(!policy.decide(&trace(TraceClass::Normal, f64::NAN, head), None).decision.keep);
    assert_eq!(FinishedTrace::new(TraceClass::Normal, 999_900_000, head).duration_ms, 999.9);
}

#[test]
fn rules_come_after_what_is_always_kept_and_before_chance() {
    let policy = TailPolicy::default();
    let decide = |class, randomness: &str, outcome| {
        let trace = FinishedTrace { rule: outcome, ..trace(class, 1.0, head(SamplingHash::Otel, 0.5, randomness)) };
        policy.decide(&trace, None)
    };
    let name = rule("imports");
    let keep = decide(TraceClass::Normal, UNLUCKY, RuleOutcome::Keep(name));
    assert_eq!(told(keep), (true, "rule:imports".to_owned(), "rules", Some(1.0)));
    let quarter = Rate::new(0.25).unwrap();
    let lucky = decide(TraceClass::Normal, "c0000000000000", RuleOutcome::Rate(name, quarter));
    assert_eq!(told(lucky), (true, "rule:imports".to_owned(), "rules", Some(4.0)));
    // Chance would have kept it at 0.5; the rule's rate is what holds.
    let unlucky = decide(TraceClass::Normal, "bfffffffffffff", RuleOutcome::Rate(name, quarter));
    assert_eq!(told(unlucky), (false, "rule:imports".to_owned(), "rules", None));
    assert_eq!((unlucky.decision.rate, unlucky.is_excluded), (0.25, false));
    for outcome in [RuleOutcome::Drop(name), RuleOutcome::Rate(name, Rate::ZERO)] {
        let dropped = decide(TraceClass::Normal, LUCKY, outcome);
        assert_eq!(told(dropped), (false, "rule:imports".to_owned(), "rules", None));
        assert!(dropped.is_excluded);
        // Nothing takes back what is always kept.
        let failed = decide(TraceClass::Failed, UNLUCKY, outcome);
        assert_eq!(told(failed), (true, "tail_error".to_owned(), "tail", Some(1.0)));
    }
}

#[test]
fn what_callers_decided_is_followed_with_their_weights() {
    let policy = TailPolicy::default();
    let base = head(SamplingHash::Otel, 0.5, LUCKY);
    let decide = |class, selection, keep, reason, rate| {
        let head = HeadDecision { keep, selection, reason, rate, ..base };
        policy.decide(&trace(class, 1.0, head), None)
    };
    let th = Selection::Threshold("e".parse().unwrap());
    let sampled = decide(TraceClass::Normal, th, true, DecisionReason::ParentSampled, 0.125);
    assert_eq!(told(sampled), (true, "parent_sampled".to_owned(), "probabilistic", Some(8.0)));
    let unknown = decide(TraceClass::Normal, Selection::Unknown, true, DecisionReason::ParentSampled, 1.0);
    assert_eq!(told(unknown), (true, "parent_sampled".to_owned(), "probabilistic", None));
    let not = |class| decide(class, Selection::Never, false, DecisionReason::ParentNotSampled, 0.0);
    assert_eq!(told(not(TraceClass::Normal)), (false, "parent_not_sampled".to_owned(), "probabilistic", None));
    assert_eq!(told(not(TraceClass::Failed)), (true, "tail_error".to_owned(), "tail", Some(1.0)));
    let forced = decide(TraceClass::Normal, Selection::Rate(1.0), true, DecisionReason::Forced, 1.0);
    assert_eq!(told(forced), (true, "forced".to_owned(), "probabilistic", Some(1.0)));
}

/// A budget that has seen 1,000 ordinary and 1,000 exempt traces in its first second.
fn busy(config: RateBudgetConfig) -> RateBudget {
    let budget = RateBudget::new(config, 0).unwrap();
    for _ in 0..1_000 {
        let _ = budget.offer(BudgetClass::Ordinary, Selection::Threshold(Threshold::ALWAYS), 0);
        let _ = budget.offer(BudgetClass::Exempt, Selection::Rate(1.0), 0);
    }
    assert!(budget.advance(1_000_000_000));
    budget
}

#[test]
fn a_budget_raises_the_threshold_of_ordinary_traces_and_with_it_their_weight() {
    let budget =
        busy(RateBudgetConfig { max_traces_per_second: Some(125.0), exempt_factor: 10.0, ..Default::default() });
    let policy = TailPolicy::default();
    let decide = |class, head| policy.decide(&trace(class, 1.0, head), Some(&budget));
    // The budget keeps an eighth; this trace is kept by a half, not by an eighth.
    let dropped = decide(TraceClass::Normal, head(SamplingHash::Otel, 0.5, "d0000000000000"));
    assert_eq!(told(dropped), (false, "tail_normal".to_owned(), "probabilistic", None));
    assert_eq!(dropped.decision.rate, 0.125);
    let kept = decide(TraceClass::Normal, head(SamplingHash::Otel, 0.5, "e0000000000000"));
    assert_eq!((kept.decision.keep, kept.adjusted_count), (true, Some(8.0)));
    // A smaller rate of its own is not changed.
    let rare = decide(TraceClass::Normal, head(SamplingHash::Otel, 0.0625, LUCKY));
    assert_eq!((rare.adjusted_count, rare.decision.rate), (Some(16.0), 0.0625));
    // Exempt: 1,000 are within 10 * 125.
    let failed = decide(TraceClass::Failed, head(SamplingHash::Otel, 0.5, UNLUCKY));
    assert_eq!((failed.decision.keep, failed.adjusted_count), (true, Some(1.0)));
    let stats = budget.stats();
    assert_eq!((stats.ordinary_dropped, stats.exempt_dropped), (1, 0));
    assert_eq!((stats.ordinary_offered, stats.exempt_offered), (1_003, 1_001));
    assert_eq!((stats.ordinary_limited_windows, stats.exempt_limited_windows), (1, 0));
}

#[test]
fn beyond_their_bound_even_failed_traces_are_sampled_with_weights_and_it_shows() {
    let budget =
        busy(RateBudgetConfig { max_traces_per_second: Some(125.0), exempt_factor: 2.0, ..Default::default() });
    let policy = TailPolicy::default();
    let decide = |randomness: &str| {
        policy.decide(&trace(TraceClass::Failed, 1.0, head(SamplingHash::Otel, 1.0, randomness)), Some(&budget))
    };
    let kept = decide("c0000000000000");
    assert_eq!(told(kept), (true, "tail_error".to_owned(), "tail", Some(4.0)));
    let dropped = decide("bfffffffffffff");
    assert_eq!(told(dropped), (false, "tail_error".to_owned(), "tail", None));
    assert_eq!(dropped.decision.rate, 0.25);
    let stats = budget.stats();
    assert_eq!((stats.exempt_probability, stats.exempt_dropped, stats.exempt_limited_windows), (0.25, 1, 1));
}

#[test]
fn a_budget_multiplies_with_chance_of_another_kind_and_leaves_unknown_weights_unknown() {
    let budget = busy(RateBudgetConfig { max_traces_per_second: Some(125.0), ..Default::default() });
    let policy = TailPolicy::default();
    let decide = |selection, keep, randomness: &str| {
        let randomness: Randomness = randomness.parse().unwrap();
        let head = HeadDecision { keep, selection, randomness, ..head(SamplingHash::Md5, 0.5, LUCKY) };
        policy.decide(&trace(TraceClass::Normal, 1.0, head), Some(&budget))
    };
    let kept = decide(Selection::Rate(0.5), true, "e0000000000000");
    assert_eq!((kept.decision.keep, kept.adjusted_count, kept.decision.rate), (true, Some(16.0), 0.0625));
    assert!(!decide(Selection::Rate(0.5), true, "d0000000000000").decision.keep);
    assert!(!decide(Selection::Rate(0.5), false, LUCKY).decision.keep);
    let unknown = decide(Selection::Unknown, true, LUCKY);
    assert_eq!((unknown.decision.keep, unknown.adjusted_count), (true, None));
    assert!(!decide(Selection::Unknown, true, "d0000000000000").decision.keep);
    assert_eq!(budget.stats().ordinary_dropped, 2);
}

#[test]
fn traces_that_cannot_be_kept_are_not_offered_to_the_budget() {
    let budget = RateBudget::new(RateBudgetConfig::default(), 0).unwrap();
    let excluded = FinishedTrace {
        rule: RuleOutcome::Drop(rule("health")),
        ..trace(TraceClass::Normal, 1.0, head(SamplingHash::Otel, 1.0, LUCKY))
    };
    let _ = TailPolicy::default().decide(&excluded, Some(&budget));
    let never = trace(TraceClass::Normal, 1.0, head(SamplingHash::Otel, 0.0, LUCKY));
    let _ = TailPolicy::default().decide(&never, Some(&budget));
    assert_eq!(budget.stats().ordinary_offered, 0);
}

#[test]
fn weights_of_kept_traces_are_never_below_one() {
    let (ids, policy) = (IdSource::seeded(9), TailPolicy::default());
    for (hash, rate) in [(SamplingHash::Otel, 0.3), (SamplingHash::Md5, 0.3), (SamplingHash::Otel, 0.999_999)] {
        let sampler = HeadSampler::new(hash, Rate::new(rate).unwrap());
        for _ in 0..500 {
            let head = sampler.decide(&RunStart::root(ids.trace_id()));
            let decided = policy.decide(&trace(TraceClass::Normal, 1.0, head), None);
            assert_eq!(decided.adjusted_count.is_some(), decided.decision.keep);
            assert!(decided.adjusted_count.is_none_or(|weight| weight >= 1.0));
            assert_eq!(decided.decision.keep, head.keep);
        }
    }
}

#[test]
fn slow_thresholds_that_are_no_durations_are_refused_also_those_of_workflows() {
    for (given, text) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let expected = format!("`slow_threshold_ms` is {text}, accepted is 0 or more, finite");
        let policy = TailPolicy { slow_threshold_ms: given, ..TailPolicy::default() };
        assert_eq!(TailPolicies::new(policy).unwrap_err().to_string(), expected);
        let usual = TailPolicies::new(TailPolicy::default()).unwrap();
        assert_eq!(usual.with_slow_threshold_ms("a", given).unwrap_err().to_string(), expected);
    }
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let TailPolicy { always_sample_errors, always_sample_slow, always_sample_cancelled, slow_threshold_ms } =
        TailPolicy::default();
    assert!(always_sample_errors && always_sample_slow && always_sample_cancelled);
    assert_eq!(slow_threshold_ms, 1_000.0);
}
