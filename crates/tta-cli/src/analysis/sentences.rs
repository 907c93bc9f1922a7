//! Sentences: where they end in prose, Markdown and source code.
//!
//! A sentence ends
//! - at a blank line, or any other without a letter or digit, such as an empty comment or a brace,
//!   which then opens the next sentence;
//! - after `.`, `!`, `?` or `…` and whatever closes a quotation or bracket behind it, if white space
//!   or the end of the text follows: the point in `3.14`, `main.rs` or `x.len()` is none;
//! - after the full-width and Indic or Arabic marks `。！？｡।॥۔؟`, which no space follows.
//!
//! A point after an abbreviation, an initial or the number of a list item does not end a sentence.
//! The abbreviations are those common in English, German, French, Spanish, Italian, Portuguese and
//! Dutch; what such a list misses is split too early, never lost.

use super::tokenize::{fold_into, is_alphanumeric};

/// Abbreviations that a sentence goes on after.
const INSIDE: &[&str] = &[
    "abb", "abs", "aprox", "av", "bijv", "bspw", "bv", "bzw", "ca", "cf", "dhr", "dott", "dr", "dra", "dres", "evtl",
    "excl", "ggf", "incl", "ing", "inkl", "jr", "mme", "mlle", "mr", "mrs", "ms", "mt", "mw", "p.ej", "prof", "resp",
    "sog", "sig", "sra", "srta", "sr", "st", "u.a", "vgl", "viz", "vs", "zzgl",
];

/// Abbreviations that may end a sentence: they do if a capital letter follows.
const AT_EITHER_END: &[&str] = &["al", "bros", "co", "corp", "ecc", "enz", "etc", "inc", "ltd", "ltda", "usf", "usw"];

/// Abbreviations only in front of a number: `no. 5`, but not `he said no.`
const BEFORE_NUMBERS: &[&str] = &[
    "afb", "art", "bd", "cap", "ch", "chap", "eq", "fig", "figs", "kap", "no", "nos", "nr", "num", "núm", "nº", "p",
    "pag", "pág", "pp", "s", "sec", "sect", "tab", "vol",
];

/// No listed abbreviation, and no initials worth recognising, is longer.
const ABBREVIATION_LIMIT_BYTES: usize = 12;

/// The sentences of `text`, trimmed; stretches without a letter or digit are left out.
pub(crate) fn sentences(text: &str) -> Sentences<'_> {
    Sentences { rest: text }
}

/// An iterator over sentences; see the module for what one is.
#[derive(Clone, Debug)]
pub(crate) struct Sentences<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Sentences<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            // Trimming first keeps runs of blank lines from being searched one by one.
            let rest = self.rest.trim_start();
            if rest.is_empty() {
                self.rest = "";
                return None;
            }
            let (sentence, rest) = rest.split_at_checked(sentence_length_bytes(rest))?;
            self.rest = rest;
            if sentence.contains(is_alphanumeric) {
                return Some(sentence.trim_end());
            }
        }
    }
}

/// The length of the sentence that `text` starts with; at least one character.
fn sentence_length_bytes(text: &str) -> usize {
    let mut characters = text.char_indices();
    let mut word_start = 0;
    while let Some((index, c)) = characters.next() {
        match c {
            '\n' if empty_line_follows(characters.as_str()) => return index,
            '。' | '！' | '？' | '｡' | '।' | '॥' | '۔' | '؟' => {
                return text.len().saturating_sub(after_closing(characters.as_str()).len());
            }
            // The mark in `//!` opens a comment.
            '!' if text.get(..index).is_some_and(|before| before.ends_with('/')) => {}
            '.' | '!' | '?' | '…' => {
                let marks = characters.as_str();
                let after = after_closing(marks);
                let end = text.len().saturating_sub(after.len());
                let alone = c == '.' && after.len() == marks.len();
                let word = text.get(word_start..index).unwrap_or_default();
                let before = text.get(..word_start).unwrap_or_default();
                let ends = match next_visible(after) {
                    Following::Glued => false,
                    Following::Nothing => true,
                    Following::Character(next) if alone => !continues_after_point(before, word, next),
                    Following::Character(next) => {
                        let trailing_off = c == '…' || marks.starts_with("..");
                        !(trailing_off && next.is_lowercase())
                    }
                };
                if ends {
                    return end;
                }
                while characters.offset() < end && characters.next().is_some() {}
            }
            c if c.is_whitespace() => word_start = characters.offset(),
            _ => {}
        }
    }
    text.len()
}

/// Whether the first line of `text` has a line break behind it but no letter or digit in it.
fn empty_line_follows(text: &str) -> bool {
    text.chars().find(|c| *c == '\n' || is_alphanumeric(*c)).is_some_and(|c| c == '\n')
}

/// What is left of `text` after further end marks, quotation marks and brackets that close.
fn after_closing(text: &str) -> &str {
    text.trim_start_matches(|c| {
        matches!(
            c,
            '.' | '!'
                | '?'
                | '…'
                | '"'
                | '\''
                | '\u{201D}'
                | '\u{201C}'
                | '\u{2019}'
                | '»'
                | ')'
                | ']'
                | '。'
                | '！'
                | '？'
                | '」'
                | '』'
                | '）'
                | '*'
                | '`'
        )
    })
}

