//! The bodies of the fuzz targets.
//!
//! Owns what must hold for any input. Does not own the targets, which need libFuzzer, so that tests
//! on a stable compiler can include these files too.
#![forbid(unsafe_code)]

pub mod headers;
pub mod otlp;
pub mod propagation;
pub mod queries;
pub mod rules;
pub mod traceql;
