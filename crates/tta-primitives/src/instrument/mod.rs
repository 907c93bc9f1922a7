//! Recording by hand: what users trace that is not a step of a workflow.
//!
//! Owns traced futures and functions (`traced`), tasks of a run (`spawn`), and runs that no
//! workflow drives (`run`). Attributes and events of the current step are methods of the
//! [`Context`](crate::Context).

mod run;
mod spawn;
mod traced;

pub use run::Run;
pub use spawn::Spawned;
pub use traced::{Traced, traced, traced_fn, try_traced};
