//! Words: where they start and end in any text, and how they are folded for comparison.
//!
//! What a word means, and which ones carry meaning, is decided elsewhere (see `stopwords`).
//!
//! The rules are a small subset of Unicode Standard Annex 29 with the changes that counting words
//! in prose and source code asks for:
//! - a word starts with an alphanumeric character and goes on through alphanumeric characters and
//!   the combining marks on them;
//! - a single apostrophe, hyphen or underscore between two such characters belongs to the word
//!   (`don't`, `well-known`, `snake_case`), and so does a point or comma between two digits
//!   (`3.14`, `1,000`);
//! - Chinese characters and hiragana, written without spaces, are one word each.

/// The words of `text` with the byte offset of each.
pub(crate) fn word_indices(text: &str) -> WordIndices<'_> {
    WordIndices { text, position: 0 }
}

/// The words of `text`.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    word_indices(text).map(|(_, word)| word)
}

/// An iterator over words and their byte offsets; see the module for what a word is.
#[derive(Clone, Debug)]
pub(crate) struct WordIndices<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Iterator for WordIndices<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.text.get(self.position..)?;
        let mut characters = rest.chars();
        let Some(first) = characters.find(|c| is_alphanumeric(*c)) else {
            self.position = self.text.len();
            return None;
        };
        let after_first = rest.len().saturating_sub(characters.as_str().len());
        let start = after_first.saturating_sub(first.len_utf8());
        let length = if stands_alone(first) { first.len_utf8() } else { word_length_bytes(rest.get(start..)?) };
        let word = rest.get(start..start.saturating_add(length))?;
        let offset = self.position.saturating_add(start);
        self.position = offset.saturating_add(length);
        Some((offset, word))
    }
}

/// The length of the word that `text` starts with.
fn word_length_bytes(text: &str) -> usize {
    let mut characters = text.chars();
    let mut previous = '\0';
    loop {
        let mut ahead = characters.clone();
        let Some(next) = ahead.next() else { break };
        if continues_word(next) {
            previous = next;
        } else if is_joiner(next) {
            match ahead.next() {
                Some(c) if continues_word(c) && joins(previous, next, c) => previous = c,
                _ => break,
            }
        } else {
            break;
        }
        characters = ahead;
    }
    text.len().saturating_sub(characters.as_str().len())
}

fn continues_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    (is_alphanumeric(c) && !stands_alone(c)) || is_combining(c)
}

/// The same as `char::is_alphanumeric`, which takes most of the time of splitting a text in letters
/// beyond ASCII if it has to search its tables for each of them.
pub(super) fn is_alphanumeric(c: char) -> bool {
    match c {
        '\0'..='\x7F' => c.is_ascii_alphanumeric(),
        // Latin, Cyrillic, Chinese and Korean blocks without any other kind of character.
        'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ɏ' | 'Ѐ'..='ҁ' | '一'..='\u{9FFF}' | '가'..='힣' => true,
        _ => c.is_alphanumeric(),
    }
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '-' | '\u{2010}' | '_' | '.' | ',')
}

fn joins(previous: char, joiner: char, next: char) -> bool {
    match joiner {
        '.' | ',' => previous.is_numeric() && next.is_numeric(),
        _ => true,
    }
}

/// Marks that Unicode does not call alphabetic but that do not end a word: accents written apart
/// from their letter, Hebrew and Arabic points, the viramas and nuktas of Indic scripts, Thai tone
/// marks, soft hyphens and the zero-width joiners.
fn is_combining(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{0300}'..='\u{036F}' | '\u{0483}'..='\u{0489}' | '\u{0591}'..='\u{05C7}'
        | '\u{064B}'..='\u{065F}' | '\u{0670}' | '\u{093C}' | '\u{094D}' | '\u{09BC}' | '\u{09CD}'
        | '\u{0A3C}' | '\u{0A4D}' | '\u{0ABC}' | '\u{0ACD}' | '\u{0B3C}' | '\u{0B4D}' | '\u{0BCD}'
        | '\u{0C4D}' | '\u{0CBC}' | '\u{0CCD}' | '\u{0D4D}' | '\u{0DCA}' | '\u{0E47}'..='\u{0E4E}'
        | '\u{200C}' | '\u{200D}')
}

/// Whether the character is a word of its own: a Chinese character or hiragana.
pub(crate) fn stands_alone(c: char) -> bool {
    is_han(c) || is_hiragana(c)
}

/// Whether the character is a Chinese one, in whichever language.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c, '\u{3005}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Whether the character is hiragana.
pub(crate) fn is_hiragana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{309F}')
}

