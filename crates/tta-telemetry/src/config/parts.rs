//! Redaction and budgets, as what the engine is given.

use std::time::Duration;

use super::problem::ConfigProblem;
use super::types::{BudgetConfig, Config, RedactionRuleConfig};
use crate::cost::{Budget, BudgetBuilder, BudgetPeriod};
use crate::money::Usd;
use crate::redaction::{Redaction, RedactionBuilder, RedactionError, RedactionRule};

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
            ConfigProblem::value("", &format!("redaction.{path}"), given, accepted)
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
        let read = |(name, config): (&String, &BudgetConfig)| {
            let mut problem = None;
            let budget = budget(config, name, |key, given, accepted| {
                let path = format!("cost.budgets.{name}{key}");
                problem.get_or_insert(ConfigProblem::value("", &path, given, accepted));
            });
            match problem {
                Some(problem) => Err(problem),
                None => Ok(budget.map(|budget| (name.clone(), budget))),
            }
        };
        self.cost.budgets.iter().filter_map(|entry| read(entry).transpose()).collect()
    }
}

/// What is wrong with one rule of redaction by itself: what was given, and what is accepted.
pub(super) fn check_redaction_rule(rule: &RedactionRuleConfig) -> Option<(String, String)> {
    wrong_pattern(Redaction::builder().rule(redaction_rule(rule)))
}

/// What is wrong with one exception.
pub(super) fn check_allowed_key(key: &str) -> Option<(String, String)> {
    wrong_pattern(Redaction::builder().allow_key(key))
}

fn wrong_pattern(builder: RedactionBuilder) -> Option<(String, String)> {
    Some(match builder.build().err()? {
        RedactionError::Setting { given, accepted, .. } => (given, accepted.to_owned()),
        RedactionError::Pattern { pattern, column, message, .. } => {
            (format!("`{pattern}`"), format!("a pattern; at character {column}: {message}"))
        }
    })
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

/// A budget; `wrong` is told all that keeps it from being one: the key, what is there, and what is accepted.
pub(super) fn budget(
    config: &BudgetConfig,
    name: &str,
    mut wrong: impl FnMut(&str, &str, &str),
) -> Option<BudgetBuilder> {
    let period = period(&config.period);
    if period.is_none() {
        wrong(".period", &format!("`{}`", config.period), PERIODS);
    }
    let limit = Usd::from_dollars(config.limit_usd).ok().filter(|limit| *limit > Usd::ZERO);
    if limit.is_none() {
        wrong(".limit_usd", &config.limit_usd.to_string(), "an amount of at least 0.000000001");
    }
    let builder = Budget::named(name.to_owned()).limit(limit?).period(period?).policy(config.policy);
    let builder = builder.degrade_at(config.degrade_at);
    let checked = builder.check().map_err(|error| wrong("", &error.to_string(), "a budget"));
    checked.ok().map(|()| builder)
}

/// What is wrong with the period of a budget.
pub(super) fn check_period(text: &str) -> Option<(String, &'static str)> {
    period(text).is_none().then(|| (format!("`{text}`"), PERIODS))
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
