//! Redaction and budgets, as what the engine is given.

use std::time::Duration;

use super::problem::ConfigProblem;
use super::types::{BudgetConfig, Config, RedactionRuleConfig};
use crate::cost::{Budget, BudgetBuilder, BudgetPeriod};
use crate::money::Usd;
use crate::redaction::{Redaction, RedactionError, RedactionRule};

const PERIODS: &str = "forever, hour, day, month, `every N` or `rolling N` with N from 1 to 31622400 seconds";
const LONGEST_SECONDS: u64 = 366 * 86_400;

impl Config {
    /// What is taken out of kept traces.
    pub(super) fn redaction(&self) -> Result<Redaction, ConfigProblem> {
        let redaction = &self.redaction;
        let mut builder = Redaction::builder()
            .enabled(redaction.enabled)
            .mode(redaction.mode)
            .secret_keys(redaction.secret_keys)
            .secret_values(redaction.secret_values)
            .scan_bytes(usize::try_from(redaction.scan_bytes).unwrap_or(usize::MAX));
        if let Some(salt) = &redaction.hash_salt {
            builder = builder.hash_salt(salt.reveal());
        }
        for key in &redaction.allowed_keys {
            builder = builder.allow_key(key.clone());
        }
        for rule in &redaction.rules {
            builder = builder.rule(redaction_rule(rule));
        }
        builder.build().map_err(|error| self.redaction_problem(error))
    }

    fn redaction_problem(&self, error: RedactionError) -> ConfigProblem {
        let problem = |path: &str, given: &str, accepted: String| {
            ConfigProblem::value("the whole", &format!("redaction.{path}"), given, accepted)
        };
        match error {
            RedactionError::Setting { setting, given, accepted } => problem(setting, &given, accepted.to_owned()),
            RedactionError::Pattern { rule, pattern, column, message } => {
                let place = self.redaction.rules.iter().position(|known| known.name == rule);
                let path = place.map_or_else(|| "allowed_keys".to_owned(), |place| format!("rules[{place}]"));
                let accepted = format!("a pattern; at character {column}: {message}");
                problem(&path, &format!("`{pattern}`"), accepted)
            }
        }
    }

    /// Budgets by name; none has a clock yet.
    pub(super) fn budgets(&self) -> Result<Vec<(String, BudgetBuilder)>, ConfigProblem> {
        self.cost.budgets.iter().map(|(name, config)| Ok((name.clone(), budget(name, config)?))).collect()
    }
}

fn redaction_rule(config: &RedactionRuleConfig) -> RedactionRule {
    let RedactionRuleConfig { name, key, key_regex, value_regex, mode } = config;
    let rule = match (key, key_regex, value_regex) {
        (Some(glob), ..) => RedactionRule::key_glob(name, glob),
        (None, Some(pattern), _) => RedactionRule::key_regex(name, pattern),
        // Nothing at all is refused as a pattern that would match everything.
        (None, None, pattern) => RedactionRule::value_regex(name, pattern.clone().unwrap_or_default()),
    };
    match mode {
        Some(mode) => rule.mode(*mode),
        None => rule,
    }
}

fn budget(name: &str, config: &BudgetConfig) -> Result<BudgetBuilder, ConfigProblem> {
    let problem = |key: &str, given: &str, accepted: &str| {
        ConfigProblem::value("the whole", &format!("cost.budgets.{name}{key}"), given, accepted)
    };
    let period = period(&config.period).ok_or_else(|| problem(".period", &format!("`{}`", config.period), PERIODS))?;
    let limit = Usd::from_dollars(config.limit_usd)
        .map_err(|_| problem(".limit_usd", &config.limit_usd.to_string(), "an amount above 0"))?;
    let builder = Budget::named(name.to_owned()).limit(limit).period(period).policy(config.policy);
    let builder = builder.degrade_at(config.degrade_at);
    builder.check().map_err(|error| problem("", &error.to_string(), "a budget"))?;
    Ok(builder)
}

fn period(text: &str) -> Option<BudgetPeriod> {
    let length = |seconds: &str| {
        let seconds = seconds.parse().ok().filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds));
        seconds.map(Duration::from_secs)
    };
    match text.split_once(' ') {
        None if text == "forever" => Some(BudgetPeriod::Forever),
        None if text == "hour" => Some(BudgetPeriod::HOUR),
        None if text == "day" => Some(BudgetPeriod::DAY),
        None if text == "month" => Some(BudgetPeriod::Month),
        Some(("every", seconds)) => length(seconds).map(BudgetPeriod::Every),
        Some(("rolling", seconds)) => length(seconds).map(BudgetPeriod::Rolling),
        _ => None,
    }
}
