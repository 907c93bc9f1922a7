//! Replays the corpora of the fuzz targets, and feeds their bodies with what a property test makes up.

// Shared with the fuzz targets, for which it is public.
#[allow(unreachable_pub)]
#[path = "../../../../fuzz/src/otlp.rs"]
pub mod body;

use std::path::{Path, PathBuf};

use proptest::prelude::*;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name)
}

fn replay(name: &str, least: usize, check: fn(&[u8])) {
    let mut names = Vec::new();
    for file in std::fs::read_dir(corpus(name)).unwrap() {
        let path = file.unwrap().path();
        check(&std::fs::read(&path).unwrap());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert!(names.len() >= least, "the corpus lost files: {names:?}");
}

#[test]
fn every_file_of_the_corpora_keeps_the_invariants() {
    replay("otlp_protobuf", 16, body::check_protobuf);
    replay("otlp_json", 16, body::check_json);
}

proptest! {
    #[test]
    fn any_bytes_keep_the_invariants(bytes: Vec<u8>) {
        body::check_protobuf(&bytes);
        body::check_json(&bytes);
    }

    #[test]
    fn a_valid_request_with_any_bytes_changed_keeps_the_invariants(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for (name, check) in [("otlp_protobuf", body::check_protobuf as fn(&[u8])), ("otlp_json", body::check_json)] {
            let mut input = std::fs::read(corpus(name).join("all_fields")).unwrap();
            for (place, byte) in &changes {
                let place = place.index(input.len());
                input[place] = *byte;
            }
            check(&input);
        }
    }
}
