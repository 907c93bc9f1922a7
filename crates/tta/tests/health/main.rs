//! `/health` and `/api/v1/config` of a whole program: causes that lie in files and in Redis, brought about
//! and removed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod config;
mod redis;
mod support;
