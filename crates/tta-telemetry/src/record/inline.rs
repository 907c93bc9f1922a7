//! A word buffer that starts inside its owner and moves to the heap when it grows.
//!
//! What `smallvec` offers, without its per-push bookkeeping: the recorder pushes a known number of
//! words at a time, and this halves the cost of an attribute (measured by
//! `cargo xtask instructions`).

use std::mem::MaybeUninit;

/// Words that fit without touching the heap: eight numbers, or three attributes with texts and
/// something to spare.
const INLINE_WORDS: usize = 24;

pub(crate) struct InlineWords {
    len: usize,
    inline: [MaybeUninit<u64>; INLINE_WORDS],
    // In use exactly when it is not empty; then it holds everything.
    heap: Vec<u64>,
}

impl InlineWords {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { len: 0, inline: [const { MaybeUninit::uninit() }; INLINE_WORDS], heap: Vec::new() }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.heap.clear();
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        if self.heap.is_empty() { self.len } else { self.heap.len() }
    }

    /// Words on the heap; 0 while the buffer is inline.
    #[inline]
    pub(crate) fn heap_len(&self) -> usize {
        self.heap.len()
    }

    #[inline(always)]
    pub(crate) fn push<const N: usize>(&mut self, words: [u64; N]) {
        if self.heap.is_empty()
            && let Some(room) = self.inline.get_mut(self.len..self.len + N)
        {
            for (place, word) in room.iter_mut().zip(words) {
                place.write(word);
            }
            self.len += N;
        } else {
            self.push_to_heap(&words);
        }
    }

    /// Pushes bytes, padded with zeros to whole words.
    #[inline(always)]
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        let words = bytes.len().div_ceil(8);
        if self.heap.is_empty()
            && let Some(room) = self.inline.get_mut(self.len..self.len + words)
        {
            for (place, chunk) in room.iter_mut().zip(bytes.chunks(8)) {
                place.write(word_of(chunk));
            }
            self.len += words;
        } else {
            let words: Vec<u64> = bytes.chunks(8).map(word_of).collect();
            self.push_to_heap(&words);
        }
    }

    #[cold]
    fn push_to_heap(&mut self, words: &[u64]) {
        if self.heap.is_empty() {
            let inline = self.as_slice().to_vec();
            self.heap = inline;
            self.heap.reserve(INLINE_WORDS * 2);
        }
        self.heap.extend_from_slice(words);
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u64] {
        if self.heap.is_empty() {
            let written = self.inline.get(..self.len).unwrap_or_default();
            // SAFETY: `push` wrote the first `len` words, and `MaybeUninit<u64>` is laid out as
            // `u64`.
            unsafe { std::slice::from_raw_parts(written.as_ptr().cast::<u64>(), written.len()) }
        } else {
            &self.heap
        }
    }
}

/// Up to eight bytes as a word, the first lowest, as [`u64::to_le_bytes`] gives them back. Two
/// loads that overlap, where a loop over single bytes would cost as much as the rest of the span.
#[inline(always)]
fn word_of(bytes: &[u8]) -> u64 {
    if let Some(whole) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*whole);
    }
    if let (Some(low), Some(high)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let high = u64::from(u32::from_le_bytes(*high)) << (8 * (bytes.len() - 4));
        return u64::from(u32::from_le_bytes(*low)) | high;
    }
    if let (Some(low), Some(high)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        let high = u64::from(u16::from_le_bytes(*high)) << (8 * (bytes.len() - 2));
        return u64::from(u16::from_le_bytes(*low)) | high;
    }
    bytes.first().map_or(0, |byte| u64::from(*byte))
}

impl std::fmt::Debug for InlineWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InlineWords({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_order_across_the_move_to_the_heap() {
        let mut words = InlineWords::new();
        let mut want = Vec::new();
        assert!(words.as_slice().is_empty());
        for i in 0..40_u64 {
            words.push([i, i * i, i + 7]);
            want.extend([i, i * i, i + 7]);
            assert_eq!(words.as_slice(), want);
            assert_eq!(words.len(), want.len());
        }
    }

    #[test]
    fn bytes_of_every_length_come_back_as_they_were() {
        let text: Vec<u8> = (1..=200).collect();
        for length in 0..=text.len() {
            let mut words = InlineWords::new();
            words.push_bytes(&text[..length]);
            let back: Vec<u8> = words.as_slice().iter().flat_map(|word| word.to_le_bytes()).collect();
            assert_eq!(back.len(), length.next_multiple_of(8));
            assert_eq!(&back[..length], &text[..length]);
            assert!(back[length..].iter().all(|padding| *padding == 0));
        }
    }

    #[test]
    fn a_push_larger_than_the_buffer_goes_to_the_heap_at_once() {
        let mut words = InlineWords::new();
        words.push([7; 100]);
        assert_eq!(words.as_slice(), [7; 100]);
    }
}
