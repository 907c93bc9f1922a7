//! Several rules, of which the first that matches decides.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Quantile, RuleContext, RuleSetError, SamplingRule};
use crate::model::Trace;

const MOST_RULES: usize = 100;

/// Rules in their order: the first that matches a trace decides, and counts it.
///
/// ```
/// use tta_telemetry::RuleSet;
///
/// let rules = RuleSet::parse(["health: drop when workflow == \"health\"", "bulk: rate 0.01"])?;
/// assert_eq!(rules.counts().map(|count| (count.name, count.matched)).collect::<Vec<_>>(), [("health", 0), ("bulk", 0)]);
/// # Ok::<(), tta_telemetry::RuleSetError>(())
/// ```
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Counted>,
}

#[derive(Debug)]
struct Counted {
    rule: SamplingRule,
    matched: AtomicU64,
}

/// How often one rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleCount<'r> {
    /// The rule.
    pub name: &'r str,
    /// For how many traces it was the first that matched.
    pub matched: u64,
}

impl RuleSet {
    /// A set of rules, in the order in which they are tried.
    ///
    /// # Errors
    /// More than 100, or two with the same name.
    pub fn new(rules: impl IntoIterator<Item = SamplingRule>) -> Result<Self, RuleSetError> {
        let mut set = Self::default();
        for rule in rules {
            if set.rules.len() == MOST_RULES {
                return Err(RuleSetError::TooMany { given: MOST_RULES + 1 });
            }
            if let Some(first) = set.rules.iter().position(|earlier| earlier.rule.name() == rule.name()) {
                let name = rule.name().to_owned();
                return Err(RuleSetError::Duplicate { name, first: first + 1, second: set.rules.len() + 1 });
            }
            set.rules.push(Counted { rule, matched: AtomicU64::new(0) });
        }
        Ok(set)
    }

    /// Reads rules, one from each text.
    ///
    /// # Errors
    /// As [`RuleSet::new`], and the first rule that does not read.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, RuleSetError> {
        let rules: Result<Vec<_>, _> = texts
            .into_iter()
            .enumerate()
            .map(|(place, text)| text.parse().map_err(|source| RuleSetError::Rule { number: place + 1, source }))
            .collect();
        Self::new(rules?)
    }

    /// The first rule that matches a finished trace, and counts it.
    pub fn decide(&self, trace: &Trace, context: &RuleContext<'_>) -> Option<&SamplingRule> {
        let found = self.rules.iter().find(|counted| counted.rule.matches(trace, context))?;
        found.matched.fetch_add(1, Ordering::Relaxed);
        Some(&found.rule)
    }

    /// The rules, in order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &SamplingRule> {
        self.rules.iter().map(|counted| &counted.rule)
    }

    /// How often each rule decided, in order.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = RuleCount<'_>> {
        self.rules
            .iter()
            .map(|counted| RuleCount { name: counted.rule.name(), matched: counted.matched.load(Ordering::Relaxed) })
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The quantiles of latency that any rule names, each once, the smallest first.
    #[must_use]
    pub fn quantiles(&self) -> Vec<Quantile> {
        let mut quantiles: Vec<Quantile> = self.rules().flat_map(SamplingRule::quantiles).collect();
        quantiles.sort_unstable();
        quantiles.dedup();
        quantiles
    }

    /// The attributes that any rule names, each once, in order of the alphabet.
    #[must_use]
    pub fn attributes(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = self.rules().flat_map(SamplingRule::attributes).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}
