//! When the engine's parts last did their job, of runs of its own and of what it receives.

use tta_telemetry::receive::ReceiveLimits;
use tta_telemetry::sampling::SamplingPolicy;

use crate::support::{Lab, root, source};

/// Of the recorder, the receiver and the sampler, in nanoseconds since the Unix epoch.
fn last_success(lab: &Lab) -> [Option<u64>; 3] {
    let health = lab.telemetry.health();
    ["recorder", "receiver", "sampler"].map(|name| health.component(name).unwrap().last_success_unix_ns)
}

#[test]
fn the_parts_of_an_engine_say_when_they_last_did_their_job_and_keep_to_it_while_nothing_comes() {
    let lab = Lab::new(SamplingPolicy::default(), ReceiveLimits::default());
    let now = || lab.telemetry.clock().unix_ns(lab.telemetry.clock().ticks());
    lab.after(1);
    assert_eq!(last_success(&lab), [None; 3]);
    lab.telemetry.start_trace("page").end();
    lab.after(1);
    let first = now();
    assert_eq!(last_success(&lab), [Some(first), None, Some(first)]);
    // Taken, and decided about later.
    assert!(lab.send(&source("shop"), root(7)));
    lab.after(1);
    let taken = now();
    assert_eq!(last_success(&lab), [Some(first), Some(taken), Some(first)]);
    lab.after(3_600);
    let decided = now();
    lab.after(5);
    assert_eq!(last_success(&lab), [Some(first), Some(taken), Some(decided)]);
    assert!(first < taken && taken < decided);
}
