//! How the engine itself is: its recorder, its sampler, its clock, its sinks, what it receives.
//!
//! Owns the rules by which those are healthy. Losses are looked at once a second by housekeeping,
//! so that one that is over is told of for a minute and no longer, whoever asks and how often.
//!
//! | component | degraded | unhealthy |
//! |---|---|---|
//! | `recorder` | something was lost in the last minute | the engine has ended |
//! | `receiver` | as the recorder, of what other processes send | |
//! | `sampler` | an adaptive rate is at its least and the overhead still above its target | |
//! | `clock` | the wall clock jumped by more than a second in the last minute | |
//! | `sink:<name>` | it failed or lost something in the last minute, or the last call failed | it has failed again and again for a minute |

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::core::Core;
use crate::health::{Health, HealthComponent};
use crate::model::Name;
use crate::sink::SinkStatus;

/// How long a loss is told of, and how long a sink may fail before it counts as broken.
const MINUTE_NS: u64 = 60_000_000_000;
/// A wall clock that is set by less is being kept right.
const JUMP_NS: u64 = 1_000_000_000;

/// What housekeeping has seen.
#[derive(Debug, Default)]
pub(crate) struct Vitals(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    recorder: Losses,
    receiver: Losses,
    /// Own runs that were decided about, spans that were taken, and all traces that were decided about.
    ran: Progress,
    took: Progress,
    sampled: Progress,
    clock_jump: Option<(u64, i64)>,
    sinks: Vec<SinkSeen>,
}

/// A count of losses, and when it grew.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    count: u64,
    /// When losing began, and when it was seen last, in nanoseconds since the Unix epoch.
    during: Option<(u64, u64)>,
    /// The count before that.
    before: u64,
}

/// A count of what was done, and when it last grew, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    count: u64,
    last: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct SinkSeen {
    losses: Losses,
    failures: u64,
    exported: u64,
    /// The first failure since the last success, and the last.
    failing: Option<(u64, u64)>,
    last_success: Option<u64>,
}

impl Seen {
    fn shift(&mut self, by_ns: i64) {
        self.recorder.shift(by_ns);
        self.receiver.shift(by_ns);
        for progress in [&mut self.ran, &mut self.took, &mut self.sampled] {
            progress.last = progress.last.map(|at| shift(at, by_ns));
        }
        self.sinks.iter_mut().for_each(|sink| sink.shift(by_ns));
    }
}

fn shift(at_ns: u64, by_ns: i64) -> u64 {
    at_ns.saturating_add_signed(by_ns)
}

impl Losses {
    fn look(&mut self, count: u64, now: u64) {
        let is_over = self.during.is_some_and(|(_, last)| now.saturating_sub(last) >= MINUTE_NS);
        if is_over {
            self.during = None;
        }
        if count > self.count {
            if self.during.is_none() {
                self.before = self.count;
            }
            self.during = Some((self.during.map_or(now, |(began, _)| began), now));
        }
        self.count = count;
    }

    /// The wall clock was set: what was seen is as long ago as before.
    fn shift(&mut self, by_ns: i64) {
        let shifted = |(began, last): (u64, u64)| (shift(began, by_ns), shift(last, by_ns));
        self.during = self.during.map(shifted);
    }

    fn health(&self, what: &str) -> Option<Health> {
        let (began, _) = self.during?;
        Some(Health::degraded(format!("{} {what}", self.count - self.before)).since(began))
    }
}

impl Progress {
    fn look(&mut self, count: u64, now: u64) {
        if count > self.count {
            self.last = Some(now);
        }
        self.count = count;
    }
}

impl SinkSeen {
    fn look(&mut self, status: &SinkStatus, is_failing: bool, now: u64) {
        self.losses.look(status.lost_queue_full + status.lost_failed, now);
        if status.exported_traces > self.exported {
            self.last_success = Some(now);
            self.failing = None;
        }
        if !is_failing {
            self.failing = None;
        } else if status.failures > self.failures || self.failing.is_none() {
            self.failing = Some((self.failing.map_or(now, |(since, _)| since), now));
        }
        (self.exported, self.failures) = (status.exported_traces, status.failures);
    }

    fn shift(&mut self, by_ns: i64) {
        self.losses.shift(by_ns);
        self.failing = self.failing.map(|(since, last)| (shift(since, by_ns), shift(last, by_ns)));
        self.last_success = self.last_success.map(|at| shift(at, by_ns));
    }

    fn health(&self, status: &SinkStatus) -> Health {
        let said = status.last_error.as_deref().unwrap_or("no error was told");
        let health = match self.failing {
            // One failure is none of a minute, however long nothing was tried after it.
            Some((since, last)) if last.saturating_sub(since) >= MINUTE_NS => {
                Health::unhealthy(format!("it has failed for a minute: {said}")).since(since)
            }
            Some((since, _)) => Health::degraded(format!("it failed: {said}")).since(since),
            None => self.losses.health("traces lost in the last minute").unwrap_or_default(),
        };
        health.last_success(self.last_success)
    }
}

