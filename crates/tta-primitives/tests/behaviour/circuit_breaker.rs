//! Circuit breakers: which calls go through, what opens and closes them, and what is recorded.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tta_primitives::testing::{Mock, TestEngine};
use tta_primitives::{
    Bulkhead, Cache, CircuitBreaker, CircuitOpenError, CircuitReason, CircuitState, CircuitStats, Context, Error,
    ErrorKind, IntoError, Result, Retry, RetryHint, Timeout, Workflow, step, with_context, workflow,
};
use tta_telemetry::{Decision, HealthComponent, HealthStatus, Telemetry};

use super::support::{MS, SECOND, context, double, hang, increment, poll_once, refuse, start_and_drop, wait_a_second};

/// 2026-01-01T00:00:00Z, where the paused clock starts.
const START_UNIX_NS: u64 = 1_767_225_600_000_000_000;

/// Opens at the first failure and closes after one probe.
fn touchy() -> CircuitBreaker {
    CircuitBreaker::named("payments").consecutive_failures(1).success_threshold(1).build().unwrap()
}

/// Succeeds on even numbers.
async fn even(x: u32) -> Result<u32, String> {
    if x.is_multiple_of(2) { Ok(x) } else { Err(format!("{x} is odd")) }
}

fn run(engine: &TestEngine, flow: &Workflow<u32, u32>, x: u32) -> Result<u32> {
    engine.block_on(flow.run(x, &context(engine)))
}

/// The decisions counted so far, as `outcome count`.
fn counted(engine: &TestEngine) -> String {
    let counts = engine.telemetry().decision_counts();
    let happened = counts.iter().filter(|count| count.key.family == "circuit" && count.count > 0);
    happened.map(|count| format!("{} {}", count.outcome, count.count)).collect::<Vec<_>>().join(", ")
}

/// How often it opened, half opened and closed.
fn changes(stats: &CircuitStats) -> (u64, u64, u64) {
    (stats.opened, stats.half_opened, stats.closed)
}

fn rejection(result: Result<u32>) -> CircuitOpenError {
    result.unwrap_err().downcast_ref::<CircuitOpenError>().unwrap().clone()
}

#[test]
fn five_failures_one_after_another_open_it_and_the_step_is_not_called_for_a_minute() {
    let engine = TestEngine::new();
    let breaker = CircuitBreaker::named("payments").build().unwrap();
    let calls = Mock::new("calls").fails(4, "no").returns(1_u32);
    let good = step(calls.clone()).circuit_breaker(breaker.clone());
    let bad = step(refuse).circuit_breaker(breaker.clone());
    for _ in 0..5 {
        let _ = run(&engine, &good, 7);
    }
    assert_eq!((breaker.state(), breaker.stats().consecutive_failures), (CircuitState::Closed, 0));
    (0..5).for_each(|x| assert_eq!(run(&engine, &bad, x).unwrap_err().to_string(), format!("{x} is refused")));
    engine.clock().advance(18 * SECOND);
    let error = run(&engine, &good, 8).unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::CircuitOpen, RetryHint::Unspecified));
    assert_eq!(format!("{error:#}"), "calls: circuit `payments` is open (consecutive_failures) for another 42s");
    let open = error.downcast_ref::<CircuitOpenError>().unwrap();
    assert_eq!((&open.name, open.retry_in), (&"payments".into(), Some(42 * SECOND)));
    assert_eq!((open.state, open.reason), (CircuitState::Open, CircuitReason::ConsecutiveFailures));
    engine.clock().advance(42 * SECOND - Duration::from_nanos(1));
    assert_eq!(rejection(run(&engine, &good, 8)).retry_in, Some(Duration::from_nanos(1)));
    assert_eq!(calls.calls(), [7; 5]);
    engine.clock().advance(Duration::from_nanos(1));
    assert_eq!((run(&engine, &good, 9).unwrap(), breaker.state()), (1, CircuitState::HalfOpen));
    assert_eq!((run(&engine, &good, 9).unwrap(), breaker.state()), (1, CircuitState::Closed));
    assert_eq!(breaker.stats().reason, Some(CircuitReason::ProbesSucceeded));
}

