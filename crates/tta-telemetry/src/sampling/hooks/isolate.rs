//! Samplers and processors whose panics stay their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{FinishedRun, Sampler, TraceEdit, TraceProcessor, Verdict};
use crate::model::{Name, RuleName};
use crate::sampling::head::RunStart;
use crate::sampling::rate::Rate;
use crate::sampling::tail::RuleOutcome;

/// Characters that are kept of a panic's message.
const MESSAGE_CHARS: usize = 200;

/// What went wrong so far.
#[derive(Debug, Default)]
struct Panics {
    count: AtomicU64,
    last: Mutex<Option<String>>,
}

impl Panics {
    /// Calls; `None` when that panicked.
    fn catch<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(value) => Some(value),
            Err(payload) => {
                self.count.fetch_add(1, Ordering::Relaxed);
                let message = crate::panic::message(&*payload).chars().take(MESSAGE_CHARS).collect();
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
                // A payload that panics when it is dropped would undo all this.
                std::mem::forget(payload);
                None
            }
        }
    }

    fn last(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A [`Sampler`] that cannot harm its caller: when it panics it has said nothing, and that is
/// counted. Clones share it.
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
        let name = panics.catch(|| inner.name());
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
        self.name?;
        self.panics.catch(|| self.inner.head(workflow, start)).flatten()
    }

    /// What it says about a finished trace.
    #[must_use]
    pub fn tail(&self, run: &FinishedRun<'_>) -> RuleOutcome {
        let Some(name) = self.name else { return RuleOutcome::None };
        match self.panics.catch(|| self.inner.tail(run)).flatten() {
            None => RuleOutcome::None,
            Some(Verdict::Keep) => RuleOutcome::Keep(name),
            Some(Verdict::Drop) => RuleOutcome::Drop(name),
            Some(Verdict::Rate(rate)) => RuleOutcome::Rate(name, rate),
        }
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
        self.panics.catch(|| self.inner.process(trace)).is_some()
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
