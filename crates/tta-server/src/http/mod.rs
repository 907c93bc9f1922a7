//! What every server here has in common: listening, limits, and replies that say what is wrong.
//!
//! Owns sockets and bounds. Knows nothing of what is served.

mod counters;
mod error;
mod limits;
mod listen;
mod patient;
pub(crate) mod problem;

pub use counters::ServerCounters;
pub use error::ServerError;
pub use limits::ServerLimits;
pub(crate) use listen::Server;
