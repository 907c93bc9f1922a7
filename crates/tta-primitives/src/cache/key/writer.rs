//! Writes the parts of a key one after another, without allocating before the end.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::CacheKey;

/// How much of a hashed key is its readable beginning: with `~` and 64 digits below the bound.
const READABLE_BYTES: usize = 128;

/// Takes the parts of a key, in order.
///
/// The form is a sequence of `length:bytes`, where other marks than digits start with a letter, so
/// that reading it from the left has only one outcome. Once the escaped form is too long, the
/// hash is fed instead: first with the escaped form of the parts that did fit, then a zero byte,
/// which is in no escaped form, then the rest unescaped. So different parts always feed different
/// bytes.
#[derive(Debug)]
pub struct CacheKeyWriter {
    text: [u8; CacheKey::MAX_BYTES],
    length: usize,
    hash: Option<Sha256>,
}

impl CacheKeyWriter {
    pub(super) fn new() -> Self {
        Self { text: [0; CacheKey::MAX_BYTES], length: 0, hash: None }
    }

    /// Adds one part.
    pub fn part(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.number(part.len(), b':');
        self.add(part);
    }

    /// Adds a mark that no part looks like: that a list of so many items follows, say.
    pub(super) fn mark(&mut self, letter: u8, count: usize) {
        self.add(&[letter]);
        self.number(count, b':');
    }

    fn number(&mut self, number: usize, end: u8) {
        // The decimal digits of a u64 and the end.
        let mut digits = [end; 21];
        let mut start = digits.len() - 1;
        let mut rest = number;
        loop {
            start -= 1;
            if let Some(digit) = digits.get_mut(start) {
                *digit = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.add(digits.get(start..).unwrap_or_default());
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
            return;
        }
        let before = self.length;
        if !self.escape(bytes) {
            let mut hash = Sha256::new();
            hash.update(self.text.get(..before).unwrap_or_default());
            hash.update([0]);
            hash.update(bytes);
            self.hash = Some(hash);
        }
    }

    /// Appends the escaped form; false when there was no room for all of it.
    fn escape(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().all(|&byte| {
            if is_plain(byte) {
                self.push(byte)
            } else {
                self.push(b'%') && self.push(digit(byte >> 4)) && self.push(digit(byte & 15))
            }
        })
    }

    fn push(&mut self, byte: u8) -> bool {
        match self.text.get_mut(self.length) {
            Some(place) => {
                *place = byte;
                self.length += 1;
                true
            }
            None => false,
        }
    }

    pub(super) fn finish(mut self) -> CacheKey {
        if let Some(hash) = self.hash.take() {
            self.length = self.length.min(READABLE_BYTES);
            self.push(b'~');
            for byte in hash.finalize() {
                self.push(digit(byte >> 4));
                self.push(digit(byte & 15));
            }
        }
        let text = self.text.get(..self.length).unwrap_or_default();
        // What was pushed is ASCII.
        CacheKey(Arc::from(std::str::from_utf8(text).unwrap_or_default()))
    }
}

/// Letters, digits and the punctuation that means nothing to Redis, to us (`%`, `~`) or to those
/// who cut logs into words.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'@' | b'+' | b'=' | b',')
}

const fn digit(four_bits: u8) -> u8 {
    match four_bits {
        0..=9 => b'0' + four_bits,
        _ => b'A' + (four_bits - 10),
    }
}
