//! What must hold for any query in TraceQL.
//!
//! Owns the invariants, a printer of whole queries to read them back, a second, slow reader of what conditions
//! mean, and a few traces to ask for. Does not own where queries come from: libFuzzer, the corpus, or a property
//! test, which makes up traces as well.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use regex::Regex;
use tta_server::readers::{self, Compare, Expr, Field, Test};
use tta_telemetry::format::clip;
use tta_telemetry::store::{MemoryTraceStore, StoredTrace, TagScope, TraceQuery, TraceStore};
use tta_telemetry::{
    Attribute, DecisionReason, Name, Received, Resource, SamplingDecision, Scope, Sink, Source, SpanId, SpanRecord,
    SpanStatus, StatusCode, Trace, TraceClass, TraceCounts, TraceId, Value,
};

use super::queries::{MOST_BYTES, check_bounds, check_refused, encoded};

const MOST_TRACEQL_BYTES: usize = 4 * 1024;
const MOST_DEPTH: usize = 16;
const MOST_PATTERNS: usize = 16;

/// Reads the input as TraceQL, looks for it in a few traces, and panics when an invariant does not hold.
pub fn check(input: &[u8]) {
    static STORE: OnceLock<MemoryTraceStore> = OnceLock::new();
    let text = String::from_utf8_lossy(input);
    let expr = match readers::traceql_parsed(&text) {
        Ok(expr) => expr,
        Err(refused) => {
            check_refused(&refused);
            assert!(text.len() > MOST_TRACEQL_BYTES || names_place(&text, &refused.1), "{text:?}: {}", refused.1);
            assert_eq!(readers::traceql(&text), Err(refused));
            return;
        }
    };
    assert!(text.len() <= MOST_TRACEQL_BYTES && text.trim().starts_with('{') && text.trim().ends_with('}'));
    assert!(depth(&expr) <= MOST_DEPTH + 1 && patterns(&expr) <= MOST_PATTERNS, "{text}");
    let shown = printed(&expr);
    if shown.len() <= MOST_TRACEQL_BYTES {
        assert_eq!(readers::traceql_parsed(&shown).as_ref(), Ok(&expr), "{shown}");
    }
    let (query, _) = readers::traceql(&text).unwrap_or_else(|refused| unreachable!("{text}: {}", refused.1));
    check_bounds(&query);
    // As a parameter it is the same.
    let asked = format!("q={}", encoded(&text));
    if asked.len() <= MOST_BYTES {
        assert_eq!(readers::tempo_search(&asked).map(|(found, _)| found), Ok(query), "{text}");
        check_found(STORE.get_or_init(|| kept(example())), &text);
    }
}

/// What is found is what the slow reader says of every span that is kept.
pub fn check_found(store: &MemoryTraceStore, text: &str) {
    let expr = readers::traceql_parsed(text).unwrap_or_else(|refused| unreachable!("{text}: {}", refused.1));
    let all = store.search(&TraceQuery { limit: TraceQuery::MOST_TRACES, ..TraceQuery::default() });
    let mut wanted = Vec::new();
    for summary in all.iter().flat_map(|page| &page.traces) {
        let Ok(Some(trace)) = store.trace(summary.trace_id) else { continue };
        let spans = trace.spans().into_iter().filter(|span| holds(&expr, span, &trace));
        let spans: Vec<SpanId> = spans.map(|span| span.span_id).collect();
        if !spans.is_empty() {
            wanted.push((summary.trace_id, spans));
        }
    }
    let found = readers::tempo_found(store, &format!("limit=1000&q={}", encoded(text)));
    assert_eq!(found, Ok(wanted), "{text}");
}

/// Whether a refusal ends with a place in the text, and with what is there.
fn names_place(text: &str, detail: &str) -> bool {
    detail.match_indices("; at byte ").any(|(at, said)| {
        let rest = detail.get(at + said.len()..).unwrap_or_default();
        let Some((place, _)) = rest.split_once(' ') else { return false };
        let Some(there) = place.parse().ok().and_then(|place: usize| text.get(place..)) else { return false };
        let there = if there.is_empty() { "its end" } else { there };
        rest == format!("{place} there is `{}`", clip(there, 40))
    })
}

