//! The phrases a document is about.
//!
//! Rapid Automatic Keyword Extraction: Rose, Engel, Cramer and Cowley, *Automatic keyword
//! extraction from individual documents* (2010). Candidates are the runs of words between stop
//! words and punctuation; a word scores its degree (the words in all candidates it is in) divided
//! by its frequency, and a candidate scores the sum of its words.
//!
//! Worked example: `linear constraints`, `linear equations` and `constraints` give `linear` the
//! frequency 2 and the degree 4, `constraints` 2 and 3, `equations` 1 and 2, so the candidates score
//! 2 + 1.5, 2 + 2 and 1.5.
//!
//! Three changes suit it to whole files in place of abstracts:
//! - a candidate of more than [`PHRASE_LIMIT_WORDS`] words is a table or code, and is left out;
//! - a candidate found `n` times scores `1 + 2 floor(log2 n)` times as much, or else any long phrase of
//!   a long text would beat the terms it keeps coming back to;
//! - in Chinese characters, where no space marks a word, every pair of neighbours is a candidate.

use std::collections::HashMap;

use super::document::Document;
use super::language::{Language, language};
use super::stopwords::{is_stop_word, split_elision};
use super::tokenize::{fold_into, is_han, is_hiragana, word_indices};

/// The most words in a candidate.
const PHRASE_LIMIT_WORDS: usize = 3;

/// The most characters in a word of a candidate; longer ones are hashes, keys or encoded data.
const WORD_LIMIT_CHARACTERS: usize = 40;

/// How many different candidates are counted at a time, which bounds the memory used whatever the
/// document: to 40 MB if every word is as long as it may be, to a tenth of that for usual words.
const CANDIDATE_LIMIT: usize = 65_536;

/// Chinese characters that stand for grammar, the stop words of Chinese.
const HAN_STOP: &str = "的了是在和有我不这那他她它们你您也就都而及与或一个上中下为以对从到把被让会能可要于之其所并但如果很更最再还只没无等则即因此些吗呢吧啊";

/// A phrase and how much the document is about it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Keyword {
    /// The words in lower case, one space between them.
    pub(crate) phrase: String,
    /// At least 1; only comparable within one document.
    pub(crate) score: f64,
    /// How often the phrase stands in the document.
    pub(crate) count: usize,
}

/// The `limit` best keywords of `document`, best first.
///
/// Equal scores are ordered by count and then alphabetically, so the result is always the same.
/// A document with more than [`CANDIDATE_LIMIT`] different candidates loses the rarer half of
/// them each time that many have gathered; the count of a phrase so lost and found again is too low.
pub(crate) fn keywords(document: &Document, limit: usize) -> Vec<Keyword> {
    let mut candidates = Candidates::default();
    collect(&document.text, language(document).language, &mut candidates);
    let mut ranked = candidates.scored();
    ranked.sort_unstable_by(|a, b| {
        b.score.total_cmp(&a.score).then(b.count.cmp(&a.count)).then_with(|| a.phrase.cmp(&b.phrase))
    });
    ranked.truncate(limit);
    ranked
}

fn collect(text: &str, language: Language, candidates: &mut Candidates) {
    let mut phrase = Phrase::default();
    let mut folded = String::new();
    let mut previous_han = None;
    let mut end = 0_usize;
    for (offset, word) in word_indices(text) {
        let gap = text.get(end..offset).unwrap_or_default();
        end = offset.saturating_add(word.len());
        if !gap.chars().all(|c| c == ' ' || c == '\t') || gap.is_empty() {
            phrase.flush(candidates);
        }
        if let Some(han) = word.chars().next().filter(|c| is_han(*c)) {
            phrase.flush(candidates);
            let stop = HAN_STOP.contains(han);
            if let Some(first) = previous_han.filter(|_| gap.is_empty() && !stop) {
                candidates.add(String::from_iter([first, han]).as_str());
            }
            previous_han = Some(han).filter(|_| !stop);
            continue;
        }
        previous_han = None;
        fold_into(word, &mut folded);
        let (_, rest) = split_elision(&folded);
        let stem = rest.strip_suffix("'s").unwrap_or(rest);
        // The whole word is looked up too: `it's` is a stop word though `it` alone would do.
        if is_stop_word(&folded, language) || is_stop_word(stem, language) || !is_content(stem) {
            phrase.flush(candidates);
        } else {
            phrase.push(stem);
        }
    }
    phrase.flush(candidates);
}