#[test]
fn the_span_of_the_call_says_what_was_decided_and_a_closed_circuit_says_nothing() {
    let engine = TestEngine::new();
    let flow = workflow("pay", step(even).circuit_breaker(touchy())) >> double;
    assert_eq!(run(&engine, &flow, 2).unwrap(), 4);
    run(&engine, &flow, 1).unwrap_err();
    run(&engine, &flow, 2).unwrap_err();
    engine.clock().advance(60 * SECOND);
    run(&engine, &flow, 3).unwrap_err();
    engine.clock().advance(60 * SECOND);
    run(&engine, &flow, 4).unwrap();
    insta::assert_snapshot!(engine.tree_with_attributes(), @r"
    pay
    │  correlation.id = c-1
    ├─ even
    │     step.index = 0
    │     step.total = 2
    ╰─ double
          step.index = 1
          step.total = 2
    pay ✗
    │  app: 1 is odd
    │  correlation.id = c-1
    │  error.path = even
    ╰─ even ✗
          app: 1 is odd
          step.index = 0
          step.total = 2
          circuit.decision = opened
          circuit.name = payments
          circuit.state = open
          circuit.reason = consecutive_failures
    pay ✗
    │  circuit_open: circuit `payments` is open (consecutive_failures) for another
    │    60s
    │  correlation.id = c-1
    │  error.path = even
    ╰─ even ✗
          circuit_open: circuit `payments` is open (consecutive_failures) for
            another 60s
          step.index = 0
          step.total = 2
          circuit.decision = rejected
          circuit.name = payments
          circuit.state = open
          circuit.reason = consecutive_failures
    pay ✗
    │  app: 3 is odd
    │  correlation.id = c-1
    │  error.path = even
    ╰─ even ✗
          app: 3 is odd
          step.index = 0
          step.total = 2
          circuit.decision = opened
          circuit.name = payments
          circuit.state = open
          circuit.reason = probe_failed
          circuit.probe = true
    pay
    │  correlation.id = c-1
    ├─ even
    │     step.index = 0
    │     step.total = 2
    │     circuit.decision = closed
    │     circuit.name = payments
    │     circuit.state = closed
    │     circuit.reason = probes_succeeded
    │     circuit.probe = true
    ╰─ double
          step.index = 1
          step.total = 2
    ");
}

#[test]
fn every_decision_is_counted_and_told_once_with_what_led_to_it() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let observer = move |decision: &Decision<'_>| {
        let attributes: Vec<_> =
            decision.attributes.iter().map(|(key, value)| format!("{key}={}", value.to_value())).collect();
        assert!(decision.trace_id.is_some() && decision.span_id.is_some());
        let Decision { outcome, severity, key, .. } = decision;
        log.lock().unwrap().push(format!(
            "{severity:?} {}/{} {outcome}: {}",
            key.primitive,
            key.subject,
            attributes.join(" ")
        ));
    };
    let engine = TestEngine::with(|builder| builder.observer(observer));
    let breaker = CircuitBreaker::named("payments").consecutive_failures(2).build().unwrap();
    let flow = step(even).circuit_breaker(breaker.clone());
    for x in [2, 2, 1, 1, 2, 2] {
        let _ = run(&engine, &flow, x);
    }
    engine.clock().advance(60 * SECOND);
    for x in [2, 2, 2] {
        run(&engine, &flow, x).unwrap();
    }
    assert_eq!(counted(&engine), "allowed 5, probe 2, rejected 2, opened 1, half_opened 1, closed 1");
    insta::assert_snapshot!(told.lock().unwrap().join("\n"), @r"
    Warning even/payments opened: circuit.name=payments circuit.state=open circuit.reason=consecutive_failures
    Warning even/payments rejected: circuit.name=payments circuit.state=open circuit.reason=consecutive_failures
    Warning even/payments rejected: circuit.name=payments circuit.state=open circuit.reason=consecutive_failures
    Info even/payments half_opened: circuit.name=payments circuit.state=half_open circuit.reason=recovery_timeout
    Info even/payments probe: circuit.name=payments circuit.state=half_open circuit.probe=true
    Info even/payments probe: circuit.name=payments circuit.state=half_open circuit.probe=true
    Info even/payments closed: circuit.name=payments circuit.state=closed circuit.reason=probes_succeeded
    ");
}

