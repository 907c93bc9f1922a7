//! A rate budget's parameters.

use std::time::Duration;

use crate::sampling::error::SamplingError;

/// What a [`RateBudget`](super::RateBudget) is built from.
#[derive(Clone, Debug, PartialEq)]
pub struct RateBudgetConfig {
    /// Kept traces per second, of those left to chance. Default none; above 0.
    pub max_traces_per_second: Option<f64>,
    /// Their bytes per second. Default none; above 0.
    pub max_bytes_per_second: Option<f64>,
    /// How many times as much is kept of traces that are not left to chance (failed, slow,
    /// cancelled, kept by a rule, forced); beyond it they are sampled as well. Default 10; 1 to
    /// 1,000.
    pub exempt_factor: f64,
    /// How long a threshold holds; it is made of what came in the window before. Default 1 s; 100 ms
    /// to 60 s.
    pub window: Duration,
}

impl Default for RateBudgetConfig {
    fn default() -> Self {
        Self {
            max_traces_per_second: None,
            max_bytes_per_second: None,
            exempt_factor: 10.0,
            window: Duration::from_secs(1),
        }
    }
}

impl RateBudgetConfig {
    /// Everything that is outside its range, in the order of the fields.
    #[must_use]
    pub fn problems(&self) -> Vec<SamplingError> {
        let mut problems = Vec::new();
        let limits = [
            ("max_traces_per_second", self.max_traces_per_second),
            ("max_bytes_per_second", self.max_bytes_per_second),
        ];
        for (field, limit) in limits {
            if let Some(limit) = limit.filter(|limit| !(limit.is_finite() && *limit > 0.0)) {
                problems.push(SamplingError::new(field, &limit, "above 0, finite"));
            }
        }
        if !(1.0..=1_000.0).contains(&self.exempt_factor) {
            problems.push(SamplingError::new("exempt_factor", &self.exempt_factor, "1 to 1000"));
        }
        if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&self.window) {
            let given = format!("{:?}", self.window);
            problems.push(SamplingError::new("window", &given, "100 ms to 60 s"));
        }
        problems
    }
}
