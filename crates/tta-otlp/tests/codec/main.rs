//! What arrives in OTLP is what the records hold, and what is written is what others read.
//!
//! The types that `opentelemetry-proto` generates are the second reader and writer throughout.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod agreement;
mod corpus;
mod demo;
mod hostile;
mod json;
mod limits;
mod own;
mod replies;
mod support;
