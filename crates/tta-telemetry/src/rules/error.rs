//! What is wrong with a rule, and where.

use std::fmt;

use thiserror::Error;

use super::names::nearest;

/// Characters shown of a line, around the place: with what is before them they fit a terminal of 80.
const SHOWN: usize = 74;

/// A rule that the language does not accept. Shown with the line and a caret below the place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct RuleError {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is there.
    pub found: String,
    /// What is accepted there.
    pub expected: String,
    /// The known name that is nearest to what is there.
    pub suggestion: Option<&'static str>,
    /// A part of the line, and how many characters are before the place in it.
    excerpt: (String, usize),
}

impl RuleError {
    /// At a byte of the text. `found` is shown as it is.
    pub(super) fn at(text: &str, place: usize, found: impl Into<String>, expected: impl Into<String>) -> Self {
        let before = text.get(..place).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line_text = text.get(line_start..).unwrap_or("").lines().next().unwrap_or("");
        let column = before.get(line_start..).unwrap_or("").chars().count();
        let (excerpt, before_place) = window(line_text, column);
        Self {
            line: before.matches('\n').count() + 1,
            column: column + 1,
            found: found.into(),
            expected: expected.into(),
            suggestion: None,
            excerpt: (excerpt, before_place),
        }
    }

    /// With the nearest of the names that are accepted.
    pub(super) fn suggest(mut self, given: &str, known: &[&'static str]) -> Self {
        self.suggestion = nearest(given, known);
        self
    }
}

/// What is shown of a line, and how many characters of that are before the place. What is left out
/// shows as `…`.
fn window(line: &str, column: usize) -> (String, usize) {
    let count = line.chars().count();
    if count <= SHOWN {
        return (line.chars().map(clean).collect(), column);
    }
    // As much on both sides, unless the line ends before.
    let start = column.saturating_sub(SHOWN / 2).min(count - SHOWN);
    let shown = line.chars().skip(start).take(SHOWN).map(clean).enumerate();
    let is_cut = |place: usize| (place == 0 && start > 0) || (place == SHOWN - 1 && start + SHOWN < count);
    (shown.map(|(place, c)| if is_cut(place) { '…' } else { c }).collect(), column - start)
}

fn clean(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, found, expected, suggestion, excerpt: (excerpt, before) } = self;
        write!(f, "line {line}, column {column}: found {found}, expected {expected}")?;
        if let Some(name) = suggestion {
            write!(f, " (did you mean `{name}`?)")?;
        }
        write!(f, "\n  {excerpt}\n  {:before$}^", "")
    }
}

/// What is refused about a set of rules.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleSetError {
    /// Too many.
    #[error("{given} sampling rules, accepted are at most 100")]
    TooMany {
        /// How many there are.
        given: usize,
    },
    /// Two with one name.
    #[error("sampling rule `{name}` is there twice, as number {first} and number {second}: names differ")]
    Duplicate {
        /// The name.
        name: String,
        /// Where it is first, from 1.
        first: usize,
        /// Where it is again.
        second: usize,
    },
    /// One that does not read.
    #[error("sampling rule number {number}: {source}")]
    Rule {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        source: RuleError,
    },
}
