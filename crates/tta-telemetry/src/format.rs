//! Durations and clipped text for people.

/// A duration with three significant digits and its unit: `950 ns`, `1.25 ms`, `61.0 s`.
#[must_use]
pub fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {unit}")
}

/// The text on one line, cut to `columns` characters with an ellipsis at the cut.
#[must_use]
pub fn clip(text: &str, columns: usize) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(columns + 1).collect();
    if line.chars().count() > columns {
        line = line.chars().take(columns.saturating_sub(1)).chain(std::iter::once('…')).collect();
    }
    line
}

/// The text on lines of at most `columns` characters, broken at blanks where possible; all but the
/// first leave two columns for an indent.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let room = if lines.is_empty() { columns } else { columns.saturating_sub(2) }.max(1);
        let taken = line.chars().count();
        if taken > 0 && taken + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        } else if taken > 0 {
            line.push(' ');
        }
        for character in word.chars() {
            let room = if lines.is_empty() { columns } else { columns.saturating_sub(2) }.max(1);
            if line.chars().count() >= room {
                lines.push(std::mem::take(&mut line));
            }
            line.push(if character.is_control() { ' ' } else { character });
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_three_digits_at_every_size() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (12_345, "12.3 µs"),
            (999_400, "999 µs"),
            (1_250_000, "1.25 ms"),
            (9_999_000, "10.0 ms"),
            (61_000_000_000, "61.0 s"),
            (7_200_000_000_000, "7200 s"),
        ];
        for (ns, want) in cases {
            assert_eq!(duration(ns), want);
        }
    }

    #[test]
    fn wrapping_breaks_at_blanks_and_long_words_where_it_must() {
        assert_eq!(wrap("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("abcdefghij", 5), ["abcde", "fgh", "ij"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("fits", 4), ["fits"]);
    }

    #[test]
    fn clipping_counts_characters_and_removes_line_breaks() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöüß", 3), "äö…");
        assert_eq!(clip("a\nb", 9), "a b");
    }
}
