//! How far apart the first and the last core are just now.
//!
//! On a virtual machine the host moves the cores about: they may share a physical core, a cache or
//! nothing. Whatever a span hands to another thread then costs a factor of up to four more or
//! less, for seconds on end. So every measurement says how long a cache line took to the other
//! core and back, and only measurements at the same distance are compared.

use crate::clock::Stopwatch;
use crate::placement::Placement;
use std::sync::atomic::{AtomicU64, Ordering};

/// Windows to measure; the least counts, the others may have been interrupted.
const WINDOWS: u64 = 5;

/// Round trips in one window.
const ROUND_TRIPS: u64 = 400;

/// Time of a round trip of a cache line between the first core and the last, or 0 on one core.
pub(crate) fn round_trip_ns(placement: &Placement) -> f64 {
    if placement.cores() < 2 {
        return 0.0;
    }
    // Even: the ball is here. Odd: it is there.
    let ball = AtomicU64::new(0);
    let last = 2 * ROUND_TRIPS * WINDOWS;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            placement.enter_background();
            for turn in (1..last).step_by(2) {
                wait_for(&ball, turn);
                ball.store(turn + 1, Ordering::Release);
            }
        });
        let here = scope.spawn(|| {
            placement.enter_caller(0);
            let windows = (0..WINDOWS).map(|window| {
                let watch = Stopwatch::start();
                for trip in 0..ROUND_TRIPS {
                    let turn = 2 * (window * ROUND_TRIPS + trip);
                    ball.store(turn + 1, Ordering::Release);
                    wait_for(&ball, turn + 2);
                }
                watch.elapsed_ns() as f64 / ROUND_TRIPS as f64
            });
            windows.min_by(f64::total_cmp).unwrap_or(0.0)
        });
        here.join().unwrap_or(0.0)
    })
}

/// Whether what crosses between cores costs about the same at both distances.
pub(crate) fn are_alike(left_ns: f64, right_ns: f64) -> bool {
    left_ns <= right_ns * 1.4 && right_ns <= left_ns * 1.4
}

fn wait_for(ball: &AtomicU64, turn: u64) {
    while ball.load(Ordering::Acquire) != turn {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_alike_within_two_fifths_either_way() {
        assert!(are_alike(65.0, 80.0) && are_alike(80.0, 65.0) && are_alike(0.0, 0.0));
        assert!(!are_alike(30.0, 65.0) && !are_alike(638.0, 65.0));
    }
}
