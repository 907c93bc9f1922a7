//! Sentences made fit to be shown on their own: comment and Markdown markers off, on one line, no
//! longer than [`EXCERPT_LIMIT_CHARACTERS`]; and which of them say something.

use super::language::Language;
use super::prose::words_in_prose;
use super::stopwords::{LISTED, is_stop_word, languages_of};
use super::tokenize::fold_into;

/// The most characters in an excerpt, the ellipsis of a clipped one included.
pub(super) const EXCERPT_LIMIT_CHARACTERS: usize = 300;

/// How much of a sentence is looked at: enough for any excerpt that is not mostly markers.
const SOURCE_LIMIT_BYTES: usize = 2_000;

/// Fewer words than this are a heading or a label.
const MINIMUM_WORDS: usize = 4;

/// The share of symbols that prose does not reach and source code, tables and links do.
const SYMBOL_SHARE: f64 = 0.05;

/// The share of words standing in prose that a sentence about code still has and code has not.
const PROSE_SHARE: f64 = 0.6;

/// Phrases of licence notices, which open most source files and summarise none.
const BOILERPLATE: &[&str] = &[
    "all rights reserved",
    "\"as is\"",
    "copied, modified",
    "copyright",
    "licensed under",
    "license.",
    "permission is hereby granted",
    "redistribution and use",
    "spdx-license-identifier",
];

/// `sentence` on one line without markers, clipped; empty if nothing but markers is in it.
pub(super) fn excerpt(sentence: &str) -> String {
    let source = sentence.get(..sentence.floor_char_boundary(SOURCE_LIMIT_BYTES)).unwrap_or(sentence);
    let mut line_up = String::new();
    for line in source.lines() {
        let line = line.trim_start_matches(is_line_marker);
        let line = line.strip_prefix("\"\"\"").unwrap_or(line).trim_end();
        let line = line.strip_suffix("*/").unwrap_or(line);
        for word in line.split_whitespace() {
            if !line_up.is_empty() {
                line_up.push(' ');
            }
            line_up.push_str(word);
        }
    }
    if line_up.contains("**") {
        line_up = line_up.replace("**", "");
    }
    clip(line_up, source.len() < sentence.len())
}

/// What opens a line of a comment, a quotation, a list or a heading, or closes a block of code.
fn is_line_marker(c: char) -> bool {
    matches!(c, '/' | '!' | '#' | '*' | '>' | '-' | '+' | ';' | '%' | '|' | ')' | ']' | '}' | ',' | ' ' | '\t')
}

/// Characters that are rare in prose and common everywhere else.
fn is_symbol(c: char) -> bool {
    matches!(
        c,
        '{' | '}'
            | '['
            | ']'
            | '<'
            | '>'
            | '='
            | '|'
            | '\\'
            | '/'
            | '_'
            | '#'
            | '@'
            | '$'
            | '%'
            | '^'
            | '&'
            | '*'
            | '~'
            | '+'
            | ';'
    )
}

/// Cuts `text` to the limit on a character boundary, and marks it if it was or `already_cut`.
fn clip(mut text: String, already_cut: bool) -> String {
    let limit = text.char_indices().nth(EXCERPT_LIMIT_CHARACTERS);
    if limit.is_none() && !already_cut {
        return text;
    }
    if let Some((end, _)) = text.char_indices().nth(EXCERPT_LIMIT_CHARACTERS - 1) {
        text.truncate(end);
    }
    text.truncate(text.trim_end().len());
    text.push('…');
    text
}

