//! Classes of bytes and small operations that the three headers share.
//!
//! Owns optional white space, hexadecimal digits and the clipping of what an error quotes. Does
//! not own the grammar of any header.

/// Without spaces and horizontal tabs around it: `OWS` of RFC 9110, section 5.6.3.
#[inline]
pub(super) fn trim_ows(value: &[u8]) -> &[u8] {
    let mut value = trim_ows_start(value);
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Without spaces and horizontal tabs in front of it.
#[inline]
pub(super) fn trim_ows_start(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    value
}

/// The 16 lower-case hexadecimal digits of a number. `None` if there is anything else.
#[inline]
pub(super) fn parse_hex(digits: [u8; 16]) -> Option<u64> {
    let mut nibbles = digits;
    let mut all = 0;
    for digit in &mut nibbles {
        *digit = nibble(*digit);
        all |= *digit;
    }
    if all > 0x0f {
        return None;
    }
    let nibbles = u128::from_be_bytes(nibbles);
    Some((join_nibbles((nibbles >> 64) as u64) << 32) | join_nibbles(nibbles as u64))
}

/// Neighbours are joined pairwise, all pairs at once: 8 nibbles, 4 bytes, 2 pairs, 1 number.
#[inline]
fn join_nibbles(nibbles: u64) -> u64 {
    let bytes = (nibbles | (nibbles >> 4)) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes | (bytes >> 8)) & 0x0000_ffff_0000_ffff;
    (pairs | (pairs >> 16)) & 0xffff_ffff
}

/// The two lower-case hexadecimal digits of a byte. `None` if there is anything else.
#[inline]
pub(super) fn parse_hex_byte(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits;
    let (high, low) = (nibble(high), nibble(low));
    ((high | low) <= 0x0f).then_some(high << 4 | low)
}

/// The value of a digit, or 0xff. Subtractions that wrap and no table, so that the compiler can
/// work on all digits of a number at once.
#[inline]
fn nibble(digit: u8) -> u8 {
    let (decimal, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    if decimal < 10 {
        decimal
    } else if letter < 6 {
        letter + 10
    } else {
        0xff
    }
}

/// Two lower-case hexadecimal digits for each byte.
#[inline]
pub(super) fn write_hex(bytes: &[u8], digits: &mut [u8]) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0x0f)]);
    }
}

/// The beginning of a text that may be long, for an error message.
pub(super) fn clip(given: &str) -> String {
    given.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_spaces_and_tabs_count_as_white_space() {
        assert_eq!(trim_ows(b"\t  a\tb \t"), b"a\tb");
        assert_eq!(trim_ows(b" \t "), b"");
        assert_eq!(trim_ows(b"\n a\r"), b"\n a\r");
    }

    #[test]
    fn sixteen_digits_read_back_as_the_number_they_were_written_from() {
        for value in [0, 1, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, u64::MAX] {
            let mut digits = [0; 16];
            write_hex(&value.to_be_bytes(), &mut digits);
            assert_eq!(std::str::from_utf8(&digits).unwrap(), format!("{value:016x}"));
            assert_eq!(parse_hex(digits), Some(value));
        }
    }

    #[test]
    fn of_all_bytes_only_the_sixteen_digits_are_accepted_at_every_position() {
        for position in 0..16 {
            for byte in 0..=u8::MAX {
                let mut digits = [b'0'; 16];
                digits[position] = byte;
                assert_eq!(parse_hex(digits).is_some(), b"0123456789abcdef".contains(&byte), "{byte}");
            }
        }
    }
}
