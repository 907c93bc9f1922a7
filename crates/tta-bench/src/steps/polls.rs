//! What one more poll of a step costs.

use super::composed::{add, recorded};
use crate::measurement::{Measurement, Plan};
use crate::row::measure;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use tta_primitives::{Context, Result, workflow};

/// Extra polls of one step.
const POLLS: u32 = 10_000;

/// Not ready so many times.
struct NotYet(u32);

impl Future for NotYet {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<()> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = black_box(left);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

async fn wait(value: u64) -> Result<u64, std::convert::Infallible> {
    NotYet(POLLS).await;
    Ok(value)
}

/// Polls without a runtime: nothing but the future is measured.
fn poll_to_end<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut task = task::Context::from_waker(task::Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
            return output;
        }
    }
}

pub(super) fn poll_boxed(plan: &Plan) -> anyhow::Result<Measurement> {
    Ok(measure(plan, POLLS, || {
        let future: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(wait(1));
        let _ = black_box(poll_to_end(black_box(future)));
    }))
}

fn poll_in_chain(plan: &Plan, length: usize) -> anyhow::Result<Measurement> {
    let middle = length / 2;
    let start = if middle == 0 { workflow("polls", wait) } else { workflow("polls", add) };
    let flow = (1..length).fold(start, |chain, at| if at == middle { chain >> wait } else { chain >> add });
    let cx = Context::on(recorded()?);
    let flow = Arc::new(flow);
    Ok(measure(plan, POLLS, || {
        let _ = black_box(poll_to_end(flow.run(1, &cx)));
    }))
}

pub(super) fn poll_in_chain_of_1(plan: &Plan) -> anyhow::Result<Measurement> {
    poll_in_chain(plan, 1)
}

pub(super) fn poll_in_chain_of_10(plan: &Plan) -> anyhow::Result<Measurement> {
    poll_in_chain(plan, 10)
}

pub(super) fn poll_in_chain_of_200(plan: &Plan) -> anyhow::Result<Measurement> {
    poll_in_chain(plan, 200)
}
