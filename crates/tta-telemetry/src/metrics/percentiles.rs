//! The figures that are shown of a histogram.

use super::histogram::Histogram;

/// Count, sum and quantiles of values, in the values' own unit: nanoseconds for durations.
///
/// Quantiles are by nearest rank, within 1 % of the exact ones.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percentiles {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// Their mean; `None`, as everything that follows, when there is no value.
    pub mean: Option<f64>,
    /// The smallest.
    pub min: Option<u64>,
    /// The largest.
    pub max: Option<u64>,
    /// The median.
    pub p50: Option<u64>,
    /// What 90 % of the values do not exceed.
    pub p90: Option<u64>,
    /// What 95 % of the values do not exceed.
    pub p95: Option<u64>,
    /// What 99 % of the values do not exceed.
    pub p99: Option<u64>,
    /// What 99.9 % of the values do not exceed.
    pub p999: Option<u64>,
}

impl From<&Histogram> for Percentiles {
    fn from(values: &Histogram) -> Self {
        let (count, sum) = (values.count(), values.sum());
        Self {
            count,
            sum,
            mean: (count > 0).then(|| sum as f64 / count as f64),
            min: values.min(),
            max: values.max(),
            p50: values.quantile(0.5),
            p90: values.quantile(0.9),
            p95: values.quantile(0.95),
            p99: values.quantile(0.99),
            p999: values.quantile(0.999),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_histogram_and_absent_without_values() {
        assert_eq!(Percentiles::from(&Histogram::default()), Percentiles::default());
        let mut values = Histogram::default();
        (1..=100).for_each(|value| values.record(value));
        let want = Percentiles {
            count: 100,
            sum: 5_050,
            mean: Some(50.5),
            min: Some(1),
            max: Some(100),
            p50: Some(50),
            p90: Some(90),
            p95: Some(95),
            p99: Some(99),
            p999: Some(100),
        };
        assert_eq!(Percentiles::from(&values), want);
    }
}
