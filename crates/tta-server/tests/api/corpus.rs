//! Replays the corpora of the fuzz targets, and feeds their bodies with what a property test makes up.

// Shared with the fuzz targets, for which they are public.
#[allow(unreachable_pub)]
#[path = "../../../../fuzz/src/headers.rs"]
pub mod headers;
#[allow(unreachable_pub)]
#[path = "../../../../fuzz/src/queries.rs"]
pub mod queries;
#[allow(unreachable_pub)]
#[path = "../../../../fuzz/src/traceql.rs"]
pub mod traceql;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tta_telemetry::{SpanRecord, SpanStatus, Value};

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name)
}

fn replay(name: &str, least: usize, check: fn(&[u8])) {
    let mut names = Vec::new();
    for file in std::fs::read_dir(corpus(name)).unwrap() {
        let path = file.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        let checked = std::panic::catch_unwind(|| check(&input));
        assert!(checked.is_ok(), "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert!(names.len() >= least, "the corpus lost files: {names:?}");
}

#[test]
fn every_file_of_the_corpora_keeps_the_invariants() {
    replay("traceql", 70, traceql::check);
    replay("queries", 43, queries::check);
    replay("headers", 51, headers::check);
}

/// A condition of TraceQL. Those that are right have few keys and values, so that many hold.
fn condition(is_right: bool) -> BoxedStrategy<String> {
    let joined = |(field, compare, value): (String, String, String)| format!("{field} {compare} {value}");
    let field = "(span|resource|)\\.(a|b|\"a b\"|service[.]name)|name|kind|statusMessage|rootName|rootServiceName";
    let value = "\"(x|y|1|order||shop|server|internal|7)\"|`x`|1|1[.]5|true|nil";
    let one_of = |texts: &[&str]| prop::sample::select(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let pattern = ["x", "y", "[a-z]*", "x|y", ".", "1?", ".*r", "[^x]", "a b", "\\\\w+", "", "(?m)^x$", "7|internal"];
    let pattern = one_of(&pattern.map(|pattern| format!("\"{pattern}\"")).each_ref().map(String::as_str));
    let of_status = one_of(&["\"ok\"", "\"unset\"", "\"err.*\"", "`cancelled|error`", "\".*\""]);
    let length = "[0-3]00ns|1s|0s|18446744073709551615ns|18446744073709551614ns|9007199254740993ns";
    let right = prop_oneof![
        4 => (field, "=|!=", value).prop_map(joined),
        4 => ("(span|resource|)[.]a", "=|!=", "\"[xy1]\"").prop_map(joined),
        2 => (field, "=~|!~", pattern).prop_map(joined),
        2 => (field, ">|>=|<|<=", "-?[0-2]|1[.]5|9007199254740993").prop_map(joined),
        2 => ("(trace:|span:)?duration|traceDuration", "=|>|>=|<|<=", length).prop_map(joined),
        1 => ("(span:)?status", "=|!=", "error|ok|unset").prop_map(joined),
        1 => ("status", "=~|!~", of_status).prop_map(joined),
        1 => Just("true".to_owned()),
    ];
    if is_right {
        return right.boxed();
    }
    let field = "(span|resource|)\\.(\"[ -~é]{0,5}\"|[a-z.]{1,8})|name|kind|status|statusMessage|nestedSetParent|\
                 (trace:)?duration|root(Service)?Name|event.name";
    let value =
        "\"([ -!#-\\[\\]-~é]|\\\\.){0,8}\"|`[^`]{0,6}`|[a-z0-9._-]{1,6}|error|nil|[0-9]{1,3}(ns|ms|s|h)|nan|1e400";
    let other = (field, "=|!=|>|>=|<|<=|=~|!~|==", value).prop_map(joined);
    prop_oneof![2 => right, 1 => other].boxed()
}

/// Conditions in braces, put together in every way.
fn queries_of(is_right: bool) -> impl Strategy<Value = String> {
    let list = |inner: BoxedStrategy<String>| {
        let all = prop::collection::vec(inner, 1..4).prop_map(|all| all.join(" && "));
        prop::collection::vec(all, 1..3).prop_map(|any| any.join(" || "))
    };
    let one = condition(is_right).prop_recursive(3, 12, 4, move |inner| list(inner).prop_map(|any| format!("({any})")));
    // Few hold of a long one: what a short one gets wrong would not be seen.
    let short = prop::collection::vec(condition(is_right), 1..3).prop_map(|all| all.join(" && "));
    prop_oneof![
        4 => list(one.boxed()).prop_map(|any| format!("{{ {any} }}")),
        8 => short.prop_map(|all| format!("{{ {all} }}")),
        1 => Just("{}".to_owned()),
    ]
}

/// Values of every kind, few of each.
fn value() -> impl Strategy<Value = Value> {
    let text = || prop::sample::select(vec!["x", "y", "1", "", "order", "a b", "x\ny"]);
    let one = prop_oneof![
        4 => text().prop_map(|text| Value::Str(text.into())),
        2 => prop::sample::select(vec![-1, 0, 1, 2, 9_007_199_254_740_993]).prop_map(Value::I64),
        1 => prop::sample::select(vec![1.0, 1.5, -0.0, f64::NAN]).prop_map(Value::F64),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Empty),
        1 => Just(Value::Bytes(vec![1])),
        1 => prop::collection::vec(text(), 0..3)
            .prop_map(|texts| Value::List(texts.into_iter().map(str::to_owned).collect())),
    ];
    prop_oneof![6 => one.clone(), 1 => prop::collection::vec(one, 0..3).prop_map(Value::Array)]
}

fn attributes() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let key = prop::sample::select(vec!["a", "a", "a", "b", "a b", "service.name", "error.message"]);
    prop::collection::vec((key, value()), 0..4)
}

/// Spans with few names, services and lengths, of our own and received.
fn spans() -> impl Strategy<Value = Vec<SpanRecord>> {
    let name = prop::sample::select(vec!["order", "x", "a b", ""]);
    let status = prop::sample::select(vec![SpanStatus::Ok, SpanStatus::Error, SpanStatus::Cancelled]);
    let length = prop::sample::select(vec![0, 100, 200, 300, 1_000_000_000, 9_007_199_254_740_993]);
    let service = prop::sample::select(vec!["shop", "x", "unknown_service"]);
    let kind = prop::sample::select(vec!["server", "internal", "client"]);
    let process = prop::option::of((service, kind, attributes()));
    let one = (name, status, length, attributes(), process);
    prop::collection::vec(one, 1..4).prop_map(|spans| {
        let made = spans.into_iter().zip(1..).map(|((name, status, duration_ns, attributes, process), id)| {
            let span = SpanRecord { status, duration_ns, ..traceql::own(id, id - 1, name, attributes) };
            match process {
                Some((service, kind, attributes)) => traceql::received(span, service, kind, attributes),
                None => span,
            }
        });
        made.collect()
    })
}

/// Parameters that some search knows, with values that most of them take.
fn parameters() -> impl Strategy<Value = String> {
    let name = "service|operation|kind|status|tags?|text|class|min_?[dD]uration|max_duration|maxDuration|start|end|\
                limit|lookback|traceID|spss|q|reason|cursor|endTs";
    let value = "[a-z]{0,3}(=|:|%3D|%3a)?[a-z0-9]{0,3}|error|ok|[0-9]{1,20}|[0-9.]{1,6}(ns|us|ms|s|m|h|d)|\
                 20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,10})?(Z|%2[bB]0[0-9]:[0-5][0-9])|\
                 [a-zé\\\\%\"]{0,9}";
    prop::collection::vec((name, value).prop_map(|(name, value)| format!("{name}={value}")), 0..6)
        .prop_map(|pairs| pairs.join("&"))
}

/// Headers that are read here, with values that are nearly right.
fn lines() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        "authorization: ?[bB]earer[ \t]{0,2}[a-z0-9=]{0,9}",
        "content-encoding:( ?(gzip|x-gzip|identity|br|)[ ,;q=1]{0,3}){0,3}",
        "content-type: ?application/(grpc|json|x-protobuf|merge-patch[+]json|GRPC)([+;]|-web| )?[a-z=]{0,4}",
        "accept: ?((text|application|[*])/(plain|openmetrics-text|x-protobuf|[*]);?( ?[qv]=[01.5\"]{0,4})?[,;]?){0,4}",
        "accept-encoding: ?((gzip|identity|[*]|br)( ?; ?[qQ]=[0-9.eE+-]{0,5})?,?){0,4}",
        "if-match: ?((W/)?\"[a-c,*]{0,2}\"[ ,]{0,2}|[*,]){0,4}",
        "host: ?([\\[:.1-9a-c]{0,6}|localhost|127.0.0.1|[a-z]{1,3}[.]localhost)[\\].]{0,2}(:[0-9a]{0,4})?",
        "last-event-id: ?[0-9a-f+]{0,20}-?[0-9+]{0,20}",
    ];
    prop::collection::vec(one, 0..6).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn any_bytes_keep_the_invariants(bytes: Vec<u8>) {
        traceql::check(&bytes);
        traceql::check(&[b"{ .a = \"", bytes.as_slice(), b"\" }"].concat());
        queries::check(&bytes);
        headers::check(&bytes);
        for name in ["authorization", "content-type", "accept", "accept-encoding", "if-match", "host"] {
            headers::check(&[name.as_bytes(), b": ", &bytes].concat());
        }
    }

    #[test]
    fn what_looks_like_traceql_keeps_the_invariants(text in queries_of(false)) {
        traceql::check(text.as_bytes());
    }

    #[test]
    fn a_search_finds_what_a_slow_look_at_every_span_finds(
        texts in prop::collection::vec(
            queries_of(true).prop_filter("16 regular expressions are taken", |text| text.matches('~').count() <= 16),
            1..16,
        ),
        traces in prop::collection::vec(spans(), 1..6),
    ) {
        let store = traceql::kept(traces);
        for text in texts {
            traceql::check(text.as_bytes());
            traceql::check_found(&store, &text);
        }
    }

    #[test]
    fn parameters_that_are_nearly_right_keep_the_invariants(text in parameters()) {
        queries::check(text.as_bytes());
        queries::check(format!("service=a&{text}").as_bytes());
    }

    #[test]
    fn headers_that_are_nearly_right_keep_the_invariants(text in lines()) {
        headers::check(text.as_bytes());
    }
}
