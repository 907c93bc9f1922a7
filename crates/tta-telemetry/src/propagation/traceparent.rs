//! The `traceparent` header and the context it carries.
//!
//! Owns reading any version of it and writing version 00. Does not own `tracestate`, which is only
//! read when there is a valid `traceparent`.

use std::fmt;

use super::text::{parse_hex, parse_hex_byte, trim_ows, write_hex};
use super::{TraceFlags, TraceState};
use crate::{SpanId, TraceId};

/// Where in which trace a call comes from or goes out (W3C Trace Context level 2, section 3).
///
/// Cloning copies no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that makes the call, `parent-id` in the specification.
    pub span_id: SpanId,
    /// What is known about the trace.
    pub flags: TraceFlags,
    /// What tracing systems along the way have to say about the trace.
    pub trace_state: TraceState,
}

/// The text of a `traceparent` of version 00: 55 characters, held without allocating.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Traceparent([u8; Self::BYTES]);

/// What follows the version, in every version that is known or to come.
type Fields = (TraceId, SpanId, TraceFlags);

impl TraceContext {
    /// Reads all values of the headers `traceparent` and `tracestate`.
    ///
    /// `None` unless there is exactly one `traceparent` and it is well-formed (sections 3.2.2 and
    /// 3.2.4): lower-case hexadecimal digits, ids that are not zero, a version other than `ff`. One
    /// of version 00 has 55 characters; of a higher version the first 55 are read, and they end the
    /// value or a `-` follows. Spaces and tabs around the value and flags that level 2 does not know
    /// are ignored. `tracestate` is only looked at when `traceparent` is valid (section 3.3), and
    /// whatever is in it, the rest of the context stands.
    #[inline]
    #[must_use]
    pub fn parse<'p, 's>(
        traceparent: impl IntoIterator<Item = &'p [u8]>,
        tracestate: impl IntoIterator<Item = &'s [u8]>,
    ) -> Option<Self> {
        let mut values = traceparent.into_iter();
        let only = values.next()?;
        if values.next().is_some() {
            return None;
        }
        let (trace_id, span_id, flags) = parse_fields(trim_ows(only))?;
        Some(Self { trace_id, span_id, flags, trace_state: TraceState::parse(tracestate) })
    }

    /// The value of the header `traceparent`, always of version 00.
    #[inline]
    #[must_use]
    pub fn write_traceparent(&self) -> Traceparent {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_hex(&self.trace_id.get().to_be_bytes(), &mut text[3..35]);
        write_hex(&self.span_id.get().to_be_bytes(), &mut text[36..52]);
        // The known flags fit into the last digit, and its value is at most 3.
        text[54] = b'0' + self.flags.bits();
        Traceparent(text)
    }
}

impl Traceparent {
    /// Length of the text.
    const BYTES: usize = 55;

    /// The text.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It is ASCII, so there is nothing to default to.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Traceparent({self})")
    }
}

/// `version "-" trace-id "-" parent-id "-" trace-flags`, in a higher version `"-"` and more.
#[inline]
fn parse_fields(value: &[u8]) -> Option<Fields> {
    let (version, rest) = value.split_first_chunk()?;
    let (trace_high, rest) = after_dash(rest)?.split_first_chunk()?;
    let (trace_low, rest) = rest.split_first_chunk()?;
    let (span_id, rest) = after_dash(rest)?.split_first_chunk()?;
    let (flags, rest) = after_dash(rest)?.split_first_chunk()?;
    match (parse_hex_byte(*version)?, rest) {
        (0xff, _) => return None,
        (0, []) | (1.., [] | [b'-', ..]) => {}
        _ => return None,
    }
    let trace_id = (u128::from(parse_hex(*trace_high)?) << 64) | u128::from(parse_hex(*trace_low)?);
    let flags = TraceFlags::from_bits(parse_hex_byte(*flags)?);
    Some((TraceId::new(trace_id)?, SpanId::new(parse_hex(*span_id)?)?, flags))
}

#[inline]
fn after_dash(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn parse(value: &str) -> Option<TraceContext> {
        TraceContext::parse([value.as_bytes()], [])
    }

    #[test]
    fn the_example_of_the_specification_is_read_and_written() {
        let context = parse(VALID).unwrap();
        assert_eq!(context.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id.to_string(), "00f067aa0ba902b7");
        assert_eq!(context.flags, TraceFlags::SAMPLED);
        assert_eq!(context.write_traceparent().as_str(), VALID);
        assert_eq!(format!("{:>56}", context.write_traceparent()), format!(" {VALID}"));
    }

    #[test]
    fn a_higher_version_is_written_as_version_00_with_the_known_flags_only() {
        let context = parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-more").unwrap();
        let written = context.write_traceparent();
        assert_eq!(written.as_str(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03");
    }

    #[test]
    fn changing_any_one_byte_to_a_capital_or_a_control_character_makes_it_invalid() {
        for position in 0..VALID.len() {
            for byte in [b'A', b'G', b'g', 0, 0x80, 0xff, b'.'] {
                let mut bytes = VALID.as_bytes().to_vec();
                bytes[position] = byte;
                assert_eq!(TraceContext::parse([bytes.as_slice()], []), None, "{byte} at {position}");
            }
        }
    }

    #[test]
    fn every_shorter_value_is_invalid() {
        for length in 0..VALID.len() {
            assert_eq!(parse(&VALID[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_repeated_header_is_invalid_even_when_both_say_the_same() {
        assert_eq!(TraceContext::parse([VALID.as_bytes(), VALID.as_bytes()], []), None);
        assert_eq!(parse(&format!("{VALID},{VALID}")), None);
        assert_eq!(parse(&format!("{},{VALID}", VALID.replacen("00", "01", 1))), None);
    }
}
