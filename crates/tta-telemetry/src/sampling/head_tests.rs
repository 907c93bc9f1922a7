//! Head decisions: every kind of parent, both hashes, what callees are told.

use super::*;
use crate::id::IdSource;
use crate::propagation::extract;

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn sampler(hash: SamplingHash, rate: f64) -> HeadSampler {
    HeadSampler::new(hash, Rate::new(rate).unwrap())
}

fn th(text: &str) -> Threshold {
    text.parse().unwrap()
}

/// Decision and outgoing `tracestate` of a run that was called with these headers.
fn called(sampler: &HeadSampler, flags: &str, state: &str) -> (HeadDecision, String) {
    let parent = format!("00-{ID}-00f067aa0ba902b7-{flags}");
    let received = extract(&[("traceparent", parent.as_str()), ("tracestate", state)]).trace.unwrap();
    let remote = RemoteSampling::read(&received);
    let decision = sampler.decide(&RunStart { remote, ..RunStart::root(received.trace_id) });
    (decision, decision.trace_state(&received.trace_state).as_str().to_owned())
}

#[test]
fn a_root_is_kept_when_its_randomness_reaches_the_threshold_and_tells_it_to_callees() {
    // The randomness of the id is ce92..., about 0.807 of all.
    let start = RunStart::root(ID.parse().unwrap());
    let kept = sampler(SamplingHash::Otel, 0.2).decide(&start);
    assert_eq!((kept.keep, kept.reason, kept.rate), (true, DecisionReason::ProbabilisticHash, 0.2));
    assert_eq!((kept.selection, kept.sampler), (Selection::Threshold(th("cccd")), "probabilistic"));
    assert_eq!(kept.adjusted_count(), Some(th("cccd").adjusted_count()));
    assert_eq!(kept.trace_state(&TraceState::default()).as_str(), "ot=th:cccd");
    let dropped = sampler(SamplingHash::Otel, 0.19).decide(&start);
    assert_eq!((dropped.keep, dropped.reason), (false, DecisionReason::ProbabilisticHash));
    assert_eq!(dropped.trace_state(&TraceState::default()).as_str(), "");
}

#[test]
fn rates_zero_and_one_short_circuit_with_their_reasons() {
    let start = RunStart::root(ID.parse().unwrap());
    for hash in [SamplingHash::Otel, SamplingHash::Md5] {
        let none = sampler(hash, 0.0).decide(&start);
        assert_eq!((none.keep, none.reason, none.selection), (false, DecisionReason::RateZero, Selection::Never));
        assert_eq!(none.adjusted_count(), None);
        let all = sampler(hash, 1.0).decide(&start);
        assert_eq!((all.keep, all.reason, all.adjusted_count()), (true, DecisionReason::RateOne, Some(1.0)));
    }
    let all = sampler(SamplingHash::Otel, 1.0).decide(&start);
    assert_eq!(all.trace_state(&TraceState::default()).as_str(), "ot=th:0");
}

#[test]
fn a_sampled_parent_is_honoured_whatever_the_rate_and_its_threshold_is_passed_on() {
    for (hash, rate) in [(SamplingHash::Otel, 0.0), (SamplingHash::Otel, 1.0), (SamplingHash::Md5, 0.0)] {
        let (decision, state) = called(&sampler(hash, rate), "03", "a=1,ot=th:c;xy:7");
        assert_eq!((decision.keep, decision.reason), (true, DecisionReason::ParentSampled));
        assert_eq!((decision.adjusted_count(), decision.rate), (Some(4.0), 0.25));
        assert_eq!(state, "a=1,ot=th:c;xy:7");
    }
}

#[test]
fn a_sampled_parent_without_a_threshold_or_with_one_that_contradicts_has_no_weight() {
    for (state, outgoing) in [("", ""), ("ot=xy:7", "ot=xy:7"), ("ot=th:d;xy:7,a=1", "ot=xy:7,a=1"), ("ot=th:d", "")] {
        let (decision, sent) = called(&sampler(SamplingHash::Otel, 0.5), "03", state);
        assert_eq!((decision.keep, decision.reason), (true, DecisionReason::ParentSampled), "{state}");
        assert_eq!((decision.selection, decision.adjusted_count()), (Selection::Unknown, None), "{state}");
        assert_eq!(sent, outgoing, "{state}");
    }
}

#[test]
fn a_parent_that_is_not_sampled_is_followed_and_its_threshold_erased() {
    let (decision, state) = called(&sampler(SamplingHash::Otel, 1.0), "02", "ot=th:f;rv:00000000000001");
    assert_eq!((decision.keep, decision.reason), (false, DecisionReason::ParentNotSampled));
    assert_eq!((decision.selection, state.as_str()), (Selection::Never, "ot=rv:00000000000001"));
}

#[test]
fn the_randomness_that_the_root_put_in_decides_and_is_passed_on() {
    let received = TraceState::parse([b"ot=rv:ffffffffffffff".as_slice()]);
    let id: TraceId = "00000000000000010000000000000001".parse().unwrap();
    let remote = RemoteSampling { randomness: "ffffffffffffff".parse().unwrap(), ..RemoteSampling::root(id) };
    let decision = sampler(SamplingHash::Otel, 0.001).decide(&RunStart { remote, ..RunStart::root(id) });
    assert!(decision.keep);
    assert_eq!(decision.trace_state(&received).as_str(), "ot=th:ffbe77;rv:ffffffffffffff");
}

