//! How a circuit looks in the health report and in the metrics.

use tta_telemetry::{Health, HealthComponent, HealthStatus, MetricCollector, MetricSource, Name, catalog};

use super::state::CircuitState;
use super::{CircuitBreaker, Inner};

impl HealthComponent for Inner {
    fn name(&self) -> Name {
        Name::from(format!("circuit:{}", self.name))
    }

    /// An open circuit is degraded, not unhealthy: it works, with loss, and recovers by itself
    /// when the cause ends. The same for one forced open: somebody wants it so, and a process
    /// must not be taken out of service for it.
    fn health(&self) -> Health {
        let stats = self.stats();
        let forced = if stats.forced { "forced " } else { "" };
        let why = match stats.reason {
            Some(reason) if !stats.forced => format!(" ({reason})"),
            _ => String::new(),
        };
        let rejected = stats.rejected;
        let mut health = match stats.state {
            CircuitState::Closed => {
                Health { reason: stats.forced.then(|| "forced closed".to_owned()), ..Health::healthy() }
            }
            CircuitState::Open => Health::degraded(format!("{forced}open{why}, {rejected} calls rejected so far")),
            CircuitState::HalfOpen => Health::degraded(format!("half open{why}, {rejected} calls rejected so far")),
        };
        if health.status != HealthStatus::Healthy || stats.forced {
            health.since_unix_ns = stats.since_unix_ns;
        }
        health
    }
}

impl HealthComponent for CircuitBreaker {
    fn name(&self) -> Name {
        HealthComponent::name(&*self.0)
    }

    fn health(&self) -> Health {
        self.0.health()
    }
}

impl MetricSource for Inner {
    fn collect(&self, out: &mut MetricCollector) {
        let state = match self.stats().state {
            CircuitState::Closed => 0.0,
            CircuitState::HalfOpen => 1.0,
            CircuitState::Open => 2.0,
        };
        out.number(&catalog::CIRCUIT_STATE, &[&self.name], state);
    }
}
