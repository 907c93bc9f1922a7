//! OTLP's messages as a table: what each key is in protobuf.
//!
//! Owns keys, numbers and types. Does not own how a type is written in JSON.

use crate::wire::numbers::{
    any_value, event, key_value, link, list, request, resource, resource_spans, scope, scope_spans, span, status,
};

/// A message: its fields.
pub(super) struct Message {
    pub(super) fields: &'static [Field],
}

/// A field of a message.
pub(super) struct Field {
    /// The key in JSON.
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Message(&'static Message),
    Repeated(&'static Message),
    Text,
    Bool,
    /// Bytes as hexadecimal digits: ids.
    Hex,
    /// Bytes as base64.
    Base64,
    Int64,
    Uint32,
    Fixed32,
    Fixed64,
    Double,
    /// An enumeration, by number.
    Enum,
}

const fn field(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind }
}

pub(super) static REQUEST: Message =
    Message { fields: &[field("resourceSpans", request::RESOURCE_SPANS, Kind::Repeated(&RESOURCE_SPANS))] };

static RESOURCE_SPANS: Message = Message {
    fields: &[
        field("resource", resource_spans::RESOURCE, Kind::Message(&RESOURCE)),
        field("scopeSpans", resource_spans::SCOPE_SPANS, Kind::Repeated(&SCOPE_SPANS)),
        field("schemaUrl", resource_spans::SCHEMA_URL, Kind::Text),
    ],
};

static RESOURCE: Message = Message {
    fields: &[
        field("attributes", resource::ATTRIBUTES, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", resource::DROPPED_ATTRIBUTES_COUNT, Kind::Uint32),
    ],
};

static SCOPE_SPANS: Message = Message {
    fields: &[
        field("scope", scope_spans::SCOPE, Kind::Message(&SCOPE)),
        field("spans", scope_spans::SPANS, Kind::Repeated(&SPAN)),
        field("schemaUrl", scope_spans::SCHEMA_URL, Kind::Text),
    ],
};

static SCOPE: Message = Message {
    fields: &[
        field("name", scope::NAME, Kind::Text),
        field("version", scope::VERSION, Kind::Text),
        field("attributes", scope::ATTRIBUTES, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", scope::DROPPED_ATTRIBUTES_COUNT, Kind::Uint32),
    ],
};

static SPAN: Message = Message {
    fields: &[
        field("traceId", span::TRACE_ID, Kind::Hex),
        field("spanId", span::SPAN_ID, Kind::Hex),
        field("traceState", span::TRACE_STATE, Kind::Text),
        field("parentSpanId", span::PARENT_SPAN_ID, Kind::Hex),
        field("flags", span::FLAGS, Kind::Fixed32),
        field("name", span::NAME, Kind::Text),
        field("kind", span::KIND, Kind::Enum),
        field("startTimeUnixNano", span::START_TIME_UNIX_NANO, Kind::Fixed64),
        field("endTimeUnixNano", span::END_TIME_UNIX_NANO, Kind::Fixed64),
        field("attributes", span::ATTRIBUTES, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", span::DROPPED_ATTRIBUTES_COUNT, Kind::Uint32),
        field("events", span::EVENTS, Kind::Repeated(&EVENT)),
        field("droppedEventsCount", span::DROPPED_EVENTS_COUNT, Kind::Uint32),
        field("links", span::LINKS, Kind::Repeated(&LINK)),
        field("droppedLinksCount", span::DROPPED_LINKS_COUNT, Kind::Uint32),
        field("status", span::STATUS, Kind::Message(&STATUS)),
    ],
};

static EVENT: Message = Message {
    fields: &[
        field("timeUnixNano", event::TIME_UNIX_NANO, Kind::Fixed64),
        field("name", event::NAME, Kind::Text),
        field("attributes", event::ATTRIBUTES, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", event::DROPPED_ATTRIBUTES_COUNT, Kind::Uint32),
    ],
};

static LINK: Message = Message {
    fields: &[
        field("traceId", link::TRACE_ID, Kind::Hex),
        field("spanId", link::SPAN_ID, Kind::Hex),
        field("traceState", link::TRACE_STATE, Kind::Text),
        field("attributes", link::ATTRIBUTES, Kind::Repeated(&KEY_VALUE)),
        field("droppedAttributesCount", link::DROPPED_ATTRIBUTES_COUNT, Kind::Uint32),
        field("flags", link::FLAGS, Kind::Fixed32),
    ],
};

static STATUS: Message =
    Message { fields: &[field("message", status::MESSAGE, Kind::Text), field("code", status::CODE, Kind::Enum)] };

static KEY_VALUE: Message = Message {
    fields: &[field("key", key_value::KEY, Kind::Text), field("value", key_value::VALUE, Kind::Message(&ANY_VALUE))],
};

static ANY_VALUE: Message = Message {
    fields: &[
        field("stringValue", any_value::STRING, Kind::Text),
        field("boolValue", any_value::BOOL, Kind::Bool),
        field("intValue", any_value::INT, Kind::Int64),
        field("doubleValue", any_value::DOUBLE, Kind::Double),
        field("arrayValue", any_value::ARRAY, Kind::Message(&ARRAY)),
        field("kvlistValue", any_value::KVLIST, Kind::Message(&KVLIST)),
        field("bytesValue", any_value::BYTES, Kind::Base64),
    ],
};

static ARRAY: Message = Message { fields: &[field("values", list::VALUES, Kind::Repeated(&ANY_VALUE))] };

static KVLIST: Message = Message { fields: &[field("values", list::VALUES, Kind::Repeated(&KEY_VALUE))] };
