//! The member `ot` of `tracestate`, in which OpenTelemetry keeps threshold and randomness.
//!
//! Owns the list in that member: its grammar, reading and writing it. Does not own the header, or
//! which threshold is written when.

use super::threshold::{Randomness, Threshold};
use crate::propagation::TraceState;

const MEMBER: &str = "ot";
/// Characters of the whole list.
const MAX_LIST: usize = 256;

/// What the member `ot` of a `tracestate` says (OpenTelemetry, TraceState Handling).
///
/// A list that breaks the grammar reads as if it was not there, and so does a `th` or `rv` that is
/// not one. Sub-keys of others are passed on as they are.
///
/// ```
/// use tta_telemetry::propagation::TraceState;
/// use tta_telemetry::sampling::OtelState;
///
/// let received = TraceState::parse([b"rojo=1,ot=th:c;xy:7".as_slice()]);
/// let state = OtelState::read(&received);
/// assert_eq!(state.threshold().map(|th| th.adjusted_count()), Some(4.0));
///
/// let raised = state.with_threshold(Some("e".parse()?));
/// assert_eq!(raised.write(&received).as_str(), "ot=th:e;xy:7,rojo=1");
/// assert_eq!(state.with_threshold(None).write(&received).as_str(), "ot=xy:7,rojo=1");
/// # Ok::<(), tta_telemetry::sampling::SamplingError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OtelState<'a> {
    threshold: Option<Threshold>,
    randomness: Option<Randomness>,
    /// The whole list as received; valid or empty.
    list: &'a str,
}

impl<'a> OtelState<'a> {
    /// What a `tracestate` says. Allocates nothing.
    #[must_use]
    pub fn read(state: &'a TraceState) -> Self {
        state.get(MEMBER).and_then(Self::parse).unwrap_or_default()
    }

    /// The list of the member. `None` when it breaks the grammar or is too long.
    #[must_use]
    pub fn parse(list: &'a str) -> Option<Self> {
        if list.len() > MAX_LIST {
            return None;
        }
        let mut parsed = Self { list, ..Self::default() };
        for (seen, member) in list.split(';').enumerate() {
            let (key, value) = member.split_once(':').filter(|(key, value)| is_key(key) && is_value(value))?;
            if members(list).take(seen).any(|(earlier, _)| earlier == key) {
                return None;
            }
            match key {
                "th" => parsed.threshold = value.parse().ok(),
                "rv" => parsed.randomness = value.parse().ok(),
                _ => {}
            }
        }
        Some(parsed)
    }

    /// The threshold that all earlier stages together have applied, where it is known.
    #[must_use]
    pub const fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    /// The randomness that the root has put in.
    #[must_use]
    pub const fn randomness(&self) -> Option<Randomness> {
        self.randomness
    }

    /// The same with another threshold; `None` erases it, which says that the probability is
    /// unknown.
    #[must_use]
    pub const fn with_threshold(self, threshold: Option<Threshold>) -> Self {
        Self { threshold, ..self }
    }

    /// The same with randomness put in. Only the root of a trace may do so.
    #[must_use]
    pub const fn with_randomness(self, randomness: Randomness) -> Self {
        Self { randomness: Some(randomness), ..self }
    }

    /// Whether the list can hold all of it. If not, [`write`](Self::write) leaves out the threshold.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.text().len() <= MAX_LIST
    }

    /// The `tracestate` with this as its member `ot`.
    ///
    /// A list that would exceed 256 characters loses its threshold: one that is missing says that
    /// the probability is unknown, an old one would be wrong. With nothing to say the member is
    /// taken out.
    #[must_use]
    pub fn write(&self, to: &TraceState) -> TraceState {
        let mut text = self.text();
        if text.len() > MAX_LIST {
            text = self.with_threshold(None).text();
        }
        match to.get(MEMBER) {
            Some(present) if present == text => to.clone(),
            None if text.is_empty() => to.clone(),
            _ if text.is_empty() => to.without(MEMBER),
            // Cannot fail: the grammar of the list is narrower than that of a value. The length can
            // only be beyond it when randomness was put beside a full list.
            _ => to.with(MEMBER, &text).unwrap_or_else(|_| to.without(MEMBER)),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut push = |key: &str, value: &dyn std::fmt::Display| {
            let separator = if text.is_empty() { "" } else { ";" };
            text.push_str(&format!("{separator}{key}:{value}"));
        };
        if let Some(threshold) = self.threshold {
            push("th", &threshold);
        }
        if let Some(randomness) = self.randomness {
            push("rv", &randomness);
        }
        members(self.list).filter(|(key, _)| !matches!(*key, "th" | "rv")).for_each(|(key, value)| push(key, &value));
        text
    }
}

