//! Character trigram profiles of the seven languages written in Latin letters.
//!
//! Following Cavnar and Trenkle, *N-Gram-Based Text Categorization* (1994), a language is known by
//! its frequent n-grams; as in Dunning, *Statistical Identification of Language* (1994), a text is
//! scored by how probable a profile makes it rather than by comparing ranks, which needs less text.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::samples;
use crate::analysis::stopwords::LISTED;
use crate::analysis::tokenize::{fold_into, words};

/// One number for each of [`LISTED`], in that order.
pub(super) type PerLanguage = [f64; LISTED.len()];

/// Three characters in 21 bits each, which hash faster as one number than as three.
type Trigram = u64;

/// Added to every count, so that a trigram a sample lacks is improbable and not impossible.
const SMOOTHING: f64 = 0.5;

/// The natural logarithms of the trigrams' probabilities in each language.
struct Profiles {
    known: HashMap<Trigram, PerLanguage>,
    unknown: PerLanguage,
}

static PROFILES: LazyLock<Profiles> = LazyLock::new(|| {
    let texts = [
        samples::ENGLISH,
        samples::GERMAN,
        samples::FRENCH,
        samples::SPANISH,
        samples::ITALIAN,
        samples::PORTUGUESE,
        samples::DUTCH,
    ];
    let mut counts = HashMap::<Trigram, PerLanguage>::new();
    let mut totals = PerLanguage::default();
    for (language, text) in texts.into_iter().enumerate() {
        let mut folded = String::new();
        for word in words(text) {
            fold_into(word, &mut folded);
            for trigram in trigrams(&folded) {
                let row = counts.entry(trigram).or_default();
                for slot in row.get_mut(language).into_iter().chain(totals.get_mut(language)) {
                    *slot += 1.0;
                }
            }
        }
    }
    let vocabulary = counts.len() as f64;
    let sizes = totals.map(|total| total + SMOOTHING * vocabulary);
    let logarithms = |row: PerLanguage| {
        let mut scores = row;
        for (score, size) in scores.iter_mut().zip(sizes) {
            *score = ((*score + SMOOTHING) / size).ln();
        }
        scores
    };
    Profiles {
        unknown: logarithms(PerLanguage::default()),
        known: counts.into_iter().map(|(trigram, row)| (trigram, logarithms(row))).collect(),
    }
});

/// How probable each language makes the words added so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Likelihood {
    sums: PerLanguage,
    trigrams: usize,
}

impl Likelihood {
    /// Adds the trigrams of the folded `word`.
    pub(super) fn add(&mut self, word: &str) {
        for trigram in trigrams(word) {
            let row = PROFILES.known.get(&trigram).unwrap_or(&PROFILES.unknown);
            for (sum, score) in self.sums.iter_mut().zip(row) {
                *sum += score;
            }
            self.trigrams += 1;
        }
    }

    /// For each language, by how much its mean log-probability of a trigram falls short of the
    /// best one's: 0 for the best, negative for the others; all 0 without trigrams.
    pub(super) fn shortfalls(&self) -> PerLanguage {
        let best = self.sums.into_iter().fold(f64::NEG_INFINITY, f64::max);
        self.sums.map(|sum| if self.trigrams == 0 { 0.0 } else { (sum - best) / self.trigrams as f64 })
    }
}

/// The trigrams of `word` with a space before and after it: ` th`, `the`, `he `.
fn trigrams(word: &str) -> impl Iterator<Item = Trigram> {
    let padded = || std::iter::once(' ').chain(word.chars()).chain(std::iter::once(' '));
    padded().zip(padded().skip(1)).zip(padded().skip(2)).map(|((first, second), third)| pack(first, second, third))
}

fn pack(first: char, second: char, third: char) -> Trigram {
    u64::from(first) << 42 | u64::from(second) << 21 | u64::from(third)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trigrams_reach_over_both_ends_of_a_word() {
        let found: Vec<_> = trigrams("été").collect();
        assert_eq!(found, [pack(' ', 'é', 't'), pack('é', 't', 'é'), pack('t', 'é', ' ')]);
        assert_eq!(trigrams("a").count(), 1);
        assert_eq!(trigrams("").count(), 0);
    }

    #[test]
    fn each_sample_is_most_probable_in_its_own_language() {
        for (language, text) in [(0, samples::ENGLISH), (3, samples::SPANISH), (6, samples::DUTCH)] {
            let mut likelihood = Likelihood::default();
            words(text).for_each(|word| likelihood.add(&word.to_lowercase()));
            let shortfalls = likelihood.shortfalls();
            for (position, shortfall) in shortfalls.into_iter().enumerate() {
                if position == language {
                    assert_eq!(shortfall, 0.0);
                } else {
                    assert!(shortfall < -0.2, "{position}: {shortfall}");
                }
            }
        }
    }

    #[test]
    fn nothing_added_prefers_no_language() {
        assert_eq!(Likelihood::default().shortfalls(), PerLanguage::default());
    }
}
