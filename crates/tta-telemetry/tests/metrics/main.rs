//! What an engine counts exactly, as those see it who ask: by name, as metrics, as objectives.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod by_name;
mod collected;
mod cost;
mod exemplars;
mod growth;
mod instruments;
mod objectives;
mod support;