/// Whether a word can name something: two letters at least, more letters than anything else, and
/// not as long as only encoded data is.
fn is_content(word: &str) -> bool {
    let (mut letters, mut others) = (0_usize, 0_usize);
    for c in word.chars() {
        if is_hiragana(c) {
            return false;
        }
        if c.is_alphabetic() {
            letters += 1;
        } else {
            others += 1;
        }
        if letters + others > WORD_LIMIT_CHARACTERS {
            return false;
        }
    }
    letters >= 2 && letters > others
}

/// The run of words being read.
#[derive(Debug, Default)]
struct Phrase {
    text: String,
    words: usize,
}

impl Phrase {
    fn push(&mut self, word: &str) {
        self.words = self.words.saturating_add(1);
        // Past the limit the run is only counted, so that no run makes the buffer grow.
        if self.words <= PHRASE_LIMIT_WORDS {
            if self.words > 1 {
                self.text.push(' ');
            }
            self.text.push_str(word);
        }
    }

    fn flush(&mut self, candidates: &mut Candidates) {
        if (1..=PHRASE_LIMIT_WORDS).contains(&self.words) {
            candidates.add(&self.text);
        }
        self.text.clear();
        self.words = 0;
    }
}

/// How often each candidate was found.
#[derive(Debug, Default)]
struct Candidates {
    counts: HashMap<String, usize>,
}

/// In how many candidates a word is, and how many words those have.
#[derive(Clone, Copy, Debug, Default)]
struct WordUse {
    frequency: usize,
    degree: usize,
}

impl Candidates {
    fn add(&mut self, phrase: &str) {
        if let Some(count) = self.counts.get_mut(phrase) {
            *count = count.saturating_add(1);
            return;
        }
        if self.counts.len() >= CANDIDATE_LIMIT {
            self.drop_rarer_half();
        }
        self.counts.insert(phrase.to_owned(), 1);
    }

    /// Drops every candidate that is no more frequent than the median one: at least half of them,
    /// so the work is constant for each candidate added.
    fn drop_rarer_half(&mut self) {
        let mut counts: Vec<usize> = self.counts.values().copied().collect();
        let middle = counts.len() / 2;
        if middle < counts.len() {
            let (_, median, _) = counts.select_nth_unstable(middle);
            let median = *median;
            self.counts.retain(|_, count| *count > median);
        }
    }

