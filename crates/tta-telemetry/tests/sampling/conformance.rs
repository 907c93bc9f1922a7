//! Every case that was computed by running the original implementation: copies of the project's
//! conformance data in `data/`, and the whole of it where it lies beside the repository.

use std::path::Path;
use std::str::FromStr;

use tta_telemetry::sampling::{
    AdaptiveConfig, AdaptiveController, FinishedTrace, HeadDecision, HeadSampler, Rate, RunStart, SamplingHash,
    Selection, TailPolicy,
};
use tta_telemetry::{DecisionReason, IdSource, TraceClass, TraceId};

/// The text of a copy, and of the file of that name beside the repository where it is.
fn texts(name: &str, copy: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance").join(name);
    let beside = std::fs::read_to_string(&file).ok();
    if beside.is_none() {
        println!("only the copy: no shared/conformance/{name} beside the repository");
    }
    std::iter::once(copy.to_owned()).chain(beside).collect()
}

/// What follows `"name": `, up to a comma or bracket that is not in a text.
fn field<T: FromStr<Err: std::fmt::Debug>>(line: &str, name: &str) -> T {
    let (_, rest) = line.split_once(&format!("\"{name}\": ")).unwrap_or_else(|| panic!("no `{name}` in {line}"));
    let text = match rest.strip_prefix('"') {
        Some(text) => text.split('"').next().unwrap(),
        None => rest.split([',', '}', '\n']).next().unwrap().trim(),
    };
    text.parse().unwrap()
}

fn word(keep: bool) -> &'static str {
    if keep { "sample" } else { "drop" }
}

fn sampler(hash: SamplingHash, rate: f64) -> HeadSampler {
    HeadSampler::new(hash, Rate::new(rate).unwrap())
}

#[test]
fn every_key_is_decided_by_md5_as_the_original_did() {
    for text in texts("md5_sampling.jsonl", include_str!("../data/md5_sampling.jsonl")) {
        assert!(text.lines().count() >= 400);
        for line in text.lines() {
            let (key, rate): (String, f64) = (field(line, "trace_id"), field(line, "rate"));
            let decision = sampler(SamplingHash::Md5, rate).decide_key(&key, || panic!("nothing to draw")).unwrap();
            let expected: (String, String) = (field(line, "decision"), field(line, "reason"));
            assert_eq!((word(decision.keep).to_owned(), decision.reason.to_string()), expected, "{line}");
            assert_eq!(decision.rate, rate);
            // A trace id of ours is decided the same way without becoming text.
            if let Ok(id) = key.parse::<TraceId>() {
                assert_eq!(sampler(SamplingHash::Md5, rate).decide(&RunStart::root(id)), decision);
            }
        }
    }
}

/// The tail decision of a line's trace with this head, and the class that the line has.
fn tail(line: &str, head: HeadDecision) -> (tta_telemetry::SamplingDecision, Option<DecisionReason>) {
    let policy = TailPolicy {
        always_sample_errors: field(line, "always_sample_errors"),
        always_sample_slow: field(line, "always_sample_slow"),
        slow_threshold_ms: field(line, "slow_threshold_ms"),
        ..TailPolicy::default()
    };
    let has_error: bool = field(line, "has_error");
    let duration_ms: f64 = field(line, "duration_ms");
    let class = if has_error { TraceClass::Failed } else { TraceClass::Normal };
    let always = match () {
        () if policy.always_sample_errors && has_error => Some(DecisionReason::TailError),
        () if policy.always_sample_slow && duration_ms >= policy.slow_threshold_ms => Some(DecisionReason::TailSlow),
        () => None,
    };
    (policy.decide(&FinishedTrace { duration_ms, ..FinishedTrace::new(class, 0, head) }, None).decision, always)
}