/// Replaces what `folded` holds by `word` in lower case, with typewriter apostrophes.
///
/// Two words are the same word when they fold alike. The buffer is reused so that folding most
/// words allocates nothing.
pub(crate) fn fold_into(word: &str, folded: &mut String) {
    folded.clear();
    if word.is_ascii() {
        folded.push_str(word);
        folded.make_ascii_lowercase();
        return;
    }
    for c in word.chars() {
        match c {
            '\u{2019}' => folded.push('\''),
            // Lower case already, and so common that the tables are worth avoiding.
            'à'..='ÿ' | 'а'..='џ' => folded.push(c),
            // Only the whole word tells which of the two small sigmas it becomes.
            'Σ' => return folded.replace_range(.., &word.to_lowercase().replace('\u{2019}', "'")),
            _ => folded.extend(c.to_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<&str> {
        words(text).collect()
    }

    #[test]
    fn words_are_split_at_spaces_and_punctuation() {
        assert_eq!(list("Hello, world! (Again: héllo.)"), ["Hello", "world", "Again", "héllo"]);
        assert_eq!(list(""), [""; 0]);
        assert_eq!(list("--- *** ///"), [""; 0]);
    }

    #[test]
    fn offsets_point_at_the_words() {
        let text = "«Déjà vu», a_b";
        let found: Vec<_> = word_indices(text).collect();
        assert_eq!(found, [(2, "Déjà"), (9, "vu"), (15, "a_b")]);
        for (offset, word) in found {
            assert!(text[offset..].starts_with(word));
        }
    }

    #[test]
    fn joiners_belong_to_a_word_only_between_its_characters() {
        assert_eq!(
            list("don't l\u{2019}eau well-known snake_case"),
            ["don't", "l\u{2019}eau", "well-known", "snake_case"]
        );
        assert_eq!(list("'quoted' -x __init__ a--b"), ["quoted", "x", "init", "a", "b"]);
    }

    #[test]
    fn points_and_commas_join_digits_but_not_letters() {
        assert_eq!(list("3.14 and 1,000 in v1.2.3"), ["3.14", "and", "1,000", "in", "v1.2.3"]);
        assert_eq!(list("end.Start a,b 5."), ["end", "Start", "a", "b", "5"]);
    }

    #[test]
    fn combining_marks_do_not_split_a_word() {
        assert_eq!(list("cafe\u{301}s"), ["cafe\u{301}s"]);
        // A virama, which Unicode does not count as alphabetic, stands inside the first word.
        assert_eq!(list("हिन्दी भाषा"), ["हिन्दी", "भाषा"]);
    }

    #[test]
    fn chinese_characters_and_hiragana_are_words_and_katakana_runs_are() {
        assert_eq!(list("数据base"), ["数", "据", "base"]);
        assert_eq!(list("データを読む"), ["データ", "を", "読", "む"]);
        assert_eq!(list("한국어 문장"), ["한국어", "문장"]);
    }

    #[test]
    fn folding_lowers_case_and_apostrophes_and_clears_the_buffer() {
        let mut folded = "left over".to_owned();
        fold_into("L\u{2019}ÉTÉ", &mut folded);
        assert_eq!(folded, "l'été");
        fold_into("Don't", &mut folded);
        assert_eq!(folded, "don't");
        fold_into("ΟΔΟΣ", &mut folded);
        assert_eq!(folded, "οδος");
    }

    #[test]
    fn the_shortcuts_agree_with_the_tables_for_every_character() {
        let mut folded = String::new();
        for c in '\0'..=char::MAX {
            assert_eq!(is_alphanumeric(c), c.is_alphanumeric(), "{c:?}");
            if c != '\u{2019}' {
                let text = String::from(c);
                fold_into(&text, &mut folded);
                assert_eq!(folded, text.to_lowercase());
            }
        }
    }

    #[test]
    fn every_alphanumeric_character_of_any_text_is_in_exactly_one_word() {
        for text in crate::analysis::testing::random_texts(300) {
            let mut end = 0;
            let mut covered = 0;
            for (offset, word) in word_indices(&text) {
                assert!(offset >= end, "words overlap in {text:?}");
                assert_eq!(&text[offset..offset + word.len()], word);
                end = offset + word.len();
                covered += word.chars().filter(|c| c.is_alphanumeric()).count();
            }
            let all = text.chars().filter(|c| c.is_alphanumeric()).count();
            assert_eq!(covered, all, "in {text:?}");
        }
    }
}
