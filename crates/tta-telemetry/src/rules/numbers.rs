//! Quantities: exact, or refused.

use super::Quantile;
use super::ast::Literal;
use super::lexer::Token;
use crate::money::Usd;

pub(super) const TIME: &str = "a time with its unit (ns, us, ms, s or m), such as `2s`";
pub(super) const MONEY: &str = "an amount of dollars, such as `$0.05`";
pub(super) const WHOLE: &str = "a whole number";

const MOST_DOLLARS: u128 = 1_000_000_000;

/// So many units of `unit`, exact.
fn scaled(decimal: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut total = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.chars() {
        // More digits than the unit can be divided into.
        if !place.is_multiple_of(10) {
            // Minutes are 60 s, of which half is whole.
            let rest = u128::from(digit.to_digit(10)?) * place;
            return (rest.is_multiple_of(10) && fraction.ends_with(digit)).then(|| total + rest / 10);
        }
        place /= 10;
        total = total.checked_add(u128::from(digit.to_digit(10)?) * place)?;
    }
    Some(total)
}

/// In nanoseconds.
pub(super) fn time(token: &Token) -> Option<u64> {
    let Token::Number { text, unit } = token else { return None };
    let unit = match unit.as_str() {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        _ => return None,
    };
    scaled(text, unit)?.try_into().ok()
}

/// `p` and a percentage, above 0 and below 100.
pub(super) fn quantile(token: &Token) -> Option<Quantile> {
    let Token::Word(word) = token else { return None };
    let percent = word.strip_prefix('p')?;
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, "0"));
    let is_number = [whole, fraction].iter().all(|digits| !digits.is_empty() && is_digits(digits));
    let millionths = scaled(percent, 10_000).filter(|_| is_number)?;
    u32::try_from(millionths).ok().and_then(Quantile::new)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn money(token: &Token) -> Option<Usd> {
    let Token::Money(text) = token else { return None };
    let nanos = scaled(text, 1_000_000_000).filter(|nanos| *nanos <= MOST_DOLLARS * 1_000_000_000)?;
    nanos.try_into().ok().map(Usd::from_nanos)
}

pub(super) fn whole(token: &Token) -> Option<u64> {
    match token {
        Token::Number { text, unit } if unit.is_empty() => text.parse().ok(),
        _ => None,
    }
}

pub(super) fn literal(token: &Token) -> Option<Literal> {
    match token {
        Token::Number { text, unit } if unit.is_empty() => match text.contains('.') {
            true => {
                text.parse().ok().filter(|number: &f64| number.is_finite()).map(|number| Literal::Float(number + 0.0))
            }
            false => text.parse().ok().map(Literal::Int),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str, unit: &str) -> Token {
        Token::Number { text: text.to_owned(), unit: unit.to_owned() }
    }

    #[test]
    fn times_are_exact_or_refused() {
        for (text, unit, want) in [
            ("2", "s", Some(2_000_000_000)),
            ("1.5", "ms", Some(1_500_000)),
            ("0.5", "m", Some(30_000_000_000)),
            ("0.0000000001", "m", Some(6)),
            ("0.00000000005", "m", Some(3)),
            ("0.00000000001", "m", None),
            ("1.50", "us", Some(1_500)),
            ("1.5", "ns", None),
            ("18446744073709551615", "ns", Some(u64::MAX)),
            ("18446744073709551616", "ns", None),
            ("-1", "s", None),
            ("1", "h", None),
            ("1", "", None),
            (&"9".repeat(60), "s", None),
        ] {
            assert_eq!(time(&number(text, unit)), want, "{text}{unit}");
        }
    }

    #[test]
    fn quantiles_are_percentages_between_both_ends() {
        for (text, want) in [
            ("p50", Some(500_000)),
            ("p99", Some(990_000)),
            ("p99.9", Some(999_000)),
            ("p99.90", Some(999_000)),
            ("p099", Some(990_000)),
            ("p0.0001", Some(1)),
            ("p99.9999", Some(999_999)),
            ("p99.99999", None),
            ("p0", None),
            ("p0.0", None),
            ("p100", None),
            ("p", None),
            ("p.5", None),
            ("p99.", None),
            ("p9.9.9", None),
            ("p-1", None),
            ("P99", None),
            ("p9_9", None),
            (&format!("p{}", "9".repeat(60)), None),
        ] {
            assert_eq!(quantile(&Token::Word(text.to_owned())), want.and_then(Quantile::new), "{text}");
        }
        assert_eq!(quantile(&number("99", "p")), None);
    }

    #[test]
    fn money_is_exact_to_the_nano_dollar() {
        for (text, want) in [
            ("0.05", Some(50_000_000)),
            ("1", Some(1_000_000_000)),
            ("0.000000001", Some(1)),
            ("0.0000000001", None),
            ("1000000000", Some(1_000_000_000_000_000_000)),
            ("1000000000.1", None),
        ] {
            assert_eq!(money(&Token::Money(text.to_owned())), want.map(Usd::from_nanos), "{text}");
        }
    }
}
