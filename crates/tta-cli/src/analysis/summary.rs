//! Extractive summaries: sentences of the document, chosen and not rewritten.
//!
//! [`short`] takes the first sentences that say something, which suits short texts, whose first
//! sentences are their gist. [`long`] ranks by word frequency, after Luhn, *The automatic creation
//! of literature abstracts* (1958), as SumBasic does it: Nenkova and Vanderwende, *The impact of
//! frequency on summarization* (2005).
//!
//! SumBasic: a word's probability is its share of all words; the most probable word is looked up,
//! and the sentence containing it with the highest mean probability is taken; then the probability
//! of each word of that sentence is squared, so that the next sentence is about something else.

use std::collections::HashMap;

use super::document::Document;
use super::excerpt::{excerpt, is_informative};
use super::language::{Language, language};
use super::sentences::sentences;
use super::stopwords::{is_stop_word, split_elision};
use super::tokenize::{fold_into, words};

/// How many sentences a short summary has at most.
const SHORT_SENTENCES: usize = 2;

/// How many sentences a long summary has at most, whatever was asked for.
const SENTENCE_LIMIT: usize = 100;

/// How many sentences are ranked at most. A longer document is represented by half as many or
/// more, evenly spaced, which keeps the ranking from growing with it.
const CANDIDATE_LIMIT: usize = 2_000;

/// A mean over fewer words than this is taken as if there were this many, or else the shortest
/// sentence with a frequent word in it would always be best.
const FULL_SENTENCE_WORDS: usize = 6;

/// Sentences of a document in the order they stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Each on one line, without comment or Markdown markers, clipped to 300 characters.
    pub(crate) sentences: Vec<String>,
}

/// Summarises a short `document` by its first two informative sentences.
///
/// Without any informative one, as in most data files, the first sentence of all is taken; the
/// summary is empty only if the text has no letter or digit.
pub(crate) fn short(document: &Document) -> Summary {
    let language = language(document).language;
    let chosen: Vec<String> = informative(&document.text, language).take(SHORT_SENTENCES).collect();
    or_first_sentence(chosen, &document.text)
}

/// Summarises a long `document` by its `sentences` most representative sentences.
///
/// There are at most 100, and fewer if the document has fewer informative ones; 0 is taken as 1.
/// Without any informative one the result is that of [`short`].
pub(crate) fn long(document: &Document, sentences: usize) -> Summary {
    let language = language(document).language;
    let mut candidates = EvenlySpaced::default();
    informative(&document.text, language).for_each(|sentence| candidates.push(sentence));
    let mut ranking = Ranking::new(candidates.kept, language);
    for _ in 0..sentences.clamp(1, SENTENCE_LIMIT) {
        if !ranking.choose_next() {
            break;
        }
    }
    or_first_sentence(ranking.chosen(), &document.text)
}

fn informative(text: &str, language: Language) -> impl Iterator<Item = String> {
    sentences(text).map(excerpt).filter(move |excerpt| is_informative(excerpt, language))
}

fn or_first_sentence(chosen: Vec<String>, text: &str) -> Summary {
    let sentences = if chosen.is_empty() {
        sentences(text).map(excerpt).find(|excerpt| !excerpt.is_empty()).into_iter().collect()
    } else {
        chosen
    };
    Summary { sentences }
}

/// Keeps up to [`CANDIDATE_LIMIT`] of any number of sentences, evenly spaced: each time it is full,
/// every other one goes and only every other one is let in from then on.
#[derive(Debug)]
struct EvenlySpaced {
    kept: Vec<String>,
    stride: usize,
    seen: usize,
}

impl Default for EvenlySpaced {
    fn default() -> Self {
        Self { kept: Vec::new(), stride: 1, seen: 0 }
    }
}

