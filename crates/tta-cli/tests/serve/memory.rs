//! Memory while traces arrive that never end.

use crate::support::Settings;
use crate::support::http::get;
use crate::support::otlp::{Span, request};

const SPANS: u64 = 200_000;
const SPANS_A_REQUEST: u64 = 2_000;
const MOST_BYTES: usize = 256 << 20;

#[test]
fn traces_that_never_end_do_not_take_more_and_more_memory() {
    let serve = Settings::new().start();
    let mut most = 0;
    for start in (0..SPANS).step_by(SPANS_A_REQUEST as usize) {
        // Each is of a trace of its own, whose root does not come.
        let spans: Vec<Span> = (start..start + SPANS_A_REQUEST)
            .map(|number| Span {
                trace_id: u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
                span_id: number + 1,
                parent: u64::MAX,
            })
            .collect();
        let reply = serve.send(&request("endless", &spans));
        assert_eq!((reply.status, reply.body.len()), (200, 0), "{}", reply.text());
        most = most.max(serve.resident_bytes());
    }
    assert!(most < MOST_BYTES, "{} MiB", most >> 20);
    eprintln!("at most {} MiB resident", most >> 20);
    // It serves as before, what was decided about early.
    assert_eq!(get(&serve.main, "/api/v1/traces?limit=1").status, 200);
    assert_eq!(get(&serve.metrics, "/metrics").status, 200);
}
