//! Samplers and processors whose panics stay their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{FinishedRun, Sampler, TraceEdit, TraceProcessor, Verdict};
use crate::model::{Name, RuleName};
use crate::sampling::head::RunStart;
use crate::sampling::rate::Rate;
use crate::sampling::tail::RuleOutcome;

/// Characters that are kept of a panic's message.
const MESSAGE_CHARS: usize = 200;

/// What a panic adds to the strain, of which every call that succeeds takes away one.
const PANIC_STRAIN: u32 = 10;
/// From where on a hook is failing: three panics in a row, or more than one in ten calls for long.
const FAILING_STRAIN: u32 = 3 * PANIC_STRAIN - 5;
/// It does not grow further, so that a hook that works again is healthy after some 75 calls.
const MOST_STRAIN: u32 = 100;

/// A hook panicked instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// What went wrong so far.
#[derive(Debug, Default)]
struct Panics {
    count: AtomicU64,
    strain: AtomicU32,
    last: Mutex<Option<String>>,
}

impl Panics {
    /// Calls.
    fn catch<T>(&self, call: impl FnOnce() -> T) -> Result<T, Panicked> {
        let strain = |change: fn(u32) -> u32| {
            let _ = self.strain.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |strain| Some(change(strain)));
        };
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(value) => {
                if self.strain.load(Ordering::Relaxed) > 0 {
                    strain(|strain| strain.saturating_sub(1));
                }
                Ok(value)
            }
            Err(payload) => {
                self.count.fetch_add(1, Ordering::Relaxed);
                strain(|strain| (strain + PANIC_STRAIN).min(MOST_STRAIN));
                let message = crate::panic::message(&*payload).chars().take(MESSAGE_CHARS).collect();
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
                // A payload that panics when it is dropped would undo all this.
                std::mem::forget(payload);
                Err(Panicked)
            }
        }
    }

    fn is_failing(&self) -> bool {
        self.strain.load(Ordering::Relaxed) >= FAILING_STRAIN
    }

    fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A [`Sampler`] that cannot harm its caller: when it panics it has said nothing, and that is
/// counted. Clones share it: whoever keeps one of what an engine was given can read its panics.
#[derive(Clone)]
pub struct IsolatedSampler {
    inner: Arc<dyn Sampler>,
    /// Asked once: a name that changed would split its counts.
    name: Option<RuleName>,
    panics: Arc<Panics>,
}

impl IsolatedSampler {
    /// Wraps a sampler. One whose name panics is never asked for anything.
    pub fn new(sampler: impl Sampler) -> Self {
        let inner: Arc<dyn Sampler> = Arc::new(sampler);
        let panics = Arc::new(Panics::default());
        let name = panics.catch(|| inner.name()).ok();
        Self { inner, name, panics }
    }

    /// Its name, where it has one.
    #[must_use]
    pub const fn name(&self) -> Option<RuleName> {
        self.name
    }

    /// The rate it wants for a run that starts.
    #[must_use]
    pub fn head(&self, workflow: &Name, start: &RunStart<'_>) -> Option<Rate> {
        self.try_head(workflow, start).unwrap_or_default()
    }

    /// The same, telling silence from a panic.
    pub(crate) fn try_head(&self, workflow: &Name, start: &RunStart<'_>) -> Result<Option<Rate>, Panicked> {
        if self.name.is_none() {
            return Ok(None);
        }
        self.panics.catch(|| self.inner.head(workflow, start))
    }

    /// What it says about a finished trace.
    #[must_use]
    pub fn tail(&self, run: &FinishedRun<'_>) -> RuleOutcome {
        self.try_tail(run).unwrap_or_default()
    }

    /// The same, telling silence from a panic.
    pub(crate) fn try_tail(&self, run: &FinishedRun<'_>) -> Result<RuleOutcome, Panicked> {
        let Some(name) = self.name else { return Ok(RuleOutcome::None) };
        Ok(match self.panics.catch(|| self.inner.tail(run))? {
            None => RuleOutcome::None,
            Some(Verdict::Keep) => RuleOutcome::Keep(name),
            Some(Verdict::Drop) => RuleOutcome::Drop(name),
            Some(Verdict::Rate(rate)) => RuleOutcome::Rate(name, rate),
        })
    }

    /// Whether it panics again and again, as far as it is asked.
    pub(crate) fn is_failing(&self) -> bool {
        self.panics.is_failing()
    }

    /// How often it panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.count.load(Ordering::Relaxed)
    }

    /// The message of the last panic, at most 200 characters of it.
    #[must_use]
    pub fn last_panic(&self) -> Option<String> {
        self.panics.last()
    }
}

/// A [`TraceProcessor`] that cannot harm its caller; see [`IsolatedSampler`].
#[derive(Clone)]
pub struct IsolatedProcessor {
    inner: Arc<dyn TraceProcessor>,
    name: Name,
    panics: Arc<Panics>,
}

impl IsolatedProcessor {
    /// Wraps a processor.
    pub fn new(processor: impl TraceProcessor) -> Self {
        let inner: Arc<dyn TraceProcessor> = Arc::new(processor);
        let panics = Arc::new(Panics::default());
        let name = panics.catch(|| Name::from(inner.name().to_owned()));
        Self { inner, name: name.unwrap_or(Name::from_static("unnamed")), panics }
    }

    /// Its name; `unnamed` when asking for it panicked.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Lets it look at a trace or edit it. `false` when it panicked: what it had changed until then
    /// stays.
    pub fn process(&self, trace: &mut TraceEdit<'_>) -> bool {
        self.panics.catch(|| self.inner.process(trace)).is_ok()
    }

    /// Whether it panics again and again.
    pub(crate) fn is_failing(&self) -> bool {
        self.panics.is_failing()
    }

    /// How often it panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.count.load(Ordering::Relaxed)
    }

    /// The message of the last panic, at most 200 characters of it.
    #[must_use]
    pub fn last_panic(&self) -> Option<String> {
        self.panics.last()
    }
}

impl<S: Sampler> From<S> for IsolatedSampler {
    fn from(sampler: S) -> Self {
        Self::new(sampler)
    }
}

impl<P: TraceProcessor> From<P> for IsolatedProcessor {
    fn from(processor: P) -> Self {
        Self::new(processor)
    }
}

impl std::fmt::Debug for IsolatedSampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IsolatedSampler").field("name", &self.name).field("panics", &self.panics()).finish()
    }
}

impl std::fmt::Debug for IsolatedProcessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IsolatedProcessor").field("name", &self.name).field("panics", &self.panics()).finish()
    }
}