enum Following {
    /// Something other than white space follows at once.
    Glued,
    /// Only white space follows.
    Nothing,
    /// The first character after white space.
    Character(char),
}

fn next_visible(text: &str) -> Following {
    if text.starts_with(|c: char| !c.is_whitespace()) {
        return Following::Glued;
    }
    match text.chars().find(|c| !c.is_whitespace()) {
        Some(c) => Following::Character(c),
        None => Following::Nothing,
    }
}

/// Whether the point after `word` does not end the sentence, given the first character after it.
fn continues_after_point(before: &str, word: &str, next: char) -> bool {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    if word.is_empty() || word.len() > ABBREVIATION_LIMIT_BYTES {
        return false;
    }
    if before.is_empty() && word.chars().all(|c| c.is_ascii_digit()) {
        return true;
    }
    // Initials and their like: `J. S. Bach`, `e.g.`, `z.B.`, `U.S.`
    let initials = word.split('.').all(|part| {
        let mut characters = part.chars();
        characters.next().is_some_and(|c| c.is_lowercase() || c.is_uppercase()) && characters.next().is_none()
    });
    if initials {
        return true;
    }
    let mut folded = String::new();
    fold_into(word, &mut folded);
    let is_in = |list: &[&str]| list.contains(&folded.as_str());
    is_in(INSIDE) || (is_in(AT_EITHER_END) && !next.is_uppercase()) || (is_in(BEFORE_NUMBERS) && next.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<&str> {
        sentences(text).collect()
    }

    #[test]
    fn sentences_end_at_marks_followed_by_space_and_at_blank_lines() {
        assert_eq!(
            list("One. Two!  Three?\nFour\ngoes on\n \t\r\nFive"),
            ["One.", "Two!", "Three?", "Four\ngoes on", "Five"]
        );
        assert_eq!(list(" \n\n "), [""; 0]);
    }

    #[test]
    fn a_line_without_letters_separates_as_a_blank_one_does() {
        assert_eq!(
            list("//! Title\n//! goes on\n//!\n//! Text\n***\nMore {\n}\nEnd\n"),
            ["//! Title\n//! goes on", "//!\n//! Text", "***\nMore {", "}\nEnd"]
        );
    }

    #[test]
    fn points_inside_numbers_names_and_code_end_nothing() {
        assert_eq!(list("Pi is 3.14 in main.rs. See x.len() there."), ["Pi is 3.14 in main.rs.", "See x.len() there."]);
    }

    #[test]
    fn abbreviations_and_initials_end_nothing() {
        assert_eq!(
            list("Use a fruit, e.g. an apple. Dr. J. S. Bach agrees, z.B. Montags."),
            ["Use a fruit, e.g. an apple.", "Dr. J. S. Bach agrees, z.B. Montags."]
        );
        assert_eq!(
            list("Apples, pears, etc. are fruit. He ate pears, etc. Then he left."),
            ["Apples, pears, etc. are fruit.", "He ate pears, etc.", "Then he left."]
        );
    }

    #[test]
    fn number_abbreviations_count_only_before_a_number() {
        assert_eq!(
            list("See no. 5 and fig. 2. He said no. Then he left."),
            ["See no. 5 and fig. 2.", "He said no.", "Then he left."]
        );
    }

    #[test]
    fn the_number_of_a_list_item_stays_with_the_item() {
        assert_eq!(
            list("1. Open the box.\n2. Close it in 1990. Done."),
            ["1. Open the box.", "2. Close it in 1990.", "Done."]
        );
    }

    #[test]
    fn closing_quotes_and_brackets_stay_with_their_sentence() {
        assert_eq!(
            list("\"Stop!\" (He stopped.) “Why?” «Non.» End"),
            ["\"Stop!\"", "(He stopped.)", "“Why?”", "«Non.»", "End"]
        );
    }

    #[test]
    fn trailing_off_ends_a_sentence_only_before_a_capital() {
        assert_eq!(list("Well... maybe. So... Yes… no!! Wow"), ["Well... maybe.", "So...", "Yes… no!!", "Wow"]);
    }

    #[test]
    fn marks_of_other_scripts_need_no_space() {
        assert_eq!(list("今日は雨です。「行こう！」と言った。"), ["今日は雨です。", "「行こう！」", "と言った。"]);
        assert_eq!(list("यह एक है। वह दो है।"), ["यह एक है।", "वह दो है।"]);
        assert_eq!(list("كيف حالك؟ بخير."), ["كيف حالك؟", "بخير."]);
    }

    #[test]
    fn stretches_without_letters_are_left_out() {
        assert_eq!(list("---\n\n***\n\n```\n\nText ."), ["Text ."]);
    }

    #[test]
    fn sentences_of_any_text_hold_all_its_letters_in_order() {
        for text in crate::analysis::testing::random_texts(300) {
            let letters = |s: &str| -> String { s.chars().filter(|c| c.is_alphanumeric()).collect() };
            let joined: String = sentences(&text).map(letters).collect();
            assert_eq!(joined, letters(&text), "in {text:?}");
            for sentence in sentences(&text) {
                assert_eq!(sentence, sentence.trim());
                assert!(sentence.contains(char::is_alphanumeric));
            }
        }
    }
}