#[test]
fn while_half_open_one_call_goes_through_and_the_others_are_rejected() {
    let engine = TestEngine::new();
    let breaker = touchy();
    let slow = step(with_context(wait_a_second)).circuit_breaker(breaker.clone());
    run(&engine, &step(refuse).circuit_breaker(breaker.clone()), 1).unwrap_err();
    engine.clock().advance(60 * SECOND);
    let cx = context(&engine);
    let mut probe = pin!(slow.run(5, &cx));
    assert!(poll_once(probe.as_mut()).is_pending());
    assert!(breaker.stats().probing);
    let error = run(&engine, &slow, 6).unwrap_err();
    assert_eq!(error.to_string(), "circuit `payments` is half open and its probe is under way");
    let open = error.downcast_ref::<CircuitOpenError>().unwrap();
    assert_eq!(
        (open.state, open.reason, open.retry_in),
        (CircuitState::HalfOpen, CircuitReason::RecoveryTimeout, None)
    );
    assert_eq!(engine.block_on(probe).unwrap(), 5);
    assert_eq!((breaker.state(), breaker.stats().rejected), (CircuitState::Closed, 1));
}

#[test]
fn a_probe_that_is_dropped_gives_its_place_to_the_next_and_counts_as_neither() {
    let engine = TestEngine::new();
    let breaker = touchy();
    run(&engine, &step(refuse).circuit_breaker(breaker.clone()), 1).unwrap_err();
    engine.clock().advance(60 * SECOND);
    start_and_drop(step(hang).circuit_breaker(breaker.clone()).run(1, &context(&engine)));
    let stats = breaker.stats();
    assert_eq!((stats.state, stats.probing, stats.probe_successes), (CircuitState::HalfOpen, false, 0));
    assert_eq!(run(&engine, &step(double).circuit_breaker(breaker.clone()), 2).unwrap(), 4);
    assert_eq!((breaker.state(), changes(&breaker.stats())), (CircuitState::Closed, (1, 1, 1)));
    assert_eq!(counted(&engine), "allowed 1, opened 1, probe 1, half_opened 1, probe 1, closed 1");
}

#[test]
fn a_call_that_is_dropped_or_fails_for_its_input_neither_opens_nor_breaks_the_row() {
    let engine = TestEngine::new();
    let breaker = CircuitBreaker::named("payments").consecutive_failures(2).build().unwrap();
    let fails = |kind: ErrorKind| {
        let mock = Mock::<u32, u32>::new("call").fails(9, "no".with_kind(kind));
        run(&engine, &step(mock).circuit_breaker(breaker.clone()), 1).unwrap_err();
        breaker.stats().consecutive_failures
    };
    assert_eq!([ErrorKind::InvalidInput, ErrorKind::Cancelled, ErrorKind::BulkheadFull].map(fails), [0, 0, 0]);
    assert_eq!(fails(ErrorKind::App), 1);
    start_and_drop(step(hang).circuit_breaker(breaker.clone()).run(1, &context(&engine)));
    assert_eq!(fails(ErrorKind::RateLimited), 1);
    assert_eq!((fails(ErrorKind::Panic), breaker.state()), (2, CircuitState::Open));
}

