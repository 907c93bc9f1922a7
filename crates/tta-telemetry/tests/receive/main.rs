//! Spans that other processes recorded: traces put together, decided about, counted, bounded.
#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod assembly;
mod bounds;
mod decisions;
mod health;
mod intake;
mod support;
