//! Telling the languages written in Latin letters apart, and from text that is in none.

use super::profile::{Likelihood, PerLanguage};
use super::{Detection, Language};
use crate::analysis::prose::words_in_prose;
use crate::analysis::stopwords::{LISTED, languages_of, split_elision};
use crate::analysis::tokenize::fold_into;

/// What a nat of log-probability per trigram weighs against the share of stop words. Any value from
/// 0.1 to 0.2 serves; well above, names and loan words outvote the grammar around them.
const TRIGRAM_WEIGHT: f64 = 0.15;

/// Shares of stop words: prose in another language stays around the first, prose in the right one
/// passes the second.
const COVERAGE_RAMP: (f64, f64) = (0.05, 0.30);

/// The lead over the second-best language from which there is no doubt left.
const CLEAR_LEAD: f64 = 0.12;

/// The share of words standing in prose from which a text is all prose; source code has a third.
const PROSE_SHARE: f64 = 0.8;

/// The number of words at which the confidence reaches half of what a long text gives.
const HALF_CONFIDENCE_WORDS: f64 = 2.0;

/// What a text says about its language.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    words: f64,
    /// The words that stand in prose.
    prose_words: f64,
    /// How many words of prose are stop words of each language.
    stop_words: PerLanguage,
    /// The same, each word shared out among the languages that have it.
    telling: PerLanguage,
    likelihood: Likelihood,
}

/// Detects the language of a text seen through `windows`.
pub(super) fn detect<'a>(windows: impl Iterator<Item = &'a str>) -> Detection {
    let mut evidence = Evidence::default();
    let mut folded = String::new();
    for (word, in_prose) in windows.flat_map(words_in_prose) {
        fold_into(word, &mut folded);
        if folded.contains(char::is_alphabetic) {
            evidence.add(&folded, in_prose);
        }
    }
    evidence.conclude()
}

impl Evidence {
    fn add(&mut self, folded: &str, in_prose: bool) {
        self.words += 1.0;
        let (elided, rest) = split_elision(folded);
        self.likelihood.add(rest);
        if !in_prose {
            return;
        }
        self.prose_words += 1.0;
        for part in [elided, rest] {
            let set = languages_of(part);
            let counts = self.stop_words.iter_mut().zip(&mut self.telling);
            for (language, (stop_words, telling)) in LISTED.into_iter().zip(counts) {
                if set.contains(language) {
                    *stop_words += 1.0;
                    *telling += 1.0 / f64::from(set.len());
                }
            }
        }
    }

    /// The best language, with a confidence that is the product of four doubts: whether there are
    /// enough stop words, a clear lead, enough prose among the words, and enough words at all.
    fn conclude(&self) -> Detection {
        if self.words == 0.0 {
            return Detection::new(Language::Undetermined, 0.0);
        }
        let mut best = (Language::Undetermined, f64::NEG_INFINITY, 0.0);
        let mut second = f64::NEG_INFINITY;
        let shortfalls = self.likelihood.shortfalls();
        let counts = self.telling.into_iter().zip(self.stop_words);
        for (language, ((telling, stop_words), shortfall)) in LISTED.into_iter().zip(counts.zip(shortfalls)) {
            let score = telling / self.words + TRIGRAM_WEIGHT * shortfall;
            if score > best.1 {
                second = best.1;
                best = (language, score, stop_words / self.words);
            } else {
                second = second.max(score);
            }
        }
        let (language, score, coverage) = best;
        let (low, high) = COVERAGE_RAMP;
        let covered = ((coverage - low) / (high - low)).clamp(0.0, 1.0);
        let lead = ((score - second) / CLEAR_LEAD).min(1.0);
        let prose = (self.prose_words / self.words / PROSE_SHARE).min(1.0);
        let length = self.words / (self.words + HALF_CONFIDENCE_WORDS);
        Detection::new(language, covered * lead * prose * length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doubts_multiply() {
        let mut evidence = Evidence::default();
        for word in ["das", "ist", "der", "zweite", "versuch", "und", "nicht", "mehr"] {
            evidence.add(word, true);
        }
        // All but the length doubt are out of the way: eight words of prose, most of them German.
        assert_eq!(evidence.conclude(), Detection { language: Language::German, confidence: 0.8 });
        evidence.prose_words /= 2.0;
        let halved = evidence.conclude();
        assert!((halved.confidence - 0.8 * 0.5 / PROSE_SHARE).abs() < 1e-12, "{halved:?}");
    }

    #[test]
    fn no_words_are_in_no_language() {
        assert_eq!(
            detect(["42 + 17", "==="].into_iter()),
            Detection { language: Language::Undetermined, confidence: 0.0 }
        );
    }
}
