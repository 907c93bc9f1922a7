//! Lays out Markdown: tables with aligned columns, and prose wrapped at 80 columns.

/// A table; the first `text_columns` columns are aligned left, the others right.
pub(crate) fn table(text_columns: usize, head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.chain([title]).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < text_columns { format!(" {cell:<width$} ") } else { format!(" {cell:>width$} ") }
        });
        format!("|{}|\n", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.iter().enumerate().map(|(column, &width)| {
        if column < text_columns { "-".repeat(width + 2) } else { format!("{}:", "-".repeat(width + 1)) }
    });
    let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    let body: String = rows.iter().map(|row| line(row)).collect();
    line(&head) + &rule + &body
}

/// `text` in lines of at most 80 columns, the first after `lead`, the others after spaces.
pub(crate) fn wrap(lead: &str, text: &str) -> String {
    let indent = " ".repeat(lead.chars().count());
    let mut lines = String::new();
    let mut line = lead.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > 80 {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line.clone_from(&indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines + line.trim_end() + "\n"
}

/// Three significant digits or so: `0.12`, `1.2`, `12.3`, `123`.
pub(crate) fn figure(value: f64) -> String {
    match value {
        _ if value >= 99.95 => format!("{value:.0}"),
        _ if (0.005..0.995).contains(&value) => format!("{value:.2}"),
        _ if value < 0.005 => "0".to_owned(),
        _ => format!("{value:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned_right_and_text_left() {
        let rows = [vec!["fastrace".into(), "229".into()], vec!["ours".into(), "23.0".into()]];
        assert_eq!(
            table(1, &["who", "ns"], &rows),
            "| who      |   ns |\n|----------|-----:|\n| fastrace |  229 |\n| ours     | 23.0 |\n"
        );
    }

    #[test]
    fn prose_is_wrapped_under_its_lead_and_nothing_is_lost() {
        let text = "word ".repeat(40);
        let wrapped = wrap("- lead: ", &text);
        assert!(wrapped.lines().all(|line| line.len() <= 80), "{wrapped}");
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with("        word")), "{wrapped}");
        assert_eq!(wrapped.matches("word").count(), 40);
    }

    #[test]
    fn figures_keep_about_three_digits() {
        let figures = [0.0, 0.1234, 0.999, 1.25, 99.94, 99.96, 1234.5].map(figure);
        assert_eq!(figures, ["0", "0.12", "1.0", "1.2", "99.9", "100", "1234"]);
    }
}
