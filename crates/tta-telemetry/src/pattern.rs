//! Regular expressions that users write: bounded, and refused with the character that is wrong.
//!
//! Owns compiling them. Does not own where they apply: redaction and rules do.

use regex::{Error, Regex, RegexBuilder};

/// Longest pattern.
pub(crate) const PATTERN_BYTES: usize = 1024;
/// Largest compiled pattern; `\w{1000}` would be larger.
const COMPILED_BYTES: usize = 256 * 1024;
/// Memory of one search.
const SEARCH_BYTES: usize = 1024 * 1024;

/// Why a pattern is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PatternProblem {
    /// The character at which it is wrong, from 1.
    pub(crate) column: usize,
    /// What is wrong, without a full stop.
    pub(crate) message: String,
}

/// Compiles a pattern of one line.
pub(crate) fn compile(pattern: &str) -> Result<Regex, PatternProblem> {
    let problem = |column, message: String| Err(PatternProblem { column, message });
    if pattern.is_empty() {
        return problem(1, "it is empty and would match everything".to_owned());
    }
    if pattern.len() > PATTERN_BYTES {
        return problem(1, format!("it has {} bytes, accepted are at most {PATTERN_BYTES}", pattern.len()));
    }
    if let Some(place) = pattern.chars().position(|c| c.is_control()) {
        return problem(place + 1, "control characters are written as escapes, such as `\\n`".to_owned());
    }
    match RegexBuilder::new(pattern).size_limit(COMPILED_BYTES).dfa_size_limit(SEARCH_BYTES).nest_limit(50).build() {
        Ok(regex) => Ok(regex),
        Err(Error::CompiledTooBig(_)) => {
            problem(1, format!("compiled it is larger than {COMPILED_BYTES} bytes: repeat less, or shorter parts"))
        }
        Err(error) => {
            let text = error.to_string();
            problem(column_of(&text), message_of(&text))
        }
    }
}

/// The parser shows the pattern indented by four, and carets below it.
fn column_of(text: &str) -> usize {
    let carets = text.lines().find(|line| line.contains('^') && line.chars().all(|c| matches!(c, ' ' | '^')));
    carets.and_then(|line| line.find('^')).map_or(1, |place| place.saturating_sub(4) + 1)
}

fn message_of(text: &str) -> String {
    let last = text.lines().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or(text);
    last.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pattern: &str) -> (usize, String) {
        let problem = compile(pattern).unwrap_err();
        (problem.column, problem.message)
    }

    #[test]
    fn a_wrong_pattern_is_refused_at_its_character() {
        assert_eq!(refused("a(b"), (2, "unclosed group".to_owned()));
        assert_eq!(refused("äö[z-a]").0, 4);
        assert_eq!(refused("x*{").0, 3);
    }

    #[test]
    fn patterns_are_bounded_in_length_and_when_compiled() {
        assert_eq!(refused(""), (1, "it is empty and would match everything".to_owned()));
        assert_eq!(refused(&"a".repeat(1025)), (1, "it has 1025 bytes, accepted are at most 1024".to_owned()));
        assert_eq!(refused("ab\nc").0, 3);
        assert!(refused(r"\w{900}\w{900}").1.starts_with("compiled it is larger than 262144 bytes"));
        assert!(compile(&"a".repeat(1024)).is_ok());
    }

    #[test]
    fn the_classes_that_people_write_are_there() {
        for (pattern, text) in [(r"^\d{3}-\w+\b", "123-ä"), (r"(?i)straße", "STRAßE")] {
            assert!(compile(pattern).unwrap().is_match(text), "{pattern}");
        }
    }
}
