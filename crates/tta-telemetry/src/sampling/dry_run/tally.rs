//! Sums by what decided.

use super::report::DryRunRow;
use crate::model::{DecisionReason, MOST_REASONS};
use crate::sampling::estimate::Estimator;
use crate::sampling::tail::TailDecision;

#[derive(Debug)]
pub(super) struct Tallies {
    /// Those of reasons, by their index.
    plain: [Tally; MOST_REASONS],
    /// Those of rules, in their order.
    rules: Vec<(String, Tally)>,
    total: Tally,
}

#[derive(Clone, Debug, Default)]
struct Tally {
    traces: u64,
    kept: u64,
    bytes: u64,
    kept_bytes: u64,
    estimator: Estimator,
    expected_kept: f64,
    expected_kept_bytes: f64,
}

impl Tallies {
    pub(super) fn new(rules: impl IntoIterator<Item = String>) -> Self {
        let rules = rules.into_iter().map(|name| (name, Tally::default())).collect();
        Self { plain: std::array::from_fn(|_| Tally::default()), rules, total: Tally::default() }
    }

    pub(super) fn add(&mut self, reason: DecisionReason, decided: &TailDecision, weight: Option<f64>, bytes: u64) {
        let tally = match &reason {
            DecisionReason::Rule(name) => {
                self.rules.iter_mut().find(|(rule, _)| *rule == name.as_str()).map(|(_, tally)| tally)
            }
            plain => self.plain.get_mut(plain.index()),
        };
        let expected = expected(reason, decided, weight);
        for tally in tally.into_iter().chain([&mut self.total]) {
            tally.add(decided.decision.keep, expected, weight, bytes);
        }
    }

    /// How many traces this rule decided about.
    pub(super) fn of_rule(&self, name: &str) -> u64 {
        self.rules.iter().find(|(rule, _)| rule == name).map_or(0, |(_, tally)| tally.traces)
    }

    pub(super) fn total(&self) -> DryRunRow {
        self.total.row("total".to_owned())
    }

    /// In the order in which they are asked: what is kept always, rules, chance.
    pub(super) fn rows(&self) -> Vec<DryRunRow> {
        use DecisionReason as Is;
        let plain = |reasons: &[DecisionReason]| {
            let row = |reason: &DecisionReason| {
                self.plain.get(reason.index()).map(|tally| tally.row(reason.as_str().to_owned()))
            };
            reasons.iter().filter_map(row).collect::<Vec<_>>()
        };
        let always = plain(&[Is::Forced, Is::TailError, Is::Cancelled, Is::TailSlow]);
        let chance = plain(&[
            Is::ParentSampled,
            Is::ParentNotSampled,
            Is::RateOne,
            Is::ProbabilisticHash,
            Is::ProbabilisticRandom,
            Is::RateZero,
        ]);
        let rules = self.rules.iter().map(|(name, tally)| tally.row(format!("rule:{name}")));
        let is_rule = |row: &DryRunRow| row.reason.starts_with("rule:");
        always.into_iter().chain(rules).chain(chance).filter(|row| row.traces > 0 || is_rule(row)).collect()
    }
}

/// How many of the runs that this trace stands for are expected to be kept: their number times the
/// probability of their class, whoever was lucky. What a caller keeps is what there is.
fn expected(reason: DecisionReason, decided: &TailDecision, weight: Option<f64>) -> f64 {
    match weight {
        Some(weight) if reason != DecisionReason::ParentSampled => weight * decided.decision.rate,
        _ => f64::from(u8::from(decided.decision.keep)),
    }
}

impl Tally {
    fn add(&mut self, keep: bool, expected: f64, weight: Option<f64>, bytes: u64) {
        self.traces += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if keep {
            self.kept += 1;
            self.kept_bytes = self.kept_bytes.saturating_add(bytes);
        }
        self.estimator.add(weight, bytes as f64);
        self.expected_kept += expected;
        self.expected_kept_bytes += expected * bytes as f64;
    }

    fn row(&self, reason: String) -> DryRunRow {
        DryRunRow {
            reason,
            traces: self.traces,
            kept: self.kept,
            bytes: self.bytes,
            kept_bytes: self.kept_bytes,
            stands_for: self.estimator.count(),
            of_unknown_weight: self.estimator.unknown_count(),
            expected_kept: self.expected_kept,
            expected_kept_bytes: self.expected_kept_bytes,
        }
    }
}
