//! Defaults and refusals.

use super::*;
use crate::error::IntoError;

const SECOND: Duration = Duration::from_secs(1);

fn builder() -> CircuitBreakerBuilder {
    CircuitBreaker::named("payments")
}

fn rules(builder: CircuitBreakerBuilder) -> (Option<u32>, Option<Rates>) {
    let default = builder.consecutive_failures.or(builder.rates().unwrap().is_none().then_some(CONSECUTIVE_FAILURES));
    (default, builder.rates().unwrap())
}

#[test]
fn the_defaults_are_the_documented_ones() {
    assert_eq!(rules(builder()), (Some(5), None));
    let default = builder();
    assert_eq!((default.recovery_timeout, default.success_threshold), (60 * SECOND, 2));
    let counted = Rates { span: Span::Calls(100), minimum_calls: 20, failure: Some(0.5), slow: None };
    assert_eq!(rules(builder().failure_rate(0.5)), (None, Some(counted)), "a rate takes the place of the default");
    assert_eq!(rules(builder().failure_rate(0.5).consecutive_failures(3)), (Some(3), Some(counted)));
    let small = Rates { span: Span::Calls(7), minimum_calls: 7, ..counted };
    assert_eq!(rules(builder().failure_rate(0.5).count_window(7)).1, Some(small));
    let timed =
        Rates { span: Span::TimeNs(10_000_000_000), failure: None, slow: Some((1.0, 2_000_000_000)), ..counted };
    let slow = builder().slow_call_rate(1.0).slow_call_duration(2 * SECOND).time_window(10 * SECOND);
    assert_eq!(rules(slow).1, Some(timed));
    assert_eq!(builder().build().unwrap().name(), "payments");
}

#[test]
fn every_parameter_outside_its_range_is_named_with_value_and_range() {
    let long = Duration::from_secs(86_401);
    let rated = || builder().failure_rate(0.5);
    let slow = || builder().slow_call_rate(0.5);
    let cases = [
        (CircuitBreaker::named(""), r#"`name` is "", accepted is not empty"#),
        (builder().consecutive_failures(0), "`consecutive_failures` is 0, accepted is 1 or more"),
        (builder().failure_rate(0.0), "`failure_rate` is 0.0, accepted is above 0, at most 1"),
        (builder().failure_rate(1.1), "`failure_rate` is 1.1, accepted is above 0, at most 1"),
        (builder().failure_rate(f64::NAN), "`failure_rate` is NaN, accepted is above 0, at most 1"),
        (builder().slow_call_rate(-1.0), "`slow_call_rate` is -1.0, accepted is above 0, at most 1"),
        (slow(), "`slow_call_duration` is not set, accepted is above 0, at most one day, with slow_call_rate"),
        (
            slow().slow_call_duration(Duration::ZERO),
            "`slow_call_duration` is 0ns, accepted is above 0, at most one day",
        ),
        (slow().slow_call_duration(long), "`slow_call_duration` is 86401s, accepted is above 0, at most one day"),
        (rated().slow_call_duration(SECOND), "`slow_call_duration` is 1s, accepted is none without slow_call_rate"),
        (rated().count_window(0), "`count_window` is 0, accepted is 1 to 100000"),
        (rated().count_window(100_001), "`count_window` is 100001, accepted is 1 to 100000"),
        (rated().time_window(Duration::ZERO), "`time_window` is 0ns, accepted is 1 ms to one day"),
        (rated().time_window(long), "`time_window` is 86401s, accepted is 1 ms to one day"),
        (rated().count_window(9).time_window(SECOND), "`time_window` is 1s, accepted is none beside count_window"),
        (rated().minimum_calls(0), "`minimum_calls` is 0, accepted is 1 to the count window of 100"),
        (rated().count_window(10).minimum_calls(11), "`minimum_calls` is 11, accepted is 1 to the count window of 10"),
        (rated().time_window(SECOND).minimum_calls(0), "`minimum_calls` is 0, accepted is 1 or more"),
        (builder().count_window(10), "`count_window` is 10, accepted is none without a rate"),
        (builder().time_window(SECOND), "`time_window` is 1s, accepted is none without a rate"),
        (builder().minimum_calls(10), "`minimum_calls` is 10, accepted is none without a rate"),
        (builder().recovery_timeout(Duration::ZERO), "`recovery_timeout` is 0ns, accepted is above 0, at most one day"),
        (builder().recovery_timeout(long), "`recovery_timeout` is 86401s, accepted is above 0, at most one day"),
        (builder().success_threshold(0), "`success_threshold` is 0, accepted is 1 or more"),
    ];
    for (builder, want) in cases {
        assert_eq!(builder.build().unwrap_err().to_string(), format!("circuit breaker: {want}"));
    }
    let day = Duration::from_secs(86_400);
    let widest = rated().failure_rate(1.0).count_window(100_000).minimum_calls(100_000).recovery_timeout(day);
    assert!(widest.build().is_ok());
    assert!(rated().time_window(SHORTEST_WINDOW).minimum_calls(u64::MAX).build().is_ok());
}

#[test]
fn what_says_nothing_about_the_called_is_no_failure() {
    use ErrorKind::{
        App, BudgetExceeded, BulkheadFull, Cancelled, CircuitOpen, Compensation, Internal, InvalidInput, LimitReached,
        Panic, RateLimited, ReplayMiss, Timeout, Upstream,
    };
    for kind in [App, Timeout, Upstream, Panic, LimitReached, Compensation] {
        assert!(is_failure(&"x".with_kind(kind)), "{kind}");
    }
    for kind in [Cancelled, InvalidInput, BulkheadFull, CircuitOpen, RateLimited, BudgetExceeded, ReplayMiss, Internal]
    {
        assert!(!is_failure(&"x".with_kind(kind)), "{kind}");
    }
}
