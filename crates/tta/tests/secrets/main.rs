//! Secrets planted wherever a program can put text are in no output; without redaction each is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod outputs;
mod planting;
mod program;
mod secrets;

use proptest::prelude::*;
use tta::telemetry::{Redaction, RedactionMode};

use planting::Place;
use secrets::{Secret, secret};

/// A secret for each place.
fn secrets() -> impl Strategy<Value = Vec<Secret>> {
    prop::collection::vec(secret(), Place::ALL.len())
}

/// Runs the program with these secrets in it: of each the place, and the outputs that show it.
fn leaks(secrets: &[Secret], redaction: Redaction) -> Vec<(Place, String, Vec<&'static str>)> {
    let outputs = program::run(secrets, redaction);
    let seen = |secret: &Secret| -> Vec<&'static str> {
        outputs.iter().filter(|(_, text)| secret.is_in(text)).map(|(name, _)| *name).collect()
    };
    let each = Place::ALL.iter().zip(secrets);
    each.map(|(place, secret)| (*place, format!("{secret:?}"), seen(secret))).collect()
}

proptest! {
    // Each case is a whole program with files.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_secret_leaves_the_process_whatever_it_is_and_wherever_it_was(secrets in secrets(), mode in 0..3_usize) {
        let mode = [RedactionMode::Mask, RedactionMode::Hash, RedactionMode::Drop][mode];
        let redaction = Redaction::builder().mode(mode).build().unwrap();
        let leaked: Vec<_> = leaks(&secrets, redaction).into_iter().filter(|(.., seen)| !seen.is_empty()).collect();
        prop_assert!(leaked.is_empty(), "{leaked:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// The test of the test: what is planted does reach an output.
    #[test]
    fn without_redaction_every_secret_is_in_an_output(secrets in secrets()) {
        let off = Redaction::builder().enabled(false).build().unwrap();
        let wrong = |(place, _, seen): &(Place, String, Vec<_>)| seen.is_empty() != place.is_shown_nowhere();
        let unseen: Vec<_> = leaks(&secrets, off).into_iter().filter(wrong).collect();
        prop_assert!(unseen.is_empty(), "{unseen:#?}");
    }
}
