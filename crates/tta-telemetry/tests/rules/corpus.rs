//! Replays the corpus of the fuzz target, and feeds its body with what a property test makes up.

// Shared with the fuzz target, for which it is public.
#[allow(unreachable_pub)]
#[path = "../../../../fuzz/src/rules.rs"]
pub mod body;

use std::path::Path;

use proptest::prelude::*;

#[test]
fn every_file_of_the_corpus_keeps_the_invariants() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/rules");
    let mut names = Vec::new();
    for file in std::fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        body::check(&std::fs::read(&path).unwrap());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert!(names.len() >= 13, "the corpus lost files: {names:?}");
}

/// Words of the language in any order: most are refused somewhere in the middle.
fn words() -> impl Strategy<Value = String> {
    let words = "(r: )?(keep|drop|rate 0.5) when ((not|and|or|[(]|[)]|handled|attr|root.attr|[(]\"k\"[)]|==|!=|<|>=|in|\\[|\\]|,|\"\\\\?[a\"é]\"|-?[0-9]{1,9}(.[0-9]{1,9})?(s|ms|m)?|[$]0.5|/[a(]/|class|slow|cost|tokens|duration|exists|matches|contains|[ \n\t])  ?){0,12}";
    words.prop_map(|words: String| words)
}

proptest! {
    #[test]
    fn any_bytes_keep_the_invariants(bytes: Vec<u8>) {
        body::check(&bytes);
        body::check(&[b"r: keep when ", bytes.as_slice()].concat());
        body::check(&[b"r: keep when attr(\"k\") ", bytes.as_slice()].concat());
    }

    #[test]
    fn any_words_keep_the_invariants(words in words()) {
        body::check(words.as_bytes());
    }

    #[test]
    fn a_valid_rule_with_any_one_byte_changed_keeps_the_invariants(position in 0..240_usize, byte: u8) {
        for name in ["all_tests", "attributes"] {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/rules").join(name);
            let mut input = std::fs::read(corpus).unwrap();
            if let Some(place) = input.get_mut(position) {
                *place = byte;
            }
            body::check(&input);
        }
    }
}
