//! Sampling rules as their users meet them: what is read, what is refused and how, what matches.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod corpus;
mod evaluation;
mod language;
mod sets;
mod support;
