//! Redaction of whole traces: no planted secret is left anywhere, and ordinary traces stay as they
//! are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

mod adversarial;
mod ordinary;
mod planted;
mod support;
