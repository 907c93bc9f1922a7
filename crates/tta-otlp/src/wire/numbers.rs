//! The field numbers of OTLP's messages (`opentelemetry/proto/trace/v1/trace.proto`, `common/v1/common.proto`,
//! `resource/v1/resource.proto`, `collector/trace/v1/trace_service.proto`, release 1.x).
//!
//! Owns the numbers. Does not own what a field means.

macro_rules! numbers {
    ($($message:ident { $($field:ident = $number:literal),* $(,)? })*) => {
        $(pub(crate) mod $message {
            $(pub(crate) const $field: u32 = $number;)*
        })*
    };
}

numbers! {
    request { RESOURCE_SPANS = 1 }
    resource_spans { RESOURCE = 1, SCOPE_SPANS = 2, SCHEMA_URL = 3 }
    resource { ATTRIBUTES = 1, DROPPED_ATTRIBUTES_COUNT = 2 }
    scope_spans { SCOPE = 1, SPANS = 2, SCHEMA_URL = 3 }
    scope { NAME = 1, VERSION = 2, ATTRIBUTES = 3, DROPPED_ATTRIBUTES_COUNT = 4 }
    span {
        TRACE_ID = 1, SPAN_ID = 2, TRACE_STATE = 3, PARENT_SPAN_ID = 4, NAME = 5, KIND = 6,
        START_TIME_UNIX_NANO = 7, END_TIME_UNIX_NANO = 8, ATTRIBUTES = 9, DROPPED_ATTRIBUTES_COUNT = 10,
        EVENTS = 11, DROPPED_EVENTS_COUNT = 12, LINKS = 13, DROPPED_LINKS_COUNT = 14, STATUS = 15, FLAGS = 16,
    }
    event { TIME_UNIX_NANO = 1, NAME = 2, ATTRIBUTES = 3, DROPPED_ATTRIBUTES_COUNT = 4 }
    link { TRACE_ID = 1, SPAN_ID = 2, TRACE_STATE = 3, ATTRIBUTES = 4, DROPPED_ATTRIBUTES_COUNT = 5, FLAGS = 6 }
    status { MESSAGE = 2, CODE = 3 }
    key_value { KEY = 1, VALUE = 2 }
    any_value { STRING = 1, BOOL = 2, INT = 3, DOUBLE = 4, ARRAY = 5, KVLIST = 6, BYTES = 7 }
    list { VALUES = 1 }
}
