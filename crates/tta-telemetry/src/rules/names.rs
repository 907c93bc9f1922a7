//! The nearest of the known names, for those that are misspelt.

/// The name that takes the fewest changes of one character, if these are few for its length.
/// Exchanging two neighbours is one change.
pub(crate) fn nearest<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    let given: Vec<char> = given.chars().take(MOST_CHARACTERS).flat_map(char::to_lowercase).collect();
    let distances = known.iter().map(|name| (distance(&given, name), *name));
    let (changes, name) = distances.min_by_key(|(changes, _)| *changes)?;
    let most = name.len().div_ceil(3).min(3);
    (changes <= most && changes < given.len()).then_some(name)
}

/// Longer words are no misspelt names.
const MOST_CHARACTERS: usize = 40;

/// Optimal string alignment.
fn distance(given: &[char], name: &str) -> usize {
    let name: Vec<char> = name.chars().collect();
    let (mut before_last, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=name.len()).collect());
    for (i, a) in given.iter().enumerate() {
        let mut row = vec![i + 1];
        let get = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
        for (j, b) in name.iter().enumerate() {
            let mut best = (get(&last, j) + usize::from(a != b)).min(get(&last, j + 1) + 1).min(get(&row, j) + 1);
            let is_exchanged = i > 0 && j > 0 && given.get(i - 1) == Some(b) && name.get(j - 1) == Some(a);
            if is_exchanged {
                best = best.min(get(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        (before_last, last) = (last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn misspelt_names_are_recognised_and_others_are_not() {
        let known = ["duration", "span_count", "error.type", "handled", "cost"];
        for (given, want) in [
            ("duratoin", Some("duration")),
            ("Duration", Some("duration")),
            ("spancount", Some("span_count")),
            ("error_type", Some("error.type")),
            ("handeld", Some("handled")),
            ("costs", Some("cost")),
            ("latency", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, &known), want, "{given}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), &known), None);
    }
}
