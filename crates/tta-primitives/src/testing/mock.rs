//! A step that does what a test tells it to, and remembers its calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tta_telemetry::Name;

use crate::context::Context;
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::primitive::Primitive;

/// A mock step. Clones share the script and the calls.
///
/// Each call first waits the `delay`, if there is one; then it fails while failures are left;
/// then it panics if told to; then it returns.
#[derive(Debug)]
pub struct Mock<In, Out>(Arc<Inner<In, Out>>);

#[derive(Debug)]
struct Inner<In, Out> {
    name: Name,
    script: Mutex<Script<In, Out>>,
}

#[derive(Debug)]
struct Script<In, Out> {
    delay: Duration,
    failures: Vec<Error>,
    panic: Option<String>,
    output: Option<Out>,
    calls: Vec<In>,
}

impl<In, Out> Clone for Mock<In, Out> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<In, Out> Mock<In, Out> {
    /// A step that fails until it is told what to return.
    #[must_use]
    pub fn new(name: impl Into<Name>) -> Self {
        let script =
            Script { delay: Duration::ZERO, failures: Vec::new(), panic: None, output: None, calls: Vec::new() };
        Self(Arc::new(Inner { name: name.into(), script: Mutex::new(script) }))
    }

    /// Returns a clone of this from every call that does not fail.
    #[must_use]
    pub fn returns(self, output: Out) -> Self {
        self.script().output = Some(output);
        self
    }

    /// Fails the next `times` calls (after failures added before) with this error.
    #[must_use]
    pub fn fails(self, times: usize, error: impl Into<BoxError>) -> Self {
        let error = Error::from_any(error);
        self.script().failures.extend(std::iter::repeat_n(error, times));
        self
    }

    /// Waits on the run's clock before every answer.
    #[must_use]
    pub fn delays(self, delay: Duration) -> Self {
        self.script().delay = delay;
        self
    }

    /// Panics with this message from every call that does not fail.
    #[must_use]
    pub fn panics(self, message: impl Into<String>) -> Self {
        self.script().panic = Some(message.into());
        self
    }

    /// How often it was called.
    #[must_use]
    pub fn call_count(&self) -> usize {
        self.script().calls.len()
    }

    fn script(&self) -> MutexGuard<'_, Script<In, Out>> {
        self.0.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<In: Clone, Out> Mock<In, Out> {
    /// The inputs of all calls, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<In> {
        self.script().calls.clone()
    }
}

impl<In, Out> Primitive<In> for Mock<In, Out>
where
    In: Send + 'static,
    Out: Clone + Send + 'static,
{
    type Out = Out;

    async fn run(&self, input: In, cx: &Context) -> Result<Out> {
        let delay = {
            let mut script = self.script();
            script.calls.push(input);
            script.delay
        };
        if !delay.is_zero() {
            cx.sleep(delay).await;
        }
        let (panic, output) = {
            let mut script = self.script();
            if !script.failures.is_empty() {
                return Err(script.failures.remove(0));
            }
            (script.panic.clone(), script.output.clone())
        };
        // The point of the mock.
        #[allow(clippy::panic)]
        if let Some(message) = panic {
            panic!("{message}");
        }
        output.ok_or_else(|| Error::new(ErrorKind::App, format!("mock `{}` was not told what to return", self.0.name)))
    }

    fn name(&self) -> Name {
        self.0.name.clone()
    }

    fn kind(&self) -> &'static str {
        "mock"
    }
}
