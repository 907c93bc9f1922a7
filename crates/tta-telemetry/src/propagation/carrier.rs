//! Between the headers of a carrier and the context of a call.
//!
//! Owns the names of the headers, [`extract`] and [`inject`], and the maps and lists of strings
//! that carry headers. Does not own the header maps of an HTTP library.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use super::{Baggage, TraceContext};

/// Name of the header with ids and flags (W3C Trace Context level 2, section 3.2.1).
pub const TRACEPARENT: &str = "traceparent";
/// Name of the header with the members of tracing systems (W3C Trace Context level 2, section 3.3.1).
pub const TRACESTATE: &str = "tracestate";
/// Name of the header with the entries of the application (W3C Baggage, section 3.2).
pub const BAGGAGE: &str = "baggage";

/// Headers that can be read.
///
/// Implemented for lists of pairs, which can repeat a name, and for maps of strings. In a map two
/// names that differ in casing only are one header with two values, in the order of the map.
pub trait HeaderSource {
    /// All values of a header in their order. `name` is one of the three constants of this module;
    /// it matches whatever the casing.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;
}

/// Headers that can be written.
pub trait HeaderSink {
    /// Leaves a header with this value alone, whatever it was and in whatever casing its name.
    /// `name` is in lower case, `value` is printable ASCII.
    fn set(&mut self, name: &'static str, value: &str);

    /// Leaves no value of a header, in whatever casing its name.
    fn remove(&mut self, name: &'static str);
}

/// What came with a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Propagated {
    /// Which span called. `None` when nothing valid came: a new trace starts.
    pub trace: Option<TraceContext>,
    /// What the application of the caller sent along.
    pub baggage: Baggage,
}

/// Reads what came with a call; see [`TraceContext::parse`] and [`Baggage::parse`] for what is
/// refused. Never fails: what is malformed is as if it had not come.
#[inline]
#[must_use]
pub fn extract<S: HeaderSource + ?Sized>(source: &S) -> Propagated {
    Propagated {
        trace: TraceContext::parse(source.values(TRACEPARENT), source.values(TRACESTATE)),
        baggage: Baggage::parse(source.values(BAGGAGE)),
    }
}

/// Writes what goes out with a call. A header for which there is nothing to send is removed, so
/// that none of an earlier call is left in a reused carrier.
#[inline]
pub fn inject<S: HeaderSink + ?Sized>(trace: &TraceContext, baggage: &Baggage, sink: &mut S) {
    sink.set(TRACEPARENT, trace.write_traceparent().as_str());
    if trace.trace_state.is_empty() {
        sink.remove(TRACESTATE);
    } else {
        sink.set(TRACESTATE, trace.trace_state.as_str());
    }
    if baggage.is_empty() {
        sink.remove(BAGGAGE);
    } else {
        let mut value = String::with_capacity(baggage.encoded_bytes());
        // Writing into a string cannot fail.
        let _ = baggage.write_to(&mut value);
        sink.set(BAGGAGE, &value);
    }
}

#[inline]
fn values_of<'a, N: AsRef<str> + 'a, V: AsRef<[u8]> + 'a>(
    headers: impl Iterator<Item = (&'a N, &'a V)>,
    name: &'a str,
) -> impl Iterator<Item = &'a [u8]> {
    headers.filter(move |(found, _)| found.as_ref().eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
}

impl<N: AsRef<str>, V: AsRef<[u8]>> HeaderSource for [(N, V)] {
    #[inline]
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        values_of(self.iter().map(|(name, value)| (name, value)), name)
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const COUNT: usize> HeaderSource for [(N, V); COUNT] {
    #[inline]
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.as_slice().values(name)
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> HeaderSource for Vec<(N, V)> {
    #[inline]
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.as_slice().values(name)
    }
}

impl<H: BuildHasher> HeaderSource for HashMap<String, String, H> {
    #[inline]
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        values_of(self.iter(), name)
    }
}

impl HeaderSource for BTreeMap<String, String> {
    #[inline]
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        values_of(self.iter(), name)
    }
}

/// Reuses the text of the old value.
fn assign(old: &mut String, value: &str) {
    old.clear();
    old.push_str(value);
}

impl<H: BuildHasher> HeaderSink for HashMap<String, String, H> {
    fn set(&mut self, name: &'static str, value: &str) {
        self.retain(|found, _| found == name || !found.eq_ignore_ascii_case(name));
        match self.get_mut(name) {
            Some(old) => assign(old, value),
            None => drop(self.insert(name.to_owned(), value.to_owned())),
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|found, _| !found.eq_ignore_ascii_case(name));
    }
}

impl HeaderSink for BTreeMap<String, String> {
    fn set(&mut self, name: &'static str, value: &str) {
        self.retain(|found, _| found == name || !found.eq_ignore_ascii_case(name));
        match self.get_mut(name) {
            Some(old) => assign(old, value),
            None => drop(self.insert(name.to_owned(), value.to_owned())),
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|found, _| !found.eq_ignore_ascii_case(name));
    }
}