impl Vitals {
    /// Looks at the engine. `jump_ns` is by how much the wall clock was set.
    pub(super) fn look(&self, core: &Core, jump_ns: i64) {
        let counters = core.read_counters();
        let now = core.clock.unix_ns(core.clock.ticks());
        let redactor = core.redactor.current();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jump_ns.unsigned_abs() >= JUMP_NS {
            seen.shift(jump_ns);
            seen.clock_jump = Some((now, jump_ns));
        }
        let received = &counters.received;
        let of_received = received.over_span_limit + received.evicted + received.undecodable;
        seen.receiver.look(of_received, now);
        let of_runs = counters.runs_unrecorded + counters.spans_over_limit + counters.spans_over_bytes;
        seen.recorder.look(of_runs + counters.traces_evicted + counters.late_lost, now);
        let decided = counters.traces_kept + counters.traces_dropped;
        seen.ran.look(decided.saturating_sub(received.traces), now);
        seen.took.look(received.spans, now);
        seen.sampled.look(decided, now);
        seen.sinks.resize(core.sinks.len(), SinkSeen::default());
        for (seen, sink) in seen.sinks.iter_mut().zip(&core.sinks) {
            seen.look(&sink.status(&redactor), sink.is_failing(), now);
        }
    }

    fn of(&self, part: Part, core: &Core) -> Health {
        let now = core.clock.unix_ns(core.clock.ticks());
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match part {
            Part::Recorder => {
                let lost = || seen.recorder.health("losses in the last minute").unwrap_or_default();
                let health = if core.is_closed() { Health::unhealthy("the engine has ended") } else { lost() };
                health.last_success(seen.ran.last)
            }
            Part::Receiver => {
                let lost = seen.receiver.health("spans or whole traces cut short in the last minute");
                lost.unwrap_or_default().last_success(seen.took.last)
            }
            Part::Sampler => {
                let last = seen.sampled.last;
                drop(seen);
                sampler(core).last_success(last)
            }
            Part::Clock => match seen.clock_jump {
                Some((at, by)) if now.saturating_sub(at) < MINUTE_NS => {
                    Health::degraded(format!("the wall clock was set by {:.1} s", by as f64 / 1e9)).since(at)
                }
                _ => Health::healthy(),
            },
            Part::Sink(index) => {
                let status =
                    core.sinks.get(index).map(|sink| sink.status(&core.redactor.current())).unwrap_or_default();
                seen.sinks.get(index).cloned().unwrap_or_default().health(&status)
            }
        }
    }
}

fn sampler(core: &Core) -> Health {
    let stats = core.policies.adaptive_stats(0, 0);
    let too_dear = stats
        .zip(core.overhead.last())
        .filter(|(stats, overhead)| stats.current_rate <= stats.min_rate && *overhead > 1.2 * stats.target_overhead);
    too_dear.map_or_else(
        || presumed_random(core),
        |(stats, overhead)| {
            Health::degraded(format!(
                "telemetry takes {:.1} % of the CPU at the least rate of {}, wanted are {:.1} %",
                overhead * 100.0,
                stats.min_rate,
                stats.target_overhead * 100.0
            ))
        },
    )
}

/// Healthy; says so when it has to take on trust that trace ids are random. One line for an engine,
/// however many runs it is about: the warning that OpenTelemetry's specification asks for.
fn presumed_random(core: &Core) -> Health {
    let presumed = core.counters.randomness_presumed.get();
    let reason = (presumed > 0 && core.policies.is_by_chance()).then(|| {
        format!(
            "the trace ids of {presumed} runs are presumed random: their callers neither set the `random` flag of \
             `traceparent` nor sent `rv` in `tracestate`"
        )
    });
    Health { reason, ..Health::healthy() }
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Recorder,
    Receiver,
    Sampler,
    Clock,
    Sink(usize),
}

/// A part of the engine as a component.
struct Component {
    part: Part,
    name: Name,
    /// The registry may outlive the engine for a moment.
    core: Weak<Core>,
}

impl HealthComponent for Component {
    fn name(&self) -> Name {
        self.name.clone()
    }

    fn health(&self) -> Health {
        let ended = || Health::unhealthy("the engine has ended");
        self.core.upgrade().map_or_else(ended, |core| core.vitals.of(self.part, &core))
    }
}

/// The parts of an engine that report; they do as long as these live.
#[derive(Default)]
pub(crate) struct Components(pub(crate) Vec<Arc<dyn HealthComponent>>);

impl std::fmt::Debug for Components {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|part| part.name())).finish()
    }
}

