//! The rule of fleets that sample by the MD5 of a key.
//!
//! Owns the hash as a fraction. Does not own which key is hashed.

use md5::{Digest, Md5};

use super::rate::Rate;
use super::threshold::Randomness;
use crate::id::TraceId;

/// The first 8 hexadecimal digits of the key's MD5 over `0xFFFFFFFF`: 0 to 1, both included.
pub(super) fn fraction(key: &[u8]) -> f64 {
    let digest = Md5::digest(key);
    let first = digest.iter().take(4).fold(0_u32, |value, byte| (value << 8) | u32::from(*byte));
    f64::from(first) / f64::from(u32::MAX)
}

/// 56 bits of the hash that the fraction is not made of.
pub(super) fn randomness(key: &str) -> Randomness {
    let digest = Md5::digest(key.as_bytes());
    let bits = digest.iter().rev().take(7).fold(0, |value, byte| (value << 8) | u64::from(*byte));
    Randomness::truncated(bits)
}

/// Whether a key is kept at a rate.
pub(super) fn keeps(key: &str, rate: Rate) -> bool {
    fraction(key.as_bytes()) < rate.get()
}

/// The same with a trace id for a key, written on the stack.
pub(super) fn keeps_trace(trace_id: TraceId, rate: Rate) -> bool {
    let mut key = [0; 32];
    let id = trace_id.get();
    for (place, digit) in (0..32).rev().zip(key.iter_mut()) {
        let nibble = (id >> (4 * place)) as u8 & 0x0f;
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    fraction(&key) < rate.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fraction_is_the_first_eight_digits_of_the_hash() {
        // MD5 of "a": 0cc175b9c0f1b6a831c399e269772661.
        assert_eq!(fraction(b"a"), f64::from(0x0cc1_75b9) / 4_294_967_295.0);
        assert!(keeps("a", Rate::new(0.05).unwrap()) && !keeps("a", Rate::new(0.04).unwrap()));
    }

    #[test]
    fn a_trace_id_is_hashed_as_its_32_digits() {
        for text in ["4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000001"] {
            let fraction = fraction(text.as_bytes());
            let (above, below) = (Rate::new(fraction + 1e-9).unwrap(), Rate::new(fraction).unwrap());
            let id: TraceId = text.parse().unwrap();
            assert!(keeps_trace(id, above) && !keeps_trace(id, below), "{text}");
        }
    }
}
