//! Feeds the parser of sampling rules with whatever libFuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tta_fuzz::rules::check(input));
