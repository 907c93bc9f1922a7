//! An objective and its settings.

use std::time::Duration;

use thiserror::Error;

use crate::model::Name;

/// Targets are held as whole billionths, so that what the budget allows is exact: as a float,
/// `1.0 - 0.99` is not `0.01`.
pub(super) const BILLION: u64 = 1_000_000_000;

const DEFAULT_TARGET: f64 = 0.99;
const DAY: Duration = Duration::from_secs(86_400);
const DEFAULT_WINDOW: Duration = Duration::from_secs(30 * 86_400);
const SHORTEST_WINDOW: Duration = Duration::from_secs(60);
const LONGEST_WINDOW: Duration = Duration::from_secs(366 * 86_400);
const MOST_MINIMUM_EVENTS: u64 = 1_000_000_000;
const NAME_BYTES: usize = 128;

/// What is expected of a primitive or workflow: that the share `target` of its requests conforms
/// over a rolling `window`.
///
/// A request conforms when it succeeded and, if there is a latency threshold, took no longer.
/// Cancelled requests are not counted.
///
/// ```
/// use std::time::Duration;
/// use tta_telemetry::Slo;
///
/// let slo = Slo::named("checkout").target(0.999).latency_threshold(Duration::from_millis(250)).build()?;
/// assert_eq!((slo.target(), slo.window()), (0.999, Duration::from_secs(30 * 86_400)));
///
/// let refused = Slo::named("checkout").target(1.0).build().unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "SLO `checkout`: `target` is 1.0, accepted is above 0 and below 1, to nine decimals"
/// );
/// # Ok::<(), tta_telemetry::SloError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Slo {
    name: Name,
    target: f64,
    /// Of a billion requests, how many may be bad.
    allowed_bad: u64,
    latency_threshold: Option<Duration>,
    window: Duration,
    minimum_events: u64,
}

/// Builds a [`Slo`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SloBuilder {
    name: Name,
    target: f64,
    latency_threshold: Option<Duration>,
    window: Duration,
    minimum_events: Option<u64>,
}

/// A setting outside its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("SLO `{slo}`: `{setting}` is {given}, accepted is {accepted}")]
pub struct SloError {
    /// The objective's name.
    pub slo: Name,
    /// Its setting.
    pub setting: &'static str,
    /// The value given.
    pub given: String,
    /// The accepted range, in words.
    pub accepted: &'static str,
}

impl SloError {
    pub(super) fn check(
        slo: &Name,
        setting: &'static str,
        given: impl std::fmt::Debug,
        accepted: &'static str,
        within: bool,
    ) -> Result<(), Self> {
        if within {
            return Ok(());
        }
        Err(Self { slo: slo.clone(), setting, given: format!("{given:?}"), accepted })
    }
}

