//! The one error of every workflow.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tta_telemetry::Name;

/// Any error a step may return.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// What ends a call that waited for its turn until the deadline: it was never made, which says
/// nothing about what would have been called.
#[derive(Debug)]
pub(crate) struct NeverMade(pub(crate) String);

impl fmt::Display for NeverMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for NeverMade {}

/// A result whose error is a workflow's, unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong in a workflow: a kind to act on, the step where it happened, and the step's own
/// error with its sources.
///
/// Cheap to clone: clones share everything. It implements [`std::error::Error`], so `?` converts
/// it into `anyhow::Error` and boxed errors.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    hint: RetryHint,
    /// The deadline of the part of the run ended it, so whoever set that deadline is to speak.
    by_deadline: bool,
    path: Vec<Name>,
    cause: Arc<dyn StdError + Send + Sync + 'static>,
}

/// What sort of failure an [`Error`] is. Retry, fallback and alerts decide by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The step's own failure; the default for errors that steps return.
    #[default]
    App,
    /// The input was refused; trying again cannot help.
    InvalidInput,
    /// The step took longer than its timeout or the run's deadline.
    Timeout,
    /// The run was cancelled.
    Cancelled,
    /// A rate limit, ours or an upstream's.
    RateLimited,
    /// A circuit breaker is open.
    CircuitOpen,
    /// A bulkhead has no room.
    BulkheadFull,
    /// A cost budget is spent.
    BudgetExceeded,
    /// A service that the step called failed.
    Upstream,
    /// The step panicked.
    Panic,
    /// A loop used up its iterations without the wanted output.
    LimitReached,
    /// A compensation of a saga failed.
    Compensation,
    /// A replay met something the recording does not hold.
    ReplayMiss,
    /// A fault of this library. Please report it.
    Internal,
}

/// What an error says about trying again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryHint {
    /// Nothing: the policy decides by kind.
    #[default]
    Unspecified,
    /// Trying again cannot help.
    Never,
    /// Trying again may help.
    Retry,
    /// Trying again may help, not before this time has passed (`Retry-After`).
    After(Duration),
}

impl ErrorKind {
    /// The stable string of this kind, as in `error.type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorKind::App => "app",
            ErrorKind::InvalidInput => "invalid_input",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::RateLimited => "rate_limited",
            ErrorKind::CircuitOpen => "circuit_open",
            ErrorKind::BulkheadFull => "bulkhead_full",
            ErrorKind::BudgetExceeded => "budget_exceeded",
            ErrorKind::Upstream => "upstream",
            ErrorKind::Panic => "panic",
            ErrorKind::LimitReached => "limit_reached",
            ErrorKind::Compensation => "compensation",
            ErrorKind::ReplayMiss => "replay_miss",
            ErrorKind::Internal => "internal",
        }
    }
}

/// An error's sources, nearest first; at most 32, for chains that never end.
fn sources<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |error: &&'e (dyn StdError + 'static)| (*error).source()).take(32)
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    /// An error of a kind, from a message or another error. An [`Error`] inside keeps its path,
    /// hint and sources.
    pub fn new(kind: ErrorKind, cause: impl Into<BoxError>) -> Self {
        Self::from_any(cause).kind_set(kind)
    }

    /// Any error as a workflow error. An [`Error`] is unwrapped, not wrapped again; one among the
    /// sources lends its kind and hint; others are of kind [`ErrorKind::App`].
    ///
    /// An `anyhow::Error` hides the type of what it was made from: an [`Error`] keeps its kind
    /// through it only under a `.context(..)`.
    #[cold]
    pub fn from_any(cause: impl Into<BoxError>) -> Self {
        match cause.into().downcast::<Self>() {
            Ok(error) => *error,
            Err(cause) => {
                // An `Error` that the step put into one of its own still says what went wrong.
                let inside = sources(&*cause).find_map(|source| source.downcast_ref::<Self>());
                let lent = inside.map(|error| (error.0.kind, error.0.hint, error.0.by_deadline));
                let (kind, hint, by_deadline) = lent.unwrap_or_default();
                Self(Arc::new(Inner { kind, hint, by_deadline, path: Vec::new(), cause: Arc::from(cause) }))
            }
        }
    }

    /// What sort of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What it says about trying again.
    #[must_use]
    pub fn retry_hint(&self) -> RetryHint {
        self.0.hint
    }

    /// The names of the steps from the outermost to the one that failed; empty outside a workflow.
    #[must_use]
    pub fn path(&self) -> &[Name] {
        &self.0.path
    }

    /// The step's own error, if it is of type `E`.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.cause.downcast_ref()
    }

    /// The messages of the error's sources, nearest first; at most 32.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        sources(&*self.0.cause).map(ToString::to_string).collect()
    }

    /// The same error with another hint.
    #[must_use]
    pub fn with_retry_hint(self, hint: RetryHint) -> Self {
        self.change(|inner| inner.hint = hint)
    }

    /// The same error, known to come from the deadline of the part of the run it arose in.
    pub(crate) fn by_deadline(self) -> Self {
        self.change(|inner| inner.by_deadline = true)
    }

    pub(crate) fn is_by_deadline(&self) -> bool {
        self.0.by_deadline
    }

    /// The same error, which speaks for itself whoever set the deadline that led to it.
    pub(crate) fn on_its_own(self) -> Self {
        if self.0.by_deadline { self.change(|inner| inner.by_deadline = false) } else { self }
    }

    fn kind_set(self, kind: ErrorKind) -> Self {
        self.change(|inner| inner.kind = kind)
    }

    /// The same error, having passed through a step.
    pub(crate) fn within(self, step: &Name) -> Self {
        self.change(|inner| inner.path.insert(0, step.clone()))
    }

    fn change(mut self, f: impl FnOnce(&mut Inner)) -> Self {
        f(Arc::make_mut(&mut self.0));
        self
    }
}

