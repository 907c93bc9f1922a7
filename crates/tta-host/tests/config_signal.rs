//! Reading the configuration again by a real SIGHUP. In a program of its own: others would hear it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "support/configured.rs"]
mod configured;

use configured::{process, rate};
use rustix::process::{Signal, getpid, kill_process};
use tta_host::ReloadCause;
use tta_telemetry::HealthStatus;

fn hang_up() {
    kill_process(getpid(), Signal::HUP).unwrap();
}

#[test]
fn each_of_several_watches_reloads_by_a_real_sighup_until_it_is_stopped() {
    let (one, other) = (process(&rate(0.5)), process(&rate(0.5)));
    let [first, second] = [&one, &other].map(|process| process.reload.watch(None).unwrap());
    one.replace(&rate(0.25));
    other.write("tracing.sampling.default_rate = true");
    hang_up();
    let (outcome, failed) = (one.next(), other.next());
    assert_eq!((outcome.cause, failed.cause), (ReloadCause::Signal, ReloadCause::Signal));
    assert!(outcome.result.is_ok() && failed.result.is_err());
    assert_eq!((one.rate(), one.health().0), (0.25, HealthStatus::Healthy));
    assert_eq!((other.rate(), other.health().0), (0.5, HealthStatus::Degraded));
    other.replace(&rate(0.75));
    hang_up();
    other.next().result.unwrap();
    one.next().result.unwrap();
    assert_eq!((other.rate(), other.health().0), (0.75, HealthStatus::Healthy));
    // One that is stopped hears nothing; the other does.
    first.stop();
    one.replace(&rate(0.125));
    hang_up();
    other.next().result.unwrap();
    assert!(one.outcomes.try_recv().is_err());
    assert_eq!(one.rate(), 0.25);
    drop(second);
    // The process outlives a signal that nobody listens for any more.
    hang_up();
    assert_eq!((one.reload.counts().reloads, other.reload.counts().reloads), (2, 3));
}
