//! Calls inside a probe: they are a part of it.
//!
//! A step behind a breaker may itself call something behind the same breaker. When the outer call
//! is the probe, the inner one must go through: rejected, it would fail the probe that it belongs
//! to, and the circuit would never close. What belongs to a probe is what is polled inside it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

thread_local! {
    // The breakers whose probe is being polled on this thread, outermost first; seldom any.
    static PROBING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Whether the code that runs is inside a probe of this breaker.
pub(super) fn is_inside_probe(breaker: usize) -> bool {
    PROBING.try_with(|probing| probing.borrow().contains(&breaker)).unwrap_or(false)
}

pin_project! {
    /// Polls a future as a probe of a breaker, or as it is.
    pub(super) struct Probing<F> {
        #[pin]
        future: F,
        breaker: Option<usize>,
    }
}

impl<F> Probing<F> {
    /// `breaker`: a number that it has and no other does, when this is its probe.
    #[inline]
    pub(super) fn new(breaker: Option<usize>, future: F) -> Self {
        Self { future, breaker }
    }
}

impl<F: Future> Future for Probing<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = this.breaker.map(Inside::new);
        this.future.poll(task)
    }
}

/// Marks this thread until dropped, also by a panic.
struct Inside;

impl Inside {
    #[cold]
    fn new(breaker: usize) -> Self {
        let _ = PROBING.try_with(|probing| probing.borrow_mut().push(breaker));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = PROBING.try_with(|probing| probing.borrow_mut().pop());
    }
}
