//! Waiting on the injected clock.
//!
//! Real time waits on tokio's timer, paused time on the manual clock. The one place that touches
//! tokio's clock.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tta_telemetry::{Clock, ManualSleep};

/// A future that completes once `duration` has passed on `clock`.
pub(crate) fn sleep(clock: &Clock, duration: Duration) -> Sleep {
    match clock.as_manual() {
        Some(manual) => Sleep::Manual { sleep: manual.sleep(duration) },
        None => {
            // The injected clock's real form; everything else goes through here.
            #[allow(clippy::disallowed_methods)]
            let sleep = tokio::time::sleep(duration);
            Sleep::Real { sleep }
        }
    }
}

/// Whether one can sleep here. In real time that needs a tokio runtime with its timer switched on,
/// which tokio can only be asked by trying.
pub(crate) fn can_sleep(clock: &Clock) -> bool {
    if clock.as_manual().is_some() {
        return true;
    }
    tokio::runtime::Handle::try_current().is_ok()
        && catch_unwind(AssertUnwindSafe(|| drop(sleep(clock, Duration::ZERO)))).is_ok()
}

/// A duration as messages give it: to the millisecond, or to the microsecond when it is short.
pub(crate) fn rounded(duration: Duration) -> Duration {
    let unit_ns = if duration >= Duration::from_millis(100) { 1_000_000 } else { 1_000 };
    match u64::try_from(duration.as_nanos()) {
        Ok(nanos) if nanos >= unit_ns => Duration::from_nanos(nanos - nanos % unit_ns),
        _ => duration,
    }
}

pin_project! {
    #[project = SleepProjection]
    pub(crate) enum Sleep {
        Real { #[pin] sleep: tokio::time::Sleep },
        Manual { #[pin] sleep: ManualSleep },
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project() {
            SleepProjection::Real { sleep } => sleep.poll(cx),
            SleepProjection::Manual { sleep } => sleep.poll(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_give_durations_to_the_millisecond_or_microsecond() {
        let texts = [1, 1_234, 99_999_999, 999_882_256, 59_999_999_999]
            .map(|ns| format!("{:?}", rounded(Duration::from_nanos(ns))));
        assert_eq!(texts, ["1ns", "1µs", "99.999ms", "999ms", "59.999s"]);
        assert_eq!(rounded(Duration::MAX), Duration::MAX);
    }
}
