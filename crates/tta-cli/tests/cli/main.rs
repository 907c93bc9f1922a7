//! The built `tta`, run on trees of real files: exit codes, output, trace files, signals.

mod arguments;
mod graph;
mod hostile;
mod json;
mod support;
mod text;
mod traces;

#[cfg(unix)]
mod signals;
