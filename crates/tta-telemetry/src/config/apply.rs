//! A configuration, as what the engine is built from.

use std::sync::Arc;
use std::time::Duration;

use super::problem::{ConfigError, ConfigProblem};
use super::types::{Config, SamplingConfig, SamplingRuleConfig, SloConfig, WorkflowSampling};
use crate::cardinality::CardinalityLimits;
use crate::engine::{BuildError, TelemetryBuilder};
use crate::limits::Limits;
use crate::model::{Name, RuleName};
use crate::rules::{RuleAction, SamplingRule};
use crate::sampling::{AdaptiveConfig, Rate, RateBudgetConfig, SamplingPolicy, TailPolicy, WorkflowPolicy};
use crate::slo::Slo;

impl Config {
    /// The sampling policy that this configuration says, whether or not traces are recorded at all
    /// (`enabled`, `tracing.enabled`).
    ///
    /// # Errors
    /// The first rule that does not read.
    pub fn sampling_policy(&self) -> Result<SamplingPolicy, ConfigProblem> {
        let sampling = &self.tracing.sampling;
        let own = |(name, own): (&String, &WorkflowSampling)| {
            let rate = own.default_rate.and_then(|rate| Rate::new(rate).ok());
            let usual = tail(sampling);
            let tail = TailPolicy {
                always_sample_errors: own.always_sample_errors.unwrap_or(usual.always_sample_errors),
                always_sample_slow: own.always_sample_slow.unwrap_or(usual.always_sample_slow),
                slow_threshold_ms: own.slow_threshold_ms.unwrap_or(usual.slow_threshold_ms),
                ..usual
            };
            (Name::from(name.clone()), WorkflowPolicy { rate, tail: Some(tail) })
        };
        let above_zero = |limit: f64| (limit > 0.0).then_some(limit);
        Ok(SamplingPolicy {
            hash: sampling.hash,
            rate: Rate::new(sampling.default_rate).unwrap_or(Rate::ZERO),
            tail: tail(sampling),
            workflows: sampling.workflows.iter().map(own).collect(),
            rules: rules(&sampling.rules)?,
            adaptive: sampling.adaptive_enabled.then(|| AdaptiveConfig {
                default_rate: sampling.default_rate,
                adaptive_min_rate: sampling.adaptive_min_rate,
                adaptive_max_rate: sampling.adaptive_max_rate,
                adaptive_target_overhead: sampling.adaptive_target_overhead,
                adjustment_interval: Duration::from_secs_f64(sampling.adjustment_interval_seconds),
            }),
            budget: RateBudgetConfig {
                max_traces_per_second: above_zero(sampling.max_traces_per_second),
                max_bytes_per_second: above_zero(sampling.max_bytes_per_second),
                ..RateBudgetConfig::default()
            },
        })
    }

    pub(super) fn cardinality(&self) -> CardinalityLimits {
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        CardinalityLimits {
            max_label_values: count(self.metrics.max_label_values),
            max_series_per_metric: count(self.metrics.max_series_per_metric),
            hash_high_cardinality: self.metrics.hash_high_cardinality,
        }
    }

    fn limits(&self) -> Limits {
        let limits = &self.tracing.limits;
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Limits {
            live_bytes: count(limits.live_bytes),
            spans_per_trace: limits.spans_per_trace as u32,
            attributes_per_span: limits.attributes_per_span as u16,
            attribute_bytes: limits.attribute_bytes as u32,
            events_per_span: limits.events_per_span as u32,
            links_per_span: limits.links_per_span as u32,
            queue_spans: count(self.tracing.max_queue_size),
            batch_spans: count(self.tracing.batch_size),
            decision_wait: Duration::from_secs_f64(self.tracing.decision_wait_seconds),
            ..Limits::default()
        }
    }

    /// The objectives, with the primitives they are of.
    pub(super) fn slos(&self) -> Result<Vec<(Name, Slo)>, ConfigProblem> {
        self.slo.iter().map(|(name, slo)| Ok((Name::from(slo.primitive.clone()), objective(name, slo)?))).collect()
    }