/// Of lists of alternatives within each other.
fn depth(expr: &Expr) -> usize {
    let deepest = |list: &[Expr]| list.iter().map(depth).max().unwrap_or(0);
    match expr {
        Expr::Any(list) => 1 + deepest(list),
        Expr::All(list) => deepest(list),
        Expr::Is(_) => 0,
    }
}

fn patterns(expr: &Expr) -> usize {
    match expr {
        Expr::Any(list) | Expr::All(list) => list.iter().map(patterns).sum(),
        Expr::Is(condition) => usize::from(matches!(condition.test, Test::Matches(_) | Test::DiffersFrom(_))),
    }
}

/// A whole query, as it may be written.
pub fn printed(expr: &Expr) -> String {
    match expr {
        Expr::Any(_) => format!("{{ {} }}", inner(expr)),
        _ => "{}".to_owned(),
    }
}

fn inner(expr: &Expr) -> String {
    match expr {
        Expr::Any(list) => list.iter().map(inner).collect::<Vec<_>>().join(" || "),
        Expr::All(list) => list.iter().map(one).collect::<Vec<_>>().join(" && "),
        Expr::Is(_) => one(expr),
    }
}

fn one(expr: &Expr) -> String {
    let condition = match expr {
        Expr::Any(_) => return format!("({})", inner(expr)),
        Expr::All(_) => return "true".to_owned(),
        Expr::Is(condition) => condition,
    };
    let field = match &condition.field {
        Field::Attribute(TagScope::Any, key) => format!(".{}", quoted(key)),
        Field::Attribute(TagScope::Span, key) => format!("span.{}", quoted(key)),
        Field::Attribute(TagScope::Resource, key) => format!("resource.{}", quoted(key)),
        Field::Name => "span:name".to_owned(),
        Field::Kind => "kind".to_owned(),
        Field::Status => "status".to_owned(),
        Field::StatusMessage => "statusMessage".to_owned(),
        Field::Duration => "duration".to_owned(),
        Field::TraceDuration => "trace:duration".to_owned(),
        Field::RootName => "rootName".to_owned(),
        Field::RootService => "rootServiceName".to_owned(),
    };
    let test = match &condition.test {
        Test::Equals(text) => format!("= {}", quoted(text)),
        Test::Differs(text) => format!("!= {}", quoted(text)),
        Test::Matches(pattern) => format!("=~ {}", quoted(pattern.as_str())),
        Test::DiffersFrom(pattern) => format!("!~ {}", quoted(pattern.as_str())),
        Test::Compares(compare, number) => format!("{} {number}", sign(*compare)),
        Test::Lasts(compare, ns) => format!("{} {ns}ns", sign(*compare)),
        Test::Exists => "!= nil".to_owned(),
        Test::Missing => "= nil".to_owned(),
    };
    format!("{field} {test}")
}

