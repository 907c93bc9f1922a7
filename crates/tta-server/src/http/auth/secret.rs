//! A text that nobody reads by accident.

use std::fmt;

/// A token as it is configured. Its text appears in no `Debug` or `Display`.
///
/// ```
/// use tta_server::Secret;
/// assert_eq!(format!("{:?}", Secret::from("kept to ourselves")), "Secret(***)");
/// ```
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// The text, for whoever has to have it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
