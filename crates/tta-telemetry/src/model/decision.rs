//! The decision about a whole trace: keep or drop, at what rate, and why.

use std::fmt;
use std::str::FromStr;

use super::{RuleName, RuleNameError};

/// Which traces the engine keeps.
///
/// Every run is recorded whichever is chosen; the choice is made when the run has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// Keep every trace. The default.
    #[default]
    KeepAll,
    /// Keep no trace. Step statistics stay exact.
    KeepNone,
    /// Keep traces that failed or were cancelled; drop those that succeeded.
    KeepFailed,
}

/// What was decided about one trace, once, when it ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingDecision {
    /// Whether the trace goes to the sinks.
    pub keep: bool,
    /// The probability with which traces of this class are kept, `0.0..=1.0`.
    pub rate: f64,
    /// Why.
    pub reason: DecisionReason,
    /// Who decided: a stable lower-case name.
    pub sampler: &'static str,
}

/// Why a trace was kept or dropped. The strings are stable; see [`DecisionReason::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecisionReason {
    /// The rate is 0.
    RateZero,
    /// The rate is 1.
    RateOne,
    /// Chance, by the trace's randomness or the hash of its key.
    ProbabilisticHash,
    /// Chance, by a number drawn for want of a key.
    ProbabilisticRandom,
    /// The run failed.
    TailError,
    /// The run took at least as long as a slow one.
    TailSlow,
    /// The run was none of those that are always kept, and not chosen by chance.
    TailNormal,
    /// The run was cancelled.
    Cancelled,
    /// Memory ran out and this trace was decided before its end, as it stood.
    Evicted,
    /// The caller in another process keeps the trace.
    ParentSampled,
    /// The caller in another process does not keep the trace.
    ParentNotSampled,
    /// Somebody asked for this trace.
    Forced,
    /// A rule, or a sampler of the program, by this name.
    Rule(RuleName),
}

/// Room for reasons in tables of counts.
pub(crate) const MOST_REASONS: usize = 16;

impl DecisionReason {
    /// Labels of counts, each at its index. All rules share one.
    pub(crate) const LABELS: [&'static str; 13] = [
        "sampling_rate_zero",
        "sampling_rate_one",
        "probabilistic_hash",
        "probabilistic_random",
        "tail_error",
        "tail_slow",
        "tail_normal",
        "cancelled",
        "evicted",
        "parent_sampled",
        "parent_not_sampled",
        "forced",
        "rule",
    ];

    /// The index that all rules share.
    pub(crate) const RULE_INDEX: usize = 12;

    /// Those without a name of their own, each at its index.
    const PLAIN: [Self; 12] = [
        DecisionReason::RateZero,
        DecisionReason::RateOne,
        DecisionReason::ProbabilisticHash,
        DecisionReason::ProbabilisticRandom,
        DecisionReason::TailError,
        DecisionReason::TailSlow,
        DecisionReason::TailNormal,
        DecisionReason::Cancelled,
        DecisionReason::Evicted,
        DecisionReason::ParentSampled,
        DecisionReason::ParentNotSampled,
        DecisionReason::Forced,
    ];

    /// A small number of its own; the same for all rules.
    pub(crate) const fn index(self) -> usize {
        match self {
            DecisionReason::RateZero => 0,
            DecisionReason::RateOne => 1,
            DecisionReason::ProbabilisticHash => 2,
            DecisionReason::ProbabilisticRandom => 3,
            DecisionReason::TailError => 4,
            DecisionReason::TailSlow => 5,
            DecisionReason::TailNormal => 6,
            DecisionReason::Cancelled => 7,
            DecisionReason::Evicted => 8,
            DecisionReason::ParentSampled => 9,
            DecisionReason::ParentNotSampled => 10,
            DecisionReason::Forced => 11,
            DecisionReason::Rule(_) => Self::RULE_INDEX,
        }
    }

    /// The stable string of this reason, as in attributes and JSON: `rule:<name>` for a rule.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            DecisionReason::Rule(name) => name.prefixed(),
            plain => Self::LABELS.get(plain.index()).copied().unwrap_or_default(),
        }
    }
}

impl fmt::Display for DecisionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DecisionReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("rule:") {
            return name.parse().map(DecisionReason::Rule).map_err(|error: RuleNameError| error.to_string());
        }
        Self::PLAIN.into_iter().find(|reason| reason.as_str() == text).ok_or_else(|| {
            let given: String = text.chars().take(40).collect();
            let known = Self::PLAIN.map(|reason| Self::LABELS.get(reason.index()).copied().unwrap_or_default());
            format!("`{given}` is not a decision reason: expected {} or rule:<name>", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reason after this one. A new variant has to be put into the chain, and is then checked.
    fn next(reason: DecisionReason) -> Option<DecisionReason> {
        match reason {
            DecisionReason::RateZero => Some(DecisionReason::RateOne),
            DecisionReason::RateOne => Some(DecisionReason::ProbabilisticHash),
            DecisionReason::ProbabilisticHash => Some(DecisionReason::ProbabilisticRandom),
            DecisionReason::ProbabilisticRandom => Some(DecisionReason::TailError),
            DecisionReason::TailError => Some(DecisionReason::TailSlow),
            DecisionReason::TailSlow => Some(DecisionReason::TailNormal),
            DecisionReason::TailNormal => Some(DecisionReason::Cancelled),
            DecisionReason::Cancelled => Some(DecisionReason::Evicted),
            DecisionReason::Evicted => Some(DecisionReason::ParentSampled),
            DecisionReason::ParentSampled => Some(DecisionReason::ParentNotSampled),
            DecisionReason::ParentNotSampled => Some(DecisionReason::Forced),
            DecisionReason::Forced => Some(DecisionReason::Rule("slow-pages".parse().unwrap())),
            DecisionReason::Rule(_) => None,
        }
    }

    #[test]
    fn every_reason_reads_back_from_its_stable_string_and_has_an_index_of_its_own() {
        let reasons: Vec<_> = std::iter::successors(Some(DecisionReason::RateZero), |reason| next(*reason)).collect();
        assert_eq!(reasons.len(), DecisionReason::LABELS.len());
        for (index, reason) in reasons.into_iter().enumerate() {
            assert_eq!(reason.to_string().parse(), Ok(reason));
            assert_eq!(reason.index(), index);
            assert!(index < MOST_REASONS);
            if index < DecisionReason::PLAIN.len() {
                assert_eq!((DecisionReason::PLAIN[index], reason.as_str()), (reason, DecisionReason::LABELS[index]));
            }
        }
    }

    #[test]
    fn a_rule_is_its_name_and_counts_with_the_other_rules() {
        let rule = DecisionReason::Rule("checkout.slow_1".parse().unwrap());
        assert_eq!((rule.as_str(), rule.index()), ("rule:checkout.slow_1", 12));
        assert_eq!("rule:checkout.slow_1".parse(), Ok(rule));
        assert!("rule:Checkout".parse::<DecisionReason>().unwrap_err().contains("`Checkout`"));
    }

    #[test]
    fn a_reason_is_copied_as_a_few_words() {
        assert!(size_of::<DecisionReason>() <= 40, "{}", size_of::<DecisionReason>());
    }

    #[test]
    fn an_unknown_reason_is_refused_with_the_known_ones() {
        let error = "why_not".parse::<DecisionReason>().unwrap_err();
        assert!(error.starts_with("`why_not` is not a decision reason: expected sampling_rate_zero, "), "{error}");
        assert!(error.ends_with(", parent_not_sampled, forced or rule:<name>"), "{error}");
    }
}
