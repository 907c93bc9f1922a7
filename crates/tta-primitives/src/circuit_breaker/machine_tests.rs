//! The machine step by step, and against a model that counts everything anew.

use proptest::prelude::*;

use super::super::rules::Rates;
use super::super::window::Span;
use super::*;

const GOOD: Ended = Ended { failed: false, slow: false };
const BAD: Ended = Ended { failed: true, slow: false };
const SLOW: Ended = Ended { failed: false, slow: true };

fn rules() -> Rules {
    Rules { consecutive_failures: Some(3), rates: None, recovery_ns: 100, success_threshold: 2 }
}

fn rated(span: Span, minimum_calls: u64) -> Rules {
    let rates = Rates { span, minimum_calls, failure: Some(0.3), slow: Some((0.5, 1)) };
    Rules { consecutive_failures: None, rates: Some(rates), ..rules() }
}

/// Lets a call through that ends as told, at a moment.
fn call(machine: &mut Machine, ended: Ended, at_ns: u64) -> Admission {
    let admission = machine.admit(|| at_ns);
    match admission {
        Admission::Allowed { generation } => machine.ended(generation, ended, || at_ns),
        Admission::Probe { generation } => {
            machine.free_probe();
            machine.ended(generation, ended, || at_ns);
        }
        Admission::Rejected(_) => {}
    }
    admission
}

fn now(machine: &mut Machine, at_ns: u64) -> (CircuitState, Option<CircuitReason>, u64) {
    let read = machine.snapshot(at_ns);
    (read.state, read.reason, read.since_ns)
}

fn rejected(state: CircuitState, reason: CircuitReason, retry_in_ns: Option<u64>) -> Admission {
    Admission::Rejected(Rejection { state, reason, retry_in_ns })
}

#[test]
fn a_closed_circuit_that_counts_failures_alone_never_asks_for_the_time() {
    let mut machine = Machine::new(rules());
    for ended in [GOOD, BAD, BAD, GOOD, BAD, BAD, GOOD] {
        let Admission::Allowed { generation } = machine.admit(|| unreachable!("the time is not needed")) else {
            panic!("it is closed")
        };
        machine.ended(generation, ended, || unreachable!("the time is not needed"));
    }
    assert_eq!(now(&mut machine, 7), (CircuitState::Closed, None, 0));
}

#[test]
fn it_opens_recovers_probes_and_closes_and_says_each_change_once() {
    use CircuitReason::{ConsecutiveFailures, ProbeFailed, ProbesSucceeded, RecoveryTimeout};
    let mut machine = Machine::new(rules());
    (0..3).for_each(|at| _ = call(&mut machine, BAD, at));
    assert_eq!(now(&mut machine, 2), (CircuitState::Open, Some(ConsecutiveFailures), 2));
    let open = |left| rejected(CircuitState::Open, ConsecutiveFailures, Some(left));
    assert_eq!(machine.admit(|| 2), open(100));
    assert_eq!(machine.admit(|| 101), open(1));
    assert!(matches!(machine.admit(|| 150), Admission::Probe { .. }));
    assert_eq!(now(&mut machine, 150), (CircuitState::HalfOpen, Some(RecoveryTimeout), 102));
    assert_eq!(machine.admit(|| 150), rejected(CircuitState::HalfOpen, RecoveryTimeout, None));
    machine.free_probe();
    machine.ended(machine.generation(), BAD, || 160);
    assert_eq!(now(&mut machine, 160), (CircuitState::Open, Some(ProbeFailed), 160));
    for at in [260, 261] {
        assert!(matches!(call(&mut machine, GOOD, at), Admission::Probe { .. }));
    }
    assert_eq!(now(&mut machine, 270), (CircuitState::Closed, Some(ProbesSucceeded), 261));
    let read = machine.snapshot(270);
    assert_eq!(read.entered, Entered { opened: 2, half_opened: 2, closed: 1 });
    assert_eq!((read.rejected, read.streak), (3, 0));
    let changes = machine.take_unsaid();
    let said: Vec<_> = changes.iter().map(|change| (change.to, change.reason, change.times)).collect();
    let want = [
        (CircuitState::Open, ProbeFailed, 2),
        (CircuitState::HalfOpen, RecoveryTimeout, 2),
        (CircuitState::Closed, ProbesSucceeded, 1),
    ];
    assert_eq!((said, machine.take_unsaid()), (want.to_vec(), vec![]));
}

