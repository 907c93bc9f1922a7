//! Whether what the process depends on works: components report their own live state.
//!
//! A component is registered once and asked whenever somebody wants to know. Nothing here polls.

mod registry;

use std::fmt;
use std::sync::Arc;

pub(crate) use registry::HealthRegistry;

use crate::model::Name;

/// How well something works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HealthStatus {
    /// It does its job.
    #[default]
    Healthy,
    /// It works with loss, or near a limit, and recovers by itself when the cause ends.
    Degraded,
    /// It cannot do its job.
    Unhealthy,
}

impl HealthStatus {
    /// The stable string: `healthy`, `degraded`, `unhealthy`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            HealthStatus::Healthy => "healthy",
            HealthStatus::Degraded => "degraded",
            HealthStatus::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a component says of itself now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// How well it works.
    pub status: HealthStatus,
    /// Why, when it is not healthy; may say something when it is.
    pub reason: Option<String>,
    /// Since when, in nanoseconds since the Unix epoch, where the component knows.
    pub since_unix_ns: Option<u64>,
    /// When it last did its job, in nanoseconds since the Unix epoch, where the component knows.
    pub last_success_unix_ns: Option<u64>,
}

impl Health {
    /// All is well.
    #[must_use]
    pub fn healthy() -> Self {
        Self::default()
    }

    /// It works with loss, and why.
    #[must_use]
    pub fn degraded(reason: impl Into<String>) -> Self {
        Self { status: HealthStatus::Degraded, reason: Some(reason.into()), ..Self::default() }
    }

    /// It does not work, and why.
    #[must_use]
    pub fn unhealthy(reason: impl Into<String>) -> Self {
        Self { status: HealthStatus::Unhealthy, reason: Some(reason.into()), ..Self::default() }
    }

    /// Since when, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn since(mut self, unix_ns: u64) -> Self {
        self.since_unix_ns = Some(unix_ns);
        self
    }

    /// When it last did its job, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn last_success(mut self, unix_ns: Option<u64>) -> Self {
        self.last_success_unix_ns = unix_ns;
        self
    }
}

/// Something that can say how it is: a circuit breaker, a cache's backend, a store.
pub trait HealthComponent: Send + Sync + 'static {
    /// Its name in reports, as `circuit:payments`.
    fn name(&self) -> Name;

    /// How it is now. Must be quick and must not block: it reports what is known, it does not go
    /// and look.
    fn health(&self) -> Health;
}

/// A component's answer in a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentHealth {
    /// The component.
    pub name: Name,
    /// What it said.
    pub health: Health,
}

/// What all components said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthReport {
    /// The worst of the components' statuses; healthy when there are none.
    pub status: HealthStatus,
    /// By name.
    pub components: Vec<ComponentHealth>,
    /// Components that could not be registered because there are too many.
    pub unregistered: u64,
}

impl HealthReport {
    /// What the component of this name said.
    #[must_use]
    pub fn component(&self, name: &str) -> Option<&Health> {
        self.components.iter().find(|component| component.name == name).map(|component| &component.health)
    }
}

/// A component that answers with a panic does not work.
fn ask(component: &Arc<dyn HealthComponent>) -> ComponentHealth {
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (component.name(), component.health())));
    let (name, health) = asked.unwrap_or_else(|panic| {
        let message = crate::panic::message(&*panic);
        (Name::from_static("unknown"), Health::unhealthy(format!("its health check panicked: {message}")))
    });
    ComponentHealth { name, health }
}
