//! Amounts: the report, and the metrics of primitives.

use tta_telemetry::{Charge, CostPlace, SavingsSource, Usd};

use super::support::{engine, points};

#[test]
fn an_amount_is_in_the_report_and_in_the_metrics_of_its_primitive() {
    let engine = engine();
    let place =
        CostPlace { workflow: "answer", name: "ask", kind: "lambda", category: "llm", model: "small", user: "ada" };
    engine.telemetry.record_cost(&place, &Charge::priced(Usd::from_micros(1_500)));
    let cached = Charge::saved(SavingsSource::Caching, Usd::from_micros(500));
    engine.telemetry.record_cost(&CostPlace { user: "bob", ..place }, &cached);
    engine.telemetry.record_cost(&CostPlace { category: "search", ..place }, &Charge::unpriced());
    let report = engine.telemetry.cost_report();
    assert_eq!((report.total.cost, report.total.savings()), (Usd::from_micros(1_500), Usd::from_micros(500)));
    assert_eq!((report.total.savings_rate(), report.total.unpriced), (0.25, 1));
    assert_eq!(report.by_user.len(), 2);
    let costs = points(&engine.family("primitive_cost_total"));
    assert_eq!(costs, [("answer/ask/lambda/llm".to_owned(), 0.0015), ("answer/ask/lambda/search".to_owned(), 0.0)]);
    assert_eq!(engine.value("primitive_cost_savings_total", &[("category", "llm")]), 0.0005);
    let unpriced = points(&engine.family("primitive_cost_unpriced_total"));
    assert_eq!(unpriced, [("answer/ask/lambda/search".to_owned(), 1.0)]);
}