#[test]
fn a_forced_run_is_kept_with_weight_one_whatever_parent_and_rate() {
    let id: TraceId = ID.parse().unwrap();
    for parent in [RemoteParent::None, RemoteParent::NotSampled, RemoteParent::Sampled(Some(th("c")))] {
        let remote = RemoteSampling { parent, ..RemoteSampling::root(id) };
        let start = RunStart { remote, forced: true, ..RunStart::root(id) };
        let decision = sampler(SamplingHash::Otel, 0.0).decide(&start);
        assert_eq!((decision.keep, decision.reason), (true, DecisionReason::Forced));
        assert_eq!(decision.adjusted_count(), Some(1.0));
    }
}

#[test]
fn md5_takes_the_correlation_id_for_a_key_and_else_the_trace_id_and_writes_no_threshold() {
    let id: TraceId = ID.parse().unwrap();
    // MD5 of "a" is 0.0498 of all; of the id 0.6 (see below).
    let of_id = md5_rule::fraction(ID.as_bytes());
    assert!(of_id > 0.06);
    let sampler = sampler(SamplingHash::Md5, 0.05);
    let by_correlation = RunStart { correlation_id: Some("a"), ..RunStart::root(id) };
    let decision = sampler.decide(&by_correlation);
    assert_eq!((decision.keep, decision.selection), (true, Selection::Rate(0.05)));
    assert_eq!(decision.adjusted_count(), Some(20.0));
    assert_eq!(decision.trace_state(&TraceState::default()).as_str(), "");
    for correlation_id in [None, Some("")] {
        assert!(!sampler.decide(&RunStart { correlation_id, ..RunStart::root(id) }).keep);
    }
}

#[test]
fn any_text_is_a_key_for_md5_and_an_empty_one_is_left_to_the_number_drawn() {
    let md5 = sampler(SamplingHash::Md5, 0.5);
    let never = || -> f64 { panic!("nothing to draw") };
    for key in ["trace-1", "4BF92F3577B34DA6A3CE929D0E0E4736", "4bf9", "0", "ä", &"f".repeat(100)] {
        let decision = md5.decide_key(key, never).unwrap();
        assert_eq!(decision.keep, md5_rule::fraction(key.as_bytes()) < 0.5, "{key}");
        assert_eq!(decision.reason, DecisionReason::ProbabilisticHash);
    }
    for (drawn, keep) in [(0.0, true), (0.499, true), (0.5, false), (0.99, false)] {
        let decision = md5.decide_key("", || drawn).unwrap();
        assert_eq!((decision.keep, decision.reason), (keep, DecisionReason::ProbabilisticRandom));
    }
    assert_eq!(sampler(SamplingHash::Md5, 0.0).decide_key("", never).unwrap().reason, DecisionReason::RateZero);
    assert_eq!(sampler(SamplingHash::Md5, 1.0).decide_key("", never).unwrap().reason, DecisionReason::RateOne);
}

#[test]
fn otel_refuses_what_is_not_a_trace_id_and_says_what_is() {
    let otel = sampler(SamplingHash::Otel, 0.5);
    let long = "4bf92f3577b34da6a3ce929d0e0e47360";
    let zero = "0".repeat(32);
    for key in ["", "4bf9", long, "4BF92F3577B34DA6A3CE929D0E0E4736", "zbf92f3577b34da6a3ce929d0e0e4736", &zero] {
        let error = otel.decide_key(key, || 0.0).unwrap_err().to_string();
        let expected = format!("`trace_id` is `{key}`, accepted is 32 lower-case hexadecimal digits, not all zero");
        assert_eq!(error, expected);
    }
    let decision = otel.decide_key(ID, || 0.0).unwrap();
    assert_eq!(decision, otel.decide(&RunStart::root(ID.parse().unwrap())));
}

#[test]
fn a_rate_that_is_changed_holds_from_the_next_decision_on() {
    let sampler = sampler(SamplingHash::Otel, 0.0);
    let start = RunStart::root(IdSource::seeded(1).trace_id());
    assert!(!sampler.decide(&start).keep);
    sampler.clone().rate().set(Rate::ONE);
    assert!(sampler.decide(&start).keep);
    assert!(!sampler.decide_at(Rate::ZERO, &start).keep, "a run's own rate goes before");
}

#[test]
fn a_greater_rate_keeps_whatever_a_smaller_one_does() {
    let ids = IdSource::seeded(3);
    let samplers = [0.01, 0.1, 0.5, 0.9].map(|rate| sampler(SamplingHash::Otel, rate));
    for start in std::iter::repeat_with(|| RunStart::root(ids.trace_id())).take(5_000) {
        let kept = samplers.each_ref().map(|sampler| sampler.decide(&start).keep);
        assert!(kept.is_sorted(), "{start:?}");
    }
}

#[test]
fn the_names_of_hashes_read_back_and_others_are_refused() {
    for hash in [SamplingHash::Otel, SamplingHash::Md5] {
        assert_eq!(hash.to_string().parse(), Ok(hash));
    }
    let error = "sha1".parse::<SamplingHash>().unwrap_err().to_string();
    assert_eq!(error, "`hash` is sha1, accepted is otel or md5");
}
