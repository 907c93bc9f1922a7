//! The components that report, as long as they live.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{ComponentHealth, HealthComponent, HealthReport, HealthStatus, ask};
use crate::redaction::Redactor;

/// Components that one engine asks.
const MAX_COMPONENTS: usize = 1_000;

/// Does not keep components alive: one that is dropped is no longer asked.
#[derive(Default)]
pub(crate) struct HealthRegistry {
    components: Mutex<Vec<Weak<dyn HealthComponent>>>,
    refused: AtomicU64,
}

impl HealthRegistry {
    /// Registers a component; once is enough, again does nothing.
    pub(crate) fn watch(&self, component: &Arc<dyn HealthComponent>) {
        let mut components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        components.retain(|known| known.strong_count() > 0);
        // By pointer: to own a component here, even for a moment, might drop it under the lock.
        let component = Arc::downgrade(component);
        if components.iter().any(|known| known.ptr_eq(&component)) {
            return;
        }
        if components.len() >= MAX_COMPONENTS {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        components.push(component);
    }

    pub(crate) fn report(&self, redactor: &Redactor) -> HealthReport {
        // Asked outside the lock: a component may register another.
        let known: Vec<_> = {
            let components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
            components.iter().filter_map(Weak::upgrade).collect()
        };
        let mut components: Vec<_> = known.iter().map(|component| redacted(ask(component), redactor)).collect();
        components.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
        let worst = components.iter().map(|component| component.health.status).max();
        HealthReport {
            status: worst.unwrap_or(HealthStatus::Healthy),
            components,
            unregistered: self.refused.load(Ordering::Relaxed),
        }
    }
}

/// Reasons are often errors of others, and names those of users' steps.
fn redacted(component: ComponentHealth, redactor: &Redactor) -> ComponentHealth {
    let ComponentHealth { name, mut health } = component;
    health.reason = health.reason.map(|reason| redactor.redact_text(&reason).into_owned());
    ComponentHealth { name: redactor.redacted_name("", name), health }
}

impl std::fmt::Debug for HealthRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let components = self.components.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("HealthRegistry").field("components", &components).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Health;
    use crate::model::Name;

    fn reported(registry: &HealthRegistry) -> HealthReport {
        registry.report(&Redactor::new(&Default::default(), [0; 32]))
    }

    struct Fixed(&'static str, HealthStatus);

    impl HealthComponent for Fixed {
        fn name(&self) -> Name {
            Name::from_static(self.0)
        }

        fn health(&self) -> Health {
            assert!(self.0 != "broken", "not even this works");
            Health { status: self.1, ..Health::default() }
        }
    }

    fn component(name: &'static str, status: HealthStatus) -> Arc<dyn HealthComponent> {
        Arc::new(Fixed(name, status))
    }

    #[test]
    fn the_worst_component_is_the_whole_and_order_is_by_name() {
        let registry = HealthRegistry::default();
        assert_eq!(reported(&registry), HealthReport::default());
        let (b, a) = (component("b", HealthStatus::Degraded), component("a", HealthStatus::Healthy));
        registry.watch(&b);
        registry.watch(&a);
        registry.watch(&b);
        let report = reported(&registry);
        assert_eq!(report.status, HealthStatus::Degraded);
        let names: Vec<_> = report.components.iter().map(|component| component.name.as_str().to_owned()).collect();
        assert_eq!(names, ["a", "b"]);
        drop(b);
        assert_eq!(reported(&registry).status, HealthStatus::Healthy);
        assert!(reported(&registry).component("b").is_none());
    }

    #[test]
    fn a_check_that_panics_is_unhealthy_and_says_why() {
        let registry = HealthRegistry::default();
        let broken = component("broken", HealthStatus::Healthy);
        registry.watch(&broken);
        let report = reported(&registry);
        assert_eq!(report.status, HealthStatus::Unhealthy);
        let reason = report.components[0].health.reason.clone().unwrap();
        assert_eq!(reason, "its health check panicked: not even this works");
    }

    #[test]
    fn too_many_components_are_counted_not_kept() {
        let registry = HealthRegistry::default();
        let all: Vec<_> = (0..MAX_COMPONENTS + 5).map(|_| component("c", HealthStatus::Healthy)).collect();
        all.iter().for_each(|component| registry.watch(component));
        let report = reported(&registry);
        assert_eq!((report.components.len(), report.unregistered), (MAX_COMPONENTS, 5));
    }
}
