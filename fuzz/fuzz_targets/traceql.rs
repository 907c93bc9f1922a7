//! Feeds the reader of TraceQL with whatever libFuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tta_fuzz::traceql::check(input));