#[test]
fn a_probe_whose_error_says_nothing_leaves_it_half_open() {
    let engine = TestEngine::new();
    let breaker = touchy();
    run(&engine, &step(refuse).circuit_breaker(breaker.clone()), 1).unwrap_err();
    engine.clock().advance(60 * SECOND);
    let invalid = Mock::<u32, u32>::new("call").fails(1, "no".with_kind(ErrorKind::InvalidInput)).returns(1);
    let flow = step(invalid).circuit_breaker(breaker.clone());
    run(&engine, &flow, 1).unwrap_err();
    assert_eq!((breaker.state(), breaker.stats().probing), (CircuitState::HalfOpen, false));
    run(&engine, &flow, 1).unwrap();
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[test]
fn the_predicate_decides_what_counts_but_not_of_who_was_told_to_stop() {
    async fn stop(_: u32, cx: Context) -> Result<u32> {
        cx.cancel_handle().cancel();
        Err(Error::new(ErrorKind::Cancelled, "told to stop"))
    }
    let engine = TestEngine::new();
    let builder = || CircuitBreaker::named("payments").consecutive_failures(1);
    let all = builder().counts_as_failure(|_| true).build().unwrap();
    run(&engine, &step(with_context(stop)).circuit_breaker(all.clone()), 1).unwrap_err();
    assert_eq!(all.state(), CircuitState::Closed);
    let cancelled = Mock::<u32, u32>::new("call").fails(1, "no".with_kind(ErrorKind::Cancelled));
    run(&engine, &step(cancelled).circuit_breaker(all.clone()), 1).unwrap_err();
    assert_eq!(all.state(), CircuitState::Open);
    let none = builder().counts_as_failure(|error| error.to_string() != "1 is refused").build().unwrap();
    run(&engine, &step(refuse).circuit_breaker(none.clone()), 1).unwrap_err();
    assert_eq!(none.state(), CircuitState::Closed);
    run(&engine, &step(refuse).circuit_breaker(none.clone()), 2).unwrap_err();
    assert_eq!(none.state(), CircuitState::Open);
}

#[test]
fn a_predicate_that_panics_fails_the_step_and_does_not_wedge_the_breaker() {
    let engine = TestEngine::new();
    let builder = CircuitBreaker::named("payments").consecutive_failures(1).success_threshold(1);
    let breaker = builder.counts_as_failure(|error| panic!("cannot judge {error}")).build().unwrap();
    let flow = step(even).circuit_breaker(breaker.clone());
    breaker.force_open();
    breaker.release();
    let error = run(&engine, &flow, 1).unwrap_err();
    assert_eq!(format!("{error:?}"), "panic error in `even`: cannot judge 1 is odd");
    assert_eq!((breaker.state(), breaker.stats().probing), (CircuitState::HalfOpen, false));
    assert_eq!(run(&engine, &flow, 2).unwrap(), 2);
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[test]
fn a_step_that_panics_has_failed() {
    let engine = TestEngine::new();
    let breaker = touchy();
    let panics = Mock::<u32, u32>::new("call").panics("boom");
    let error = run(&engine, &step(panics).circuit_breaker(breaker.clone()), 1).unwrap_err();
    assert_eq!((error.kind(), breaker.state()), (ErrorKind::Panic, CircuitState::Open));
}

#[test]
fn a_call_from_before_the_circuit_changed_does_not_count_after() {
    let engine = TestEngine::new();
    let breaker = CircuitBreaker::named("payments").consecutive_failures(1).build().unwrap();
    let slow_failure = step(with_context(wait_a_second)) >> refuse;
    let flow = slow_failure.circuit_breaker(breaker.clone());
    let cx = context(&engine);
    let mut early = pin!(flow.run(1, &cx));
    assert!(poll_once(early.as_mut()).is_pending());
    run(&engine, &step(refuse).circuit_breaker(breaker.clone()), 1).unwrap_err();
    engine.clock().advance(60 * SECOND);
    assert_eq!(breaker.state(), CircuitState::HalfOpen);
    let Poll::Ready(Err(error)) = poll_once(early.as_mut()) else { panic!("the call has ended") };
    assert_eq!(error.to_string(), "1 is refused");
    assert_eq!((breaker.state(), changes(&breaker.stats())), (CircuitState::HalfOpen, (1, 1, 0)));
}

#[test]
fn a_failure_rate_over_the_last_calls_opens_it_from_the_minimum_on() {
    let engine = TestEngine::new();
    let rated = CircuitBreaker::named("payments").failure_rate(0.5).count_window(4).minimum_calls(3);
    let breaker = rated.build().unwrap();
    let flow = step(even).circuit_breaker(breaker.clone());
    let mut after = |x| {
        let _ = run(&engine, &flow, x);
        let stats = breaker.stats();
        (stats.calls, stats.failures, stats.state)
    };
    let closed = CircuitState::Closed;
    assert_eq!([1, 2, 2].map(&mut after), [(1, 1, closed), (2, 1, closed), (3, 1, closed)]);
    assert_eq!([2, 2, 1].map(&mut after), [(4, 1, closed), (4, 0, closed), (4, 1, closed)]);
    assert_eq!(after(1), (4, 2, CircuitState::Open));
    assert_eq!(breaker.stats().reason, Some(CircuitReason::FailureRate));
}

#[test]
fn a_failure_rate_over_a_time_forgets_what_is_older() {
    let engine = TestEngine::new();
    let rated = CircuitBreaker::named("payments").failure_rate(1.0).time_window(10 * SECOND).minimum_calls(2);
    let breaker = rated.build().unwrap();
    let flow = step(even).circuit_breaker(breaker.clone());
    run(&engine, &flow, 1).unwrap_err();
    engine.clock().advance(10 * SECOND);
    assert_eq!(breaker.stats().calls, 0);
    run(&engine, &flow, 1).unwrap_err();
    engine.clock().advance(9 * SECOND);
    assert_eq!((breaker.state(), breaker.stats().calls), (CircuitState::Closed, 1));
    run(&engine, &flow, 1).unwrap_err();
    assert_eq!((breaker.state(), breaker.stats().failures), (CircuitState::Open, 2));
}

#[test]
fn calls_that_take_too_long_open_it_and_a_slow_probe_opens_it_again() {
    let engine = TestEngine::new();
    let builder = CircuitBreaker::named("payments").slow_call_rate(0.5).slow_call_duration(SECOND);
    let breaker = builder.minimum_calls(2).build().unwrap();
    let slow = step(with_context(wait_a_second)).circuit_breaker(breaker.clone());
    let quick = step(double).circuit_breaker(breaker.clone());
    run(&engine, &slow, 1).unwrap();
    assert_eq!(breaker.state(), CircuitState::Closed);
    run(&engine, &quick, 1).unwrap();
    let stats = breaker.stats();
    assert_eq!((stats.reason, stats.calls, stats.slow), (Some(CircuitReason::SlowCallRate), 2, 1));
    engine.clock().advance(60 * SECOND);
    assert_eq!(run(&engine, &slow, 1).unwrap(), 1);
    assert_eq!((breaker.state(), breaker.stats().reason), (CircuitState::Open, Some(CircuitReason::ProbeFailed)));
}

#[test]
fn what_is_forced_stays_until_it_is_released() {
    let engine = TestEngine::new();
    let breaker = touchy();
    let flow = step(even).circuit_breaker(breaker.clone());
    breaker.force_open();
    engine.clock().advance(3_600 * SECOND);
    let error = run(&engine, &flow, 2).unwrap_err();
    assert_eq!(error.to_string(), "circuit `payments` is open (forced) until it is released");
    assert_eq!(rejection(Err(error)).retry_in, None);
    breaker.force_closed();
    (0..9).for_each(|_| drop(run(&engine, &flow, 1).unwrap_err()));
    let stats = breaker.stats();
    assert_eq!((stats.state, stats.forced, stats.rejected), (CircuitState::Closed, true, 1));
    breaker.release();
    assert_eq!((breaker.state(), breaker.stats().forced), (CircuitState::Closed, false));
    run(&engine, &flow, 1).unwrap_err();
    assert_eq!(breaker.state(), CircuitState::Open);
}

/// Nobody runs when it is forced or when time passes: the next call says so, once.
#[test]
fn changes_between_calls_are_recorded_by_the_next_call() {
    let engine = TestEngine::new();
    let breaker = touchy();
    let flow = step(even).circuit_breaker(breaker.clone());
    (0..3).for_each(|_| {
        breaker.force_open();
        breaker.force_closed();
    });
    assert_eq!(counted(&engine), "");
    run(&engine, &flow, 2).unwrap();
    assert_eq!(counted(&engine), "allowed 1, opened 3, closed 3");
    breaker.release();
    run(&engine, &flow, 1).unwrap_err();
    engine.clock().advance(60 * SECOND);
    assert_eq!(breaker.state(), CircuitState::HalfOpen, "somebody looks");
    assert_eq!(counted(&engine), "allowed 2, opened 4, closed 3");
    run(&engine, &flow, 2).unwrap();
    assert_eq!(counted(&engine), "allowed 2, probe 1, opened 4, half_opened 1, closed 4");
    assert_eq!(changes(&breaker.stats()), (4, 1, 4));
}

#[test]
fn workflows_and_engines_share_a_breaker_by_its_handle() {
    let (one, two) = (TestEngine::new(), TestEngine::new());
    let breaker = touchy();
    let fails = workflow("fails", step(refuse).circuit_breaker(breaker.clone()));
    let works = workflow("works", step(double).circuit_breaker(breaker.clone()));
    run(&one, &fails, 1).unwrap_err();
    // Its time is the first engine's.
    two.clock().advance(3_600 * SECOND);
    assert_eq!(rejection(run(&two, &works, 1)).retry_in, Some(60 * SECOND));
    one.clock().advance(60 * SECOND);
    assert_eq!(run(&two, &works, 1).unwrap(), 2);
    assert_eq!(
        (counted(&one), counted(&two)),
        ("allowed 1, opened 1".to_owned(), "probe 1, rejected 1, half_opened 1, closed 1".to_owned())
    );
    for engine in [&one, &two] {
        let health = engine.telemetry().health();
        let names = health.components.iter().map(|component| component.name.to_string());
        let circuits: Vec<_> = names.filter(|name| name.starts_with("circuit:")).collect();
        assert_eq!(circuits, ["circuit:payments"]);
    }
}

#[test]
fn health_says_how_the_circuit_is_and_since_when() {
    let engine = TestEngine::new();
    let breaker = touchy();
    let flow = step(even).circuit_breaker(breaker.clone());
    assert_eq!(breaker.stats().since_unix_ns, None, "it has met nobody");
    run(&engine, &flow, 2).unwrap();
    let health = || {
        let health = engine.telemetry().health().component("circuit:payments").unwrap().clone();
        let since = health.since_unix_ns.map(|since| (since - START_UNIX_NS) / 1_000_000_000);
        (health.status, health.reason.unwrap_or_default(), since)
    };
    let want = |status, reason: &str, since| (status, reason.to_owned(), since);
    assert_eq!(health(), want(HealthStatus::Healthy, "", None));
    engine.clock().advance(5 * SECOND);
    run(&engine, &flow, 1).unwrap_err();
    run(&engine, &flow, 1).unwrap_err();
    engine.clock().advance(SECOND);
    let open = "open (consecutive_failures), 1 calls rejected so far";
    assert_eq!(health(), want(HealthStatus::Degraded, open, Some(5)));
    let stats = breaker.stats();
    assert_eq!((stats.in_state, stats.retry_in), (SECOND, Some(59 * SECOND)));
    engine.clock().advance(100 * SECOND);
    let half_open = "half open (recovery_timeout), 1 calls rejected so far";
    assert_eq!(health(), want(HealthStatus::Degraded, half_open, Some(65)), "since it was time, not since it was seen");
    breaker.force_open();
    assert_eq!(health(), want(HealthStatus::Degraded, "forced open, 1 calls rejected so far", Some(106)));
    breaker.force_closed();
    assert_eq!(health(), want(HealthStatus::Healthy, "forced closed", Some(106)));
    assert_eq!(
        (HealthComponent::name(&breaker), breaker.health().status),
        ("circuit:payments".into(), HealthStatus::Healthy)
    );
    drop((flow, breaker));
    assert!(engine.telemetry().health().component("circuit:payments").is_none());
}

#[test]
fn it_works_and_reports_its_health_when_nothing_is_recorded() {
    let engine = TestEngine::with(|builder| builder.enabled(false));
    let breaker = touchy();
    let flow = step(refuse).circuit_breaker(breaker.clone());
    let disabled = Context::on(Telemetry::disabled());
    for cx in [&engine.context(), &disabled] {
        breaker.force_closed();
        breaker.release();
        assert_eq!(engine.block_on(flow.run(1, cx)).unwrap_err().kind(), ErrorKind::App);
        assert_eq!(engine.block_on(flow.run(1, cx)).unwrap_err().kind(), ErrorKind::CircuitOpen);
        let health = cx.telemetry().health();
        assert_eq!(health.component("circuit:payments").map(|health| health.status), Some(HealthStatus::Degraded));
    }
    assert_eq!((counted(&engine), breaker.stats().rejected), (String::new(), 2));
}

#[test]
fn a_retry_around_it_gives_up_when_it_opens_and_a_timeout_inside_it_is_a_failure() {
    let engine = TestEngine::new();
    let breaker = CircuitBreaker::named("payments").consecutive_failures(2).build().unwrap();
    let in_time = Timeout::after(MS).build().unwrap();
    let again = Retry::new().max_retries(9).build().unwrap();
    let calls = Mock::new("call").delays(SECOND).returns(1_u32);
    let flow = step(calls.clone()).timeout(in_time).circuit_breaker(breaker.clone()).retry(again);
    let error = run(&engine, &flow, 1).unwrap_err();
    assert_eq!((error.kind(), calls.call_count()), (ErrorKind::CircuitOpen, 2));
    assert_eq!(breaker.state(), CircuitState::Open);
    let fallen = flow.or_else(increment);
    assert_eq!((run(&engine, &fallen, 1).unwrap(), calls.call_count()), (2, 2));
}

#[test]
fn the_graph_names_the_breaker() {
    let flow = workflow("pay", step(double).circuit_breaker(touchy())) >> increment;
    assert_eq!(flow.graph().to_text(), "pay (workflow)\n├─ double [breaker payments]\n╰─ increment\n");
}

#[test]
fn of_many_tasks_that_meet_it_half_open_one_goes_through() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let engine = TestEngine::new();
    let breaker = touchy();
    let (inside, calls) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let guarded = {
        let (inside, calls, gate) = (Arc::clone(&inside), Arc::clone(&calls), Arc::clone(&gate));
        step(move |x: u32| {
            let (inside, calls, gate) = (Arc::clone(&inside), Arc::clone(&calls), Arc::clone(&gate));
            async move {
                calls.fetch_add(1, Ordering::SeqCst);
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "another probe is under way");
                gate.acquire().await.unwrap().forget();
                inside.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, String>(x)
            }
        })
        .circuit_breaker(breaker.clone())
    };
    for round in 1..=50_u64 {
        breaker.force_open();
        breaker.release();
        let callers: Vec<_> = (0..16)
            .map(|x| {
                let (guarded, cx) = (guarded.clone(), engine.context());
                runtime.spawn(async move { guarded.run(x, &cx).await })
            })
            .collect();
        let results = runtime.block_on(async {
            // The probe waits until all others were rejected.
            while breaker.stats().rejected < 15 * round {
                tokio::task::yield_now().await;
            }
            gate.add_permits(1);
            futures_util::future::join_all(callers).await
        });
        let succeeded = results.into_iter().filter(|result| result.as_ref().is_ok_and(Result::is_ok)).count();
        assert_eq!((succeeded, calls.swap(0, Ordering::SeqCst)), (1, 1));
        assert_eq!(breaker.state(), CircuitState::Closed);
    }
    assert_eq!(changes(&breaker.stats()), (50, 50, 50));
    assert_eq!(breaker.stats().rejected, 50 * 15);
}

