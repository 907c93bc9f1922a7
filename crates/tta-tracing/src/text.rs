//! Text of values that user code formats: bounded, and safe from their panics.
//!
//! Owns the calls into `Debug`, `Display` and `Error` of other people's types, and nothing of what
//! happens to the text.

use std::error::Error;
use std::fmt::{self, Arguments, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Causes of an error that are followed. A chain that is longer is most likely endless.
const MOST_CAUSES: usize = 32;

/// Appends what a value writes, at most `limit_bytes` of it, cut at a character. A panic in the
/// value's code leaves a note of it instead; the value's failure leaves what it said until then.
///
/// Returns whether the text was cut.
pub(crate) fn append(text: &mut String, value: Arguments<'_>, limit_bytes: usize) -> bool {
    let start = text.len();
    let mut kept = Kept { text, limit_bytes: start.saturating_add(limit_bytes), is_cut: false };
    // The text is put right below, and nobody else sees the value again.
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _ = kept.write_fmt(value);
    }));
    let is_cut = kept.is_cut;
    if let Err(panic) = caught {
        text.truncate(start);
        text.push_str("<panicked: ");
        push_clipped(text, tta_telemetry::panic::message(&*panic), limit_bytes);
        text.push('>');
        // What was thrown may panic as well when it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
    }
    is_cut
}

/// Appends at most `limit_bytes` of a text, cut at a character.
pub(crate) fn push_clipped(text: &mut String, more: &str, limit_bytes: usize) {
    text.push_str(clipped(more, limit_bytes));
}

/// At most `limit_bytes` of a text, cut at a character.
pub(crate) fn clipped(text: &str, limit_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(limit_bytes)).unwrap_or_default()
}

/// The causes of an error, outermost first, each at most `limit_bytes` long.
pub(crate) fn causes(error: &(dyn Error + 'static), limit_bytes: usize) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = source(error);
    while let Some(cause) = next
        && causes.len() < MOST_CAUSES
    {
        let mut text = String::new();
        append(&mut text, format_args!("{cause}"), limit_bytes);
        causes.push(text);
        next = source(cause);
    }
    causes
}

fn source<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    // The error is only borrowed and looked at by nobody else meanwhile.
    catch_unwind(AssertUnwindSafe(|| error.source())).ok().flatten()
}

struct Kept<'a> {
    text: &'a mut String,
    limit_bytes: usize,
    is_cut: bool,
}

impl Write for Kept<'_> {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.limit_bytes.saturating_sub(self.text.len());
        if self.is_cut || more.len() > room {
            if !self.is_cut {
                push_clipped(self.text, more, room);
            }
            self.is_cut = true;
            return Err(fmt::Error);
        }
        self.text.push_str(more);
        Ok(())
    }
}
