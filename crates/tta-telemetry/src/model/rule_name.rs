//! The name of a sampling rule, held in place so that a decision stays cheap to copy.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

const PREFIX: &[u8] = b"rule:";
const MOST_BYTES: usize = 32;

/// The name of a sampling rule: 1 to 32 of `a-z`, `0-9`, `_`, `-` and `.`.
///
/// The text is part of the value: no allocation, nothing shared between engines, and it reads back
/// from a file whose rules are gone.
///
/// ```
/// use tta_telemetry::{DecisionReason, RuleName};
///
/// let name: RuleName = "slow-checkout".parse()?;
/// assert_eq!(name.as_str(), "slow-checkout");
/// assert_eq!(DecisionReason::Rule(name).as_str(), "rule:slow-checkout");
/// # Ok::<(), tta_telemetry::RuleNameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleName {
    /// With the prefix, so that the whole reason is one text; zeros behind it.
    text: [u8; PREFIX.len() + MOST_BYTES],
    /// Of the prefix and the name.
    bytes: u8,
}

/// Why a text is not the name of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("rule name is `{given}`, accepted is {}", RuleName::ACCEPTED)]
pub struct RuleNameError {
    /// The text, at most 40 characters of it.
    pub given: String,
}

impl RuleName {
    /// In words.
    pub(crate) const ACCEPTED: &str = "1 to 32 of a-z, 0-9, _, - and .";

    /// Bytes of a name.
    pub(crate) const MOST_BYTES: usize = MOST_BYTES;

    /// Whether a byte may be in a name.
    pub(crate) const fn is_part(byte: u8) -> bool {
        matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.')
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.prefixed().get(PREFIX.len()..).unwrap_or_default()
    }

    /// The name as a reason.
    pub(super) fn prefixed(&self) -> &str {
        let text = self.text.get(..usize::from(self.bytes)).unwrap_or_default();
        // Only ASCII was let in.
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl FromStr for RuleName {
    type Err = RuleNameError;

    fn from_str(given: &str) -> Result<Self, RuleNameError> {
        let refused = || RuleNameError { given: given.chars().take(40).collect() };
        if !(1..=MOST_BYTES).contains(&given.len()) || !given.bytes().all(Self::is_part) {
            return Err(refused());
        }
        let mut text = [0; PREFIX.len() + MOST_BYTES];
        let source = PREFIX.iter().chain(given.as_bytes());
        text.iter_mut().zip(source).for_each(|(to, from)| *to = *from);
        Ok(Self { text, bytes: (PREFIX.len() + given.len()) as u8 })
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RuleName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_every_length_reads_back_and_longer_or_odd_ones_are_refused() {
        for bytes in 1..=32 {
            let text = "a-9_.".chars().cycle().take(bytes).collect::<String>();
            assert_eq!(text.parse::<RuleName>().unwrap().as_str(), text);
        }
        for text in ["", "A", "a b", "a:b", "ä", "a".repeat(33).as_str()] {
            let error = text.parse::<RuleName>().unwrap_err().to_string();
            assert_eq!(error, format!("rule name is `{text}`, accepted is 1 to 32 of a-z, 0-9, _, - and ."));
        }
        assert_eq!("x".repeat(9_000).parse::<RuleName>().unwrap_err().given.len(), 40);
    }
}
