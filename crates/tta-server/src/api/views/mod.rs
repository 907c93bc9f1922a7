//! The JSON forms of what the engine and the store know.
//!
//! Owns names and shapes of the API. Nothing of `tta-telemetry` is `Serialize`: what is inside may
//! change, and the API stays.

pub(crate) mod cost;
pub(crate) mod metrics;
pub(crate) mod sampling;
pub(crate) mod slo;
pub(crate) mod span;
pub(crate) mod trace;
pub(crate) mod value;