#[test]
fn a_slow_probe_fails_and_one_slow_call_alone_does_not_open() {
    let mut machine = Machine::new(rated(Span::Calls(4), 2));
    call(&mut machine, SLOW, 0);
    assert_eq!(now(&mut machine, 0).0, CircuitState::Closed);
    call(&mut machine, SLOW, 0);
    assert_eq!(now(&mut machine, 0).1, Some(CircuitReason::SlowCallRate));
    call(&mut machine, SLOW, 100);
    assert_eq!(now(&mut machine, 100).1, Some(CircuitReason::ProbeFailed));
    assert_eq!(machine.snapshot(100).tally, Tally { calls: 2, failures: 0, slow: 2 }, "what it opened by");
}

#[test]
fn three_of_ten_are_a_rate_of_three_tenths_and_none_counts_before_the_minimum() {
    let mut machine = Machine::new(rated(Span::Calls(10), 10));
    for ended in [BAD, BAD, BAD, GOOD, GOOD, GOOD, GOOD, GOOD, GOOD] {
        call(&mut machine, ended, 0);
    }
    assert_eq!(now(&mut machine, 0).0, CircuitState::Closed, "nine calls are too few");
    call(&mut machine, GOOD, 0);
    assert_eq!(now(&mut machine, 0).1, Some(CircuitReason::FailureRate));
}

#[test]
fn forcing_counts_as_a_change_only_when_the_state_changes() {
    let mut machine = Machine::new(rules());
    let Admission::Allowed { generation } = machine.admit(|| 0) else { panic!("it is closed") };
    machine.force_closed(5);
    assert_eq!(now(&mut machine, 5), (CircuitState::Closed, Some(CircuitReason::Forced), 0));
    (0..9).for_each(|_| _ = call(&mut machine, BAD, 6));
    machine.release(7);
    assert_eq!(now(&mut machine, 7), (CircuitState::Closed, Some(CircuitReason::Released), 0));
    assert_eq!(machine.snapshot(7).streak, 0);
    assert!(machine.take_unsaid().is_empty());
    machine.force_open(8);
    machine.force_open(9);
    assert_eq!(machine.admit(|| 1_000), rejected(CircuitState::Open, CircuitReason::Forced, None));
    machine.release(10);
    machine.release(11);
    assert_eq!(now(&mut machine, 11), (CircuitState::HalfOpen, Some(CircuitReason::Released), 10));
    machine.ended(generation, BAD, || 12);
    assert_eq!(now(&mut machine, 12).0, CircuitState::HalfOpen, "a call of long ago counts no more");
    let times: Vec<_> = machine.take_unsaid().iter().map(|change| (change.to, change.times)).collect();
    assert_eq!(times, [(CircuitState::Open, 1), (CircuitState::HalfOpen, 1)]);
}

#[test]
fn a_probe_that_outlives_its_state_keeps_the_one_place_until_it_ends() {
    let mut machine = Machine::new(rules());
    machine.force_open(0);
    machine.release(0);
    let Admission::Probe { generation } = machine.admit(|| 0) else { panic!("it is half open") };
    machine.force_open(1);
    machine.release(2);
    assert_eq!(machine.admit(|| 3), rejected(CircuitState::HalfOpen, CircuitReason::Released, None));
    machine.free_probe();
    machine.ended(generation, BAD, || 4);
    assert_eq!(now(&mut machine, 4).0, CircuitState::HalfOpen);
    assert!(matches!(machine.admit(|| 5), Admission::Probe { .. }));
}

/// What is done to a circuit.
#[derive(Clone, Copy, Debug)]
enum Step {
    Start,
    /// One of those under way, by its place, ends.
    End(usize, Ended),
    /// One of those under way is dropped.
    Drop(usize),
    Advance(u64),
    Look,
    ForceOpen,
    ForceClosed,
    Release,
}

