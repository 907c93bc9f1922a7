//! The bounds of what is taken from one request.
//!
//! Owns the numbers and their defaults. Does not own the size of a request: who reads it bounds it.

use tta_telemetry::LimitError;

/// Bounds of received requests. What exceeds one is left out or cut and counted, in the
/// [`Outcome`](crate::Outcome) of the request or in the span itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpLimits {
    /// Spans of one request; those beyond it are refused, and the reply says so. Default 50,000; at
    /// least 1.
    pub spans_per_request: usize,
    /// Attributes of a span, an event, a link, a resource or a scope each; the first ones stay. Default 128;
    /// at least 1.
    pub attributes_per_span: usize,
    /// Attributes of all resources and scopes of one request; the first ones stay. Default 65,536; at least 1.
    pub source_attributes_per_request: usize,
    /// Bytes of one attribute's value and of each name and message: longer text is cut at a
    /// character. A value inside a list or map counts at least 4. Default 4 KiB; at least 16.
    pub attribute_bytes: usize,
    /// Events of a span; the first ones stay. Default 128; 0 keeps none.
    pub events_per_span: usize,
    /// Links of a span; the first ones stay. Default 128; 0 keeps none.
    pub links_per_span: usize,
    /// How deep lists and maps may lie in each other; what lies deeper becomes nothing. Default 16;
    /// 1 to 64.
    pub value_depth: usize,
}

impl Default for OtlpLimits {
    fn default() -> Self {
        Self {
            spans_per_request: 50_000,
            attributes_per_span: 128,
            source_attributes_per_request: 65_536,
            attribute_bytes: 4 * 1024,
            events_per_span: 128,
            links_per_span: 128,
            value_depth: 16,
        }
    }
}

impl OtlpLimits {
    /// Checks every range.
    ///
    /// # Errors
    /// The first field that is outside its range.
    pub fn check(&self) -> Result<(), LimitError> {
        let check = |field, given: usize, accepted, range: std::ops::RangeInclusive<usize>| {
            if range.contains(&given) { Ok(()) } else { Err(LimitError { field, given: given.to_string(), accepted }) }
        };
        check("spans_per_request", self.spans_per_request, "at least 1", 1..=usize::MAX)?;
        check("attributes_per_span", self.attributes_per_span, "at least 1", 1..=usize::MAX)?;
        let of_sources = self.source_attributes_per_request;
        check("source_attributes_per_request", of_sources, "at least 1", 1..=usize::MAX)?;
        check("attribute_bytes", self.attribute_bytes, "at least 16", 16..=usize::MAX)?;
        // Each level takes a stack frame.
        check("value_depth", self.value_depth, "1 to 64", 1..=64)
    }
}

/// The longest start of a text that is within so many bytes and ends with a whole character.
pub(crate) fn cut(text: &str, most_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(most_bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_what_is_not_is_named() {
        let limits = OtlpLimits::default();
        assert_eq!(limits.check(), Ok(()));
        assert_eq!(
            (limits.spans_per_request, limits.attributes_per_span, limits.attribute_bytes),
            (50_000, 128, 4_096)
        );
        assert_eq!(limits.source_attributes_per_request, 65_536);
        assert_eq!((limits.events_per_span, limits.links_per_span, limits.value_depth), (128, 128, 16));
        for (limits, field) in [
            (OtlpLimits { spans_per_request: 0, ..limits.clone() }, "spans_per_request"),
            (OtlpLimits { attributes_per_span: 0, ..limits.clone() }, "attributes_per_span"),
            (OtlpLimits { source_attributes_per_request: 0, ..limits.clone() }, "source_attributes_per_request"),
            (OtlpLimits { attribute_bytes: 15, ..limits.clone() }, "attribute_bytes"),
            (OtlpLimits { value_depth: 65, ..limits.clone() }, "value_depth"),
        ] {
            assert_eq!(limits.check().map_err(|error| error.field), Err(field));
        }
    }

    #[test]
    fn text_is_cut_at_a_whole_character() {
        assert_eq!((cut("aéb", 2), cut("aéb", 3), cut("aéb", 9)), ("a", "aé", "aéb"));
    }
}