#[test]
fn every_finished_trace_is_decided_as_the_original_did() {
    for text in texts("composite_sampling.jsonl", include_str!("../data/composite_sampling.jsonl")) {
        assert!(text.lines().count() >= 120);
        for line in text.lines() {
            let (key, rate): (String, f64) = (field(line, "trace_id"), field(line, "default_rate"));
            let head = sampler(SamplingHash::Md5, rate).decide_key(&key, || panic!("nothing to draw")).unwrap();
            assert_eq!(word(head.keep), field::<String>(line, "head"), "{line}");
            let (decision, always) = tail(line, head);
            assert_eq!(word(decision.keep), field::<String>(line, "tail"), "{line}");
            match field::<String>(line, "tail_reason").as_str() {
                // Where the head has said it: ours names the class, whose weight is another.
                "null" => assert_eq!(decision.reason, always.unwrap_or(head.reason), "{line}"),
                reason => assert_eq!(decision.reason.as_str(), reason, "{line}"),
            }
        }
    }
}

#[test]
fn with_thresholds_every_finished_trace_whose_head_falls_out_the_same_is_decided_as_the_original_did() {
    for text in texts("composite_sampling.jsonl", include_str!("../data/composite_sampling.jsonl")) {
        let mut same = 0;
        for line in text.lines() {
            let (key, rate): (String, f64) = (field(line, "trace_id"), field(line, "default_rate"));
            let own = sampler(SamplingHash::Otel, rate).decide_key(&key, || panic!("nothing to draw")).unwrap();
            let expected = field::<String>(line, "head") == "sample";
            same += usize::from(own.keep == expected);
            // The luck of the original, the rest by thresholds.
            let head = HeadDecision {
                keep: expected,
                randomness: if expected { "ffffffffffffff" } else { "00000000000000" }.parse().unwrap(),
                ..own
            };
            let (decision, always) = tail(line, head);
            assert_eq!(word(decision.keep), field::<String>(line, "tail"), "{line}");
            let reason = field::<String>(line, "tail_reason");
            let ours = always.unwrap_or(head.reason);
            assert_eq!(decision.reason.as_str(), if reason == "null" { ours.as_str() } else { &reason }, "{line}");
            if own.keep == expected {
                assert_eq!(tail(line, own).0, decision, "{line}");
            }
        }
        // At rates 0 and 1 always, otherwise by chance.
        assert!(same * 10 > text.lines().count() * 6, "{same}");
    }
}

#[test]
fn the_adaptive_rate_is_the_originals_to_the_last_bit() {
    let numbers = |text: &str| -> Vec<f64> {
        text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(|text| text.parse().unwrap()).collect()
    };
    for text in texts("adaptive_rate.json", include_str!("../data/adaptive_rate.json")) {
        let mut intervals = 0;
        for case in text.split("\"base_rate\": ").skip(1) {
            let case = format!("\"base_rate\": {case}");
            let config = AdaptiveConfig {
                default_rate: field(&case, "base_rate"),
                adaptive_min_rate: field(&case, "min_rate"),
                adaptive_max_rate: field(&case, "max_rate"),
                adaptive_target_overhead: field(&case, "target_overhead"),
                ..AdaptiveConfig::default()
            };
            let mut controller = AdaptiveController::new(config, 0).unwrap();
            for interval in case.split("\"overhead\": [").skip(1) {
                let (overhead, rest) = interval.split_once(']').unwrap();
                numbers(overhead).into_iter().for_each(|overhead| controller.observe(overhead));
                let expected: f64 = field(rest, "rate");
                assert_eq!(controller.adjust().get().to_bits(), expected.to_bits(), "interval {intervals}");
                intervals += 1;
            }
        }
        assert!(intervals >= 100, "{intervals}");
    }
}

#[test]
fn thresholds_and_md5_keep_the_share_that_is_asked_for() {
    let ids = IdSource::seeded(11);
    for hash in [SamplingHash::Otel, SamplingHash::Md5] {
        let sampler = sampler(hash, 0.3);
        let decided: Vec<_> = (0..20_000).map(|_| sampler.decide(&RunStart::root(ids.trace_id()))).collect();
        let kept = decided.iter().filter(|decision| decision.keep).count();
        // Four standard deviations.
        assert!((5_740..=6_260).contains(&kept), "{hash}: {kept}");
        assert!(decided.iter().all(|decision| decision.selection != Selection::Unknown));
    }
}