    /// What keeps the engine from being built by it, the first of each kind. Entries were checked one
    /// by one when they were read; this is about what they are together. Whose problems these are is
    /// for others to say.
    pub(super) fn check_whole(&self) -> Vec<ConfigProblem> {
        [self.sampling_policy().err(), self.slos().err(), self.redaction().err(), self.budgets().err()]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// An objective, or what is wrong with it.
pub(super) fn objective(name: &str, slo: &SloConfig) -> Result<Slo, ConfigProblem> {
    let window = Duration::from_secs_f64(slo.window_days * 86_400.0);
    let mut builder = Slo::named(name.to_owned()).target(slo.target).window(window);
    if let Some(ms) = slo.latency_threshold_ms {
        builder = builder.latency_threshold(Duration::from_secs_f64(ms / 1e3));
    }
    builder.build().map_err(|error| {
        let key = match error.setting {
            "target" => ".target",
            "latency_threshold" => ".latency_threshold_ms",
            "window" => ".window_days",
            _ => "",
        };
        let given = if key.is_empty() {
            format!("an objective whose {} is {}", error.setting, error.given)
        } else {
            error.given
        };
        ConfigProblem::value("", &format!("slo.{name}{key}"), &given, error.accepted)
    })
}

fn tail(sampling: &SamplingConfig) -> TailPolicy {
    TailPolicy {
        always_sample_errors: sampling.always_sample_errors,
        always_sample_slow: sampling.always_sample_slow,
        slow_threshold_ms: sampling.slow_threshold_ms,
        ..TailPolicy::default()
    }
}

/// The rules, or the first thing that is wrong. Those of a layer were checked when it was read.
fn rules(rules: &[SamplingRuleConfig]) -> Result<Vec<SamplingRule>, ConfigProblem> {
    let mut problems = Vec::new();
    let mut read = Vec::with_capacity(rules.len());
    for (place, config) in rules.iter().enumerate() {
        read.extend(rule(config, |key, given, accepted| {
            let path = format!("tracing.sampling.rules[{place}].{key}");
            problems.push(ConfigProblem::value("", &path, &format!("`{given}`"), accepted));
        }));
    }
    problems.into_iter().next().map_or(Ok(read), Err)
}

/// A rule; `wrong` is told all that keeps it from being one: the key, what is there, and what is accepted.
pub(super) fn rule(rule: &SamplingRuleConfig, mut wrong: impl FnMut(&str, &str, String)) -> Option<SamplingRule> {
    let name = rule.name.parse::<RuleName>();
    if let Err(error) = &name {
        wrong("name", &error.given, RuleName::ACCEPTED.to_owned());
    }
    let action = match rule.action.as_str() {
        "keep" => Some(RuleAction::Keep),
        "drop" => Some(RuleAction::Drop),
        rate => rate.parse().ok().filter(|rate| (0.0..=1.0).contains(rate)).map(RuleAction::Rate),
    };
    if action.is_none() {
        wrong("action", &rule.action, super::value::ACTION.to_owned());
    }
    // Under a name and with an action that are right, so that what is said is about the condition.
    let text = name.as_ref().map_or("rule", RuleName::as_str);
    let read = SamplingRule::new(text, action.unwrap_or(RuleAction::Keep), Some(&rule.condition))
        .map_err(|error| wrong("condition", &rule.condition, format!("a condition: {error}")));
    read.ok().filter(|_| name.is_ok() && action.is_some())
}

impl TelemetryBuilder {
    /// Builds by a configuration: limits, sampling, labels, buckets, the service's name. Objectives
    /// are set when the engine is built. What is set on the builder afterwards is stronger.
    ///
    /// ```
    /// use tta_telemetry::Telemetry;
    /// use tta_telemetry::config::Preset;
    /// let telemetry = Telemetry::builder().config(&Preset::Production.config())?.build()?;
    /// assert!(telemetry.is_enabled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with the configuration.
    pub fn config(mut self, config: &Config) -> Result<Self, ConfigError> {
        config.check("code")?;
        let problem = |problem| ConfigError { problems: vec![problem] };
        let slos = config.slos().map_err(problem)?;
        self.in_effect = Some(Arc::new(config.clone()));
        self = self
            .enabled(config.enabled)
            .limits(config.limits())
            .cardinality(config.cardinality())
            .metrics_enabled(config.metrics.enabled)
            .redaction(config.redaction().map_err(problem)?)
            .service(config.service_name.clone(), config.service_version.clone());
        self = if config.tracing.enabled {
            self.sampling_policy(config.sampling_policy().map_err(problem)?)
        } else {
            self.sampling(crate::Sampling::KeepNone)
        };
        for (name, limits) in &config.metrics.buckets {
            self = self.duration_buckets(name.clone(), limits);
        }
        if !config.async_export {
            self = self.wait_for_export(Duration::from_secs_f64(config.otlp.timeout_seconds));
        }
        self.objectives(slos);
        self.named_budgets = config.budgets().map_err(problem)?.into_iter().map(|(_, budget)| budget).collect();
        Ok(self)
    }
}

/// So that `?` works where an engine is built by a configuration.
impl From<ConfigError> for BuildError {
    fn from(error: ConfigError) -> Self {
        BuildError::Config(error.to_string())
    }
}
