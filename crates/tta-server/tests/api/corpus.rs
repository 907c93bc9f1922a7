//! Replays the corpora of the fuzz targets, and feeds their bodies with what a property test makes up.

// Shared with the fuzz targets, for which they are public.
#[allow(unreachable_pub)]
#[path = "../../../../fuzz/src/headers.rs"]
pub mod headers;
#[allow(unreachable_pub)]
#[path = "../../../../fuzz/src/queries.rs"]
pub mod queries;

use std::path::{Path, PathBuf};

use proptest::prelude::*;

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
    replay("traceql", 33, queries::check_traceql);
    replay("queries", 43, queries::check);
    replay("headers", 51, headers::check);
}

/// Conditions of TraceQL, most of them right.
fn conditions() -> impl Strategy<Value = String> {
    let field =
        "(span|resource|)\\.(\"[ -~é]{0,5}\"|[a-z.]{1,8})|name|kind|status|true|nestedSetParent|(trace:)?duration";
    let value = "\"([ -!#-\\[\\]-~é]|\\\\.){0,8}\"|`[^`]{0,6}`|[a-z0-9._-]{1,6}|error|nil|[0-9]{1,3}(ns|ms|s|h)";
    let condition = (field, "=|!=|>|>=|<|<=|=~", value).prop_map(|(field, compare, value)| match field.as_str() {
        "true" => field,
        _ => format!("{field} {compare} {value}"),
    });
    let braces = |conditions: Vec<String>| format!("{{ {} }}", conditions.join(" && "));
    prop::collection::vec(condition, 0..5).prop_map(braces)
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
        queries::check_traceql(&bytes);
        queries::check_traceql(&[b"{ .a = \"", bytes.as_slice(), b"\" }"].concat());
        queries::check(&bytes);
        headers::check(&bytes);
        for name in ["authorization", "content-type", "accept", "accept-encoding", "if-match", "host"] {
            headers::check(&[name.as_bytes(), b": ", &bytes].concat());
        }
    }

    #[test]
    fn what_looks_like_traceql_keeps_the_invariants(text in conditions()) {
        queries::check_traceql(text.as_bytes());
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
