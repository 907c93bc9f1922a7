//! The program that is looked at: an engine as in production, a workflow, and its users.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use anyhow::ensure;
use futures_util::{StreamExt, stream};
use tta::host::CpuClock;
use tta::prelude::*;
use tta::telemetry::config::Preset;
use tta::telemetry::store::MemoryTraceStore;
use tta::telemetry::{Clock, Counter, Family, Health, IdSource, ManualClock, Metric, Slo};
use tta::{CircuitState, Usd};

/// Questions under load.
pub(crate) const QUESTIONS: u64 = 3_000;
/// Who asks them.
pub(crate) const USERS: u64 = 2_000;
/// One question in so many has no answer, and one is slow.
pub(crate) const ONE_FAILS_IN: u64 = 100;
pub(crate) const ONE_IS_SLOW_IN: u64 = 250;
/// Questions while the index is down.
pub(crate) const DURING_OUTAGE: u64 = 20;
/// What an answer costs.
pub(crate) const PRICE: Usd = Usd::from_micros(420);
const IN_FLIGHT: usize = 64;

/// The documents that answers are made from: somewhere else, and down at times.
#[derive(Clone)]
struct Index {
    is_down: Arc<AtomicBool>,
}

impl Primitive<u64> for Index {
    type Out = u64;

    async fn run(&self, question: u64, _: &Context) -> tta::Result<u64> {
        if self.is_down.load(Ordering::Relaxed) {
            return Err("the index does not answer".with_kind(ErrorKind::Upstream));
        }
        Ok(question)
    }
}

async fn model(question: u64, cx: Context) -> tta::Result<String> {
    if question % ONE_FAILS_IN == 7 {
        return Err("no answer to this".with_kind(ErrorKind::InvalidInput));
    }
    // Longer than what counts as slow in production.
    let takes = if question % ONE_IS_SLOW_IN == 13 { 1_050 } else { 1 };
    // By the clock of the run, which this program sets forward itself.
    let work = Duration::from_millis(takes);
    cx.sleep(work).await;
    cx.record_cost("llm", PRICE);
    Ok(format!("the answer to {question}"))
}

/// Lets time pass whenever all wait for it: slow questions take no time here, and as long as they
/// should by every clock of the program.
async fn in_its_own_time<F: Future>(time: &ManualClock, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            if time.advance_to_next().is_none() {
                return Poll::Pending;
            }
        }
    })
    .await
}

pub(crate) struct Program {
    time: ManualClock,
    pub(crate) telemetry: Telemetry,
    answer: Workflow<u64, String>,
    is_down: Arc<AtomicBool>,
    index: CircuitBreaker,
    questions: Family<Counter>,
}

impl Program {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut config = Preset::Production.config();
        config.service_name = "answers".to_owned();
        let (clock, time) = Clock::manual();
        let telemetry = Telemetry::builder()
            .config(&config)?
            .clock(clock)
            .ids(IdSource::seeded(7))
            .cpu_time(CpuClock)
            .trace_store(MemoryTraceStore::new(config.service_name.clone()))
            .build()?;
        let slo = Slo::named("answered").target(0.95).latency_threshold(Duration::from_millis(500));
        telemetry.configure_slo("answer", slo.build()?)?;
        // By user: many more than metrics should have series for.
        let questions = Metric::named("questions_total").help("Questions that were asked.").labels(&["user"]);
        let questions = telemetry.counter(questions)?;
        let index = CircuitBreaker::named("index");
        let index = index.consecutive_failures(5).recovery_timeout(Duration::from_millis(100)).build()?;
        let is_down = Arc::new(AtomicBool::new(false));
        let look_up = step(Index { is_down: Arc::clone(&is_down) }).circuit_breaker(index.clone());
        let answer = workflow("answer", look_up) >> with_context(model);
        Ok(Self { time, telemetry, answer, is_down, index, questions })
    }

    /// Asks a question for whoever asks it.
    async fn ask(&self, question: u64) -> tta::Result<String> {
        let user = format!("user-{}", question % USERS);
        if let Ok(count) = self.questions.with(&[&user]) {
            count.add(1);
        }
        let cx = Context::builder().telemetry(self.telemetry.clone()).user_id(user).build();
        self.answer.run(question, &cx.map_err(|error| error.to_string().with_kind(ErrorKind::InvalidInput))?).await
    }

    /// Thousands of questions, many at a time.
    pub(crate) async fn load(&self) -> anyhow::Result<()> {
        let asked = stream::iter((0..QUESTIONS).map(|question| self.ask(question))).buffer_unordered(IN_FLIGHT);
        let answered = asked.filter(|answer| std::future::ready(answer.is_ok())).count();
        let answered = in_its_own_time(&self.time, answered).await as u64;
        ensure!(answered == QUESTIONS - QUESTIONS / ONE_FAILS_IN, "{answered} answers");
        Ok(())
    }

    /// The index is down: after five failures it is asked no more.
    pub(crate) async fn outage(&self) -> anyhow::Result<()> {
        self.is_down.store(true, Ordering::Relaxed);
        for question in 0..DURING_OUTAGE {
            let answer = in_its_own_time(&self.time, self.ask(question)).await;
            ensure!(answer.is_err(), "there is no answer without the index");
        }
        Ok(())
    }

    /// The index is back: after a while it is asked once, then as ever.
    pub(crate) async fn recovery(&self) -> anyhow::Result<()> {
        self.is_down.store(false, Ordering::Relaxed);
        while self.index.state() != CircuitState::Closed {
            self.time.advance(Duration::from_millis(10));
            let _ = in_its_own_time(&self.time, self.ask(0)).await;
        }
        Ok(())
    }

    pub(crate) fn health(&self, component: &str) -> Option<Health> {
        self.telemetry.health().component(component).cloned()
    }
}
