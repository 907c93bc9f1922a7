//! What steps say they spent.
//!
//! Owns finding out for whom, and the total on the current span. Sums are kept by the engine.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tta_telemetry::{Charge, CostPlace, SpanId, Usd, ValueRef};

use super::Context;

/// Spans whose totals are remembered.
const MOST_SPANS: usize = 1_024;

/// What was spent in each span so far, so that the attribute can say the total.
#[derive(Default)]
pub(super) struct Spent(Mutex<BTreeMap<SpanId, Usd>>);

impl Spent {
    fn add(&self, span: SpanId, cost: Usd) -> Usd {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() >= MOST_SPANS && !spans.contains_key(&span) {
            // Most have ended long since. One that has not begins anew, on its span only.
            spans.clear();
        }
        let total = spans.entry(span).or_insert(Usd::ZERO);
        *total += cost;
        *total
    }
}

impl Context {
    /// Says that the current step has spent an amount: see [`record_charge`](Context::record_charge).
    ///
    /// ```
    /// # #[cfg(feature = "record")] {
    /// use tta_primitives::{Context, Result, step, with_context};
    /// use tta_telemetry::{Telemetry, Usd};
    ///
    /// async fn ask(question: String, cx: Context) -> Result<String> {
    ///     cx.record_cost("llm", Usd::from_micros(300));
    ///     Ok(question)
    /// }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let telemetry = Telemetry::builder().build()?;
    /// let cx = Context::builder().telemetry(telemetry.clone()).user_id("ada").build()?;
    /// step(with_context(ask)).named("answer").run("why?".to_owned(), &cx).await?;
    ///
    /// let report = telemetry.cost_report();
    /// assert_eq!((report.total_cost(), report.by_user[0].name.as_str()), (Usd::from_micros(300), "ada"));
    /// assert_eq!(telemetry.metrics("ask").unwrap().cost.cost, Usd::from_micros(300));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// # }
    /// ```
    pub fn record_cost(&self, category: &str, cost: Usd) {
        self.record_charge(category, "", &Charge::priced(cost));
    }

    /// Enters what a call cost or saved, or that nobody knows what it cost, into the engine's
    /// [cost report](tta_telemetry::Telemetry::cost_report) and metrics (`primitive_cost_total`,
    /// `primitive_cost_savings_total`, `primitive_cost_unpriced_total`): for the innermost step that
    /// is running, its workflow, the model (which may be empty) and the context's
    /// [user](Context::user_id). The current span says the total of its charges, `cost.usd`, and
    /// `cost.unpriced` when there is one without a price.
    ///
    /// Exact whatever is kept of the trace. Takes some hundred nanoseconds. Nothing happens outside
    /// a run, or when nothing is recorded. What a [route](crate::Route::cost) costs is entered by its
    /// router: a step in it must not enter it again. [Budgets](crate::Workflow::budget) count for
    /// themselves: nothing is charged to them by this, and what they are charged is not entered here.
    ///
    /// ```
    /// # use tta_primitives::{Context, Result};
    /// use tta_telemetry::{Charge, SavingsSource, Usd};
    ///
    /// async fn embed(text: String, cx: Context) -> Result<String> {
    ///     // Half of it was cached by whoever serves the model.
    ///     let charge = Charge::priced(Usd::from_micros(40)).saving(SavingsSource::Other, Usd::from_micros(40));
    ///     cx.record_charge("embedding", "small-1", &charge);
    ///     Ok(text)
    /// }
    /// ```
    pub fn record_charge(&self, category: &str, model: &str, charge: &Charge) {
        let telemetry = self.telemetry();
        if !self.is_in_run() || !telemetry.is_enabled() {
            return;
        }
        let at = self.at();
        let labels = telemetry.step_labels(at.step);
        let run = self.workflow_name();
        // A run that is not recorded has no steps: then it is the run's.
        let (name, kind) = labels.as_ref().map_or((run.as_str(), "workflow"), |[_, name, kind]| (name, kind));
        let workflow = labels.as_ref().map_or(run, |[workflow, ..]| workflow);
        let user = self.user_id().unwrap_or_default();
        telemetry.record_cost(&CostPlace { workflow, name, kind, category, model, user }, charge);
        if let Some(span) = at.span.filter(|_| self.is_recording()) {
            let said = match charge.cost() {
                Some(cost) => ("cost.usd", ValueRef::from(self.0.common.shared.spent.add(span, cost).dollars())),
                None => ("cost.unpriced", ValueRef::Bool(true)),
            };
            self.annotate(&[said]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_by_span_and_spans_without_end_are_bounded() {
        let spent = Spent::default();
        let span = |id: u64| SpanId::new(id).unwrap();
        let cent = Usd::from_micros(10_000);
        assert_eq!([1, 2, 1].map(|id| spent.add(span(id), cent).nanos()), [1, 1, 2].map(|n| n * cent.nanos()));
        for id in 1..5_000 {
            spent.add(span(id), cent);
        }
        assert!(spent.0.lock().unwrap().len() <= MOST_SPANS);
    }
}
