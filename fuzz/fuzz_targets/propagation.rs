//! Feeds the propagation codec with whatever libFuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tta_fuzz::propagation::check(input));
