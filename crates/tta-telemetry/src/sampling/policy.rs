//! Everything that says which traces an engine keeps.

use std::collections::BTreeMap;

use super::adaptive::AdaptiveConfig;
use super::budget::RateBudgetConfig;
use super::error::SamplingError;
use super::head::SamplingHash;
use super::rate::Rate;
use super::tail::TailPolicy;
use crate::model::{Name, RuleName, Sampling};
use crate::rules::{RuleSet, SamplingRule};

/// Which traces an engine keeps:
/// [`TelemetryBuilder::sampling_policy`](crate::TelemetryBuilder::sampling_policy).
///
/// ```
/// use tta_telemetry::Telemetry;
/// use tta_telemetry::sampling::{Rate, SamplingPolicy};
///
/// // One ordinary trace in twenty; every failed, cancelled and slow one.
/// let policy = SamplingPolicy { rate: Rate::new(0.05)?, ..SamplingPolicy::default() };
/// let telemetry = Telemetry::builder().sampling_policy(policy).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingPolicy {
    /// How chance is taken. Default [`SamplingHash::Otel`].
    pub hash: SamplingHash,
    /// The share of ordinary traces that is kept. Default 0.1.
    pub rate: Rate,
    /// Which traces are kept whatever chance says. Default: failed, cancelled and slow ones.
    pub tail: TailPolicy,
    /// What differs for single workflows, at most 256. Default: nothing.
    pub workflows: BTreeMap<Name, WorkflowPolicy>,
    /// Rules for finished traces that neither failed nor were cancelled or slow: the first that matches
    /// decides; at most 100. They are asked in the background, on the whole trace. Default: none.
    pub rules: Vec<SamplingRule>,
    /// Lets the rate follow what telemetry costs, from `rate` on; it needs
    /// [`TelemetryBuilder::cpu_time`](crate::TelemetryBuilder::cpu_time). Its `default_rate` is not
    /// looked at. Default: the rate stays.
    pub adaptive: Option<AdaptiveConfig>,
    /// How much is kept per second at most. Default: no limit.
    pub budget: RateBudgetConfig,
}

/// What differs for one workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WorkflowPolicy {
    /// The share of its ordinary traces that is kept; `None` is that of all.
    pub rate: Option<Rate>,
    /// Which of its traces are kept whatever chance says; `None` is as for all.
    pub tail: Option<TailPolicy>,
}

/// What decides which traces an engine keeps:
/// [`Telemetry::sampling`](crate::Telemetry::sampling).
#[derive(Clone, Debug, PartialEq)]
pub enum SamplingInEffect {
    /// One of the simple choices.
    Simple(Sampling),
    /// A policy.
    Policy {
        /// As it was set.
        policy: Box<SamplingPolicy>,
        /// The share of ordinary traces that is kept now: the policy's, or what an adaptive rate has made
        /// of it.
        rate: Rate,
    },
}

impl Default for SamplingPolicy {
    fn default() -> Self {
        Self {
            hash: SamplingHash::default(),
            rate: Rate::new(0.1).unwrap_or(Rate::ZERO),
            tail: TailPolicy::default(),
            workflows: BTreeMap::new(),
            rules: Vec::new(),
            adaptive: None,
            budget: RateBudgetConfig::default(),
        }
    }
}

impl SamplingPolicy {
    /// Workflows that may differ.
    pub(crate) const MOST_WORKFLOWS: usize = 256;

    /// Checks every range.
    ///
    /// # Errors
    /// The first that is outside.
    pub fn check(&self) -> Result<(), SamplingError> {
        self.tail.check()?;
        self.workflows.values().filter_map(|own| own.tail).try_for_each(|tail| tail.check())?;
        if self.workflows.len() > Self::MOST_WORKFLOWS {
            return Err(SamplingError::new("workflows", &self.workflows.len(), "at most 256"));
        }
        for rule in &self.rules {
            if rule.name().parse::<RuleName>().is_err() {
                let accepted = RuleName::ACCEPTED;
                return Err(SamplingError::new("rules.name", &rule.name(), accepted));
            }
        }
        if let Err(error) = RuleSet::new(self.rules.iter().cloned()) {
            return Err(SamplingError::new("rules", &error, "at most 100 rules with different names"));
        }
        if let Some(adaptive) = self.adaptive() {
            super::error::first_of(adaptive.problems())?;
        }
        super::error::first_of(self.budget.problems())
    }

    /// What an adaptive rate starts from.
    pub(crate) fn adaptive(&self) -> Option<AdaptiveConfig> {
        self.adaptive.clone().map(|adaptive| AdaptiveConfig { default_rate: self.rate.get(), ..adaptive })
    }
}
