//! The objects of a line as serde sees them, and the way from and to the model.
//!
//! Names and attributes are borrowed both ways, from the model when writing and from the line when
//! reading.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tta_telemetry::{
    DecisionReason, Name, SamplingDecision, Source, SpanEvent, SpanId, SpanLink, SpanRecord, SpanStatus, Trace,
    TraceClass, TraceCounts, TraceId,
};

use super::VERSION;
use super::attributes::{Attributes, Float};
use super::received::{ReceivedPart, Sources};

/// The samplers whose names are read back; [`SamplingDecision::sampler`] is a literal.
const SAMPLERS: &[&str] = &["keep_all", "keep_failed", "keep_none", "probabilistic", "adaptive", "tail", "rules"];
/// What any other sampler is read as.
const OTHER_SAMPLER: &str = "other";

#[derive(Serialize, Deserialize)]
#[serde(expecting = "the object of a trace")]
pub(super) struct TraceLine<'a> {
    version: Version,
    trace_id: Parsed<TraceId>,
    root_span_id: Parsed<SpanId>,
    class: Class,
    #[serde(borrow)]
    decision: Decision<'a>,
    /// Absent when nobody knows it, and in files from before there were weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    adjusted_count: Option<Float>,
    #[serde(default)]
    incomplete: bool,
    #[serde(default)]
    late: bool,
    #[serde(default)]
    dropped: Dropped,
    /// Who recorded the spans that came from other processes; those refer to it by number.
    #[serde(borrow, default, skip_serializing_if = "Sources::is_empty")]
    sources: Sources<'a>,
    #[serde(borrow)]
    spans: Vec<Span<'a>>,
}

/// Reads the id and skips everything else, which then only has to be JSON.
#[derive(Deserialize)]
pub(super) struct IdOnly {
    trace_id: Parsed<TraceId>,
}

impl IdOnly {
    pub(super) fn trace_id(&self) -> TraceId {
        self.trace_id.0
    }
}

struct Version;

/// A value with a textual form of its own.
pub(super) struct Parsed<T>(pub(super) T);

/// A text that is borrowed where it can be.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Class {
    Failed,
    Cancelled,
    Normal,
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "the object of a decision")]
struct Decision<'a> {
    keep: bool,
    rate: Float,
    reason: Parsed<DecisionReason>,
    #[serde(borrow)]
    sampler: Text<'a>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, expecting = "an object of counts")]
struct Dropped {
    over_span_limit: u32,
    over_byte_limit: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "the object of a span")]
struct Span<'a> {
    span_id: Parsed<SpanId>,
    #[serde(default)]
    parent_span_id: Option<Parsed<SpanId>>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
    start_unix_ns: u64,
    duration_ns: u64,
    status: Parsed<SpanStatus>,
    #[serde(default)]
    handled: bool,
    #[serde(default)]
    attributes: Attributes<'a>,
    #[serde(borrow, default)]
    events: Vec<Event<'a>>,
    #[serde(borrow, default)]
    links: Vec<Link<'a>>,
    #[serde(default)]
    dropped_attributes: u32,
    #[serde(default)]
    truncated_attributes: u32,
    #[serde(default)]
    dropped_events: u32,
    #[serde(default)]
    dropped_links: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    received: Option<ReceivedPart<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "the object of an event")]
struct Event<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    unix_ns: u64,
    #[serde(default)]
    attributes: Attributes<'a>,
    #[serde(default, skip_serializing_if = "is_zero")]
    dropped_attributes: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(expecting = "the object of a link")]
struct Link<'a> {
    trace_id: Parsed<TraceId>,
    span_id: Parsed<SpanId>,
    #[serde(default)]
    attributes: Attributes<'a>,
    #[serde(default, skip_serializing_if = "is_zero")]
    dropped_attributes: u32,
    #[serde(borrow, default, skip_serializing_if = "Text::is_empty")]
    trace_state: Text<'a>,
    #[serde(default, skip_serializing_if = "is_zero")]
    flags: u32,
}

// By reference, as serde asks for it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = u64::deserialize(deserializer)?;
        if given == u64::from(VERSION) {
            return Ok(Version);
        }
        Err(D::Error::custom(format_args!("version is {given}, accepted is {VERSION}")))
    }
}

impl<T: Display> Serialize for Parsed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        text.as_str().parse().map(Parsed).map_err(D::Error::custom)
    }
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> From<&'a Name> for Text<'a> {
    fn from(name: &'a Name) -> Self {
        Text(Cow::Borrowed(name.as_str()))
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(Cow::Borrowed(text))
    }
}

impl From<Text<'_>> for String {
    fn from(text: Text<'_>) -> Self {
        text.0.into_owned()
    }
}

impl From<Text<'_>> for Name {
    fn from(text: Text<'_>) -> Self {
        Name::from(Arc::<str>::from(text.as_str()))
    }
}

impl From<TraceClass> for Class {
    fn from(class: TraceClass) -> Self {
        match class {
            TraceClass::Failed => Class::Failed,
            TraceClass::Cancelled => Class::Cancelled,
            TraceClass::Normal => Class::Normal,
        }
    }
}

impl From<Class> for TraceClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Failed => TraceClass::Failed,
            Class::Cancelled => TraceClass::Cancelled,
            Class::Normal => TraceClass::Normal,
        }
    }
}