const fn sign(compare: Compare) -> &'static str {
    match compare {
        Compare::Equal => "=",
        Compare::Less => "<",
        Compare::AtMost => "<=",
        Compare::Greater => ">",
        Compare::AtLeast => ">=",
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What a query asks of a span, by the words of the documentation and without a store.
pub fn holds(expr: &Expr, span: &SpanRecord, trace: &StoredTrace) -> bool {
    let condition = match expr {
        Expr::All(list) => return !list.iter().any(|one| !holds(one, span, trace)),
        Expr::Any(list) => return list.iter().filter(|one| holds(one, span, trace)).count() > 0,
        Expr::Is(condition) => condition,
    };
    let length = match condition.field {
        Field::Duration => Some(span.duration_ns),
        Field::TraceDuration => {
            let spans = trace.parts.iter().flat_map(|part| &part.spans);
            let end = spans.clone().map(|span| span.start_unix_ns + span.duration_ns).max();
            end.zip(spans.map(|span| span.start_unix_ns).min()).map(|(end, start)| end - start)
        }
        _ => None,
    };
    if let (Some(length), Test::Lasts(compare, ns)) = (length, &condition.test) {
        return compares(*compare, &length, ns);
    }
    let value = value_of(&condition.field, span, trace);
    let texts: Option<Vec<String>> = value.as_ref().map(|value| match (value, &condition.field) {
        (Value::List(texts), _) => texts.clone(),
        (Value::Array(values), _) => values.iter().map(ToString::to_string).collect(),
        (Value::Str(text), Field::Status) if text == "ok" => vec!["ok".to_owned(), "unset".to_owned()],
        (Value::Str(text), Field::Kind) if span.received.is_none() => vec![text.to_string(), "internal".to_owned()],
        (other, _) => vec![other.to_string()],
    });
    let matches = |pattern: &str| texts.iter().flatten().any(|text| is_match(pattern, text));
    match &condition.test {
        Test::Missing => texts.is_none(),
        Test::Exists => texts.is_some(),
        Test::Equals(text) => texts.is_some_and(|texts| texts.contains(text)),
        Test::Differs(text) => texts.is_some_and(|texts| !texts.contains(text)),
        Test::Matches(pattern) => matches(pattern.as_str()),
        Test::DiffersFrom(pattern) => texts.is_some() && !matches(pattern.as_str()),
        Test::Lasts(..) => false,
        Test::Compares(compare, number) => match (value, &condition.field) {
            (Some(Value::I64(value)), Field::Attribute(..)) => compares(*compare, &(value as f64), number),
            (Some(Value::F64(value)), Field::Attribute(..)) => compares(*compare, &value, number),
            _ => false,
        },
    }
}

fn is_match(pattern: &str, text: &str) -> bool {
    // To build one takes longer than everything else here.
    thread_local!(static BUILT: RefCell<HashMap<String, Regex>> = RefCell::default());
    BUILT.with_borrow_mut(|built| {
        if built.len() >= MOST_PATTERNS && !built.contains_key(pattern) {
            built.clear();
        }
        let build = || Regex::new(&format!("\\A(?:{pattern})\\z")).unwrap_or_else(|error| unreachable!("{error}"));
        built.entry(pattern.to_owned()).or_insert_with(build).is_match(text)
    })
}

fn compares<T: PartialOrd>(compare: Compare, found: &T, wanted: &T) -> bool {
    match compare {
        Compare::Equal => found == wanted,
        Compare::Less => found < wanted,
        Compare::AtMost => found <= wanted,
        Compare::Greater => found > wanted,
        Compare::AtLeast => found >= wanted,
    }
}

/// Everything but durations.
fn value_of(field: &Field, span: &SpanRecord, trace: &StoredTrace) -> Option<Value> {
    let text = |text: &str| Value::Str(text.to_owned().into());
    let service = |span: &SpanRecord| match &span.received {
        Some(received) => text(received.source.resource.service.as_str()),
        None => text(trace.own_service.as_str()),
    };
    let last = |attributes: &[Attribute], key: &str| {
        attributes.iter().filter(|attribute| attribute.key.as_str() == key).map(|found| found.value.clone()).next_back()
    };
    let of_process = |key: &str| last(&span.received.as_ref()?.source.resource.attributes, key);
    match field {
        Field::Attribute(TagScope::Span, key) => last(&span.attributes, key),
        Field::Attribute(_, key) if key == "service.name" => Some(service(span)),
        Field::Attribute(TagScope::Resource, key) => of_process(key),
        Field::Attribute(TagScope::Any, key) => last(&span.attributes, key).or_else(|| of_process(key)),
        Field::Name => Some(text(span.name.as_str())),
        Field::Kind => Some(text(span.kind.as_str())),
        Field::Status => Some(text(span.status.as_str())),
        Field::StatusMessage => Some(match &span.received {
            Some(received) => text(&received.status_message),
            None => text(last(&span.attributes, "error.message").as_ref().and_then(Value::as_str).unwrap_or_default()),
        }),
        Field::RootName => trace.root().map(|root| text(root.name.as_str())),
        Field::RootService => trace.root().map(service),
        Field::Duration | Field::TraceDuration => None,
    }
}

/// A store with these spans, those of each list as one trace.
pub fn kept(traces: Vec<Vec<SpanRecord>>) -> MemoryTraceStore {
    let mut store = MemoryTraceStore::new("shop");
    for (number, spans) in traces.into_iter().enumerate() {
        let Some((trace_id, root)) = TraceId::new(number as u128 + 1).zip(spans.first().map(|span| span.span_id))
        else {
            continue;
        };
        let trace = Trace {
            trace_id,
            root_span_id: root,
            spans,
            decision: SamplingDecision {
                keep: true,
                rate: 1.0,
                reason: DecisionReason::ProbabilisticHash,
                sampler: "s",
            },
            adjusted_count: Some(1.0),
            class: TraceClass::Normal,
            dropped: TraceCounts::default(),
            incomplete: false,
            late: false,
        };
        assert!(store.export(&[Arc::new(trace)]).is_ok());
    }
    store
}

/// A span of our own; without a parent it is a root.
pub fn own(id: u64, parent: u64, name: &str, attributes: Vec<(&str, Value)>) -> SpanRecord {
    let Some(span_id) = SpanId::new(id) else { unreachable!("{id}") };
    SpanRecord {
        parent_span_id: SpanId::new(parent),
        start_unix_ns: 1_769_860_800_000_000_000 + id,
        duration_ns: id * 100,
        attributes: attributes_of(attributes),
        ..SpanRecord::new(span_id, Name::from(name.to_owned()), Name::from_static("lambda"))
    }
}

/// The span as a process of another service recorded it.
pub fn received(span: SpanRecord, service: &str, kind: &str, attributes: Vec<(&str, Value)>) -> SpanRecord {
    let attributes = attributes_of(attributes);
    let resource = Resource { attributes, ..Resource::new(Name::from(service.to_owned())) };
    let source = Source { resource: Arc::new(resource), scope: Scope::new("lib".into(), "1".into()) };
    let received = Received {
        source: Arc::new(source),
        status_code: StatusCode::Unset,
        status_message: "a message".to_owned(),
        trace_state: String::new(),
        flags: 1,
    };
    SpanRecord { received: Some(Box::new(received)), kind: Name::from(kind.to_owned()), ..span }
}

fn attributes_of(pairs: Vec<(&str, Value)>) -> Vec<Attribute> {
    pairs.into_iter().map(|(key, value)| Attribute { key: Name::from(key.to_owned()), value }).collect()
}

/// Traces in which a key is of the span and of its process, a service is not what attributes say, and values
/// are of every kind.
fn example() -> Vec<Vec<SpanRecord>> {
    let text = |text: &'static str| Value::Str(text.into());
    let list = Value::List(vec!["x".to_owned(), "y".to_owned()]);
    let both = own(2, 1, "b", vec![("a", text("x")), ("b", Value::I64(1)), ("service.name", text("x"))]);
    let both = received(both, "x", "server", vec![("a", text("y")), ("service.name", text("x"))]);
    let unknown = own(3, 0, "order", vec![("b", Value::F64(1.5)), ("a", list), ("b", Value::Bool(true))]);
    let unknown =
        received(unknown, "unknown_service", "client", vec![("service.name", Value::I64(7)), ("c", text(""))]);
    let failed = own(4, 0, "GET /", vec![("a", Value::Empty), ("error.message", text("a b"))]);
    let cancelled = own(5, 4, "a", vec![("service.name", text("y")), ("n", Value::Array(vec![Value::I64(1)]))]);
    vec![
        vec![own(1, 0, "order", vec![("a", text("x"))]), both],
        vec![unknown],
        vec![
            SpanRecord { status: SpanStatus::Error, ..failed },
            SpanRecord { status: SpanStatus::Cancelled, duration_ns: 1_000_000_000, ..cancelled },
        ],
    ]
}