pub(crate) fn components(core: &Arc<Core>) -> Components {
    let component =
        |part, name| -> Arc<dyn HealthComponent> { Arc::new(Component { part, name, core: Arc::downgrade(core) }) };
    let plain = [
        (Part::Recorder, "recorder"),
        (Part::Receiver, "receiver"),
        (Part::Sampler, "sampler"),
        (Part::Clock, "clock"),
    ];
    let mut all: Vec<_> = plain.map(|(part, name)| component(part, Name::from_static(name))).into();
    let sinks = core.sinks.iter().enumerate();
    all.extend(sinks.map(|(index, sink)| {
        component(Part::Sink(index), format!("sink:{}", sink.status(&core.redactor.current()).name).into())
    }));
    Components(all)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::record::evict::tests::core;

    #[test]
    fn a_wall_clock_that_was_set_is_told_of_for_a_minute_and_one_that_is_kept_right_is_not() {
        let (clock, hand) = Clock::manual();
        let core = core(clock);
        let told = || core.vitals.of(Part::Clock, &core);
        core.vitals.look(&core, 999_999_999);
        assert_eq!(told(), Health::healthy());
        for (jump_ns, said) in [(2_500_000_000, "2.5"), (-1_000_000_000, "-1.0")] {
            core.vitals.look(&core, jump_ns);
            let now = core.clock.unix_ns(core.clock.ticks());
            assert_eq!(told(), Health::degraded(format!("the wall clock was set by {said} s")).since(now));
            hand.advance(Duration::from_secs(59));
            core.vitals.look(&core, 0);
            assert_eq!(told().status.as_str(), "degraded");
            hand.advance(Duration::from_secs(1));
            assert_eq!(told(), Health::healthy());
        }
        core.close();
    }

    #[test]
    fn a_loss_is_told_of_for_a_minute_with_all_that_was_lost_meanwhile() {
        let mut losses = Losses::default();
        losses.look(0, 1);
        assert_eq!(losses.health("lost"), None);
        losses.look(3, 2);
        losses.look(5, MINUTE_NS);
        let told = losses.health("lost").unwrap();
        assert_eq!((told.reason.as_deref(), told.since_unix_ns), (Some("5 lost"), Some(2)));
        losses.look(5, 2 * MINUTE_NS - 1);
        assert!(losses.health("lost").is_some());
        losses.look(5, 2 * MINUTE_NS);
        assert_eq!(losses.health("lost"), None);
        losses.look(6, 3 * MINUTE_NS);
        assert_eq!(losses.health("lost").unwrap().reason.as_deref(), Some("1 lost"));
    }

    #[test]
    fn a_sink_degrades_at_its_first_failure_is_broken_after_a_minute_and_well_after_a_success() {
        let status = |exported_traces, failures| SinkStatus {
            exported_traces,
            failures,
            last_error: Some("no route".to_owned()),
            ..SinkStatus::default()
        };
        let mut sink = SinkSeen::default();
        sink.look(&status(1, 0), false, 5);
        assert_eq!(sink.health(&status(1, 0)), Health::healthy().last_success(Some(5)));
        sink.look(&status(1, 1), true, 10);
        let failed = Health::degraded("it failed: no route").since(10).last_success(Some(5));
        assert_eq!(sink.health(&status(1, 1)), failed);
        // Nothing was tried since: it is not known to be broken.
        sink.look(&status(1, 1), true, 10 + 2 * MINUTE_NS);
        assert_eq!(sink.health(&status(1, 1)), failed);
        sink.look(&status(1, 2), true, 10 + 3 * MINUTE_NS);
        let broken = sink.health(&status(1, 2));
        assert_eq!(broken.reason.as_deref(), Some("it has failed for a minute: no route"));
        assert_eq!((broken.status.as_str(), broken.since_unix_ns), ("unhealthy", Some(10)));
        sink.look(&status(2, 2), false, 20 + 3 * MINUTE_NS);
        assert_eq!(sink.health(&status(2, 2)).status.as_str(), "healthy");
        // A flush that fails, and one that does not after it, with nothing to export.
        sink.look(&status(2, 3), true, 21 + 3 * MINUTE_NS);
        assert_eq!(sink.health(&status(2, 3)).status.as_str(), "degraded");
        sink.look(&status(2, 3), false, 22 + 3 * MINUTE_NS);
        assert_eq!(sink.health(&status(2, 3)).status.as_str(), "healthy");
    }

    #[test]
    fn a_loss_is_told_of_for_a_minute_also_when_the_wall_clock_is_set_back_by_an_hour() {
        let hour = 60 * MINUTE_NS;
        let mut seen = Seen { sinks: vec![SinkSeen::default()], ..Seen::default() };
        seen.recorder.look(1, 2 * hour);
        seen.sinks[0].failing = Some((2 * hour, 2 * hour));
        seen.took.look(1, 2 * hour);
        seen.shift(-3_600_000_000_000);
        seen.recorder.look(1, hour + MINUTE_NS - 1);
        assert_eq!(seen.recorder.health("lost").unwrap().since_unix_ns, Some(hour));
        seen.recorder.look(1, hour + MINUTE_NS);
        assert_eq!(seen.recorder.health("lost"), None);
        assert_eq!(seen.sinks[0].failing, Some((hour, hour)));
        assert_eq!(seen.took.last, Some(hour));
    }
}
