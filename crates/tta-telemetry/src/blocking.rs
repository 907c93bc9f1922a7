//! Waiting for a blocking call from async code, without a runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

/// Runs `work` on a thread of its own. Should the thread not start, the call is made here.
pub(crate) fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = T> + Send + 'static {
    let slot = Arc::new(Mutex::new(Slot { value: None, waker: None }));
    let work = Arc::new(Mutex::new(Some(work)));
    let call = {
        let (slot, work) = (Arc::clone(&slot), Arc::clone(&work));
        move || {
            let Some(work) = work.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
            let value = work();
            let waker = {
                let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                slot.value = Some(value);
                slot.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    };
    if crate::detached::spawn("tta-shutdown", call.clone()).is_err() {
        call();
    }
    Wait(slot)
}

struct Wait<T>(Arc<Mutex<Slot<T>>>);

impl<T> Future for Wait<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
