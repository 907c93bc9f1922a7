//! The engine of `tta`: records every run, decides once per trace, counts exactly.
//!
//! A run is one trace. Every run is recorded in memory from start to end, whatever is kept in the
//! end; when its root has ended one decision is made for the whole trace, and kept traces go to
//! [`Sink`]s, each on a thread of its own. Telemetry never fails, blocks or panics the caller.
//!
//! ```
//! use std::time::Duration;
//! use tta_telemetry::{MemorySink, Telemetry};
//!
//! let memory = MemorySink::new();
//! let telemetry = Telemetry::builder().sink(memory.clone()).build()?;
//! let run = telemetry.start_trace("import");
//! let mut step = run.span("parse", "lambda");
//! step.set("rows", 3);
//! step.end();
//! run.end();
//! assert!(telemetry.shutdown_blocking(Duration::from_secs(5)).complete);
//! # #[cfg(feature = "record")]
//! assert_eq!(memory.traces()[0].spans.len(), 2);
//! # Ok::<(), tta_telemetry::BuildError>(())
//! ```
//!
//! This crate knows no primitives, sockets, files, environment, signals, HTTP or async runtime.
//!
//! # Features
//! - `record` (default): the recorder. Without it the same API compiles to nothing.
//! - `config`: the configuration as text, `tta_telemetry::config`.
#![deny(missing_docs)]
#![cfg_attr(not(feature = "record"), allow(dead_code))]

mod blocking;
mod cardinality;
mod clock;
#[cfg(feature = "config")]
pub mod config;
mod cost;
mod counters;
mod deadline;
mod decisions;
pub mod detached;
mod engine;
pub mod format;
mod health;
mod id;
mod limits;
#[cfg(feature = "record")]
mod measuring;
mod metrics;
mod model;
mod money;
mod overhead;
pub mod panic;
mod pattern;
mod pending;
pub mod propagation;

pub mod receive;
#[cfg(feature = "record")]
mod record;
#[cfg(not(feature = "record"))]
#[path = "record_off.rs"]
mod record;
mod recorder;
mod redaction;
mod rules;
pub mod sampling;
mod sink;
mod slo;
pub mod store;
mod thread_index;
mod tree;

pub use cardinality::{
    CardinalityLevel, CardinalityLimits, CardinalityStats, CardinalitySubject, CardinalityWarning, LabelLimiter,
    MetricSeries, SeriesError, SeriesSet,
};
pub use clock::{Clock, ManualClock, ManualSleep, Ticks};
pub use cost::{
    Budget, BudgetAlert, BudgetBuilder, BudgetExceeded, BudgetPeriod, BudgetPolicy, BudgetState, BudgetStatus, Charge,
    CostAccount, CostEntry, CostError, CostLedger, CostLedgerBuilder, CostLine, CostOverflow, CostReport, CostTotals,
    Reservation, SavingsSource, StepCost,
};
pub use counters::{ActiveBranch, ActiveBranches, RecorderCounters};
pub use decisions::{Decision, DecisionCells, DecisionCount, DecisionKey, DecisionObserver, MAX_OUTCOMES, Severity};
pub use engine::{BuildError, CostPlace, EngineState, ShutdownReport, Telemetry, TelemetryBuilder, TraceStart};
pub use health::{ComponentHealth, Health, HealthComponent, HealthReport, HealthStatus};
pub use id::{IdSource, ParseIdError, SpanId, TraceId};
pub use limits::{LimitError, Limits};
pub use metrics::catalog;
pub use metrics::{
    ActiveRequest, BasicMetrics, Counter, Exemplar, Family, Gauge, Histogram, HistogramDecodeError, HistogramRecorder,
    HistogramValue, Metric, MetricCollector, MetricError, MetricFamily, MetricKind, MetricPoint, MetricSource,
    MetricValue, Percentiles, PrimitiveMetrics, RollingHistogram, RollingPercentiles, RollingWindow, StepInstruments,
    StepStatistics, Throughput, ThroughputStats, Unit,
};
pub use model::{
    Attribute, DecisionReason, Name, NameRef, Received, Resource, RuleName, RuleNameError, Sampling, SamplingDecision,
    Scope, Source, SpanEvent, SpanLink, SpanRecord, SpanStatus, StatusCode, Trace, TraceClass, TraceCounts, Value,
    ValueRef,
};
pub use money::{MoneyError, Usd};
pub use overhead::CpuTime;
pub use pending::PendingWork;
pub use record::{ActiveTrace, OwnedSpan, Span, TraceHandle};
pub use redaction::{
    RedactedValue, Redaction, RedactionBuilder, RedactionCounts, RedactionError, RedactionMode, RedactionRule,
    Redactor, SharedRedactor,
};
pub use rules::{Quantile, RuleAction, RuleContext, RuleCount, RuleError, RuleSet, RuleSetError, SamplingRule};
pub use sink::{MemorySink, Sink, SinkError, SinkStatus, TextSink};
pub use slo::{
    BurnRate, Slo, SloBuilder, SloError, SloSet, SloState, SloStateError, SloStateStore, SloStatus, SloStoreError,
    SloTotals, SloTracker,
};
pub use tree::TraceTree;
