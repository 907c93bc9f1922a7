//! The name that was probably meant.

/// The known name nearest to a given one, if one is near: at most a third of its letters differ.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Names from outside may be of any length; those that are much too long are near nothing.
    if given.len() > 200 {
        return None;
    }
    let near = known.into_iter().map(|name| (distance(given, name), name)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, name)| *distance * 3 <= name.chars().count().max(3)).map(|(_, name)| name)
}

/// Edits from one text to the other: letters inserted, removed, replaced, or two swapped (the
/// optimal string alignment distance), without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.chars().map(|letter| letter.to_ascii_lowercase()).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&above, j) + usize::from(left != right)).min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(right) && b.get(j - 1) == Some(left);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, want) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("rate", "reta", 2), ("ab", "ba", 1), ("Rate", "rate", 0)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (want, want), "{a} {b}");
        }
    }

    #[test]
    fn only_what_is_near_is_offered() {
        let known = ["default_rate", "slow_threshold_ms", "hash"];
        assert_eq!(nearest("defalt_rate", known), Some("default_rate"));
        assert_eq!(nearest("hsah", known), Some("hash"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"x".repeat(10_000), known), None);
        assert_eq!(nearest("x", []), None);
    }
}
