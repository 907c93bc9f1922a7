//! Counts over a whole document, and the means they give.

use std::borrow::Cow;
use std::collections::HashSet;

use super::document::Document;
use super::sentences::sentences;
use super::tokenize::{fold_into, words};

/// What a document is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Statistics {
    /// Size of the text in bytes, without a byte order mark.
    pub(crate) bytes: usize,
    /// Lines, the last one counted whether or not a line break ends it.
    pub(crate) lines: usize,
    /// Words as `tokenize` defines them: in Chinese and hiragana every character is one.
    pub(crate) words: usize,
    /// Sentences that hold at least one letter or digit.
    pub(crate) sentences: usize,
    /// Unicode scalar values, line breaks included.
    pub(crate) characters: usize,
    /// Words that differ when case is ignored.
    pub(crate) distinct_words: usize,
    /// Characters in a word on average; 0 without words.
    pub(crate) mean_word_length: f64,
    /// Words in a sentence on average; 0 without sentences.
    pub(crate) mean_sentence_words: f64,
}

/// Counts `document`.
///
/// Time is linear in the text; memory grows with the number of distinct words, so the size limit
/// of [`validate`](super::document::validate) bounds it.
pub(crate) fn statistics(document: &Document) -> Statistics {
    let text: &str = &document.text;
    let mut word_count = 0_usize;
    let mut word_characters = 0_usize;
    let mut distinct = HashSet::<Cow<'_, str>>::new();
    let mut folded = String::new();
    for word in words(text) {
        word_count = word_count.saturating_add(1);
        word_characters = word_characters.saturating_add(word.chars().count());
        fold_into(word, &mut folded);
        if !distinct.contains(folded.as_str()) {
            // Most words are in lower case already and need no copy.
            let kept = if word == folded { Cow::Borrowed(word) } else { Cow::Owned(folded.clone()) };
            distinct.insert(kept);
        }
    }
    let sentence_count = sentences(text).count();
    Statistics {
        bytes: text.len(),
        lines: text.lines().count(),
        words: word_count,
        sentences: sentence_count,
        characters: text.chars().count(),
        distinct_words: distinct.len(),
        mean_word_length: mean(word_characters, word_count),
        mean_sentence_words: mean(word_count, sentence_count),
    }
}

fn mean(sum: usize, count: usize) -> f64 {
    if count == 0 {
        return 0.0;
    }
    sum as f64 / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{document, random_texts};

    #[test]
    fn an_english_text_is_counted_exactly() {
        let text = "The cat sat. The dog ran!\n\nDon't ask why\n";
        assert_eq!(
            statistics(&document(text)),
            Statistics {
                bytes: 41,
                lines: 3,
                words: 9,
                sentences: 3,
                characters: 41,
                // the, cat, sat, dog, ran, don't, ask, why
                distinct_words: 8,
                mean_word_length: 29.0 / 9.0,
                mean_sentence_words: 3.0,
            }
        );
    }

    #[test]
    fn characters_and_bytes_differ_in_other_scripts() {
        assert_eq!(
            statistics(&document("Été été. 数据。")),
            Statistics {
                bytes: 22,
                lines: 1,
                words: 4,
                sentences: 2,
                characters: 12,
                distinct_words: 3,
                mean_word_length: 2.0,
                mean_sentence_words: 2.0,
            }
        );
    }

    #[test]
    fn a_text_without_words_has_means_of_zero() {
        let counted = statistics(&document("--- !!!"));
        assert_eq!((counted.words, counted.sentences, counted.distinct_words), (0, 0, 0));
        assert_eq!((counted.mean_word_length, counted.mean_sentence_words), (0.0, 0.0));
    }

    #[test]
    fn counts_of_any_text_agree_with_each_other() {
        for text in random_texts(300) {
            let counted = statistics(&document(&text));
            assert!(counted.sentences <= counted.words, "in {text:?}");
            assert!(counted.distinct_words <= counted.words, "in {text:?}");
            assert!(counted.words <= counted.characters, "in {text:?}");
            assert!(counted.characters <= counted.bytes, "in {text:?}");
            assert!(counted.mean_word_length.is_finite() && counted.mean_sentence_words.is_finite());
        }
    }
}
