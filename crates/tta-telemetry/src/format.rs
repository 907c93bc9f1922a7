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
    fn clipping_counts_characters_and_removes_line_breaks() {
        assert_eq!(clip("äöü", 3), "äöü");
        assert_eq!(clip("äöüß", 3), "äö…");
        assert_eq!(clip("a\nb", 9), "a b");
    }
}
