//! Headers that are lists (RFC 9110, section 5.6.1).
//!
//! Owns where an entry ends. What entries mean is for those to say who read them.

/// Parts between separators, those inside of quotes left alone.
pub(crate) fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |letter| {
        is_quoted ^= letter == '"';
        letter == separator && !is_quoted
    })
}