impl EvenlySpaced {
    fn push(&mut self, sentence: String) {
        if self.seen.is_multiple_of(self.stride) {
            if self.kept.len() >= CANDIDATE_LIMIT {
                let mut position = 0_usize;
                self.kept.retain(|_| {
                    position = position.saturating_add(1);
                    !position.is_multiple_of(2)
                });
                self.stride = self.stride.saturating_mul(2);
            }
            // With an even limit the sentence that met a full list fits the wider stride as well.
            self.kept.push(sentence);
        }
        self.seen = self.seen.saturating_add(1);
    }
}

#[derive(Debug)]
struct Candidate {
    text: String,
    /// Positions in [`Ranking::probabilities`]; a word that occurs twice is there twice.
    words: Vec<usize>,
    chosen: bool,
}

/// Candidates and the current probability of each of their words.
#[derive(Debug)]
struct Ranking {
    candidates: Vec<Candidate>,
    probabilities: Vec<f64>,
}

impl Ranking {
    fn new(sentences: Vec<String>, language: Language) -> Self {
        let mut numbers = HashMap::<String, usize>::new();
        let mut counts = Vec::<f64>::new();
        let mut total = 0.0;
        let mut folded = String::new();
        let mut candidates = Vec::with_capacity(sentences.len());
        for text in sentences {
            let mut found = Vec::new();
            for word in words(&text) {
                fold_into(word, &mut folded);
                let (_, stem) = split_elision(&folded);
                if is_stop_word(stem, language) || !stem.contains(char::is_alphabetic) {
                    continue;
                }
                let next = counts.len();
                let number = *numbers.entry(stem.to_owned()).or_insert(next);
                if number == next {
                    counts.push(0.0);
                }
                if let Some(count) = counts.get_mut(number) {
                    *count += 1.0;
                }
                total += 1.0;
                found.push(number);
            }
            candidates.push(Candidate { text, words: found, chosen: false });
        }
        counts.iter_mut().for_each(|count| *count /= total);
        Self { candidates, probabilities: counts }
    }

    fn probability(&self, word: usize) -> f64 {
        self.probabilities.get(word).copied().unwrap_or(0.0)
    }

    fn weight(&self, candidate: &Candidate) -> f64 {
        let sum: f64 = candidate.words.iter().map(|word| self.probability(*word)).sum();
        sum / candidate.words.len().max(FULL_SENTENCE_WORDS) as f64
    }

    /// Takes one more sentence; false if none is left that differs from those taken.
    fn choose_next(&mut self) -> bool {
        let open = || self.candidates.iter().filter(|candidate| !candidate.chosen);
        let words = open().flat_map(|candidate| candidate.words.iter().copied());
        // Of equals the first wins here and below, so that the result is always the same.
        let best_word = words.reduce(|best, word| {
            let better = self.probability(word) > self.probability(best);
            if better { word } else { best }
        });
        let mut best: Option<(usize, f64)> = None;
        for (position, candidate) in self.candidates.iter().enumerate() {
            let fits = best_word.is_none_or(|word| candidate.words.contains(&word));
            if candidate.chosen || !fits {
                continue;
            }
            let weight = self.weight(candidate);
            if best.is_none_or(|(_, best_weight)| weight > best_weight) {
                best = Some((position, weight));
            }
        }
        match best {
            Some((position, _)) => {
                self.take(position);
                true
            }
            None => false,
        }
    }

    /// Marks the candidate and its duplicates as taken, and squares its words' probabilities.
    fn take(&mut self, position: usize) {
        let Some(taken) = self.candidates.get(position) else {
            return;
        };
        let text = taken.text.clone();
        let mut distinct = taken.words.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for word in distinct {
            if let Some(probability) = self.probabilities.get_mut(word) {
                *probability *= *probability;
            }
        }
        for candidate in &mut self.candidates {
            candidate.chosen |= candidate.text == text;
        }
    }

