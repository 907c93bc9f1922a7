//! The built `tta`, run on trees of real files: exit codes, output, trace files, signals.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod arguments;
mod config;
mod dry_run;
mod graph;
mod health;
mod hostile;
mod json;
mod logs;
mod sampling;
mod send;
mod support;
mod text;
mod traces;

// Each listener has a loopback address of its own, which only Linux gives without being asked.
#[cfg(target_os = "linux")]
mod serve;

#[cfg(unix)]
mod metrics;
#[cfg(unix)]
mod prometheus;
#[cfg(unix)]
mod signals;
