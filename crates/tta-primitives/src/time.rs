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
