//! What a metric is: its name, kind, unit and labels, checked once, when it is registered.

use thiserror::Error;

use crate::model::Name;

/// Label keys of one metric.
const MOST_LABELS: usize = 16;
/// Bucket limits of one histogram, beside the last, which is without limit.
pub(super) const MOST_BUCKETS: usize = 64;
/// The limits of buckets in seconds that latencies get unless others are given.
pub(crate) const LATENCY_BUCKETS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// How a metric's values behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// Only grows. Its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
    /// Labels that say something about the process; the value is always 1. Its name ends in `_info`.
    Info,
}

impl MetricKind {
    /// The stable string: `counter`, `gauge`, `histogram`, `info`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            MetricKind::Info => "info",
        }
    }
}

/// What a metric's values are measured in: base units, as Prometheus asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Nothing: counts of things, states.
    #[default]
    None,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// US dollars.
    Dollars,
    /// A share, 0 to 1.
    Ratio,
}

impl Unit {
    /// What a name of this unit ends in, before `_total`: `seconds`, `bytes`, `usd`, `ratio`, or
    /// nothing.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
            Unit::Dollars => "usd",
            Unit::Ratio => "ratio",
        }
    }

    /// The smallest difference that a histogram of this unit tells apart.
    pub(super) const fn resolution(self) -> f64 {
        match self {
            Unit::Seconds | Unit::Dollars | Unit::Ratio => 1e-9,
            Unit::Bytes => 1.0,
            Unit::None => 1e-6,
        }
    }
}

/// A metric to be registered with [`Telemetry::counter`](crate::Telemetry::counter),
/// [`gauge`](crate::Telemetry::gauge) or [`histogram`](crate::Telemetry::histogram).
///
/// ```
/// use tta_telemetry::{Metric, Telemetry, Unit};
/// let telemetry = Telemetry::builder().build()?;
/// let size = Metric::named("upload_size_bytes").help("Size of an upload.").unit(Unit::Bytes);
/// let sizes = telemetry.histogram(size.labels(&["region"]).buckets(&[1e3, 1e6, 1e9]))?;
/// sizes.with(&["eu"])?.record(12_000.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Metric {
    pub(super) name: Name,
    pub(super) help: Name,
    pub(super) unit: Unit,
    pub(super) labels: Vec<Name>,
    pub(super) buckets: Option<Vec<f64>>,
    pub(super) resolution: Option<f64>,
}

/// Why a metric is not registered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// A part of the definition is not acceptable.
    #[error("metric `{metric}`: `{field}` is {given}, accepted is {accepted}")]
    Invalid {
        /// The metric.
        metric: Name,
        /// Which part.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// The name is taken by a metric that is defined otherwise.
    #[error(
        "metric `{metric}` is registered as {known}, given was {given}; accepted is the same definition or another name"
    )]
    Conflict {
        /// The metric.
        metric: Name,
        /// How it is registered.
        known: String,
        /// How it was given.
        given: String,
    },
    /// There are too many metrics.
    #[error("metric `{metric}` is one too many, accepted are {accepted}")]
    TooMany {
        /// The metric.
        metric: Name,
        /// How many there may be.
        accepted: usize,
    },
}

impl Metric {
    /// A metric of this name, which says what is measured and in which unit: `upload_size_bytes`.
    /// Letters, digits, `_` and `:`, not beginning with a digit; a counter's ends in `_total`.
    pub fn named(name: impl Into<Name>) -> Self {
        Self {
            name: name.into(),
            help: Name::from_static(""),
            unit: Unit::None,
            labels: Vec::new(),
            buckets: None,
            resolution: None,
        }
    }

    /// A sentence for those who read dashboards. Default: none.
    pub fn help(mut self, help: impl Into<Name>) -> Self {
        self.help = help.into();
        self
    }

    /// What values are measured in. Default: nothing.
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// The label keys, at most 16: letters, digits and `_`, not beginning with a digit or `__`.
    /// Default: none.
    pub fn labels(mut self, keys: &[&str]) -> Self {
        self.labels = keys.iter().map(|key| Name::from((*key).to_owned())).collect();
        self
    }

    /// The upper limits of a histogram's buckets, inclusive and rising, at most 64, in the metric's
    /// unit. Default: those of latencies, 1 ms to 60 s.
    pub fn buckets(mut self, limits: &[f64]) -> Self {
        self.buckets = Some(limits.to_vec());
        self
    }

    /// The smallest difference that a histogram tells apart: it keeps values as whole multiples of
    /// it, as many as fit in 64 bits, and so does their sum. Default: a billionth of a second,
    /// dollar or ratio, a byte, or a millionth of a value without unit.
    pub fn resolution(mut self, resolution: f64) -> Self {
        self.resolution = Some(resolution);
        self
    }

    pub(super) fn resolution_or_default(&self) -> f64 {
        self.resolution.unwrap_or_else(|| self.unit.resolution())
    }

    /// How it is told apart from others of the same name.
    pub(super) fn describe(&self, kind: MetricKind) -> String {
        let labels: Vec<&str> = self.labels.iter().map(Name::as_str).collect();
        let mut text = format!("a {} with labels [{}]", kind.as_str(), labels.join(", "));
        if self.unit != Unit::None {
            text.push_str(&format!(" in {}", self.unit.as_str()));
        }
        if let Some(buckets) = &self.buckets {
            text.push_str(&format!(" with buckets {buckets:?}"));
        }
        text
    }