    fn scored(self) -> Vec<Keyword> {
        let mut uses = HashMap::<&str, WordUse>::new();
        for (phrase, count) in &self.counts {
            let length = phrase.split(' ').count();
            for word in phrase.split(' ') {
                let word_use = uses.entry(word).or_default();
                word_use.frequency = word_use.frequency.saturating_add(*count);
                word_use.degree = word_use.degree.saturating_add(count.saturating_mul(length));
            }
        }
        let ratio = |word: &str| {
            let word_use = uses.get(word).copied().unwrap_or_default();
            word_use.degree as f64 / word_use.frequency.max(1) as f64
        };
        self.counts
            .iter()
            .map(|(phrase, count)| Keyword {
                phrase: phrase.clone(),
                // An integer logarithm is the same on every platform.
                score: phrase.split(' ').map(ratio).sum::<f64>()
                    * f64::from(1 + 2 * count.checked_ilog2().unwrap_or(0)),
                count: *count,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{document, random_texts};

    fn phrases(text: &str, limit: usize) -> Vec<String> {
        let found = keywords(&document(text), limit);
        found.into_iter().map(|keyword| keyword.phrase).collect()
    }

    /// The example of the paper, whose candidates and scores it prints in full.
    #[test]
    fn the_abstract_in_the_paper_scores_as_in_the_paper() {
        let text = "Compatibility of systems of linear constraints over the set of natural numbers. \
            Criteria of compatibility of a system of linear Diophantine equations, strict inequations, \
            and nonstrict inequations are considered. Upper bounds for components of a minimal set of \
            solutions and algorithms of construction of minimal generating sets of solutions for all \
            types of systems are given. These criteria and the corresponding algorithms for \
            constructing a minimal supporting set of solutions can be used in solving all the \
            considered types of systems and systems of mixed types.";
        // `systems`, found four times, comes fourth here; the paper does not weigh by count.
        let mut found = keywords(&document(text), 13);
        found.retain(|keyword| keyword.count == 1);
        let rounded: Vec<_> =
            found.iter().map(|keyword| (keyword.phrase.as_str(), (keyword.score * 10.0).round() / 10.0)).collect();
        assert_eq!(
            rounded,
            [
                ("minimal generating sets", 8.7),
                ("linear diophantine equations", 8.5),
                ("minimal supporting set", 7.7),
                ("minimal set", 4.7),
                ("linear constraints", 4.5),
                ("natural numbers", 4.0),
                ("nonstrict inequations", 4.0),
                ("strict inequations", 4.0),
                ("upper bounds", 4.0),
                ("mixed types", 3.7),
                ("corresponding algorithms", 3.5),
                ("considered types", 3.2),
            ]
        );
    }

    #[test]
    fn the_worked_example_scores_as_described() {
        assert_eq!(
            keywords(&document("linear constraints, linear equations, constraints"), 9),
            [("linear equations", 4.0), ("linear constraints", 3.5), ("constraints", 1.5)]
                .map(|(phrase, score)| Keyword { phrase: phrase.to_owned(), score, count: 1 })
        );
    }

    #[test]
    fn a_repeated_phrase_gains_a_step_with_each_doubling() {
        let scores: Vec<_> = keywords(&document("queue, queue, queue, queue; stack, stack, stack; heap"), 9)
            .into_iter()
            .map(|keyword| (keyword.phrase, keyword.score, keyword.count))
            .collect();
        assert_eq!(scores, [("queue".to_owned(), 5.0, 4), ("stack".to_owned(), 3.0, 3), ("heap".to_owned(), 1.0, 1)]);
    }

    #[test]
    fn equal_scores_are_ordered_alphabetically_and_cut_at_the_limit() {
        assert_eq!(phrases("pear, fig, apple, lime", 3), ["apple", "fig", "lime"]);
        assert_eq!(phrases("pear, fig", 0), [""; 0]);
    }

    #[test]
    fn line_breaks_and_overlong_runs_make_no_phrase() {
        assert_eq!(phrases("red\ngreen", 9), ["green", "red"]);
        assert_eq!(phrases("alpha beta gamma delta, omega", 9), ["omega"]);
    }

    #[test]
    fn stop_words_are_those_of_the_documents_language() {
        let german = "Die Katze liegt auf dem warmen Ofen, und der Hund schläft neben dem warmen Ofen.";
        assert_eq!(phrases(german, 1), ["warmen ofen"]);
        let french = "Le chat de l'école dort, mais l'école n'est pas ouverte et le chat de l'école attend.";
        assert!(phrases(french, 9).contains(&"école dort".to_owned()), "{:?}", phrases(french, 9));
    }

    #[test]
    fn possessives_contractions_numbers_and_hashes_are_no_keywords() {
        let hash = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
        assert_eq!(phrases(&format!("The parser's, it's, don't, 42, x, 0xff00, {hash}"), 9), ["parser"]);
    }

    #[test]
    fn source_code_yields_its_names() {
        let code = "pub fn drain_queue(queue: &mut RequestQueue) -> usize { queue.drain_queue() }";
        assert_eq!(phrases(code, 3), ["drain_queue", "queue", "requestqueue"]);
    }

    #[test]
    fn chinese_yields_pairs_of_characters_and_japanese_its_katakana() {
        assert_eq!(phrases("数据库的数据和数据", 2), ["数据", "据库"]);
        assert_eq!(phrases("データを読む。データです。", 1), ["データ"]);
    }

    #[test]
    fn more_candidates_than_fit_lose_the_rare_ones() {
        let mut candidates = Candidates::default();
        for number in 0..CANDIDATE_LIMIT * 3 {
            candidates.add(&format!("rare{number}"));
            candidates.add("common");
        }
        assert!(candidates.counts.len() <= CANDIDATE_LIMIT);
        assert_eq!(candidates.counts.get("common"), Some(&(CANDIDATE_LIMIT * 3)));
    }

    #[test]
    fn keywords_of_any_text_are_ordered_distinct_and_within_bounds() {
        for text in random_texts(300) {
            let found = keywords(&document(&text), 50);
            assert_eq!(found, keywords(&document(&text), 50), "in {text:?}");
            assert!(found.is_sorted_by(|a, b| a.score >= b.score), "in {text:?}");
            for keyword in found {
                assert!(keyword.score >= 1.0 && keyword.score.is_finite());
                assert!((1..=PHRASE_LIMIT_WORDS).contains(&keyword.phrase.split(' ').count()));
            }
        }
    }
}
