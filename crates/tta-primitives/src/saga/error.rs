//! The error of a saga that could not undo all it had done.

use std::error::Error as StdError;
use std::fmt;

use tta_telemetry::Name;

use crate::clip::clip;
use crate::error::{Error, ErrorKind, RetryHint};

/// Entries of each list that the message shows; the others are counted.
const SHOWN: usize = 8;
/// Bytes of each error's message.
const ERROR_BYTES: usize = 256;

/// A saga failed, and so did some of its compensations: what is left behind needs somebody's
/// attention. Found inside an [`Error`] of kind [`Compensation`](ErrorKind::Compensation), which
/// is not to be tried again, by [`downcast_ref`](Error::downcast_ref).
///
/// ```
/// use tta_primitives::{Context, ErrorKind, SagaError, saga, step};
/// # async fn reserve(seat: u32) -> Result<u32, String> { Ok(seat) }
/// # async fn release(_: u32) -> Result<(), String> { Err("no route".into()) }
/// # async fn charge(_: u32) -> Result<u32, String> { Err("card refused".into()) }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let once = tta_primitives::Retry::new().max_retries(0).build()?;
/// let trip = saga("trip").step(reserve).compensate(release).step(charge).uncompensated();
/// # let trip = trip.compensation_retry(once);
/// let error = step(trip.build()?).run(7, &Context::new()).await.unwrap_err();
/// assert_eq!(error.to_string(), "charge: card refused; failed to compensate: release: no route");
/// assert_eq!(error.kind(), ErrorKind::Compensation);
/// let left_behind = error.downcast_ref::<SagaError>().map(|saga| saga.failed.len());
/// assert_eq!(left_behind, Some(1));
/// # Ok::<(), tta_primitives::PolicyError>(()) }).unwrap();
/// ```
///
/// The message says all of it in one line, errors cut at 256 bytes and lists at eight entries; the
/// source is the cause. Names are in the order in which compensations ran: last in, first out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SagaError {
    /// Why the saga failed; its path begins with the step that did.
    pub cause: Error,
    /// Compensations that succeeded.
    pub compensated: Vec<Name>,
    /// Compensations that failed or, of kind [`Timeout`](ErrorKind::Timeout), were cut off.
    pub failed: Vec<FailedCompensation>,
    /// Compensations that were never started: no time was left.
    pub not_run: Vec<Name>,
}

/// A compensation that failed, after its retries, or was cut off.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FailedCompensation {
    /// Its name.
    pub name: Name,
    /// Its last error.
    pub error: Error,
}

impl SagaError {
    /// As the workflow's error. The cause must not lend its hint: another attempt would do again
    /// what has not been undone. Nor that a deadline ended it: a timeout around would speak instead,
    /// and nobody would learn what is left behind.
    #[cold]
    pub(super) fn into_error(self) -> Error {
        Error::new(ErrorKind::Compensation, self).with_retry_hint(RetryHint::Never).on_its_own()
    }
}

impl fmt::Display for SagaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(step) = self.cause.path().first() {
            write!(f, "{step}: ")?;
        }
        f.write_str(&line(&self.cause))?;
        write_list(f, "failed to compensate", &self.failed, |f, failed| {
            write!(f, "{}: {}", failed.name, line(&failed.error))
        })?;
        write_list(f, "not run", &self.not_run, |f, name| write!(f, "{name}"))?;
        write_list(f, "compensated", &self.compensated, |f, name| write!(f, "{name}"))
    }
}

/// A message cut to its bound, without line breaks.
fn line(error: &Error) -> String {
    clip(error, ERROR_BYTES).replace(char::is_control, " ")
}

/// Writes `; not run: a, b, and 3 more`; nothing of an empty list.
fn write_list<T>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    items: &[T],
    write_one: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.iter().take(SHOWN).enumerate() {
        if at == 0 {
            write!(f, "; {what}: ")?;
        } else {
            f.write_str(", ")?;
        }
        write_one(f, item)?;
    }
    match items.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, ", and {more} more"),
    }
}

impl StdError for SagaError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::IntoError;
    use std::time::Duration;

    fn failed(name: &'static str, message: &str) -> FailedCompensation {
        FailedCompensation { name: name.into(), error: Error::from_any(message) }
    }

    fn error() -> SagaError {
        let cause = "card refused".with_kind(ErrorKind::Upstream).retry_after(Duration::from_secs(1));
        SagaError {
            cause: cause.within(&"charge".into()),
            compensated: vec!["cancel_flight".into()],
            failed: vec![failed("cancel_hotel", "no route\nto host"), failed("cancel_car", "gone")],
            not_run: vec!["cancel_tour".into()],
        }
    }

    #[test]
    fn the_message_says_all_of_it_in_one_line() {
        assert_eq!(
            error().to_string(),
            "charge: card refused; failed to compensate: cancel_hotel: no route to host, cancel_car: gone; \
             not run: cancel_tour; compensated: cancel_flight"
        );
    }

    #[test]
    fn the_message_is_bounded_in_lists_and_errors() {
        let mut long = error();
        long.cause = Error::from_any("x".repeat(10_000));
        long.failed = vec![failed("a", &"y".repeat(10_000))];
        long.not_run = (0..10).map(|_| "n".into()).collect();
        long.compensated.clear();
        let (x, y) = ("x".repeat(253), "y".repeat(253));
        let names = "n, ".repeat(8);
        let want = format!("{x}…; failed to compensate: a: {y}…; not run: {names}and 2 more");
        assert_eq!(long.to_string(), want);
    }

    /// A cause that asks to be tried again once made a retry around the saga do so.
    #[test]
    fn the_error_keeps_cause_and_sources_and_must_not_be_tried_again() {
        let told = error().into_error();
        assert_eq!((told.kind(), told.retry_hint()), (ErrorKind::Compensation, RetryHint::Never));
        assert_eq!(told.chain(), ["card refused"]);
        let inside = told.downcast_ref::<SagaError>().unwrap();
        assert_eq!((inside.cause.kind(), inside.failed.len()), (ErrorKind::Upstream, 2));
    }
}