/// Sets kind and hint on any error that a step is about to return.
///
/// ```
/// use std::time::Duration;
/// use tta_primitives::{ErrorKind, IntoError, Result};
///
/// async fn call(_: String) -> Result<String> {
///     let reply: Result<String, std::io::Error> = Err(std::io::ErrorKind::WouldBlock.into());
///     reply.map_err(|error| error.with_kind(ErrorKind::RateLimited).retry_after(Duration::from_secs(2)))
/// }
/// ```
pub trait IntoError: Into<BoxError> + Sized {
    /// This error as a workflow error of the given kind.
    fn with_kind(self, kind: ErrorKind) -> Error {
        Error::new(kind, self)
    }

    /// This error as a workflow error that asks to be tried again, not before `delay` has passed.
    fn retry_after(self, delay: Duration) -> Error {
        Error::from_any(self).with_retry_hint(RetryHint::After(delay))
    }

    /// This error as a workflow error that must not be tried again.
    fn never_retry(self) -> Error {
        Error::from_any(self).with_retry_hint(RetryHint::Never)
    }
}

impl<E: Into<BoxError>> IntoError for E {}

/// The step's own message.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            for step in &self.0.path {
                write!(f, "{step}: ")?;
            }
        }
        write!(f, "{}", self.0.cause)?;
        if f.alternate() {
            for source in self.chain() {
                write!(f, ": {source}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: Vec<&str> = self.0.path.iter().map(Name::as_str).collect();
        match path.join(" > ") {
            path if path.is_empty() => write!(f, "{} error: {}", self.0.kind, self.0.cause)?,
            path => write!(f, "{} error in `{path}`: {}", self.0.kind, self.0.cause)?,
        }
        for source in self.chain() {
            write!(f, "\n  caused by: {source}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot load")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    fn outer() -> Outer {
        Outer(std::io::Error::other("disk on fire"))
    }

    #[test]
    fn an_error_keeps_its_message_its_sources_and_its_type() {
        let error = Error::from_any(outer());
        assert_eq!(error.to_string(), "cannot load");
        assert_eq!(error.chain(), ["disk on fire"]);
        assert_eq!(error.source().map(ToString::to_string), Some("disk on fire".to_owned()));
        assert!(error.downcast_ref::<Outer>().is_some());
        assert_eq!(error.kind(), ErrorKind::App);
    }

    #[test]
    fn an_error_inside_is_unwrapped_and_keeps_what_it_knew() {
        let first = outer().with_kind(ErrorKind::Upstream).retry_after(Duration::from_secs(1)).within(&"step".into());
        let again = Error::from_any(BoxError::from(first));
        assert_eq!((again.kind(), again.path()), (ErrorKind::Upstream, &["step".into()][..]));
        assert_eq!(again.retry_hint(), RetryHint::After(Duration::from_secs(1)));
        assert!(again.downcast_ref::<Outer>().is_some());
        let renamed = again.with_kind(ErrorKind::RateLimited);
        assert_eq!(renamed.path().len(), 1);
    }

    #[test]
    fn an_error_among_the_sources_lends_its_kind_and_hint() {
        let limited = "slow down".with_kind(ErrorKind::RateLimited).retry_after(Duration::from_secs(1));
        let wrapped = anyhow::Error::new(limited).context("while fetching prices");
        let error = Error::from_any(wrapped);
        assert_eq!((error.to_string().as_str(), error.kind()), ("while fetching prices", ErrorKind::RateLimited));
        assert_eq!(error.retry_hint(), RetryHint::After(Duration::from_secs(1)));
        assert_eq!(error.chain(), ["slow down"]);
    }

    #[test]
    fn the_path_grows_outwards_and_shows_in_the_long_form() {
        let error = Error::from_any("boom").within(&"inner".into()).within(&"outer".into());
        assert_eq!(format!("{error:#}"), "outer: inner: boom");
        assert_eq!(format!("{error:?}"), "app error in `outer > inner`: boom");
    }

    #[test]
    fn it_fits_anyhow_and_boxed_errors_and_threads() {
        fn question_mark() -> anyhow::Result<()> {
            Err(Error::from_any("boom"))?;
            Ok(())
        }
        fn is_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
        assert_eq!(question_mark().unwrap_err().to_string(), "boom");
        is_shared(&Error::from_any("boom"));
    }
}
