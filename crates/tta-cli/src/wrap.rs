//! Text broken into lines of a width.

use std::iter;

/// The text in lines of at most `width` columns: the first as it is, the others indented by
/// `indent` blanks. Breaks at blanks, and within words that are wider than a line. Control
/// characters and line breaks become blanks, since texts may hold anything.
pub(crate) fn wrap(text: &str, indent: usize, width: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let leading = text.chars().take_while(|c| *c == ' ').count();
    // An indentation without room for anything is none.
    let indent = if indent < width { indent } else { 0 };
    let mut lines = Lines { out: " ".repeat(leading), column: leading, start: leading, indent };
    let mut is_fresh = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !is_fresh && lines.column + 1 + columns_of(word) > width {
            lines.break_line();
        } else if !is_fresh {
            lines.put(' ');
        }
        for c in word.chars() {
            // At least one character goes on each line, or a narrow width would have no end.
            if lines.column + columns(c) > width && lines.column > lines.start {
                lines.break_line();
            }
            lines.put(c);
        }
        is_fresh = false;
    }
    lines.out.push('\n');
    lines.out
}

struct Lines {
    out: String,
    column: usize,
    /// Where the line's text begins.
    start: usize,
    indent: usize,
}

impl Lines {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += columns(c);
    }

    fn break_line(&mut self) {
        self.out.push('\n');
        self.out.extend(iter::repeat_n(' ', self.indent));
        (self.column, self.start) = (self.indent, self.indent);
    }
}

fn columns_of(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Columns that a terminal gives to a character: two to the blocks in which Chinese, Japanese and
/// Korean characters and pictographs are (Unicode Standard Annex 11), one to all others.
fn columns(c: char) -> usize {
    let is_wide = matches!(
        u32::from(c),
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f
            | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd
    );
    if is_wide { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_go_on_indented() {
        assert_eq!(wrap("  a/b: not a text at all", 4, 14), "  a/b: not a\n    text at\n    all\n");
        assert_eq!(wrap("short", 4, 14), "short\n");
        assert_eq!(wrap("", 4, 14), "\n");
    }

    #[test]
    fn a_line_may_be_full_and_no_fuller() {
        assert_eq!(wrap("aaa bbb", 1, 7), "aaa bbb\n");
        assert_eq!(wrap("aaa bbb", 1, 6), "aaa\n bbb\n");
    }

    #[test]
    fn a_word_wider_than_a_line_is_cut_where_the_line_ends() {
        assert_eq!(wrap("- äöüäöüäöü x", 2, 6), "-\n  äöüä\n  öüäö\n  ü x\n");
        assert_eq!(wrap("  äöüäöü", 2, 4), "  äö\n  üä\n  öü\n");
        // An indentation without room for anything still comes to an end.
        assert_eq!(wrap("abcde", 5, 2), "ab\ncd\ne\n");
        assert_eq!(wrap("abc", 0, 0), "a\nb\nc\n");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(wrap("• 机器学习abc", 2, 8), "•\n  机器学\n  习abc\n");
    }

    #[test]
    fn control_characters_and_line_breaks_become_blanks() {
        assert_eq!(wrap("a\u{1b}[31m\nb\t c", 2, 20), "a [31m b c\n");
    }
}
