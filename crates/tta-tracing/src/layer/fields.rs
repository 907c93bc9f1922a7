//! Fields of spans and events, as the recorder takes them.
//!
//! Owns the translation of `tracing`'s values, including those that user code formats. What a
//! field means is known to whoever takes it.

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Debug};
use std::ops::Range;

use tracing_core::field::{Field, Visit};
use tta_telemetry::ValueRef;

use crate::text;

/// Where the causes of an error go that a field holds.
pub(super) const ERROR_CHAIN: &str = "error.chain";

/// Bytes of a formatted value that are looked at. More than the engine can be told to keep, so that
/// the engine makes the cut and counts it.
const MAX_VALUE_BYTES: usize = 128 * 1024 + 4;

/// A buffer that has grown larger is not kept.
const MAX_KEPT_BYTES: usize = 16 * 1024;

thread_local! {
    // Taken out while they are in use: formatting runs code of users, which may come back here.
    static GATHERED: Cell<Gathered> = const { Cell::new(Gathered::new()) };
    static FORMATTED: Cell<String> = const { Cell::new(String::new()) };
}

/// Takes fields one by one.
pub(super) trait Take {
    fn take(&mut self, key: &'static str, value: ValueRef<'_>);
}

/// Hands fields to whoever takes them.
pub(super) struct Fields<'a, T>(pub(super) &'a mut T);

impl<T: Take> Fields<'_, T> {
    fn take_error(&mut self, key: &'static str, error: &(dyn Error + 'static)) {
        let causes = text::causes(error, MAX_VALUE_BYTES);
        if !causes.is_empty() {
            let causes: Vec<&str> = causes.iter().map(String::as_str).collect();
            self.0.take(ERROR_CHAIN, ValueRef::List(&causes));
        }
        self.take_formatted(key, format_args!("{error}"));
    }

    fn take_formatted(&mut self, key: &'static str, value: fmt::Arguments<'_>) {
        let mut formatted = FORMATTED.try_with(Cell::take).unwrap_or_default();
        formatted.clear();
        text::append(&mut formatted, value, MAX_VALUE_BYTES);
        self.0.take(key, ValueRef::Str(&formatted));
        if formatted.capacity() <= MAX_KEPT_BYTES {
            let _ = FORMATTED.try_with(|place| place.set(formatted));
        }
    }
}

impl<T: Take> Visit for Fields<'_, T> {
    #[inline]
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.take(field.name(), ValueRef::Bool(value));
    }

    #[inline]
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.take(field.name(), ValueRef::I64(value));
    }

    #[inline]
    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.0.take(field.name(), ValueRef::I64(value)),
            Err(_) => self.take_formatted(field.name(), format_args!("{value}")),
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.take_formatted(field.name(), format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.take_formatted(field.name(), format_args!("{value}"));
    }

    #[inline]
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.take(field.name(), ValueRef::F64(value));
    }

    #[inline]
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.take(field.name(), ValueRef::Str(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.take_error(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take_formatted(field.name(), format_args!("{value:?}"));
    }
}

/// Fields that are put together before they are recorded: those of events, and those that come to
/// a span later.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    text: String,
    parts: Vec<(&'static str, Part)>,
}

#[derive(Debug)]
enum Part {
    Bool(bool),
    I64(i64),
    F64(f64),
    Literal(&'static str),
    Text(Range<usize>),
    List(Vec<Range<usize>>),
}

impl Gathered {
    const fn new() -> Self {
        Self { text: String::new(), parts: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    fn push_text(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }

    /// Hands everything on, in the same order.
    pub(super) fn replay(&self, into: &mut impl Take) {
        let lists = self.lists();
        self.values(&lists).for_each(|(key, value)| into.take(key, value));
    }

    /// The texts of each list, in order.
    pub(super) fn lists(&self) -> Vec<Vec<&str>> {
        let ranges = self.parts.iter().filter_map(|(_, part)| match part {
            Part::List(ranges) => Some(ranges),
            _ => None,
        });
        ranges.map(|ranges| ranges.iter().map(|range| self.text(range)).collect()).collect()
    }

    /// All fields in order, given [`Gathered::lists`].
    pub(super) fn values<'a>(
        &'a self,
        lists: &'a [Vec<&'a str>],
    ) -> impl Iterator<Item = (&'static str, ValueRef<'a>)> {
        let mut lists = lists.iter();
        self.parts.iter().map(move |(key, part)| {
            let value = match part {
                Part::Bool(value) => ValueRef::Bool(*value),
                Part::I64(value) => ValueRef::I64(*value),
                Part::F64(value) => ValueRef::F64(*value),
                Part::Literal(text) => ValueRef::Static(text),
                Part::Text(range) => ValueRef::Str(self.text(range)),
                Part::List(_) => ValueRef::List(lists.next().map(Vec::as_slice).unwrap_or_default()),
            };
            (*key, value)
        })
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

impl Take for Gathered {
    fn take(&mut self, key: &'static str, value: ValueRef<'_>) {
        let part = match value {
            ValueRef::Bool(value) => Part::Bool(value),
            ValueRef::I64(value) => Part::I64(value),
            ValueRef::F64(value) => Part::F64(value),
            ValueRef::Static(text) => Part::Literal(text),
            ValueRef::Str(text) => Part::Text(self.push_text(text)),
            ValueRef::List(texts) => Part::List(texts.iter().map(|text| self.push_text(text)).collect()),
        };
        self.parts.push((key, part));
    }
}

/// Calls `f` with a buffer of this thread's, into which `record` has put fields.
pub(super) fn gather<R>(record: impl FnOnce(&mut Fields<'_, Gathered>), f: impl FnOnce(&Gathered) -> R) -> R {
    let mut gathered = GATHERED.try_with(Cell::take).unwrap_or_default();
    gathered.text.clear();
    gathered.parts.clear();
    record(&mut Fields(&mut gathered));
    let result = f(&gathered);
    if gathered.text.capacity() <= MAX_KEPT_BYTES {
        let _ = GATHERED.try_with(|place| place.set(gathered));
    }
    result
}
