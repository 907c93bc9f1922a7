//! Plain values in JSON, as protobuf's and OTLP's mappings write them.
//!
//! Owns what each type accepts. `None` is what is not accepted; who asks knows the words for it.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// With and without padding: both are accepted of either alphabet.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A number as JSON has it, or a text that holds one.
#[derive(Clone, Copy)]
pub(super) enum Number<'a> {
    Positive(u64),
    Negative(i64),
    Float(f64),
    Text(&'a str),
}

impl Number<'_> {
    pub(super) fn unsigned(self) -> Option<u64> {
        match self {
            Number::Positive(value) => Some(value),
            Number::Negative(_) => None,
            Number::Float(value) => u64::try_from(whole(value)?).ok(),
            Number::Text(text) => text.parse().ok().or_else(|| u64::try_from(whole(text.parse().ok()?)?).ok()),
        }
    }

    pub(super) fn signed(self) -> Option<i64> {
        match self {
            Number::Positive(value) => i64::try_from(value).ok(),
            Number::Negative(value) => Some(value),
            Number::Float(value) => i64::try_from(whole(value)?).ok(),
            Number::Text(text) => text.parse().ok().or_else(|| i64::try_from(whole(text.parse().ok()?)?).ok()),
        }
    }

    pub(super) fn double(self) -> Option<f64> {
        match self {
            Number::Positive(value) => Some(value as f64),
            Number::Negative(value) => Some(value as f64),
            Number::Float(value) => Some(value),
            Number::Text("NaN") => Some(f64::NAN),
            Number::Text("Infinity") => Some(f64::INFINITY),
            Number::Text("-Infinity") => Some(f64::NEG_INFINITY),
            // Rust would read `inf` and `nan` too.
            Number::Text(text) => text.parse().ok().filter(|value: &f64| value.is_finite()),
        }
    }
}

/// A float that stands for a whole number which it holds exactly, such as `1e3`.
fn whole(value: f64) -> Option<i128> {
    const MOST_EXACT: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= MOST_EXACT).then_some(value as i128)
}

/// Bytes of hexadecimal digits in either case.
pub(super) fn hex(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for [high, low] in pairs {
        out.push((digit(*high)? << 4 | digit(*low)?) as u8);
    }
    Some(())
}

pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_they_are_or_as_text_and_not_beyond_their_type() {
        assert_eq!(Number::Text("18446744073709551615").unsigned(), Some(u64::MAX));
        assert_eq!(Number::Float(1e3).unsigned(), Some(1_000));
        assert_eq!(Number::Text("1e3").signed(), Some(1_000));
        assert_eq!(Number::Text("-9223372036854775808").signed(), Some(i64::MIN));
        for wrong in [Number::Text("18446744073709551616"), Number::Text(""), Number::Text("1.5"), Number::Float(-1.0)]
        {
            assert_eq!(wrong.unsigned(), None);
        }
        assert_eq!((Number::Positive(1 << 63).signed(), Number::Float(1e17).signed()), (None, None));
        assert_eq!(Number::Text("-Infinity").double(), Some(f64::NEG_INFINITY));
        assert_eq!((Number::Text("0.5").double(), Number::Text("inf").double()), (Some(0.5), None));
    }

    #[test]
    fn bytes_are_read_from_hexadecimal_and_from_both_alphabets_of_base64() {
        let read = |text| {
            let mut out = Vec::new();
            hex(text, &mut out).map(|()| out)
        };
        assert_eq!(read("00fFA9"), Some(vec![0, 255, 0xa9]));
        assert_eq!((read("abc"), read("zz"), read("")), (None, None, Some(vec![])));
        for text in ["+/8=", "+/8", "-_8=", "-_8"] {
            assert_eq!(base64(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(base64("a b"), None);
    }
}
