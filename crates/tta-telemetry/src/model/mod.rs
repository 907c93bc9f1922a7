//! What a finished trace looks like: the one record type of the workspace and its parts.
//!
//! Plain data, read by sinks, the store, exporters and tests. Wire and disk forms live with those
//! who need them and convert at their boundary; nothing here is `Serialize`.

mod decision;
mod name;
mod received;
mod rule_name;
mod span;
mod trace;
mod value;

pub(crate) use decision::MOST_REASONS;
pub use decision::{DecisionReason, Sampling, SamplingDecision};
pub use name::{Name, NameRef};
pub use received::{Received, Resource, Scope, Source, StatusCode};
pub use rule_name::{RuleName, RuleNameError};
pub use span::{SpanEvent, SpanLink, SpanRecord, SpanStatus};
pub use trace::{Trace, TraceClass, TraceCounts};
pub use value::{Attribute, Value, ValueRef};
