//! The configuration: presets, precedence, round trips, and everything that is wrong at once.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod bases;
mod budgets;
mod engine;
mod export;
mod layers;
mod presets;
mod problems;
mod redaction;
mod text;
mod updates;