impl Slo {
    /// Starts with a name: 1 to 128 bytes, without control characters.
    pub fn named(name: impl Into<Name>) -> SloBuilder {
        SloBuilder {
            name: name.into(),
            target: DEFAULT_TARGET,
            latency_threshold: None,
            window: DEFAULT_WINDOW,
            minimum_events: None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The share of requests that must conform.
    #[must_use]
    pub fn target(&self) -> f64 {
        self.target
    }

    /// How long a request may take to conform.
    #[must_use]
    pub fn latency_threshold(&self) -> Option<Duration> {
        self.latency_threshold
    }

    /// Over how long it is judged.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// With fewer requests its numbers are not acted upon.
    #[must_use]
    pub fn minimum_events(&self) -> u64 {
        self.minimum_events
    }

    /// Of a billion requests, how many may be bad: 1 to 999,999,999.
    pub(super) fn allowed_bad(&self) -> u64 {
        self.allowed_bad
    }

    pub(super) fn window_ns(&self) -> u64 {
        nanos(self.window)
    }

    pub(super) fn latency_threshold_ns(&self) -> Option<u64> {
        self.latency_threshold.map(nanos)
    }
}

impl SloBuilder {
    /// The share of requests that must conform. Default 0.99; above 0 and below 1, rounded to nine
    /// decimals (and not rounded to 0 or 1).
    pub fn target(mut self, share: f64) -> Self {
        self.target = share;
        self
    }

    /// How long a request may take and still conform, this long included. Default: as long as it
    /// likes. 1 microsecond to 1 day; 0 is refused, for nothing could conform.
    pub fn latency_threshold(mut self, threshold: Duration) -> Self {
        self.latency_threshold = Some(threshold);
        self
    }

    /// Over how long the objective is judged, rolling. Default 30 days; 1 minute to 366 days. It is
    /// measured in steps of a 360th (2 hours of 30 days).
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// With fewer requests than this in a window its numbers are shown, marked as too few, and no
    /// budget callback fires. Default: 1 / (1 - target), 100 for 0.99, so that one bad request
    /// alone cannot overspend the budget. At most 1,000,000,000; 0 acts upon any number.
    pub fn minimum_events(mut self, events: u64) -> Self {
        self.minimum_events = Some(events);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// The first setting outside its range.
    pub fn build(self) -> Result<Slo, SloError> {
        let Self { name, target, latency_threshold, window, minimum_events } = self;
        let named = (1..=NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
        SloError::check(&name, "name", name.as_str(), "1 to 128 bytes without control characters", named)?;
        // A NaN is in no range.
        let billionths = if target > 0.0 && target < 1.0 { (target * BILLION as f64).round() as u64 } else { 0 };
        let accepted = "above 0 and below 1, to nine decimals";
        SloError::check(&name, "target", target, accepted, (1..BILLION).contains(&billionths))?;
        let allowed_bad = BILLION - billionths;
        if let Some(given) = latency_threshold {
            let in_range = (Duration::from_micros(1)..=DAY).contains(&given);
            SloError::check(&name, "latency_threshold", given, "1 microsecond to 1 day", in_range)?;
        }
        let in_range = (SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&window);
        SloError::check(&name, "window", window, "1 minute to 366 days", in_range)?;
        let minimum_events = minimum_events.unwrap_or(BILLION.div_ceil(allowed_bad));
        let in_range = minimum_events <= MOST_MINIMUM_EVENTS;
        SloError::check(&name, "minimum_events", minimum_events, "0 to 1000000000", in_range)?;
        Ok(Slo { name, target, allowed_bad, latency_threshold, window, minimum_events })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let slo = Slo::named("s").build().unwrap();
        assert_eq!((slo.name().as_str(), slo.target(), slo.latency_threshold()), ("s", 0.99, None));
        assert_eq!((slo.window(), slo.minimum_events()), (Duration::from_secs(2_592_000), 100));
        assert_eq!(Slo::named("s").target(0.999).build().unwrap().minimum_events(), 1_000);
        assert_eq!(Slo::named("s").target(0.3).build().unwrap().minimum_events(), 2);
    }

    #[test]
    fn what_is_out_of_range_is_refused_with_setting_value_and_range() {
        let slo = || Slo::named("s");
        let target = "above 0 and below 1, to nine decimals";
        let refused = [
            (
                Slo::named(""),
                "SLO ``: `name` is \"\", accepted is 1 to 128 bytes without control characters".to_owned(),
            ),
            (slo().target(0.0), format!("SLO `s`: `target` is 0.0, accepted is {target}")),
            (slo().target(1.0), format!("SLO `s`: `target` is 1.0, accepted is {target}")),
            (slo().target(-0.5), format!("SLO `s`: `target` is -0.5, accepted is {target}")),
            (slo().target(f64::NAN), format!("SLO `s`: `target` is NaN, accepted is {target}")),
            (slo().target(f64::INFINITY), format!("SLO `s`: `target` is inf, accepted is {target}")),
            (slo().target(0.999_999_999_9), format!("SLO `s`: `target` is 0.9999999999, accepted is {target}")),
            (slo().target(1e-10), format!("SLO `s`: `target` is 1e-10, accepted is {target}")),
            (
                slo().latency_threshold(Duration::ZERO),
                "SLO `s`: `latency_threshold` is 0ns, accepted is 1 microsecond to 1 day".to_owned(),
            ),
            (
                slo().latency_threshold(Duration::from_secs(86_401)),
                "SLO `s`: `latency_threshold` is 86401s, accepted is 1 microsecond to 1 day".to_owned(),
            ),
            (
                slo().window(Duration::from_secs(59)),
                "SLO `s`: `window` is 59s, accepted is 1 minute to 366 days".to_owned(),
            ),
            (slo().window(Duration::MAX), {
                format!("SLO `s`: `window` is {:?}, accepted is 1 minute to 366 days", Duration::MAX)
            }),
            (
                slo().minimum_events(1_000_000_001),
                "SLO `s`: `minimum_events` is 1000000001, accepted is 0 to 1000000000".to_owned(),
            ),
        ];
        for (builder, text) in refused {
            assert_eq!(builder.build().unwrap_err().to_string(), text);
        }
        assert_eq!(Slo::named("a\nb").build().unwrap_err().setting, "name");
        assert_eq!(Slo::named("x".repeat(129)).build().unwrap_err().setting, "name");
    }

    #[test]
    fn the_ends_of_the_ranges_are_accepted() {
        for target in [1e-9, 0.999_999_999] {
            assert!(Slo::named("s").target(target).build().is_ok(), "{target}");
        }
        assert!(Slo::named("x".repeat(128)).window(Duration::from_secs(60)).minimum_events(0).build().is_ok());
    }
}