/// Whether `excerpt` reads like a sentence of a text in `language` that tells something: some
/// words, hardly any symbols, no licence notice, and a stop word if they are known.
pub(super) fn is_informative(excerpt: &str, language: Language) -> bool {
    let (mut characters, mut symbols) = (0_usize, 0_usize);
    for c in excerpt.chars() {
        characters += 1;
        symbols += usize::from(is_symbol(c));
    }
    if symbols as f64 > characters as f64 * SYMBOL_SHARE {
        return false;
    }
    // Grammar and prose are known for the languages with a list, and suspected where it is unclear
    // what a Latin text is in.
    let has_list = LISTED.contains(&language);
    let is_latin = has_list || language == Language::Undetermined;
    let (mut word_count, mut prose_words, mut grammar) = (0_usize, 0_usize, false);
    let mut folded = String::new();
    for (word, in_prose) in words_in_prose(excerpt) {
        word_count += 1;
        prose_words += usize::from(in_prose);
        if is_latin && !grammar {
            fold_into(word, &mut folded);
            grammar = if has_list { is_stop_word(&folded, language) } else { !languages_of(&folded).is_empty() };
        }
    }
    let is_prose = prose_words as f64 >= word_count as f64 * PROSE_SHARE;
    word_count >= MINIMUM_WORDS && (!is_latin || (grammar && is_prose)) && !is_boilerplate(excerpt)
}

fn is_boilerplate(excerpt: &str) -> bool {
    let lower = excerpt.to_ascii_lowercase();
    BOILERPLATE.iter().any(|phrase| lower.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_and_line_breaks_come_off() {
        assert_eq!(excerpt("//! Reads a file\n//! and   writes\n//! another."), "Reads a file and writes another.");
        assert_eq!(excerpt("# Title"), "Title");
        assert_eq!(excerpt(" * Javadoc\r\n * text"), "Javadoc text");
        assert_eq!(excerpt("> - quoted item"), "quoted item");
        assert_eq!(excerpt("**Note**: a **bold** word"), "Note: a bold word");
        assert_eq!(excerpt("}\n\"\"\"Python's way."), "Python's way.");
        assert_eq!(excerpt("/* One line. */"), "One line.");
        assert_eq!(excerpt("---"), "");
    }

    #[test]
    fn a_text_at_the_limit_stays_and_a_longer_one_is_clipped_to_it() {
        let fits = "é".repeat(300);
        assert_eq!(excerpt(&fits), fits);
        let clipped = excerpt(&"é".repeat(301));
        assert_eq!(clipped, format!("{}…", "é".repeat(299)));
        assert_eq!(clipped.chars().count(), EXCERPT_LIMIT_CHARACTERS);
    }

    #[test]
    fn a_clip_leaves_no_space_before_its_ellipsis() {
        let text = format!("{} {}", "a".repeat(298), "b".repeat(10));
        assert_eq!(excerpt(&text), format!("{}…", "a".repeat(298)));
    }

    #[test]
    fn a_sentence_of_megabytes_is_cut_before_it_is_read() {
        let spaced = format!("start {} end", " ".repeat(1_000_000));
        assert_eq!(excerpt(&spaced), "start…");
    }

    #[test]
    fn sentences_inform_and_headings_code_and_licences_do_not() {
        assert!(is_informative("The queue is drained before the server stops.", Language::English));
        assert!(is_informative("A new key was issued to the copy of the server.", Language::English));
        for text in [
            "Getting started",
            "cargo install path ripgrep locked",
            "use alloc::boxed::Box; use core::task::{Context, Poll};",
            "if (a[i] == b) { return x->y; } else { free(b); }",
            "[Guide](https://a.example/guide) | [API](https://a.example/api) for you",
            "Copyright 2020 by the authors of this library.",
            "This file is licensed under the terms of the MIT license.",
        ] {
            assert!(!is_informative(text, Language::English), "{text}");
        }
    }

    #[test]
    fn stop_words_are_asked_for_only_where_they_are_known() {
        assert!(is_informative("Сервер закрывает соединение немедленно.", Language::Russian));
        assert!(!is_informative("alpha beta gamma delta epsilon", Language::Undetermined));
        assert!(is_informative("alpha beta gamma and delta", Language::Undetermined));
        assert!(!is_informative("Server schließt Verbindung sofort.", Language::German));
        assert!(is_informative("Der Server schließt die Verbindung.", Language::German));
    }
}
