//! Card numbers: 13 to 19 digits, in groups or not, whose last one is their check (Luhn).
//!
//! One number in ten passes the check, so what is certainly something else is left alone: numbers
//! inside longer ones, ids with letters, times since 1970, long numbers that no network issues.

use super::{Parts, at, before, run_end};

const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Groups that are put together; a card has at most seven.
const MOST_GROUPS: usize = 8;

/// The groups `4111 1111 1111 1111`, or one longer, as digits.
#[derive(Clone, Copy)]
struct Number {
    digits: u64,
    count: usize,
}

/// Whether a whole number is a card's.
pub(in crate::redaction) fn is_card_number(value: i64) -> bool {
    let Ok(digits) = u64::try_from(value) else { return false };
    // The smallest of 13 digits; most numbers are below.
    digits >= 1_000_000_000_000 && is_card(Number { digits, count: digits.ilog10() as usize + 1 })
}

pub(super) fn find(text: &str, parts: &mut Parts) {
    let mut place = 0;
    while place < text.len() {
        if !at(text, place).is_ascii_digit() {
            place += 1;
            continue;
        }
        let group_end = run_end(text, place, |byte| byte.is_ascii_digit());
        match starts_number(text, place).then(|| longest_card(text, place)).flatten() {
            Some(end) => {
                parts.push(place..end);
                place = end;
            }
            None => place = group_end,
        }
    }
}

/// The end of the longest card number that starts here.
fn longest_card(text: &str, start: usize) -> Option<usize> {
    let mut number = Number { digits: 0, count: 0 };
    let (mut place, mut longest) = (start, None);
    for _ in 0..MOST_GROUPS * 2 {
        let end = run_end(text, place, |byte| byte.is_ascii_digit());
        for byte in text.as_bytes().get(place..end).unwrap_or_default() {
            number.count += 1;
            if number.count > *DIGITS.end() {
                return longest;
            }
            number.digits = number.digits * 10 + u64::from(byte - b'0');
        }
        if ends_number(text, end) && is_card(number) {
            longest = Some(end);
        }
        let is_joined = matches!(at(text, end), b' ' | b'-') && at(text, end + 1).is_ascii_digit();
        if !is_joined {
            return longest;
        }
        place = end + 1;
    }
    longest
}

/// Not inside an id, a decimal or a telephone number.
fn starts_number(text: &str, place: usize) -> bool {
    let previous = before(text, place);
    let joined = matches!(previous, b'-' | b'.') && place >= 2 && at(text, place - 2).is_ascii_alphanumeric();
    !previous.is_ascii_alphanumeric() && previous != b'+' && !joined
}

fn ends_number(text: &str, end: usize) -> bool {
    let (next, after) = (at(text, end), at(text, end + 1));
    let joined = next == b'-' && after.is_ascii_alphabetic() || next == b'.' && after.is_ascii_digit();
    !next.is_ascii_alphanumeric() && !joined
}

fn is_card(number: Number) -> bool {
    DIGITS.contains(&number.count) && could_be_issued(number) && passes_check(number.digits)
}

fn could_be_issued(Number { digits, count }: Number) -> bool {
    let leading = |places: u32| digits / 10_u64.pow((count as u32).saturating_sub(places));
    match (leading(1), count) {
        (0, _) => false,
        // Milliseconds, microseconds and nanoseconds since 1970, until 2033.
        (1, 13 | 16 | 19) => false,
        // Of the longest numbers there are ids in plenty; these are the networks that issue cards.
        (4, 17 | 18) => false,
        (first, 17..) => matches!(first, 4 | 6) || matches!(leading(2), 30 | 35 | 36 | 38 | 39 | 50 | 56..=58),
        _ => true,
    }
}

/// Luhn: from the right every second digit is doubled, and the sum is a multiple of ten.
fn passes_check(mut digits: u64) -> bool {
    let (mut sum, mut doubled) = (0, false);
    while digits > 0 {
        let digit = digits % 10;
        sum += match (doubled, digit) {
            (false, digit) => digit,
            (true, 0..=4) => digit * 2,
            (true, _) => digit * 2 - 9,
        };
        (digits, doubled) = (digits / 10, !doubled);
    }
    sum % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::marked;
    use super::*;

    #[test]
    fn cards_of_every_network_are_found_in_groups_and_without() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "5500005555555559",
            "378282246310005",
            "3782 822463 10005",
            "6011000990139424",
            "3530111333300000",
            "30569309025904",
            "4222222222222",
            "6212345678900000003",
            "6304 0000 0000 0000",
            "2223003122003222",
        ] {
            assert_eq!(marked(card, find), "<>", "{card}");
            assert_eq!(marked(&format!("card {card}, 2 items"), find), "card <>, 2 items");
            assert_eq!(marked(&format!("ü{card}é"), find), "ü<>é");
            assert_eq!(marked(&format!("paid 12 with {card} 2024 ok."), find), "paid 12 with <> 2024 ok.");
            let whole: String = card.chars().filter(char::is_ascii_digit).collect();
            assert!(is_card_number(whole.parse().unwrap()), "{card}");
        }
    }

    #[test]
    fn numbers_that_are_something_else_are_left_alone() {
        for text in [
            "4111111111111112",     // fails the check
            "41111111111111111111", // in a longer run
            "00000000000000000",    // no network issues zeros
            "x4111111111111111",    // an id
            "4111111111111111ab",
            "550e8400-e29b-41d4-a716-4111111111111111",
            "4111111111111111.5",
            "+4111111111111111",
        ] {
            assert_eq!(marked(text, find), text);
        }
        // Of these every tenth would pass.
        for time in 1_730_291_040_000..1_730_291_040_100_i64 {
            assert!(!is_card_number(time) && !is_card_number(time * 1_000) && !is_card_number(time * 1_000_000));
        }
        assert!(!is_card_number(-4_111_111_111_111_111) && !is_card_number(411) && !is_card_number(i64::MIN));
    }

    #[test]
    fn luhn_sees_every_wrong_digit() {
        let card = 4_539_578_763_621_486_u64;
        assert!(passes_check(card));
        for place in 0..16 {
            let unit = 10_u64.pow(place);
            for digit in (0..10).filter(|digit| *digit != card / unit % 10) {
                assert!(!passes_check(card - card / unit % 10 * unit + digit * unit));
            }
        }
    }
}
