//! Service level objectives: which share of requests must succeed, and quickly enough.
//!
//! Owns the objective, the counts of a rolling window and of seven burn-rate windows in fixed
//! memory, the numbers derived from them, callbacks on the error budget, and the state that
//! survives a restart as plain text. Time is given by the caller; nothing here reads a clock,
//! polls, or touches a file: where state is kept is a [`SloStateStore`]'s business.
//!
//! Terms follow the Site Reliability Workbook (Google, 2018), chapters 2 and 5: the error budget
//! is what share of requests may be bad, a burn rate of 1 spends exactly the budget.

mod config;
mod counts;
mod registry;
mod ring;
mod set;
mod state;
mod status;
mod timeline;
mod tracker;
mod watch;

pub use config::{Slo, SloBuilder, SloError};
pub(crate) use registry::SloRegistry;
pub use set::SloSet;
pub use state::{SloState, SloStateError, SloStateStore, SloStoreError};
pub use status::{BurnRate, SloStatus, SloTotals};
pub use tracker::SloTracker;