/// A circuit as its description reads: it keeps every call since it closed and counts anew each
/// time.
struct Model {
    rules: Rules,
    state: CircuitState,
    forced: bool,
    /// When it opened; `None` while forced.
    opened_ns: Option<u64>,
    /// How calls ended since it closed, and when.
    history: Vec<(u64, Ended)>,
    probe_successes: u32,
    /// Counts the spells between changes, so that calls know theirs.
    spell: u64,
    changes: Vec<CircuitState>,
}

impl Model {
    fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: CircuitState::Closed,
            forced: false,
            opened_ns: None,
            history: Vec::new(),
            probe_successes: 0,
            spell: 0,
            changes: Vec::new(),
        }
    }

    fn become_(&mut self, state: CircuitState, opened_ns: Option<u64>) {
        if state != self.state {
            self.changes.push(state);
        }
        (self.state, self.opened_ns, self.probe_successes) = (state, opened_ns, 0);
        self.spell += 1;
        if state == CircuitState::Closed {
            self.history.clear();
        }
    }

    fn look(&mut self, now: u64) {
        if self.opened_ns.is_some_and(|opened| now >= opened + self.rules.recovery_ns) {
            self.become_(CircuitState::HalfOpen, None);
        }
    }

    fn force(&mut self, state: CircuitState, now: u64) {
        self.look(now);
        if !(self.forced && self.state == state) {
            self.become_(state, None);
        }
        self.forced = true;
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.forced) {
            let state = if self.state == CircuitState::Open { CircuitState::HalfOpen } else { self.state };
            self.become_(state, None);
        }
    }

    fn ended(&mut self, ended: Ended, now: u64) {
        match self.state {
            CircuitState::Closed if !self.forced => {
                self.history.push((now, ended));
                if self.trips(now) {
                    self.become_(CircuitState::Open, Some(now));
                }
            }
            CircuitState::HalfOpen if ended.failed || ended.slow => self.become_(CircuitState::Open, Some(now)),
            CircuitState::HalfOpen => {
                self.probe_successes += 1;
                if self.probe_successes == self.rules.success_threshold {
                    self.become_(CircuitState::Closed, None);
                }
            }
            _ => {}
        }
    }

    fn trips(&self, now: u64) -> bool {
        let streak = self.history.iter().rev().take_while(|(_, ended)| ended.failed).count();
        if self.rules.consecutive_failures.is_some_and(|most| streak >= most as usize) {
            return true;
        }
        let Some(rates) = self.rules.rates else { return false };
        let window: Vec<Ended> = match rates.span {
            Span::Calls(size) => self.history.iter().rev().take(size).map(|(_, ended)| *ended).collect(),
            Span::TimeNs(ns) => {
                let slice = ns / 10;
                let live = |at: &u64| now / slice - at / slice < 10;
                self.history.iter().filter(|(at, _)| live(at)).map(|(_, ended)| *ended).collect()
            }
        };
        let share = |part: usize| part as f64 / window.len() as f64;
        let (failed, slow) = (window.iter().filter(|e| e.failed).count(), window.iter().filter(|e| e.slow).count());
        window.len() as u64 >= rates.minimum_calls
            && (rates.failure.is_some_and(|limit| share(failed) >= limit)
                || rates.slow.is_some_and(|(limit, _)| share(slow) >= limit))
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ended = (any::<bool>(), any::<bool>()).prop_map(|(failed, slow)| Ended { failed, slow });
    let step = prop_oneof![
        8 => Just(Step::Start),
        7 => (0..4_usize, ended).prop_map(|(at, ended)| Step::End(at, ended)),
        1 => (0..4_usize).prop_map(Step::Drop),
        3 => (1..60_u64).prop_map(Step::Advance),
        1 => Just(Step::Look),
        1 => prop_oneof![Just(Step::ForceOpen), Just(Step::ForceClosed)],
        1 => Just(Step::Release),
    ];
    proptest::collection::vec(step, 1..200)
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let span = prop_oneof![(1..8_usize).prop_map(Span::Calls), (1..30_u64).prop_map(|tens| Span::TimeNs(10 * tens))];
    let rate = || prop_oneof![Just(None), (1..=10_u32).prop_map(|tenths| Some(f64::from(tenths) / 10.0))];
    let rates = (span, 1..5_u64, rate(), rate()).prop_map(|(span, minimum_calls, failure, slow)| Rates {
        span,
        minimum_calls,
        failure,
        slow: slow.map(|rate| (rate, 1)),
    });
    (
        prop_oneof![Just(None), (1..5_u32).prop_map(Some)],
        prop_oneof![Just(None), rates.prop_map(Some)],
        1..100_u64,
        1..4_u32,
    )
        .prop_map(|(consecutive_failures, rates, recovery_ns, success_threshold)| Rules {
            consecutive_failures,
            rates,
            recovery_ns,
            success_threshold,
        })
}

