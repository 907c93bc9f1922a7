//! Feeds the reader of OTLP requests in protobuf with whatever libFuzzer finds.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tta_fuzz::otlp::check_protobuf(input));
