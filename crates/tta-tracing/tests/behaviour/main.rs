//! What the layer and the logs promise, seen from outside: one module for each hazard.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod decisions;
mod entering;
mod errors;
mod events;
mod fields;
mod late;
mod logging;
mod logging_hazards;
mod orders;
mod outside;
mod places;
mod redacted;
mod support;
mod threads;
