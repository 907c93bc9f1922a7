//! How sampling is, for the health report.

use super::core::Core;
use crate::health::{Health, HealthComponent};
use crate::model::Name;

/// Healthy; says so when it has to take on trust that trace ids are random. One line for an engine,
/// however many runs it is about: the warning that OpenTelemetry's specification asks for.
impl HealthComponent for Core {
    fn name(&self) -> Name {
        Name::from_static("sampler")
    }

    fn health(&self) -> Health {
        let presumed = self.counters.randomness_presumed.get();
        let reason = (presumed > 0 && self.policies.is_by_chance()).then(|| {
            format!(
                "the trace ids of {presumed} runs are presumed random: their callers neither set the `random` flag of \
                 `traceparent` nor sent `rv` in `tracestate`"
            )
        });
        Health { reason, ..Health::healthy() }
    }
}
