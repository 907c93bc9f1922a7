//! How hard a text is to read, by the lengths of its sentences and words.
//!
//! - Reading ease: Flesch, *A new readability yardstick* (1948);
//!   206.835 − 1.015 × words per sentence − 84.6 × syllables per word.
//! - Grade: Kincaid, Fishburne, Rogers and Chissom, *Derivation of new readability formulas* (1975);
//!   0.39 × words per sentence + 11.8 × syllables per word − 15.59.
//!
//! Both were fitted to English. In other languages the numbers compare documents of that language
//! with each other, and in scripts whose vowels cannot be counted there are none.

use super::document::Document;
use super::language::{Language, language};
use super::sentences::sentences;
use super::tokenize::{stands_alone, words};

/// Fewer words than this are no sample of a style.
const MINIMUM_WORDS: usize = 10;

/// Of ten words, how many must have a vowel for syllables to mean anything: Arabic and Hebrew leave
/// them out, and source code is full of abbreviations that nobody pronounces.
const MINIMUM_PRONOUNCEABLE_TENTHS: usize = 5;

/// Bounds of the reading ease: the upper one is that of one-syllable sentences; far below the lower
/// one, as in a list read as one sentence, the number says nothing more.
const EASE_RANGE: (f64, f64) = (-100.0, 121.22);

/// Bounds of the grade, set like those of the ease.
const GRADE_RANGE: (f64, f64) = (-3.4, 60.0);

/// How readable a document is, or why that cannot be said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Readability {
    Scored {
        /// From 121.22, very easy, to -100; plain English has 60 to 70.
        reading_ease: f64,
        /// The school grade, in years, that the text asks for; from -3.4 to 60.
        grade: f64,
        /// Syllables in a word on average.
        mean_word_syllables: f64,
    },
    /// There are fewer than ten words.
    TooFewWords { words: usize },
    /// Most words have no vowels to count syllables by.
    Unpronounceable,
}

impl Readability {
    /// The stable name of the case, for attributes and counts.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Scored { .. } => "scored",
            Self::TooFewWords { .. } => "too_few_words",
            Self::Unpronounceable => "unpronounceable",
        }
    }
}

/// Rates `document`; every number in the result is finite.
pub(crate) fn readability(document: &Document) -> Readability {
    let silent_e = matches!(language(document).language, Language::English | Language::Undetermined);
    let (mut word_count, mut syllable_count, mut pronounceable) = (0_usize, 0_usize, 0_usize);
    for word in words(&document.text) {
        let found = syllables(word, silent_e);
        word_count = word_count.saturating_add(1);
        syllable_count = syllable_count.saturating_add(found.max(1));
        pronounceable = pronounceable.saturating_add(usize::from(found > 0));
    }
    if word_count < MINIMUM_WORDS {
        return Readability::TooFewWords { words: word_count };
    }
    if pronounceable.saturating_mul(10) < word_count.saturating_mul(MINIMUM_PRONOUNCEABLE_TENTHS) {
        return Readability::Unpronounceable;
    }
    // Ten words stand in at least one sentence; the maximum keeps that from being relied on.
    let sentence_count = sentences(&document.text).count().max(1);
    let sentence_words = word_count as f64 / sentence_count as f64;
    let word_syllables = syllable_count as f64 / word_count as f64;
    let reading_ease = 206.835 - 1.015 * sentence_words - 84.6 * word_syllables;
    let grade = 0.39 * sentence_words + 11.8 * word_syllables - 15.59;
    Readability::Scored {
        reading_ease: reading_ease.clamp(EASE_RANGE.0, EASE_RANGE.1),
        grade: grade.clamp(GRADE_RANGE.0, GRADE_RANGE.1),
        mean_word_syllables: word_syllables,
    }
}

/// The groups of vowels in `word`, less the silent ones of English endings if there are such.
///
/// 0 means that no vowel was found. A group counts once however long: `beautiful` has three.
fn syllables(word: &str, silent_e: bool) -> usize {
    let mut groups = 0_usize;
    let mut in_group = false;
    for c in word.chars() {
        let vowel = is_vowel(c);
        groups = groups.saturating_add(usize::from(vowel && !in_group));
        in_group = vowel;
    }
    if silent_e && groups > 1 && ends_silently(word) { groups.saturating_sub(1) } else { groups }
}

/// Whether an English word ends in an `e` that is not spoken: `made`, `names`, `walked`, but not
/// `table`, `boxes`, `wanted` or `tree`.
fn ends_silently(word: &str) -> bool {
    // Endings compare as bytes in lower case; a word that is not ASCII simply matches none.
    let mut end = [0_u8; 4];
    for (slot, byte) in end.iter_mut().rev().zip(word.bytes().rev()) {
        *slot = byte.to_ascii_lowercase();
    }
    let consonant = |byte: u8| byte.is_ascii_alphabetic() && !b"aeiouy".contains(&byte);
    match end {
        [_, a, b'l', b'e'] if consonant(a) => false,
        [_, _, a, b'e'] => consonant(a),
        [a, b, b'e', b's'] => {
            let hisses = matches!(b, b's' | b'x' | b'z' | b'c' | b'g') || (b == b'h' && matches!(a, b'c' | b's'));
            consonant(b) && !hisses && !(b == b'l' && consonant(a))
        }
        [_, b, b'e', b'd'] => consonant(b) && !matches!(b, b't' | b'd'),
        _ => false,
    }
}

