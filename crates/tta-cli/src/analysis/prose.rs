//! Which words of a text stand in prose, as against source code, tables, links and data.

use super::tokenize::{WordIndices, is_alphanumeric, word_indices};

/// The words of `text`, each with whether it stands in prose: nothing but white space and
/// punctuation of prose around it, and not written as only an identifier is.
pub(super) fn words_in_prose(text: &str) -> WordsInProse<'_> {
    WordsInProse { text, words: word_indices(text), end: 0 }
}

/// An iterator over words and whether they stand in prose.
#[derive(Clone, Debug)]
pub(super) struct WordsInProse<'a> {
    text: &'a str,
    words: WordIndices<'a>,
    end: usize,
}

impl<'a> Iterator for WordsInProse<'a> {
    type Item = (&'a str, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let (offset, word) = self.words.next()?;
        let before = self.text.get(self.end..offset).unwrap_or_default();
        self.end = offset.saturating_add(word.len());
        let rest = self.text.get(self.end..).unwrap_or_default();
        let after = rest.find(is_alphanumeric).and_then(|next| rest.get(..next));
        // At the end of the text punctuation needs no white space after it.
        let in_prose = is_prose_gap(before)
            && after.map_or_else(|| rest.chars().all(is_prose), is_prose_gap)
            && !is_identifier(word);
        Some((word, in_prose))
    }
}

/// Whether a character may stand between two words of prose.
fn is_prose(c: char) -> bool {
    let is_punctuation = matches!(
        c,
        ',' | '.'
            | ';'
            | ':'
            | '!'
            | '?'
            | '"'
            | '\''
            | '“'
            | '”'
            | '„'
            | '‘'
            | '’'
            | '«'
            | '»'
            | '('
            | ')'
            | '-'
            | '–'
            | '—'
            | '¡'
            | '¿'
            | '…'
    );
    c.is_whitespace() || is_punctuation
}

/// Whether prose can have `gap` between two words.
fn is_prose_gap(gap: &str) -> bool {
    gap.is_empty() || (gap.contains(char::is_whitespace) && gap.chars().all(is_prose))
}

/// Whether `word` is written as only source code does: `snake_case`, `camelCase`.
fn is_identifier(word: &str) -> bool {
    let mut after_lower = false;
    word.chars().any(|c| {
        let is_hump = after_lower && c.is_uppercase();
        after_lower = c.is_lowercase();
        c == '_' || is_hump
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_of_prose_hold_spaces_and_its_punctuation() {
        for gap in ["", " ", ", ", ".\n\n", " (", ".) – ", "? «"] {
            assert!(is_prose_gap(gap), "{gap:?}");
        }
        for gap in [".", "(", " = ", "::", "\n// ", "`, `", "/"] {
            assert!(!is_prose_gap(gap), "{gap:?}");
        }
    }

    #[test]
    fn identifiers_have_humps_or_underscores() {
        assert!(is_identifier("snake_case") && is_identifier("camelCase"));
        assert!(!is_identifier("README") && !is_identifier("Straße") && !is_identifier("été"));
    }

    #[test]
    fn words_next_to_symbols_do_not_stand_in_prose() {
        let found: Vec<_> = words_in_prose("The call f(x) ends here.").collect();
        assert_eq!(found, [("The", true), ("call", true), ("f", false), ("x", false), ("ends", true), ("here", true)]);
    }
}
