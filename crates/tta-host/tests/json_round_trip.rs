//! Whatever the model can hold is read back as it was written, and no bytes make the reader panic.

mod support;

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use tta_host::trace_json::{from_json, to_json};
use tta_telemetry::{
    Attribute, DecisionReason, Name, Received, Resource, SamplingDecision, Scope, Source, SpanEvent, SpanId, SpanLink,
    SpanRecord, SpanStatus, StatusCode, Trace, TraceClass, TraceCounts, TraceId, Value,
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        // What JSON escapes, what our own format uses, and names as they usually are.
        "[\\x00-\\x1f\"\\\\\u{7f}\u{2028}\u{feff}]{0,8}",
        Just("NaN".to_owned()),
        "[a-z.]{1,12}",
    ]
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![text().prop_map(Name::from), Just(Name::from_static("workflow"))]
}

fn value() -> impl Strategy<Value = Value> {
    plain_value().prop_recursive(3, 12, 4, |inner| {
        let entry = (name(), inner.clone()).prop_map(|(key, value)| Attribute { key, value });
        prop_oneof![vec(inner, 0..4).prop_map(Value::from_list), vec(entry, 0..4).prop_map(Value::Map)]
    })
}

fn plain_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Empty),
        vec(any::<u8>(), 0..5).prop_map(Value::Bytes),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        float().prop_map(Value::F64),
        text().prop_map(|text| Value::Str(text.into())),
        vec(text(), 0..4).prop_map(Value::List),
    ]
}

/// Any bit pattern: infinities, subnormals, negative zero, every NaN.
fn float() -> impl Strategy<Value = f64> {
    prop_oneof![any::<u64>().prop_map(f64::from_bits), any::<f64>(), (-1_000..1_000_i32).prop_map(f64::from)]
}

fn attributes() -> impl Strategy<Value = Vec<Attribute>> {
    vec((name(), value()).prop_map(|(key, value)| Attribute { key, value }), 0..5)
}

fn span_id() -> impl Strategy<Value = SpanId> {
    (1..=u64::MAX).prop_filter_map("zero is no id", SpanId::new)
}

fn event() -> impl Strategy<Value = SpanEvent> {
    (name(), any::<u64>(), attributes(), any::<u32>()).prop_map(|(name, unix_ns, attributes, dropped_attributes)| {
        SpanEvent { name, unix_ns, attributes, dropped_attributes }
    })
}

fn link() -> impl Strategy<Value = SpanLink> {
    let trace_id = (1..=u128::MAX).prop_filter_map("zero is no id", TraceId::new);
    let lost = (any::<u32>(), name(), any::<u32>());
    (trace_id, span_id(), attributes(), lost).prop_map(|(trace_id, span_id, attributes, lost)| SpanLink {
        attributes,
        dropped_attributes: lost.0,
        trace_state: lost.1.to_string(),
        flags: lost.2,
        ..SpanLink::new(trace_id, span_id)
    })
}

fn status() -> impl Strategy<Value = SpanStatus> {
    prop_oneof![Just(SpanStatus::Ok), Just(SpanStatus::Error), Just(SpanStatus::Cancelled)]
}

fn source() -> impl Strategy<Value = Arc<Source>> {
    let part = || (attributes(), any::<u32>(), name());
    (name(), part(), name(), name(), part()).prop_map(|(service, resource, name, version, scope)| {
        Arc::new(Source {
            resource: Arc::new(Resource {
                service,
                attributes: resource.0,
                dropped_attributes: resource.1,
                schema_url: resource.2.to_string(),
            }),
            scope: Scope {
                name,
                version,
                attributes: scope.0,
                dropped_attributes: scope.1,
                schema_url: scope.2.to_string(),
            },
        })
    })
}

fn received() -> impl Strategy<Value = Received> {
    let code = prop_oneof![Just(StatusCode::Unset), Just(StatusCode::Ok), Just(StatusCode::Error)];
    (source(), code, name(), name(), any::<u32>()).prop_map(|(source, status_code, message, state, flags)| Received {
        source,
        status_code,
        status_message: message.to_string(),
        trace_state: state.to_string(),
        flags,
    })
}

