//! The layer that makes libraries' spans and events part of the step they are made in.
//!
//! Owns what each call of the subscriber does. What is kept of an open span is in `open`, where a
//! thread has been in `entered`, what fields mean in `span` and `event`.

mod entered;
mod event;
mod fields;
mod open;
mod site;
mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;
use tta_primitives::interop::Place;
use tta_telemetry::ValueRef;

use crate::counters::{Cells, TracingCounters};
use crate::decisions::DECISION_TARGET;
use entered::Entered;
use fields::{Fields, gather};
use open::{OpenSpan, OpenSpans, TooManyOpen};

/// Numbers of layers, so that a thread that works for two subscribers keeps their spans apart.
static LAYERS: AtomicU64 = AtomicU64::new(0);

/// Records libraries' spans and events in the run they are made in.
///
/// # Which spans
/// A span that is made inside a recorded run belongs to that run: it hangs below the step, or the
/// library span, that the thread is in. An explicit parent that is recorded counts instead, from
/// whatever thread or run. Outside a run nothing is recorded and nothing is allocated.
///
/// A span or an event that is made with `parent: None` is not recorded: its library says that it is
/// no part of what goes on. Such spans belong to what outlives a step, as h2's `Connection` does,
/// and would keep its trace waiting.
///
/// # Entering
/// A thread that enters a recorded span is in that run, at that span: steps, traced futures,
/// [`Context::current`](tta_primitives::Context::current) and further library spans follow it, also
/// on other threads and in tasks that are `.instrument`ed with it. Spans may be entered again while
/// they are entered, left in any order, and left by panics. Enters beyond 128 on one thread are not
/// followed and are counted.
///
/// A guard that is held across an await is left, as far as tta is concerned, with the end of the
/// step's poll: the step goes on at itself, wherever it is polled next. `tracing` itself asks for
/// [`Instrument`](https://docs.rs/tracing/latest/tracing/trait.Instrument.html) there.
///
/// # What is recorded
/// - Spans have the kind `tracing` and end when they are closed. As long as one is open, so is its
///   trace, for at most the engine's `decision_wait` after the end of the run; what ends later
///   follows the decision. A span also holds on to the run's context. Libraries that keep spans open
///   for as long as their connections live are best filtered out.
/// - Fields become attributes with their types; whole numbers beyond `i64` become text. The causes
///   of an error are in `error.chain`. A value that panics while it is formatted leaves a note.
/// - `tracing.level`, `tracing.target`, and `code.file.path` and `code.line.number` unless
///   [`with_location`](TracingLayer::with_location) says otherwise; `code.module.name` where it is
///   not the target.
/// - As with `tracing-opentelemetry`: `otel.name` renames the span, `otel.kind` is kept,
///   `otel.status_code` (`ok`, `error`) says how the span ended, `otel.status_description` why. A
///   field `error` that holds an error, a text or `true`, an event of level `ERROR` directly in the
///   span, and a panic that leaves the span make it an error; whether the step fails is up to the
///   step.
/// - Events are recorded in the span or step that the thread is in, or in their explicit parent if
///   that is recorded. Their name is the message (256 bytes of it), else `exception` for events that
///   hold an `error`, else the event's name.
/// - `follows_from` becomes a link.
///
/// About 131,000 spans may be open at a time; further ones are not recorded and are counted.
#[derive(Debug)]
pub struct TracingLayer {
    number: u64,
    open: OpenSpans,
    with_location: bool,
    counters: Arc<Cells>,
}

/// The layer that makes libraries' spans and events part of the step they are made in.
#[must_use]
pub fn layer() -> TracingLayer {
    TracingLayer::default()
}

impl Default for TracingLayer {
    fn default() -> Self {
        Self {
            number: LAYERS.fetch_add(1, Ordering::Relaxed),
            open: OpenSpans::default(),
            with_location: true,
            counters: Arc::default(),
        }
    }
}

impl TracingLayer {
    /// Whether file, line and module of spans and events are recorded. Default `true`.
    #[must_use]
    pub fn with_location(mut self, recorded: bool) -> Self {
        self.with_location = recorded;
        self
    }

    /// Reads what this layer could not do, also after it was given to a subscriber.
    #[must_use]
    pub fn counters(&self) -> TracingCounters {
        TracingCounters(Arc::clone(&self.counters))
    }

    #[inline]
    fn entered(&self, id: &Id) -> Entered {
        Entered { layer: self.number, id: id.into_u64() }
    }

    /// Where something is made that has an explicit parent, or the thread's place.
    #[inline]
    fn origin(&self, parent: Option<&Id>) -> Option<Origin> {
        if let Some(parent) = parent
            && let Some(place) = self.place_of(parent)
        {
            return Some(Origin { place, library_span: Some(self.entered(parent)) });
        }
        entered::settle();
        Some(Origin { place: Place::recorded()?, library_span: entered::innermost() })
    }

    fn place_of(&self, id: &Id) -> Option<Place> {
        self.open.with(id, |open| open.place().cloned())?
    }
}

/// Where in a run something is made.
struct Origin {
    place: Place,
    /// What it is directly in, if that is a library's span.
    library_span: Option<Entered>,
}

impl<S> Layer<S> for TracingLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if attributes.is_root() {
            return;
        }
        let Some(Origin { place, .. }) = self.origin(attributes.parent()) else { return };
        let metadata = attributes.metadata();
        let Some(mut open) = OpenSpan::start(place, metadata.name(), span::KIND) else { return };
        attributes.record(&mut Fields(&mut *open));
        open.describe(metadata, self.with_location);
        match self.open.insert(id, open) {
            Ok(None) => {}
            // The subscriber forgot to close a span before it used its number again.
            Ok(Some(forgotten)) => forgotten.end(),
            Err(TooManyOpen) => self.counters.unrecorded_spans.add(),
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if self.open.contains(id) {
            gather(|fields| values.record(fields), |gathered| self.open.with(id, |open| gathered.replay(open)));
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, S>) {
        let (Some(place), Some(follows)) = (self.place_of(id), self.place_of(follows)) else { return };
        if let (Some(span), Some(trace_id), Some(followed)) =
            (place.span_id(), follows.context().trace_id(), follows.span_id())
        {
            place.trace().link(span, (trace_id, followed), &[]);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // A decision is on its step's span already.
        if event.is_root() || event.metadata().target() == DECISION_TARGET {
            return;
        }
        let Some(Origin { place, library_span }) = self.origin(event.parent()) else { return };
        let tell = |error: Option<ValueRef<'_>>| {
            if *event.metadata().level() == Level::ERROR
                && let Some(Entered { layer, id }) = library_span
                && layer == self.number
            {
                self.open.with(&Id::from_u64(id), |open| open.fail(error));
            }
        };
        event::record(event, &place, self.with_location, tell);
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        if !self.open.may_contain(id) {
            return;
        }
        let enter = || self.open.with(id, |open| open.place().map(Place::enter))?;
        let is_open = |id| self.open.contains(&Id::from_u64(id));
        if entered::push(self.entered(id), enter, is_open).is_err() {
            self.counters.unfollowed_enters.add();
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        if entered::pop(self.entered(id)) {
            self.open.with(id, OpenSpan::panic);
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        if let Some(open) = self.open.remove(&id) {
            open.end();
        }
    }
}
