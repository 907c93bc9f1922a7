//! Money as JSON: exact, as decimal text and in nano-dollars.

use serde::Serialize;
use tta_telemetry::{CostLine, CostReport, CostTotals, SavingsSource, Usd};
use utoipa::ToSchema;

/// An amount of US dollars.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Money {
    /// In dollars, exact, as decimal text: `0.0021`.
    #[schema(pattern = "^-?[0-9]+\\.[0-9]{2,9}$")]
    usd: String,
    /// In nano-dollars, a billionth each.
    nano_usd: i64,
}

/// What everything cost and what was saved. The lines of each dimension add up to the total.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cost {
    total: Totals,
    by_category: Vec<Line>,
    by_workflow: Vec<Line>,
    by_model: Vec<Line>,
    by_user: Vec<Line>,
    overflow: Overflow,
}

/// Exact sums.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Totals {
    entries: u64,
    /// Entries whose price nobody knew; they are not in `cost`.
    unpriced: u64,
    cost: Money,
    savings: Savings,
    /// Cost less savings.
    net_cost: Money,
    /// savings / (cost + savings), 0 to 1.
    savings_rate: f64,
}

/// What was saved, and by what.
#[derive(Debug, Serialize, ToSchema)]
struct Savings {
    total: Money,
    caching: Money,
    routing: Money,
    other: Money,
}

/// The sums of one category, workflow, model or user.
#[derive(Debug, Serialize, ToSchema)]
struct Line {
    /// Empty for entries that did not say, `other` for those beyond the bound.
    name: String,
    #[serde(flatten)]
    totals: Totals,
}

/// How often a bound of the ledger bit.
#[derive(Debug, Serialize, ToSchema)]
struct Overflow {
    categories: u64,
    workflows: u64,
    models: u64,
    users: u64,
    combinations: u64,
}

impl Money {
    fn signed(nano_usd: i64) -> Self {
        let text = Usd::from_nanos(nano_usd.unsigned_abs()).to_string();
        let sign = if nano_usd < 0 { "-" } else { "" };
        Self { usd: format!("{sign}{}", text.trim_start_matches('$')), nano_usd }
    }
}

impl From<Usd> for Money {
    /// Amounts above nine billion dollars are shown as that.
    fn from(amount: Usd) -> Self {
        Self::signed(i64::try_from(amount.nanos()).unwrap_or(i64::MAX))
    }
}

impl From<&CostTotals> for Totals {
    fn from(totals: &CostTotals) -> Self {
        Self {
            entries: totals.entries,
            unpriced: totals.unpriced,
            cost: totals.cost.into(),
            savings: Savings {
                total: totals.savings().into(),
                caching: totals.saved_by(SavingsSource::Caching).into(),
                routing: totals.saved_by(SavingsSource::Routing).into(),
                other: totals.saved_by(SavingsSource::Other).into(),
            },
            net_cost: Money::signed(totals.net_cost_nano_usd()),
            savings_rate: totals.savings_rate(),
        }
    }
}

impl From<&CostReport> for Cost {
    fn from(report: &CostReport) -> Self {
        let line = |line: &CostLine| Line { name: line.name.to_string(), totals: Totals::from(&line.totals) };
        let lines = |lines: &[CostLine]| lines.iter().map(line).collect();
        Self {
            total: Totals::from(&report.total),
            by_category: lines(&report.by_category),
            by_workflow: lines(&report.by_workflow),
            by_model: lines(&report.by_model),
            by_user: lines(&report.by_user),
            overflow: Overflow {
                categories: report.overflow.categories,
                workflows: report.overflow.workflows,
                models: report.overflow.models,
                users: report.overflow.users,
                combinations: report.overflow.combinations,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_below_zero_too() {
        let text = |nanos| Money::signed(nanos).usd;
        assert_eq!([text(2_100_000), text(-1), text(0)], ["0.0021", "-0.000000001", "0.00"]);
        assert_eq!(Money::from(Usd::from_nanos(u64::MAX)).nano_usd, i64::MAX);
    }
}
