//! Keys with `*` and `?`, without regard to case.
//!
//! Owns matching in linear space and without backtracking over more than the last star.

use super::RedactionError;

/// Longest glob.
const GLOB_BYTES: usize = 256;

/// A pattern for whole keys: `*` is any text, `?` any one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Box<str>);

impl Glob {
    pub(super) fn new(rule: &str, pattern: &str) -> Result<Self, RedactionError> {
        let refuse = |column, message: &str| Err(RedactionError::pattern(rule, pattern, column, message));
        if pattern.is_empty() {
            return refuse(1, "it is empty and matches no key");
        }
        if pattern.len() > GLOB_BYTES {
            return refuse(GLOB_BYTES, "it is longer than 256 bytes");
        }
        if let Some(place) = pattern.chars().position(|c| c.is_control() || matches!(c, '[' | ']' | '{' | '}')) {
            return refuse(place + 1, "only `*` and `?` stand for other characters; use a regex for more");
        }
        Ok(Self(pattern.into()))
    }

    pub(super) fn matches(&self, key: &str) -> bool {
        let (mut pattern, mut text) = (self.0.chars(), key.chars());
        // Where to go on when what follows the last star does not fit: one character later.
        let mut retry = None;
        loop {
            let rest_of_text = text.clone();
            match (pattern.next(), text.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    retry = Some((pattern.clone(), rest_of_text.clone()));
                    text = rest_of_text;
                    continue;
                }
                (Some('?'), Some(_)) => continue,
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(&b) => continue,
                _ => {}
            }
            let Some((after_star, mut later)) = retry.take() else { return false };
            if later.next().is_none() {
                return false;
            }
            (pattern, text) = (after_star.clone(), later.clone());
            retry = Some((after_star, later));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_keys() {
        for (pattern, key, want) in [
            ("user.ssn", "user.ssn", true),
            ("user.ssn", "user.ssn2", false),
            ("*.ssn", "a.b.SSN", true),
            ("*.ssn", "ssn", false),
            ("*ssn*", "my_ssn_", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
            ("?x", "äx", true),
            ("?x", "x", false),
            ("*", "", true),
            ("**a", "ba", true),
        ] {
            assert_eq!(Glob::new("r", pattern).unwrap().matches(key), want, "{pattern} on {key}");
        }
    }

    #[test]
    fn a_glob_that_looks_like_something_else_is_refused_at_its_character() {
        let error = Glob::new("mine", "user.[a-z]").unwrap_err().to_string();
        assert_eq!(
            error,
            "redaction rule `mine`: pattern `user.[a-z]` at character 6: only `*` and `?` stand for other characters; \
             use a regex for more"
        );
        assert!(Glob::new("mine", "").is_err() && Glob::new("mine", &"a".repeat(257)).is_err());
    }
}
