//! Rules that compare a run with the latency of its workflow, on a running engine.

use std::time::Duration;

use tta_telemetry::sampling::{Rate, SamplingPolicy, TailPolicy};
use tta_telemetry::{Clock, IdSource, ManualClock, MemorySink, Name, SpanStatus, Telemetry};

const LONG: Duration = Duration::from_secs(600);

struct Engine {
    telemetry: Telemetry,
    memory: MemorySink,
    hand: ManualClock,
}

fn policy(rule: &str) -> SamplingPolicy {
    SamplingPolicy {
        rate: Rate::ZERO,
        tail: TailPolicy { always_sample_slow: false, ..TailPolicy::default() },
        rules: vec![rule.parse().unwrap()],
        ..SamplingPolicy::default()
    }
}

fn engine(rule: &str) -> Engine {
    let (clock, hand) = Clock::manual();
    let memory = MemorySink::with_capacity(1_000);
    let builder = Telemetry::builder().clock(clock).ids(IdSource::seeded(3)).sampling_policy(policy(rule));
    Engine { telemetry: builder.sink(memory.clone()).by_hand().build().unwrap(), memory, hand }
}

impl Engine {
    /// One run, counted as workflows count theirs.
    fn run(&self, workflow: &'static str, ms: u64) {
        let name = Name::from_static(workflow);
        let step = self.telemetry.instruments(&name, &name, &Name::from_static("workflow")).unwrap();
        step.begin();
        let run = self.telemetry.start_trace(workflow);
        self.hand.advance(Duration::from_millis(ms));
        step.finish(ms * 1_000_000, SpanStatus::Ok, self.telemetry.clock().ticks());
        run.end();
    }

    /// Milliseconds of those that were kept since the last time.
    fn kept(&self) -> Vec<u64> {
        assert!(self.telemetry.flush_blocking(LONG).complete);
        self.memory.take().iter().map(|trace| trace.duration_ns() / 1_000_000).collect()
    }
}

#[test]
fn a_run_beyond_the_percentile_of_its_workflow_is_kept_once_enough_are_known() {
    let engine = engine("tail: keep when duration >= p99");
    (1..=99).for_each(|ms| engine.run("crawl", ms));
    assert_eq!(engine.kept(), [0; 0], "99 runs have no percentile");
    engine.run("crawl", 100);
    assert_eq!(engine.kept(), [100], "of 100 it is 99 ms");
    // 98 ms are no longer enough, elsewhere nothing is known.
    [98, 110].into_iter().for_each(|ms| engine.run("crawl", ms));
    engine.run("import", 5_000);
    assert_eq!(engine.kept(), [110]);
    assert_eq!(engine.telemetry.rule_counts(), [("tail".to_owned(), 2)]);
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let engine = engine("tail: keep when duration > p50");
    (0..100).for_each(|_| engine.run("crawl", 10));
    engine.run("crawl", 20);
    assert_eq!(engine.kept(), [20]);
    engine.hand.advance(Duration::from_secs(361));
    engine.run("crawl", 30);
    assert_eq!(engine.kept(), [0; 0], "one run has no median");
}

#[test]
fn a_new_policy_knows_the_latencies_at_once() {
    let engine = engine("other: keep when workflow == \"other\"");
    (0..100).for_each(|_| engine.run("crawl", 10));
    assert_eq!(engine.kept(), [0; 0]);
    engine.telemetry.set_sampling_policy(policy("half: keep when duration >= p50")).unwrap();
    engine.run("crawl", 11);
    assert_eq!(engine.kept(), [11]);
}
