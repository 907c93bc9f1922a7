//! Replays the corpus of the fuzz target, and feeds its body with what a property test makes up,
//! so that its invariants are checked without libFuzzer too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "../../../fuzz/src/propagation.rs"]
pub mod body;

use std::path::Path;

use proptest::prelude::*;

#[test]
fn every_file_of_the_corpus_keeps_the_invariants() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/propagation");
    let mut names = Vec::new();
    for file in std::fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        body::check(&std::fs::read(&path).unwrap());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert!(names.len() >= 14, "the corpus lost files: {names:?}");
}

/// Headers that get past the first rules more often than bytes at random do.
fn headers() -> impl Strategy<Value = Vec<u8>> {
    let traceparent = "traceparent:[ \t]{0,2}(00|01|cc|ff|0a)-[0-9a-f]{31,33}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,5})?[ \t]?";
    let valid = "traceparent: 00-[0-9a-f]{31}1-[0-9a-f]{15}1-0[0-3]";
    let tracestate = "tracestate:([ \t]{0,2}[a-z0-9][a-z0-9_*/@-]{0,20}=[ !-+./:-<>-~]{1,40}[ \t]{0,2},?){0,40}";
    let baggage = "baggage:([ \t]{0,2}[!#-'*+.^_`|~0-9A-Za-z-]{1,9} ?= ?[!#-+./:<-\\[\\]-~%]{0,300}(; ?[a-z]=?[%a-f0-9]{0,4})?,?){0,70}";
    let line = prop_oneof![traceparent, valid, tracestate, baggage, "[a-z]{1,11}: ?.{0,20}"];
    prop::collection::vec(line, 0..5).prop_map(|lines| lines.join("\n").into_bytes())
}

proptest! {
    #[test]
    fn any_bytes_keep_the_invariants(bytes: Vec<u8>) {
        body::check(&bytes);
        let named = [b"traceparent:", bytes.as_slice(), b"\ntracestate:", &bytes, b"\nbaggage:", &bytes].concat();
        body::check(&named);
    }

    #[test]
    fn any_headers_that_look_right_keep_the_invariants(headers in headers()) {
        body::check(&headers);
    }

    #[test]
    fn a_valid_input_with_any_one_byte_changed_keeps_the_invariants(position in 0..174_usize, byte: u8) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/propagation/all_three");
        let mut input = std::fs::read(corpus).unwrap();
        input[position] = byte;
        body::check(&input);
    }
}