impl<'a> From<&'a Trace> for TraceLine<'a> {
    fn from(trace: &'a Trace) -> Self {
        let SamplingDecision { keep, rate, reason, sampler } = trace.decision;
        let TraceCounts { over_span_limit, over_byte_limit } = trace.dropped;
        let mut sources = Sources::default();
        let spans = trace.spans.iter().map(|span| Span::of(span, &mut sources)).collect();
        Self {
            version: Version,
            trace_id: Parsed(trace.trace_id),
            root_span_id: Parsed(trace.root_span_id),
            class: trace.class.into(),
            decision: Decision { keep, rate: Float(rate), reason: Parsed(reason), sampler: Text(sampler.into()) },
            adjusted_count: trace.adjusted_count.map(Float),
            incomplete: trace.incomplete,
            late: trace.late,
            dropped: Dropped { over_span_limit, over_byte_limit },
            sources,
            spans,
        }
    }
}

impl TryFrom<TraceLine<'_>> for Trace {
    type Error = serde_json::Error;

    fn try_from(line: TraceLine<'_>) -> Result<Self, serde_json::Error> {
        let sources = line.sources.read();
        let Decision { keep, rate, reason, sampler } = line.decision;
        let sampler = SAMPLERS.iter().find(|known| **known == sampler.as_str()).unwrap_or(&OTHER_SAMPLER);
        let Dropped { over_span_limit, over_byte_limit } = line.dropped;
        Ok(Self {
            trace_id: line.trace_id.0,
            root_span_id: line.root_span_id.0,
            spans: line.spans.into_iter().map(|span| span.read(&sources)).collect::<Result<_, _>>()?,
            decision: SamplingDecision { keep, rate: rate.0, reason: reason.0, sampler },
            adjusted_count: line.adjusted_count.map(|count| count.0),
            class: line.class.into(),
            dropped: TraceCounts { over_span_limit, over_byte_limit },
            incomplete: line.incomplete,
            late: line.late,
        })
    }
}

impl<'a> Span<'a> {
    fn of(span: &'a SpanRecord, sources: &mut Sources<'a>) -> Self {
        Self {
            span_id: Parsed(span.span_id),
            parent_span_id: span.parent_span_id.map(Parsed),
            name: (&span.name).into(),
            kind: (&span.kind).into(),
            start_unix_ns: span.start_unix_ns,
            duration_ns: span.duration_ns,
            status: Parsed(span.status),
            handled: span.handled,
            attributes: Attributes(Cow::Borrowed(&span.attributes)),
            events: span.events.iter().map(Event::from).collect(),
            links: span.links.iter().map(Link::from).collect(),
            dropped_attributes: span.dropped_attributes,
            truncated_attributes: span.truncated_attributes,
            dropped_events: span.dropped_events,
            dropped_links: span.dropped_links,
            received: span.received.as_deref().map(|received| ReceivedPart::of(received, sources)),
        }
    }
}

impl Span<'_> {
    fn read(self, sources: &[Arc<Source>]) -> Result<SpanRecord, serde_json::Error> {
        let span = self;
        Ok(SpanRecord {
            span_id: span.span_id.0,
            parent_span_id: span.parent_span_id.map(|parent| parent.0),
            name: span.name.into(),
            kind: span.kind.into(),
            start_unix_ns: span.start_unix_ns,
            duration_ns: span.duration_ns,
            status: span.status.0,
            handled: span.handled,
            attributes: span.attributes.0.into_owned(),
            events: span.events.into_iter().map(SpanEvent::from).collect(),
            links: span.links.into_iter().map(SpanLink::from).collect(),
            dropped_attributes: span.dropped_attributes,
            truncated_attributes: span.truncated_attributes,
            dropped_events: span.dropped_events,
            dropped_links: span.dropped_links,
            received: span.received.map(|part| part.read(sources)).transpose()?.map(Box::new),
        })
    }
}

impl<'a> From<&'a SpanEvent> for Event<'a> {
    fn from(event: &'a SpanEvent) -> Self {
        let attributes = Attributes(Cow::Borrowed(&event.attributes));
        let dropped_attributes = event.dropped_attributes;
        Self { name: (&event.name).into(), unix_ns: event.unix_ns, attributes, dropped_attributes }
    }
}

impl From<Event<'_>> for SpanEvent {
    fn from(event: Event<'_>) -> Self {
        let Event { name, unix_ns, attributes, dropped_attributes } = event;
        Self { name: name.into(), unix_ns, attributes: attributes.0.into_owned(), dropped_attributes }
    }
}

impl<'a> From<&'a SpanLink> for Link<'a> {
    fn from(link: &'a SpanLink) -> Self {
        let attributes = Attributes(Cow::Borrowed(&link.attributes));
        Self {
            trace_id: Parsed(link.trace_id),
            span_id: Parsed(link.span_id),
            attributes,
            dropped_attributes: link.dropped_attributes,
            trace_state: link.trace_state.as_str().into(),
            flags: link.flags,
        }
    }
}

impl From<Link<'_>> for SpanLink {
    fn from(link: Link<'_>) -> Self {
        Self {
            trace_id: link.trace_id.0,
            span_id: link.span_id.0,
            attributes: link.attributes.0.into_owned(),
            dropped_attributes: link.dropped_attributes,
            trace_state: link.trace_state.into(),
            flags: link.flags,
        }
    }
}
