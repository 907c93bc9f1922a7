//! What an engine does now, in a few numbers.

use super::Telemetry;

/// What an engine does now: [`Telemetry::state`]. Reading it takes no lock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EngineState {
    /// Whether it records: it is enabled, compiled in, and has not ended.
    pub is_up: bool,
    /// Whether anything is counted.
    pub is_measuring: bool,
    /// The share of ordinary traces that is kept now, 0 to 1.
    pub sampling_rate: f64,
    /// The share of the process's CPU time that telemetry took when it was measured last; `None` before
    /// that, and without a [`CpuTime`](crate::CpuTime).
    pub overhead: Option<f64>,
}

impl Telemetry {
    /// What the engine does now. All of it is none when nothing is recorded.
    ///
    /// ```
    /// use tta_telemetry::Telemetry;
    /// let telemetry = Telemetry::builder().build()?;
    /// # #[cfg(feature = "record")]
    /// assert!(telemetry.state().is_up && telemetry.state().sampling_rate == 1.0);
    /// assert_eq!(Telemetry::disabled().state().sampling_rate, 0.0);
    /// # Ok::<(), tta_telemetry::BuildError>(())
    /// ```
    #[must_use]
    pub fn state(&self) -> EngineState {
        self.0.state()
    }
}