/// A call under way: in which spell it began, by the model, in which generation, by the machine.
struct Under {
    spell: u64,
    generation: u64,
    probe: bool,
}

/// Does the same to both and compares what they say. Returns the changes that the machine said.
fn run(rules: Rules, steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut machine, mut model) = (Machine::new(rules), Model::new(rules));
    let (mut now, mut under, mut rejected) = (0, Vec::<Under>::new(), 0);
    let mut said = Entered::default();
    for step in steps {
        let probing = under.iter().any(|call| call.probe);
        match *step {
            Step::Start => {
                model.look(now);
                let spell = model.spell;
                match machine.admit(|| now) {
                    Admission::Allowed { generation } => {
                        prop_assert_eq!(model.state, CircuitState::Closed);
                        under.push(Under { spell, generation, probe: false });
                    }
                    Admission::Probe { generation } => {
                        prop_assert_eq!((model.state, probing), (CircuitState::HalfOpen, false));
                        under.push(Under { spell, generation, probe: true });
                    }
                    Admission::Rejected(Rejection { state, retry_in_ns, .. }) => {
                        rejected += 1;
                        prop_assert_eq!(state, model.state);
                        prop_assert!(state == CircuitState::Open || (state == CircuitState::HalfOpen && probing));
                        prop_assert_eq!(retry_in_ns, model.opened_ns.map(|at| at + rules.recovery_ns - now));
                    }
                }
            }
            Step::End(at, _) | Step::Drop(at) if at < under.len() => {
                let call = under.remove(at);
                if call.probe {
                    machine.free_probe();
                }
                if let Step::End(_, ended) = *step {
                    machine.ended(call.generation, ended, || now);
                    if call.spell == model.spell {
                        model.ended(ended, now);
                    }
                }
            }
            Step::Advance(by) => now += by,
            Step::ForceOpen => (machine.force_open(now), model.force(CircuitState::Open, now)).0,
            Step::ForceClosed => (machine.force_closed(now), model.force(CircuitState::Closed, now)).0,
            Step::Release => (machine.release(now), model.release()).0,
            Step::Look => model.look(now),
            Step::End(..) | Step::Drop(_) => continue,
        }
        if matches!(step, Step::Look) {
            let read = machine.snapshot(now);
            prop_assert_eq!((read.state, read.forced, read.rejected), (model.state, model.forced, rejected));
            prop_assert_eq!(read.probing, under.iter().any(|call| call.probe));
            prop_assert_eq!(read.probe_successes, model.probe_successes);
        }
        // Whatever was asked in between, every change is said once.
        if matches!(step, Step::Look | Step::Start) {
            for change in machine.take_unsaid() {
                match change.to {
                    CircuitState::Open => said.opened += change.times,
                    CircuitState::HalfOpen => said.half_opened += change.times,
                    CircuitState::Closed => said.closed += change.times,
                }
            }
            let times = |state| model.changes.iter().filter(|change| **change == state).count() as u64;
            let want = Entered {
                opened: times(CircuitState::Open),
                half_opened: times(CircuitState::HalfOpen),
                closed: times(CircuitState::Closed),
            };
            prop_assert_eq!(said, want);
            prop_assert_eq!(machine.entered, want);
            prop_assert_eq!(machine.admits_all(), model.state == CircuitState::Closed);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_its_description_says(rules in any_rules(), steps in steps()) {
        run(rules, &steps)?;
    }
}
