//! Numbers and text as the text formats want them.

use std::fmt::Write;

/// Whole numbers up to here are written without an exponent; all of them are exact.
const LARGE: f64 = 1e15;
const SMALL: f64 = 1e-5;

/// A value in its shortest form: `3`, `0.25`, `1e-9`, `+Inf`.
pub(super) fn write_number(out: &mut String, number: f64) {
    let size = number.abs();
    // Writing to a string cannot fail.
    let _ = if number.is_nan() || number.is_infinite() {
        out.write_str(special(number))
    } else if size < LARGE && number.fract() == 0.0 {
        write!(out, "{}", number as i64)
    } else if (SMALL..LARGE).contains(&size) {
        write!(out, "{number}")
    } else {
        write!(out, "{number:e}")
    };
}

/// The limit of a bucket as Go writes it (`%g`), since it is part of what identifies a series:
/// `0.25`, `1e-06`; in OpenMetrics always recognisable as a fraction, `1.0`.
pub(super) fn write_limit(out: &mut String, limit: f64, as_fraction: bool) {
    let shortest = format!("{limit:e}");
    let Some((digits, exponent)) = shortest.split_once('e') else { return out.push_str(special(limit)) };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let _ = if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{digits}e{sign}{:02}", exponent.abs())
    } else if as_fraction && limit.fract() == 0.0 {
        write!(out, "{limit:.1}")
    } else {
        write!(out, "{limit}")
    };
}

fn special(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

/// Text inside of quotes.
pub(super) fn write_escaped(out: &mut String, text: &str) {
    escape(out, text, true);
}

/// The description of a metric; only OpenMetrics escapes quotes in it.
pub(super) fn write_help(out: &mut String, text: &str, quotes: bool) {
    escape(out, text, quotes);
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    let mut rest = text;
    while let Some(at) = rest.find(|letter| letter == '\\' || letter == '\n' || (quotes && letter == '"')) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut special = special.chars();
        out.push_str(match special.next() {
            Some('\n') => "\\n",
            Some('"') => "\\\"",
            _ => "\\\\",
        });
        rest = special.as_str();
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(number: f64) -> String {
        let mut out = String::new();
        write_number(&mut out, number);
        out
    }

    fn limit(limit: f64, as_fraction: bool) -> String {
        let mut out = String::new();
        write_limit(&mut out, limit, as_fraction);
        out
    }

    #[test]
    fn values_are_written_in_their_shortest_form() {
        let all = [0.0, -0.0, 3.0, -3.0, 0.25, 0.1 + 0.2, 1e14, 1e15, 1e300, 1e-5, 1e-6, 2.5e-9];
        let want = ["0", "0", "3", "-3", "0.25", "0.30000000000000004", "100000000000000", "1e15", "1e300", "0.00001"];
        assert_eq!(all.map(number)[..10], want);
        assert_eq!(all.map(number)[10..], ["1e-6", "2.5e-9"]);
        assert_eq!([f64::NAN, f64::INFINITY, -f64::INFINITY].map(number), ["NaN", "+Inf", "-Inf"]);
    }

    #[test]
    fn limits_are_written_as_go_writes_them() {
        let all = [0.001, 0.25, 1.0, 2.5, 60.0, 1e6, 1_048_576.0, 1e-6, f64::INFINITY];
        let text = ["0.001", "0.25", "1", "2.5", "60", "1e+06", "1.048576e+06", "1e-06", "+Inf"];
        assert_eq!(all.map(|value| limit(value, false)), text);
        let open = ["0.001", "0.25", "1.0", "2.5", "60.0", "1e+06", "1.048576e+06", "1e-06", "+Inf"];
        assert_eq!(all.map(|value| limit(value, true)), open);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same_number(value in proptest::num::f64::NORMAL) {
            prop_assert_eq!(number(value).parse::<f64>().unwrap(), value);
            prop_assert_eq!(limit(value, true).parse::<f64>().unwrap(), value);
            prop_assert_eq!(limit(value, false).parse::<f64>().unwrap(), value);
        }

        #[test]
        fn escaped_text_stays_on_its_line_and_inside_its_quotes(text in "[a\\\\\"\n\u{e4}]{0,12}") {
            let mut out = String::new();
            write_escaped(&mut out, &text);
            prop_assert!(!out.contains('\n'));
            let mut back = String::new();
            let mut letters = out.chars();
            while let Some(letter) = letters.next() {
                prop_assert_ne!(letter, '"');
                back.push(match letter {
                    '\\' => match letters.next().unwrap() { 'n' => '\n', other => other },
                    other => other,
                });
            }
            prop_assert_eq!(back, text);
        }
    }
}
