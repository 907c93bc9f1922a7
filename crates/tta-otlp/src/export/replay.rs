//! Recorded requests made ready to be sent again.
//!
//! Owns reading a line of OTLP/JSON and moving its times. Does not own files, or sending.

use super::split;
use crate::WireProblem;
use crate::json::{JsonError, transcode};
use crate::wire::numbers::{event, span};
use crate::wire::{Field, Fields, WireError};

/// A line of a file of OTLP/JSON as a request in protobuf: an `ExportTraceServiceRequest`, as the
/// collector's file exporter writes it, or one `ResourceSpans`.
///
/// # Errors
/// The line is neither.
pub fn json_line_to_protobuf(line: &[u8]) -> Result<Vec<u8>, JsonError> {
    let request = transcode(line)?;
    if !request.is_empty() {
        return Ok(request);
    }
    // Keys that are not known are skipped, so that a `ResourceSpans` is a request without any.
    let wrapped = [WRAP, line, b"]}"].concat();
    let request = transcode(&wrapped).map_err(unwrapped)?;
    match split::count(&request) {
        Ok(spans) if spans > 0 => Ok(request),
        _ => Err(JsonError {
            path: "body".to_owned(),
            message: "found no spans, expected `resourceSpans` or `scopeSpans` with some".to_owned(),
            line: 1,
            column: 0,
        }),
    }
}

/// What a `ResourceSpans` is put in.
const WRAP: &[u8] = b"{\"resourceSpans\":[";

/// An error with its place in the line as it was given.
fn unwrapped(mut error: JsonError) -> JsonError {
    let path = error.path.strip_prefix("resourceSpans[0]").map(|path| path.trim_start_matches('.'));
    if let Some(path) = path {
        error.path = if path.is_empty() { "body" } else { path }.to_owned();
    }
    if error.line == 1 {
        error.column = error.column.saturating_sub(WRAP.len());
    }
    error
}

/// How many spans a request in protobuf has.
///
/// # Errors
/// It is not one, as far as its spans are concerned, which are not read.
pub fn count_spans(request: &[u8]) -> Result<u64, WireProblem> {
    split::count(request).map_err(|error| error.problem)
}

/// A request in protobuf as several of at most so many spans, with the same spans in the same order.
///
/// # Errors
/// As of [`count_spans`].
pub fn split_request(request: &[u8], most_spans: u64) -> Result<Vec<Vec<u8>>, WireProblem> {
    split::split(request, most_spans).map_err(|error| error.problem)
}

/// The first start and the last end of a request's spans, in nanoseconds since the Unix epoch; `None` where
/// there is none, or the bytes are no request.
#[must_use]
pub fn times_of(request: &[u8]) -> Option<(u64, u64)> {
    let mut range: Option<(u64, u64)> = None;
    split::for_each_span(request, |span| {
        for_each_time(span, |_, time| {
            if time != 0 {
                range = Some(range.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
            }
        })
    })
    .ok()?;
    range
}

/// Moves all times of a request's spans and events by so many nanoseconds; a time of 0, which is none, stays.
pub fn shift_times(request: &mut [u8], by_ns: i64) {
    let mut places = Vec::new();
    let start = request.as_ptr().addr();
    let found = split::for_each_span(request, |span| {
        for_each_time(span, |at, time| {
            if time != 0 {
                places.push((at - start, time.saturating_add_signed(by_ns)));
            }
        })
    });
    // What cannot be read is for the receiver to refuse.
    if found.is_err() {
        return;
    }
    for (at, time) in places {
        if let Some(place) = request.get_mut(at..at + 8) {
            place.copy_from_slice(&time.to_le_bytes());
        }
    }
}

/// Calls for each time of a span with the address of its eight bytes: start, end, and those of events.
fn for_each_time(span: &[u8], mut each: impl FnMut(usize, u64)) -> Result<(), WireError> {
    let mut fields = Fields::new(span);
    while let Some(field) = fields.next()? {
        match field.number {
            span::START_TIME_UNIX_NANO | span::END_TIME_UNIX_NANO => time(&field, &mut each)?,
            span::EVENTS => {
                let mut event = field.message()?;
                while let Some(field) = event.next()? {
                    if field.number == event::TIME_UNIX_NANO {
                        time(&field, &mut each)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The eight bytes stand behind a key, which is one byte for the numbers of times. A writer that pads its
/// keys is left alone.
fn time(field: &Field<'_>, each: &mut impl FnMut(usize, u64)) -> Result<(), WireError> {
    let value = field.fixed64()?;
    let bytes = field.at().get(1..9).unwrap_or_default();
    if bytes == value.to_le_bytes() {
        each(bytes.as_ptr().addr(), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPANS: &str = r#"{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},
        "schemaUrl":"s","scopeSpans":[{"scope":{"name":"l"},"schemaUrl":"t","spans":[
        {"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"x",
         "startTimeUnixNano":"1000","endTimeUnixNano":"3000","events":[{"timeUnixNano":"2000","name":"e"}]},
        {"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b8","name":"y"},
        {"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b9","name":"z"}]}]}"#;

    #[test]
    fn a_line_is_a_request_or_one_resource_with_its_spans() {
        let bare = json_line_to_protobuf(SPANS.as_bytes()).unwrap();
        let whole = json_line_to_protobuf(format!("{{\"resourceSpans\":[{SPANS}]}}").as_bytes()).unwrap();
        assert_eq!((&bare, count_spans(&bare)), (&whole, Ok(3)));
        let error = json_line_to_protobuf(b"{\"logs\":[]}").unwrap_err();
        assert!(error.message.starts_with("found no spans"), "{error}");
        assert!(json_line_to_protobuf(b"not json").is_err());
        let line = br#"{"scopeSpans":[{"spans":[{"traceId":7}]}]}"#;
        let error = json_line_to_protobuf(line).unwrap_err();
        assert_eq!((error.path.as_str(), error.column), ("scopeSpans[0].spans[0].traceId", 37), "{error}");
    }

    #[test]
    fn times_move_together_and_what_is_no_time_stays() {
        let mut request = json_line_to_protobuf(SPANS.as_bytes()).unwrap();
        assert_eq!(times_of(&request), Some((1_000, 3_000)));
        shift_times(&mut request, 500);
        assert_eq!(times_of(&request), Some((1_500, 3_500)));
        let moved =
            SPANS.replace("\"1000\"", "\"1500\"").replace("\"2000\"", "\"2500\"").replace("\"3000\"", "\"3500\"");
        assert_eq!(request, json_line_to_protobuf(moved.as_bytes()).unwrap());
    }

    #[test]
    fn parts_of_a_request_hold_the_same_spans_under_the_same_names() {
        let request = json_line_to_protobuf(SPANS.as_bytes()).unwrap();
        let parts = split::split(&request, 2).unwrap();
        assert_eq!(parts.iter().map(|part| split::count(part).unwrap()).collect::<Vec<_>>(), [2, 1]);
        let printed = String::from_utf8(crate::json::print_json(&parts[1]).unwrap()).unwrap();
        for part in ["\"z\"", "service.name", "\"schemaUrl\":\"s\"", "\"schemaUrl\":\"t\"", "\"name\":\"l\""] {
            assert!(printed.contains(part), "{part} in {printed}");
        }
        assert_eq!(split::split(&request, 9).unwrap(), [request]);
    }
}
