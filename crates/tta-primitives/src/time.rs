//! Waiting on the injected clock.
//!
//! Real time waits on tokio's timer, paused time on the manual clock. The one place that touches
//! tokio's clock.

use std::future::Future;
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
