//! Changing what a running engine does.
//!
//! Owns that a change is whole: everything that can be refused is checked before anything is changed,
//! changes take turns, and the engine remembers which configuration is in effect. What changed is put
//! into words by `changes`.

use std::fmt::Display;
use std::sync::Arc;

use super::changes::{ConfigChange, changes};
use super::problem::{ConfigError, ConfigProblem};
use super::types::Config;
use crate::engine::Telemetry;
use crate::model::Name;

/// What a change of a running engine came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigUpdate {
    /// Every field that differs from what was in effect, by path; at most 1,000.
    pub changed: Vec<ConfigChange>,
    /// Fields of these that take effect when the process starts anew; the others are in effect.
    pub needs_restart: Vec<&'static str>,
}

impl Telemetry {
    /// The configuration in effect: the one that the engine was built by or last updated to, in which
    /// fields that wait for a restart are as they were at the start. `None` for an engine that was
    /// built in code alone. What code has set beside it does not show here.
    #[must_use]
    pub fn config(&self) -> Option<Arc<Config>> {
        self.updating().clone()
    }

    /// Changes what a running engine does to what a configuration says. Everything is checked first
    /// and nothing is changed when something is wrong; runs and primitives that exist see the change
    /// at once. Of several at once each is whole, one after the other: the last one is in effect,
    /// never a mixture. What takes effect at start, such as buckets, stays as it is.
    ///
    /// What differs is told by what is in effect ([`Telemetry::config`]); by `before` for an engine
    /// that was built in code alone. What does not differ is left alone: an adaptive rate stays where
    /// it is, objectives remember whom they call. Objectives that `config` no longer names are
    /// taken away; those set by code stay.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration, or an objective that is one too many for its
    /// primitive.
    pub fn update(&self, before: &Config, config: &Config) -> Result<ConfigUpdate, ConfigError> {
        self.apply(&mut self.updating(), before, config)
    }

    /// The same to what `make` makes of the configuration in effect, which nobody else changes
    /// meanwhile: what it saw is what is replaced. Also gives the configuration that is in effect then.
    /// An engine that was built in code alone has none, and is told of as that of its preset.
    ///
    /// `make` must not ask this engine for its configuration, nor change it: that would wait for ever.
    ///
    /// # Errors
    /// As [`Telemetry::update`], and whatever `make` refuses.
    pub fn update_with<E: From<ConfigError>>(
        &self,
        make: impl FnOnce(Option<&Config>) -> Result<Config, E>,
    ) -> Result<(ConfigUpdate, Arc<Config>), E> {
        let mut in_effect = self.updating();
        let config = make(in_effect.as_deref())?;
        let update = self.apply(&mut in_effect, &config.environment.config(), &config)?;
        let now = in_effect.clone().unwrap_or_else(|| Arc::new(config));
        Ok((update, now))
    }

    fn apply(
        &self,
        in_effect: &mut Option<Arc<Config>>,
        before: &Config,
        config: &Config,
    ) -> Result<ConfigUpdate, ConfigError> {
        let known = in_effect.clone();
        let is_first = known.is_none();
        let before = known.as_deref().unwrap_or(before);

        // Everything that can be refused.
        config.check("update")?;
        let problem = |problem| ConfigError { problems: vec![problem] };
        let (policy, slos) = (config.sampling_policy().map_err(problem)?, config.slos().map_err(problem)?);
        let (redaction, budgets) = (config.redaction().map_err(problem)?, config.budgets().map_err(problem)?);
        policy.check().map_err(|error| refused("tracing.sampling", &error))?;
        let key = |(subject, slo): &(Name, crate::slo::Slo)| (subject.clone(), slo.name().clone());
        let wanted: Vec<(Name, Name)> = slos.iter().map(key).collect();
        let had = before.slos().unwrap_or_default();
        let gone: Vec<_> = had.iter().map(key).filter(|slo| !wanted.contains(slo)).collect();
        self.reconfigure_slos(&gone, slos).map_err(|error| refused("slo", &error))?;

        // What follows cannot fail: it was checked.
        self.set_cardinality_limits(config.cardinality()).map_err(|error| refused("metrics", &error))?;
        let is_same = before.tracing.sampling == config.tracing.sampling;
        if is_first || !is_same || before.tracing.enabled != config.tracing.enabled {
            if config.tracing.enabled {
                self.set_sampling_policy(policy).map_err(|error| refused("tracing.sampling", &error))?;
            } else {
                self.stop_keeping_traces();
            }
        }

        if is_first || before.redaction != config.redaction {
            self.set_redaction(&redaction);
        }
        let differs = |name: &String| is_first || before.cost.budgets.get(name) != config.cost.budgets.get(name);
        let budgets = budgets.into_iter().filter(|(name, _)| differs(name)).map(|(_, budget)| budget).collect();
        self.set_budgets(budgets).map_err(|error| refused("cost.budgets", &error))?;

        let update = ConfigUpdate { changed: changes(before, config), needs_restart: before.needing_restart(config) };
        *in_effect = Some(Arc::new(config.with_start_of(before)));
        Ok(update)
    }
}

fn refused(path: &str, error: &dyn Display) -> ConfigError {
    let problem = ConfigProblem::value("update", path, &error.to_string(), "what the field accepts");
    ConfigError { problems: vec![problem] }
}
