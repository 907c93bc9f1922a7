//! What runs cost, what was saved, and budgets that hold.
//!
//! Owns the ledger (exact sums by category, workflow, model and user) and budgets. Does not own
//! prices: amounts come from whoever knows them, and a call without a known price is counted as
//! unpriced, never as free. Works the same when nothing is recorded: a budget must hold anyway.
//!
//! `cell` is what one thread adds to, and how an entry is never seen by half; `ledger` finds the
//! account of an entry and bounds their number; `report` sums up; `step` is
//! what a primitive keeps; `budget` admits and refuses.

mod account;
mod budget;
mod cell;
mod entry;
mod error;
mod ledger;
mod report;
mod step;

pub use account::CostAccount;
pub(crate) use budget::BudgetRegistry;
pub use budget::{
    Budget, BudgetAlert, BudgetBuilder, BudgetExceeded, BudgetPeriod, BudgetPolicy, BudgetState, BudgetStatus,
    Reservation,
};
pub use entry::{Charge, CostEntry, SavingsSource};
pub use error::CostError;
pub use ledger::{CostLedger, CostLedgerBuilder};
pub use report::{CostLine, CostOverflow, CostReport, CostTotals};
pub use step::StepCost;
