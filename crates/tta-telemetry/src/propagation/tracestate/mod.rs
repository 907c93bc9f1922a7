//! The `tracestate` header: what tracing systems along the way have to say about a trace.
//!
//! Owns the list as a value. The grammar is in `grammar`, reading and shortening in `members`. Does
//! not own what any member means: to all but its owner it is opaque.

mod grammar;
mod members;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use self::members::Members;
use super::text::clip;

/// The members of a `tracestate` (W3C Trace Context level 2, section 3.3), newest first.
///
/// Always a valid list; empty is the default and takes no memory. Cloning copies no text.
///
/// ```
/// use tta_telemetry::propagation::TraceState;
///
/// let received = TraceState::parse([b"rojo=00f067aa0ba902b7, congo=t61rcWkgMzE".as_slice()]);
/// assert_eq!(received.get("congo"), Some("t61rcWkgMzE"));
/// let ours = received.with("congo", "ucfJifl5GOE")?;
/// assert_eq!(ours.as_str(), "congo=ucfJifl5GOE,rojo=00f067aa0ba902b7");
/// # Ok::<(), tta_telemetry::propagation::TraceStateError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TraceState(
    /// Never empty text: members joined by commas without white space.
    Option<Arc<str>>,
);

/// Why a member cannot be put into a [`TraceState`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TraceStateError {
    /// The key breaks the grammar of section 3.3.2.2.1.
    #[error(
        "tracestate key `{given}` is not accepted: accepted are 1 to 256 of a-z, 0-9, _, -, * and /, the first a \
         letter or digit, or tenant@system of at most 241 and 14 of them, the system beginning with a letter"
    )]
    Key {
        /// The key, at most 40 characters of it.
        given: String,
    },
    /// The value breaks the grammar of section 3.3.2.2.2.
    #[error(
        "tracestate value `{given}` is not accepted: accepted are 1 to 256 printable ASCII characters without , and \
         =, the last not a space"
    )]
    Value {
        /// The value, at most 40 characters of it.
        given: String,
    },
}

impl TraceState {
    /// Members that a list may have (section 3.3.2).
    pub const MAX_MEMBERS: usize = 32;
    /// Bytes of a list that are kept and sent. Section 3.3.3.1 asks for at least 512; the grammar
    /// would allow 16,447. A quarter of that is what a header line of common servers has room for
    /// beside other headers, and what a trace that waits for its end may cost in memory.
    pub const MAX_BYTES: usize = 4_096;

    /// Reads all values of the header, in the order in which they came, as one list.
    ///
    /// Empty members and white space around members are dropped. Leading spaces of a value belong
    /// to it. A list that breaks a rule is discarded as a whole, as the conformance tests of the
    /// specification demand: a malformed key or value, a repeated key, more than
    /// [`MAX_MEMBERS`](Self::MAX_MEMBERS). Keys are those of level 1, or of its simple kind with a
    /// digit in front, which level 2 permits. (The grammar of level 2 allows more than one `@` and
    /// a longer system after it; its conformance tests refuse them, and so does this.)
    ///
    /// A valid list above [`MAX_BYTES`](Self::MAX_BYTES) loses whole members: of those longer than
    /// 128 bytes the last, until none is left or it fits, then the last of all (section 3.3.3.1).
    /// Above 32 KiB, which only padding can reach, it is discarded.
    #[inline]
    #[must_use]
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(members::parse(values.into_iter()))
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// Keys and values from the newest to the oldest.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members().filter_map(|member| member.split_once('='))
    }

    /// The list with this member in front, whether it was there before or not (section 3.5).
    ///
    /// The others keep their order. Beyond [`MAX_MEMBERS`](Self::MAX_MEMBERS) the last are dropped,
    /// beyond [`MAX_BYTES`](Self::MAX_BYTES) those that [`parse`](Self::parse) would drop, never
    /// the one that is put in.
    ///
    /// # Errors
    /// When key or value break their grammar.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, TraceStateError> {
        if !grammar::is_key(key.as_bytes()) {
            return Err(TraceStateError::Key { given: clip(key) });
        }
        if !grammar::is_value(value.as_bytes()) {
            return Err(TraceStateError::Value { given: clip(value) });
        }
        let own = format!("{key}={value}");
        let mut members = Members::default();
        members.push(own.as_bytes());
        self.push_others(&mut members, key);
        members.shorten(1);
        Ok(Self(members.join()))
    }

    /// The list without this member: for a system that takes back what it has put in. Section 3.5
    /// asks to leave the members of others alone.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        if self.get(key).is_none() {
            return self.clone();
        }
        let mut members = Members::default();
        self.push_others(&mut members, key);
        Self(members.join())
    }

    /// The value of the header.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether there is no member, and so nothing to send.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn members(&self) -> impl Iterator<Item = &str> {
        self.0.as_deref().into_iter().flat_map(|text| text.split(','))
    }

    /// All but `key`, as many as there is room for.
    fn push_others<'a>(&'a self, members: &mut Members<'a>, key: &str) {
        for member in self.members() {
            let is_other = member.split_once('=').is_some_and(|(found, _)| found != key);
            if is_other && !members.push(member.as_bytes()) {
                return;
            }
        }
    }
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests;
