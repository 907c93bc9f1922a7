//! The file of the report: a full run makes it anew, and a run of a part puts its sections into it.

use crate::table::wrap;

const SECTION: &str = "\n## ";
/// Has rows of many groups: those of a part stand beside it.
const TARGETS: &str = "Against the figures to reach";

/// Where sections come from that are not of a full run.
pub(crate) struct Origin<'a> {
    /// How to run it again.
    pub(crate) command: &'a str,
    /// The date, and how busy the machine was.
    pub(crate) moment: &'a str,
    /// Which part; nothing where it is everything.
    pub(crate) filter: Option<&'a str>,
}

/// The old document with the sections of a new one in the place of those with the same headings, or at its end,
/// each with a line that says where it comes from.
pub(crate) fn merge(old: &str, new: &str, origin: &Origin<'_>) -> String {
    let mut sections: Vec<String> = old.split(SECTION).map(str::to_owned).collect();
    for section in new.split(SECTION).skip(1) {
        let (heading, rest) = section.split_once('\n').unwrap_or((section, ""));
        let heading = match origin.filter.filter(|_| heading == TARGETS) {
            Some(filter) => format!("{heading}: {filter}"),
            None => heading.to_owned(),
        };
        let from = wrap("", &format!("From `{}`, {}.", origin.command, origin.moment));
        let text = format!("{heading}\n\n{from}\n{}\n", rest.trim());
        let is_same = |old: &&mut String| old.lines().next() == Some(&heading);
        match sections.iter_mut().skip(1).find(is_same) {
            Some(old) => *old = text,
            None => sections.push(text),
        }
    }
    sections.join(SECTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_a_part_replace_their_own_and_say_where_they_come_from() {
        let old = "# Performance\n\nFull.\n\n## Against the figures to reach\n\nall\n\n## Redis\n\nold\n\n## Scrape\n\nkept\n";
        let new =
            "# Performance\n\nPart.\n\n## Against the figures to reach\n\none\n\n## Redis\n\nnew\n\n## Push\n\nmore\n";
        let origin = Origin { command: "bench --quick", moment: "today, load average 3.1", filter: Some("p") };
        let merged = merge(old, new, &origin);
        let from = "From `bench --quick`, today, load average 3.1.";
        let expected = format!(
            "# Performance\n\nFull.\n\n## Against the figures to reach\n\nall\n\n## Redis\n\n{from}\n\nnew\n\n## Scrape\n\nkept\n\
             \n## Against the figures to reach: p\n\n{from}\n\none\n\n## Push\n\n{from}\n\nmore\n"
        );
        assert_eq!(merged, expected);
        // Once more changes nothing.
        assert_eq!(merge(&merged, new, &origin), expected);
    }
}