/// Callers in a hurry once opened the circuit of a dependency that they never called.
#[test]
fn a_call_whose_deadline_passed_while_it_waited_inside_was_not_made_and_does_not_count() {
    let engine = TestEngine::new();
    let breaker = touchy();
    let one = Bulkhead::named("db").max_concurrent(1).max_queued(9).build().unwrap();
    let slow = || step(with_context(wait_a_second));
    let queued = workflow("queued", slow().bulkhead(one)).circuit_breaker(breaker.clone());
    let answers = Cache::named("answers").build().unwrap();
    let shared = workflow("shared", slow().cache(answers, |_: &u32| "same")).circuit_breaker(breaker.clone());
    for flow in [queued, shared] {
        let (first, second) = (engine.context(), Context::builder().telemetry(engine.telemetry().clone()));
        let second = second.deadline(100 * MS).build().unwrap();
        let (first, second) = engine.block_on(async { futures_util::join!(flow.run(1, &first), flow.run(2, &second)) });
        assert_eq!((first.unwrap(), second.unwrap_err().kind()), (1, ErrorKind::Timeout));
        assert_eq!((breaker.state(), breaker.stats().opened), (CircuitState::Closed, 0));
    }
}

/// The inner call of a probe was once rejected because of the probe it belonged to, which then
/// counted as nothing: a step that called another behind the same breaker never recovered.
#[test]
fn a_call_inside_a_probe_behind_the_same_breaker_is_a_part_of_it() {
    let engine = TestEngine::new();
    let breaker = touchy();
    let calls = Mock::new("db").fails(1, "down").returns(7_u32);
    let load = workflow("load", step(calls).circuit_breaker(breaker.clone()));
    let page = workflow("page", step(load.clone()).circuit_breaker(breaker.clone()));
    run(&engine, &page, 1).unwrap_err();
    assert_eq!(breaker.state(), CircuitState::Open);
    engine.clock().advance(60 * SECOND);
    assert_eq!(run(&engine, &page, 1).unwrap(), 7);
    let stats = breaker.stats();
    assert_eq!((stats.state, stats.rejected, changes(&stats)), (CircuitState::Closed, 0, (1, 1, 1)));
}

#[test]
fn a_call_beside_a_probe_is_rejected_also_in_the_same_run() {
    let engine = TestEngine::new();
    let breaker = touchy();
    let slow = step(with_context(wait_a_second)).circuit_breaker(breaker.clone());
    let both = workflow("both", step((slow.clone() | slow).settle()));
    run(&engine, &workflow("fail", step(refuse).circuit_breaker(breaker.clone())), 1).unwrap_err();
    engine.clock().advance(60 * SECOND);
    let (probe, other) = engine.block_on(both.run(1, &context(&engine))).unwrap();
    assert_eq!((probe.unwrap(), other.unwrap_err().kind()), (1, ErrorKind::CircuitOpen));
}
