//! Feeds the readers of query parameters with whatever libFuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tta_fuzz::queries::check(input));
