//! Several errors as the causes of one, in a text that is bounded however many and long they are.
//!
//! Owns how they read. Who collects them, and why they end a run, is not its business.

use std::fmt;

use crate::clip::clip;
use crate::error::{Error, ErrorKind};
use crate::fallback::FallbackError;
use crate::hedge::HedgeError;
use crate::parallel::JoinError;
use crate::router::RouterError;

/// Causes whose messages are shown; the others are counted.
const SHOWN_CAUSES: usize = 8;
/// Bytes of each cause's message.
const CAUSE_BYTES: usize = 256;

/// Writes `: a: boom; b: no route; and 3 more`; `name` says what to call a cause, given its place.
pub(crate) fn write_causes<'e>(
    f: &mut fmt::Formatter<'_>,
    causes: &'e [Error],
    name: impl Fn(usize, &'e Error) -> &'e str,
) -> fmt::Result {
    for (at, cause) in causes.iter().take(SHOWN_CAUSES).enumerate() {
        let separator = if at == 0 { ":" } else { ";" };
        write!(f, "{separator} {}: {}", name(at, cause), clip(cause, CAUSE_BYTES))?;
    }
    match causes.len().saturating_sub(SHOWN_CAUSES) {
        0 => Ok(()),
        more => write!(f, "; and {more} more"),
    }
}

/// The errors that were gathered in one, if it is such a one.
fn causes_of(error: &Error) -> &[Error] {
    let fallback = || error.downcast_ref().map(FallbackError::causes);
    let hedge = || error.downcast_ref().map(HedgeError::causes);
    let join = || error.downcast_ref().map(JoinError::causes);
    let router = || error.downcast_ref().map(RouterError::causes);
    fallback().or_else(hedge).or_else(join).or_else(router).unwrap_or_default()
}

/// Whether an error says that nothing was done: rate limited, circuit open, bulkhead full, budget exceeded. One
/// that
/// gathers several has the kind of the first, and says so only when all of them do.
#[cold]
pub(crate) fn is_refusal(error: &Error) -> bool {
    use ErrorKind::{BudgetExceeded, BulkheadFull, CircuitOpen, RateLimited};
    matches!(error.kind(), BudgetExceeded | BulkheadFull | CircuitOpen | RateLimited)
        && causes_of(error).iter().all(is_refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shown<'a>(&'a [Error]);

    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_causes(f, self.0, |at, cause| {
                let name = if at == 0 { Some("first") } else { cause.path().first().map(|name| name.as_str()) };
                name.unwrap_or_default()
            })
        }
    }

    fn cause(step: &'static str, message: &str) -> Error {
        Error::from_any(message).within(&step.into())
    }

    #[test]
    fn causes_are_named_and_kept_apart() {
        let causes = [cause("a", "boom"), cause("b", "no route"), cause("c", "")];
        assert_eq!(Shown(&causes).to_string(), ": first: boom; b: no route; c: ");
        assert_eq!(Shown(&[]).to_string(), "");
    }

    #[test]
    fn nine_causes_are_counted_from_the_ninth_on_and_long_ones_are_cut() {
        let causes: Vec<Error> = (0..9).map(|_| cause("b", "no")).collect();
        assert_eq!(Shown(&causes[..8]).to_string(), format!(": first: no{}", "; b: no".repeat(7)));
        assert_eq!(Shown(&causes).to_string(), format!(": first: no{}; and 1 more", "; b: no".repeat(7)));
        let long = [cause("a", &"x".repeat(10_000))];
        assert_eq!(Shown(&long).to_string(), format!(": first: {}…", "x".repeat(253)));
    }
}
