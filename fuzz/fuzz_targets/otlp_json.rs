//! Feeds the reader of OTLP requests in JSON with whatever libFuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tta_fuzz::otlp::check_json(input));
