//! What primitives decide, as events of `tracing`, for logs.

use tta_telemetry::{Decision, DecisionObserver, Severity};

/// The target of the events that [`log_decisions`] makes.
pub const DECISION_TARGET: &str = "tta::decision";

/// An observer for [`TelemetryBuilder::observer`](tta_telemetry::TelemetryBuilder::observer) that
/// makes an event of `tracing` of every decision that is not routine: a retry that gave up, a
/// circuit that opened, a call that was shed.
///
/// Warnings are events of level `WARN`, the others of level `INFO`; the target is
/// [`DECISION_TARGET`]. Log lines carry the ids of the run, as all do. [`layer`](crate::layer) does
/// not record these events: the decision is on the step's span already.
///
/// ```
/// use tta_telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder().observer(tta_tracing::log_decisions()).build()?;
/// # Ok::<(), tta_telemetry::BuildError>(())
/// ```
#[must_use = "an observer does something once an engine has it"]
pub fn log_decisions() -> impl DecisionObserver {
    log
}

fn log(decision: &Decision<'_>) {
    let key = decision.key;
    // The macro needs its level when it is compiled.
    macro_rules! event {
        ($level:expr) => {
            tracing::event!(
                target: DECISION_TARGET,
                $level,
                family = key.family,
                outcome = decision.outcome,
                workflow = key.workflow.as_str(),
                primitive = key.primitive.as_str(),
                subject = (!key.subject.is_empty()).then(|| key.subject.as_str()),
                details = details(decision).as_deref(),
                "{} {}",
                key.family,
                decision.outcome
            )
        };
    }
    match decision.severity {
        Severity::Warning => event!(tracing::Level::WARN),
        _ => event!(tracing::Level::INFO),
    }
}

/// What led to it, in one field, because the fields of an event are fixed: `retry.attempts=3`.
fn details(decision: &Decision<'_>) -> Option<String> {
    let one = |(key, value): &(&str, tta_telemetry::ValueRef<'_>)| format!("{key}={}", value.to_value());
    let all: Vec<String> = decision.attributes.iter().map(one).collect();
    (!all.is_empty()).then(|| all.join(" "))
}