fn members(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.split(';').filter_map(|member| member.split_once(':'))
}

fn is_key(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_value(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> TraceState {
        TraceState::parse([text.as_bytes()])
    }

    fn th(text: &str) -> Threshold {
        text.parse().unwrap()
    }

    #[test]
    fn threshold_and_randomness_are_read_and_written_back_as_they_were() {
        for text in ["ot=th:0", "ot=th:c;rv:0123456789abcd", "ot=rv:0123456789abcd", "ot=th:ffbe77;p:8;r:62", "ot=a:"] {
            let state = state(text);
            let read = OtelState::read(&state);
            assert_eq!(read.write(&state).as_str(), text);
        }
        let state = state("ot=p:8;rv:0123456789abcd;th:c");
        let read = OtelState::read(&state);
        assert_eq!(read.threshold(), Some(th("c")));
        assert_eq!(read.randomness().unwrap().to_string(), "0123456789abcd");
    }

    #[test]
    fn a_malformed_list_is_as_if_it_was_not_there_and_is_replaced() {
        for list in [
            "th",
            "th:c;",
            ";th:c",
            "th:c;;p:8",
            "Th:c",
            "1a:c",
            "th :c",
            "th:c;th:c",
            "th:c;p:8;p:9",
            "th:c d",
            "th:c:d",
            "th:c;a:~",
            ":c",
        ] {
            assert_eq!(OtelState::parse(list), None, "{list}");
            let state = state(&format!("a=1,ot={list}"));
            assert_eq!(OtelState::read(&state), OtelState::default(), "{list}");
            assert_eq!(OtelState::read(&state).write(&state).as_str(), "a=1", "{list}");
            let replaced = OtelState::read(&state).with_threshold(Some(th("8"))).write(&state);
            assert_eq!(replaced.as_str(), "ot=th:8,a=1", "{list}");
        }
    }

    #[test]
    fn a_sub_key_that_is_malformed_is_absent_and_the_others_stay() {
        for list in ["th:C;p:8", "th:;p:8", "th:123456789012345;p:8", "rv:1;p:8", "rv:0123456789ABCD;p:8"] {
            let state = state(&format!("ot={list}"));
            let read = OtelState::read(&state);
            assert_eq!((read.threshold(), read.randomness()), (None, None), "{list}");
            assert_eq!(read.write(&state).as_str(), "ot=p:8", "{list}");
        }
    }

    #[test]
    fn a_list_of_256_characters_is_kept_and_one_that_grows_beyond_loses_the_threshold() {
        let full = format!("p:{}", "v".repeat(254));
        let state = state(&format!("ot={full},a=1"));
        let read = OtelState::read(&state);
        assert!(read.fits());
        assert_eq!(read.write(&state), state);
        let grown = read.with_threshold(Some(th("8")));
        assert!(!grown.fits());
        assert_eq!(grown.write(&state).as_str(), state.as_str());
        // The old threshold does not survive the failed update.
        let tight = format!("th:8;p:{}", "v".repeat(249));
        let tight = TraceState::parse([format!("ot={tight}").as_bytes()]);
        let raised = OtelState::read(&tight).with_threshold(Some(th("fd70a"))).write(&tight);
        assert_eq!(OtelState::read(&raised).threshold(), None);
        assert_eq!(raised.as_str().len(), "ot=p:".len() + 249);
        assert_eq!(OtelState::parse(&format!("p:{}", "v".repeat(255))), None);
    }

    #[test]
    fn erasing_the_only_sub_key_takes_the_member_out_and_changing_it_moves_it_to_the_front() {
        let state = state("a=1,ot=th:c");
        assert_eq!(OtelState::read(&state).with_threshold(None).write(&state).as_str(), "a=1");
        assert_eq!(OtelState::read(&state).with_threshold(Some(th("e"))).write(&state).as_str(), "ot=th:e,a=1");
        assert_eq!(OtelState::read(&state).write(&state).as_str(), "a=1,ot=th:c", "unchanged: not moved");
        let root = OtelState::default().with_randomness("00000000000001".parse().unwrap());
        assert_eq!(root.write(&TraceState::default()).as_str(), "ot=rv:00000000000001");
    }
}