    /// Checks every part.
    pub(crate) fn check(&self, kind: MetricKind) -> Result<(), MetricError> {
        let invalid = |field, given: String, accepted| {
            Err(MetricError::Invalid { metric: clip(&self.name), field, given, accepted })
        };
        if !is_metric_name(&self.name) {
            let accepted = "letters, digits, `_` and `:`, not beginning with a digit, at most 200";
            return invalid("name", format!("`{}`", clip(&self.name)), accepted);
        }
        if (kind == MetricKind::Counter) != self.name.ends_with("_total") {
            let accepted = "a name that ends in `_total` for a counter, and for no other metric";
            return invalid("name", format!("`{}` of a {}", self.name, kind.as_str()), accepted);
        }
        if self.labels.len() > MOST_LABELS {
            return invalid("labels", format!("{} keys", self.labels.len()), "at most 16 keys");
        }
        for (place, key) in self.labels.iter().enumerate() {
            if !is_label_name(key) || (kind == MetricKind::Histogram && *key == "le") {
                let accepted =
                    "letters, digits and `_`, not beginning with a digit or `__`, and not `le` in a histogram";
                return invalid("labels", format!("`{}`", clip(key)), accepted);
            }
            if self.labels.iter().take(place).any(|earlier| earlier == key) {
                return invalid("labels", format!("`{key}` twice"), "each key once");
            }
        }
        if let Some(resolution) = self.resolution
            && !(resolution.is_finite() && resolution > 0.0)
        {
            return invalid("resolution", resolution.to_string(), "a number above 0");
        }
        if kind != MetricKind::Histogram
            && let Some(buckets) = &self.buckets
        {
            return invalid("buckets", format!("{buckets:?} for a {}", kind.as_str()), "buckets for histograms only");
        }
        self.check_buckets()
    }

    /// Checks the limits of a histogram's buckets.
    pub(crate) fn check_buckets(&self) -> Result<(), MetricError> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        let invalid = |given: String, accepted| {
            Err(MetricError::Invalid { metric: self.name.clone(), field: "buckets", given, accepted })
        };
        if buckets.is_empty() || buckets.len() > MOST_BUCKETS {
            return invalid(format!("{} limits", buckets.len()), "1 to 64 limits");
        }
        let most = self.resolution_or_default() * (i64::MAX as f64);
        if let Some(limit) = buckets.iter().find(|limit| !(limit.is_finite() && (0.0..most).contains(*limit))) {
            return invalid(limit.to_string(), "finite limits of at least 0, below 2^63 times the resolution");
        }
        if let Some([low, high]) = buckets.array_windows().find(|[low, high]| low >= high) {
            return invalid(format!("{high} after {low}"), "rising limits");
        }
        Ok(())
    }
}

/// Names that come from outside are not repeated at any length.
fn clip(name: &Name) -> Name {
    if name.len() <= 100 { name.clone() } else { Name::from(name.chars().take(100).chain(['…']).collect::<String>()) }
}

fn is_metric_name(name: &str) -> bool {
    let is_first = |first: char| first.is_ascii_alphabetic() || "_:".contains(first);
    name.len() <= 200
        && name.starts_with(is_first)
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter))
}

fn is_label_name(name: &str) -> bool {
    name.len() <= 200
        && !name.starts_with("__")
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(metric: Metric, kind: MetricKind) -> String {
        metric.check(kind).unwrap_err().to_string()
    }

    #[test]
    fn illegal_names_are_refused_by_name() {
        use MetricKind::{Counter, Gauge, Histogram};
        for name in ["", "1st", "with space", "größe", "a-b"] {
            let text = error(Metric::named(name), Gauge);
            assert!(text.contains("`name` is") && text.contains(&format!("`{name}`")), "{text}");
        }
        assert!(error(Metric::named("x".repeat(5_000)), Gauge).len() < 400);
        assert!(
            error(Metric::named("orders"), Counter).contains("`orders` of a counter, accepted is a name that ends in")
        );
        assert!(error(Metric::named("orders_total"), Gauge).contains("`orders_total` of a gauge"));
        for key in ["", "le", "__name__", "a:b", "7"] {
            let text = error(Metric::named("x").labels(&["ok", key]), Histogram);
            assert!(text.starts_with(&format!("metric `x`: `labels` is `{key}`")), "{text}");
        }
        assert!(error(Metric::named("x").labels(&["a", "b", "a"]), Gauge).contains("`a` twice"));
        assert!(error(Metric::named("x").labels(&["a"; 17]), Gauge).contains("17 keys"));
        assert_eq!(Metric::named("http:requests_total").labels(&["le", "_x9"]).check(Counter), Ok(()));
    }

    #[test]
    fn buckets_have_to_rise_and_to_be_numbers() {
        let of = |limits: &[f64]| Metric::named("x").buckets(limits).check(MetricKind::Histogram);
        assert_eq!(of(&[0.0, 0.5, 1.0]), Ok(()));
        for (limits, given) in [
            (&[][..], "0 limits"),
            (&[1.0, 1.0], "1 after 1"),
            (&[1.0, 3.0, 2.0], "2 after 3"),
            (&[1.0, f64::NAN], "NaN"),
            (&[1.0, f64::INFINITY], "inf"),
            (&[-1.0], "-1"),
            (&[1e300], "1000000"),
        ] {
            let text = of(limits).unwrap_err().to_string();
            assert!(text.starts_with(&format!("metric `x`: `buckets` is {given}")), "{text}");
        }
        assert!(of(&[1.0; 65]).is_err());
        assert!(error(Metric::named("x").buckets(&[1.0]), MetricKind::Gauge).contains("for histograms only"));
        assert!(error(Metric::named("x").resolution(f64::NAN), MetricKind::Histogram).contains("`resolution` is NaN"));
    }
}