    /// The sentences taken, in the document's order, duplicates only once.
    fn chosen(self) -> Vec<String> {
        let mut chosen: Vec<String> = Vec::new();
        for candidate in self.candidates {
            if candidate.chosen && !chosen.contains(&candidate.text) {
                chosen.push(candidate.text);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{document, random_texts};

    const ARTICLE: &str = "\
        # Bees\n\n\
        Bees are insects that live almost everywhere. Honey bees make honey and wax in a hive. The \
        weather was fine that week. A bee hive has one queen, many worker bees and some drones. My \
        neighbour has an old bicycle. Worker bees leave the hive to collect nectar for the honey.\n";

    #[test]
    fn a_short_summary_is_the_first_two_informative_sentences() {
        assert_eq!(
            short(&document(ARTICLE)).sentences,
            ["Bees are insects that live almost everywhere.", "Honey bees make honey and wax in a hive."]
        );
    }

    #[test]
    fn a_long_summary_has_the_sentences_about_the_topic_in_their_order() {
        assert_eq!(
            long(&document(ARTICLE), 2).sentences,
            ["Honey bees make honey and wax in a hive.", "A bee hive has one queen, many worker bees and some drones."]
        );
    }

    #[test]
    fn asking_for_more_than_there_is_gives_every_informative_sentence() {
        let all = long(&document(ARTICLE), 50).sentences;
        assert_eq!(all.len(), 6);
        assert_eq!(all.first().map(String::as_str), Some("Bees are insects that live almost everywhere."));
        assert_eq!(long(&document(ARTICLE), 0).sentences.len(), 1);
    }

    #[test]
    fn a_repeated_sentence_is_taken_once() {
        let text = "The queue is full of work to do. ".repeat(5);
        assert_eq!(long(&document(&text), 3).sentences, ["The queue is full of work to do."]);
    }

    #[test]
    fn the_comment_of_a_source_file_summarises_it() {
        let code = "// Copyright 2020 the authors.\n\n//! Counts the words of a text.\n//! It does no \
                    I/O of its own.\n\nuse std::fmt;\n\nfn main() { let x = [1, 2]; }\n";
        assert_eq!(short(&document(code)).sentences, ["Counts the words of a text.", "It does no I/O of its own."]);
    }

    #[test]
    fn without_an_informative_sentence_the_first_of_all_is_taken() {
        let data = "{\"name\": \"demo\"}\n\n{\"name\": \"other\"}";
        for summary in [short(&document(data)), long(&document(data), 3)] {
            assert_eq!(summary.sentences, ["{\"name\": \"demo\"}"]);
        }
        assert_eq!(short(&document("---")).sentences, [""; 0]);
    }

    #[test]
    fn other_languages_are_summarised_too() {
        let german = "# Titel\n\nDer Rat hat die Brücke gesperrt. Niemand weiß, wie lange das dauert.";
        assert_eq!(short(&document(german)).sentences.len(), 2);
        assert_eq!(
            short(&document("数据库保存所有文件。服务器关闭连接。")).sentences,
            ["数据库保存所有文件。", "服务器关闭连接。"]
        );
    }

    #[test]
    fn candidates_stay_evenly_spaced_however_many_there_are() {
        let mut candidates = EvenlySpaced::default();
        for number in 0..CANDIDATE_LIMIT * 5 {
            candidates.push(number.to_string());
        }
        let numbers: Vec<usize> = candidates.kept.iter().map(|n| n.parse().unwrap()).collect();
        assert!((CANDIDATE_LIMIT / 2..=CANDIDATE_LIMIT).contains(&numbers.len()));
        assert!(numbers.windows(2).all(|pair| pair[1] - pair[0] == 8), "{numbers:?}");
        assert_eq!(numbers.first(), Some(&0));
    }

    #[test]
    fn summaries_of_any_text_are_of_bounded_single_lines() {
        for text in random_texts(200) {
            let document = document(&text);
            for summary in [short(&document), long(&document, 5)] {
                assert!(summary.sentences.len() <= 5, "{text:?}");
                for sentence in summary.sentences {
                    assert!(sentence.chars().count() <= 300 && !sentence.contains('\n'), "{text:?}");
                }
            }
        }
    }
}
