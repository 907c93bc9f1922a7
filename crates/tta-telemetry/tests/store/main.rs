//! The store of traces in memory: what is found, page by page, what gives way, and what is told
//! live.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod bounds;
mod live;
mod paging;
mod searching;
mod support;
