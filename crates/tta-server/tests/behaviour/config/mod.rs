//! The configuration over HTTP: shown, patched, refused, audited.

mod audit;
mod patches;
mod refused;
mod restart;
mod shown;
mod support;
