//! A table of steps, 80 columns wide.

use tta::telemetry::{StepStatistics, format};

const NAME: usize = 18;
const KIND: usize = 11;
const NUMBER: usize = 6;
const TIME: usize = 9;

pub(super) fn render(steps: &[StepStatistics]) -> String {
    let mut out = format!(
        "{:<NAME$} {:<KIND$} {:>NUMBER$} {:>NUMBER$} {:>TIME$} {:>TIME$} {:>TIME$}{:>TIME$}\n",
        "step", "type", "runs", "errors", "p50", "p95", "p99", "max"
    );
    for step in steps {
        let quantile = |q| step.durations.quantile(q).map(format::duration).unwrap_or_default();
        let max = step.durations.max().map(format::duration).unwrap_or_default();
        out.push_str(&format!(
            "{:<NAME$} {:<KIND$} {:>NUMBER$} {:>NUMBER$} {:>TIME$} {:>TIME$} {:>TIME$}{:>TIME$}\n",
            format::clip(&step.name, NAME),
            format::clip(&step.kind, KIND),
            step.runs(),
            step.failure,
            quantile(0.5),
            quantile(0.95),
            quantile(0.99),
            max,
        ));
    }
    out
}
