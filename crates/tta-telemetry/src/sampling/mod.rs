//! Which traces are kept, at what probability, and what a kept one stands for.
//!
//! Owns the decisions: at a run's start ([`HeadSampler`]), at its end ([`TailPolicy`]), what moves
//! rates ([`AdaptiveController`], [`RateBudget`]), and what can be said of all traces from those
//! that were kept ([`Estimator`]). Does not own the recorder that asks, rules and their conditions,
//! or configuration. Time and randomness come from outside.
//!
//! A kept trace's weight is the inverse of the probability with which its *class* is kept: 1 for
//! failed and slow ones while all of them are, `1 / rate` for those left to chance. The class
//! depends on content only, never on the randomness; that is what keeps estimates unbiased.
//!
//! ```
//! use tta_telemetry::sampling::{FinishedTrace, HeadSampler, Rate, RunStart, SamplingHash, TailPolicy};
//! use tta_telemetry::{DecisionReason, IdSource, TraceClass};
//!
//! let head = HeadSampler::new(SamplingHash::Otel, Rate::ZERO).decide(&RunStart::root(IdSource::seeded(1).trace_id()));
//! let tail = TailPolicy::default();
//! let failed = tail.decide(&FinishedTrace::new(TraceClass::Failed, 3_000_000, head), None);
//! assert_eq!((failed.decision.keep, failed.decision.reason), (true, DecisionReason::TailError));
//! assert_eq!(failed.adjusted_count, Some(1.0));
//! assert!(!tail.decide(&FinishedTrace::new(TraceClass::Normal, 3_000_000, head), None).decision.keep);
//! ```

mod adaptive;
mod budget;
mod dry_run;
mod error;
mod estimate;
mod head;
mod hooks;
mod md5_rule;
mod otel_state;
mod parent;
mod policy;
mod rate;
mod tail;
mod threshold;

pub use adaptive::{AdaptiveConfig, AdaptiveController, AdaptiveStats};
pub use budget::{BudgetClass, RateBudget, RateBudgetConfig, RateBudgetStats};
pub use dry_run::{DryRun, DryRunReport, DryRunRow, DryRunRule, UnknownName};
pub use error::SamplingError;
pub use estimate::{Estimate, Estimator};
pub use head::{HeadDecision, HeadSampler, RunStart, SamplingHash, Selection};
pub(crate) use hooks::HookList;
pub use hooks::{FinishedRun, IsolatedProcessor, IsolatedSampler, Sampler, TraceEdit, TraceProcessor, Verdict};
#[cfg(feature = "record")]
pub(crate) use hooks::{HookSet, Panicked};
pub use otel_state::OtelState;
pub use parent::{RemoteParent, RemoteSampling};
pub use policy::{SamplingInEffect, SamplingPolicy, WorkflowPolicy};
pub use rate::{Rate, SharedRate};
pub use tail::{FinishedTrace, RuleOutcome, TailDecision, TailPolicies, TailPolicy};
pub use threshold::{Randomness, Threshold};
