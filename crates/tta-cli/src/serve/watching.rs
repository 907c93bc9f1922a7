//! Components whose health changes, as log lines: who reads the log learns that a collector is away, and that it is
//! back.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tta::Telemetry;
use tta::telemetry::{HealthReport, HealthStatus};

use super::log;

/// How often the components are asked.
const LOOK: Duration = Duration::from_secs(2);

/// How long they may take to answer before this goes on without them.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Watching {
    /// What was last said of each component.
    said: BTreeMap<String, HealthStatus>,
    /// The question that was not answered yet: there is never a second one beside it.
    asking: Option<JoinHandle<HealthReport>>,
}

impl Watching {
    /// Looks until it is dropped.
    pub(super) async fn run(&mut self, telemetry: &Telemetry) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            self.look(telemetry).await;
        }
    }

    /// Says what has changed since the last look.
    pub(super) async fn look(&mut self, telemetry: &Telemetry) {
        let telemetry = telemetry.clone();
        let mut asking = self.asking.take().unwrap_or_else(|| spawn_blocking(move || telemetry.health()));
        let report = match tokio::time::timeout(PATIENCE, &mut asking).await {
            Ok(Ok(report)) => report,
            Ok(Err(_)) => return,
            Err(_) => {
                self.asking = Some(asking);
                return;
            }
        };
        for component in report.components {
            let name = component.name.as_str();
            let (before, now) =
                (self.said.get(name).copied().unwrap_or(HealthStatus::Healthy), component.health.status);
            if before == now {
                continue;
            }
            self.said.insert(name.to_owned(), now);
            let why = component.health.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            match now {
                HealthStatus::Healthy => log::info(&format!("{name} is healthy again")),
                HealthStatus::Degraded => log::warn(&format!("{name} is degraded{why}")),
                HealthStatus::Unhealthy => log::warn(&format!("{name} is unhealthy{why}")),
            }
        }
    }
}