fn span() -> impl Strategy<Value = SpanRecord> {
    let ids = (span_id(), proptest::option::of(span_id()));
    let times = (any::<u64>(), any::<u64>());
    let ends = (status(), any::<bool>());
    let counters = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
    let received = proptest::option::of(received().prop_map(Box::new));
    let around = (vec(event(), 0..3), vec(link(), 0..3), received);
    (ids, name(), name(), times, ends, attributes(), around, counters).prop_map(
        |(ids, name, kind, times, ends, attributes, (events, links, received), counters)| SpanRecord {
            span_id: ids.0,
            parent_span_id: ids.1,
            name,
            kind,
            start_unix_ns: times.0,
            duration_ns: times.1,
            status: ends.0,
            handled: ends.1,
            attributes,
            events,
            links,
            dropped_attributes: counters.0,
            truncated_attributes: counters.1,
            dropped_events: counters.2,
            dropped_links: counters.3,
            received,
        },
    )
}

fn decision() -> impl Strategy<Value = SamplingDecision> {
    let reason = prop_oneof![
        Just(DecisionReason::RateZero),
        Just(DecisionReason::RateOne),
        Just(DecisionReason::TailError),
        Just(DecisionReason::TailNormal),
        Just(DecisionReason::Cancelled),
        Just(DecisionReason::Evicted),
        Just(DecisionReason::ProbabilisticHash),
        Just(DecisionReason::ProbabilisticRandom),
        Just(DecisionReason::TailSlow),
        Just(DecisionReason::ParentSampled),
        Just(DecisionReason::ParentNotSampled),
        Just(DecisionReason::Forced),
        "rule:[a-z0-9_.-]{1,32}".prop_map(|text| text.parse().unwrap_or(DecisionReason::RateZero)),
    ];
    let sampler = prop_oneof![Just("keep_all"), Just("keep_none"), Just("keep_failed"), Just("other")];
    (any::<bool>(), float(), reason, sampler).prop_map(|(keep, rate, reason, sampler)| SamplingDecision {
        keep,
        rate,
        reason,
        sampler,
    })
}

fn trace() -> impl Strategy<Value = Trace> {
    let id = (1..=u128::MAX).prop_filter_map("zero is no id", TraceId::new);
    let class = prop_oneof![Just(TraceClass::Failed), Just(TraceClass::Cancelled), Just(TraceClass::Normal)];
    let dropped = (any::<u32>(), any::<u32>());
    let weight = prop::option::of(0.0_f64..1e300);
    (id, span_id(), vec(span(), 0..4), (decision(), weight), class, dropped, any::<bool>(), any::<bool>()).prop_map(
        |(trace_id, root_span_id, spans, (decision, adjusted_count), class, dropped, incomplete, late)| Trace {
            trace_id,
            root_span_id,
            spans,
            decision,
            adjusted_count,
            class,
            dropped: TraceCounts { over_span_limit: dropped.0, over_byte_limit: dropped.1 },
            incomplete,
            late,
        },
    )
}

proptest! {
    #[test]
    fn a_trace_reads_back_as_it_was_written(trace in trace()) {
        let json = to_json(&trace).unwrap();
        prop_assert!(!json.contains(['\n', '\r']), "{json}");
        let back = from_json(json.as_bytes()).unwrap();
        // Debug output tells apart all that equality does, and shows a NaN as equal to itself.
        prop_assert_eq!(format!("{back:?}"), format!("{trace:?}"));
        prop_assert_eq!(to_json(&back).unwrap(), json);
    }

    #[test]
    fn floats_keep_every_bit(value in float()) {
        let attribute = Attribute { key: "f".into(), value: Value::F64(value) };
        let mut root = support::span(1, None, 0);
        root.attributes.push(attribute);
        let back = from_json(to_json(&support::trace_of(1, vec![root])).unwrap().as_bytes()).unwrap();
        let Some(Value::F64(back)) = back.spans[0].attribute("f") else { panic!("not a float: {back:?}") };
        prop_assert!(back.to_bits() == value.to_bits() || (back.is_nan() && value.is_nan()), "{value:?} {back:?}");
    }

    #[test]
    fn a_line_that_ends_early_is_cut_off_wherever_it_ends(trace in trace(), at in any::<prop::sample::Index>()) {
        let json = to_json(&trace).unwrap();
        let cut = &json.as_bytes()[..at.index(json.len())];
        let error = from_json(cut).unwrap_err();
        // In the middle of a character there is no telling whether it would have been one.
        prop_assert!(error.is_cut_off() || std::str::from_utf8(cut).is_err(), "{error}");
    }

    #[test]
    fn bytes_that_were_changed_give_a_trace_or_an_error(
        trace in trace(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut json = to_json(&trace).unwrap().into_bytes();
        for (at, byte) in changes {
            let at = at.index(json.len());
            json[at] = byte;
        }
        if let Err(error) = from_json(&json) {
            prop_assert!((1..=json.len() + 1).contains(&error.column()), "{error}");
        }
    }
}