/// Whether a letter is a vowel in the Latin, Greek or Cyrillic alphabet.
///
/// Syllabic scripts have no letter that is one; their words count as unpronounceable.
fn is_vowel(c: char) -> bool {
    if c.is_ascii() {
        return matches!(c.to_ascii_lowercase(), 'a' | 'e' | 'i' | 'o' | 'u' | 'y');
    }
    if stands_alone(c) {
        return false;
    }
    c.to_lowercase().any(|c| {
        matches!(
            c,
            'à'..='æ' | 'è'..='ï' | 'ò'..='ö' | 'ø'..='ý' | 'ÿ' | 'ā' | 'ă' | 'ą' | 'ē' | 'ė' | 'ę' | 'ě'
                | 'ī' | 'į' | 'ı' | 'ō' | 'ő' | 'œ' | 'ū' | 'ů' | 'ű' | 'ų'
                | 'α' | 'ε' | 'η' | 'ι' | 'ο' | 'υ' | 'ω' | 'ά' | 'έ' | 'ή' | 'ί' | 'ό' | 'ύ' | 'ώ' | 'ϊ' | 'ϋ'
                | 'а' | 'е' | 'ё' | 'и' | 'о' | 'у' | 'ы' | 'э' | 'ю' | 'я' | 'і' | 'ї' | 'є'
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{document, random_texts};

    fn rate(text: &str) -> Readability {
        readability(&document(text))
    }

    #[test]
    fn english_syllables_are_counted() {
        for (word, count) in [
            ("cat", 1),
            ("made", 1),
            ("table", 2),
            ("tables", 2),
            ("names", 1),
            ("boxes", 2),
            ("walked", 1),
            ("wanted", 2),
            ("tree", 1),
            ("the", 1),
            ("beautiful", 3),
            ("rhythm", 1),
            ("Reading", 2),
            ("information", 4),
            ("churches", 2),
            ("simple", 2),
            ("HOUSE", 1),
            ("tsk", 0),
        ] {
            assert_eq!(syllables(word, true), count, "{word}");
        }
    }

    #[test]
    fn other_languages_speak_their_final_e() {
        for (word, count) in [("Bitte", 2), ("Straße", 2), ("nome", 2), ("été", 2), ("привет", 2)] {
            assert_eq!(syllables(word, false), count, "{word}");
        }
    }

    #[test]
    fn a_simple_text_has_exact_scores() {
        // Twelve words of one syllable in two sentences.
        let expected = Readability::Scored {
            reading_ease: 206.835 - 1.015 * 6.0 - 84.6,
            grade: 0.39 * 6.0 + 11.8 - 15.59,
            mean_word_syllables: 1.0,
        };
        assert_eq!(rate("The cat sat on the mat. The dog ran to the gate."), expected);
        assert_eq!(expected.reason(), "scored");
    }

    #[test]
    fn a_harder_text_has_a_lower_ease_and_a_higher_grade() {
        let Readability::Scored { reading_ease, grade, mean_word_syllables } = rate(
            "Comprehensive institutional reorganisation necessitates considerable administrative \
             deliberation, notwithstanding the unavoidable inconvenience to participating organisations.",
        ) else {
            panic!("sixteen English words are scored");
        };
        assert!(reading_ease < 0.0 && grade > 20.0, "{reading_ease} {grade}");
        assert!(mean_word_syllables > 3.0);
    }

    #[test]
    fn nine_words_are_too_few_and_ten_are_not() {
        let nine = rate("one two three four five six seven eight nine");
        assert_eq!(nine, Readability::TooFewWords { words: 9 });
        assert_eq!(nine.reason(), "too_few_words");
        assert_eq!(rate(""), Readability::TooFewWords { words: 0 });
        assert_eq!(rate("one two three four five six seven eight nine ten").reason(), "scored");
    }

    #[test]
    fn scripts_without_written_vowels_are_not_scored() {
        for text in [
            "敏捷的棕色狐狸跳过了懒狗。",
            "السلام عليكم ورحمة الله وبركاته كيف حالك اليوم يا صديقي العزيز",
            "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם כולם",
        ] {
            assert_eq!(rate(text), Readability::Unpronounceable, "{text}");
        }
        assert_eq!(Readability::Unpronounceable.reason(), "unpronounceable");
    }

    #[test]
    fn a_long_list_without_sentences_stays_within_the_bounds() {
        assert_eq!(
            rate(&"item ".repeat(100_000)),
            Readability::Scored { reading_ease: -100.0, grade: 60.0, mean_word_syllables: 2.0 }
        );
    }

    #[test]
    fn any_text_has_finite_scores_within_the_bounds() {
        for text in random_texts(300) {
            if let Readability::Scored { reading_ease, grade, mean_word_syllables } = rate(&text) {
                assert!((EASE_RANGE.0..=EASE_RANGE.1).contains(&reading_ease), "{text:?}");
                assert!((GRADE_RANGE.0..=GRADE_RANGE.1).contains(&grade), "{text:?}");
                assert!(mean_word_syllables >= 1.0 && mean_word_syllables.is_finite(), "{text:?}");
            }
        }
    }
}
