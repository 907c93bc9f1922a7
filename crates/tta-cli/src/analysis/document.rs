//! A document and the check that admits one: bytes of a file in, text the analyses can rely on out.
//!
//! Reading the file is the caller's business; nothing here does I/O.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many leading bytes are searched for a NUL, as `grep` and `git` do to tell text from binary.
const BINARY_PROBE_BYTES: usize = 8 * 1024;

const UTF8_BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A file's text, checked: valid UTF-8 without a byte order mark, not blank, within the limit.
///
/// Cloning is cheap; clones share the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) text: Arc<str>,
}

/// Why a file's bytes are not a document. The path is left to the caller's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValidationError {
    /// There are no bytes, or nothing but white space.
    Empty { size_bytes: usize },
    /// The file is larger than the caller allows.
    TooLarge { size_bytes: usize, limit_bytes: usize },
    /// A NUL byte stands in the first 8 KiB.
    Binary { offset_bytes: usize },
    /// The text is not UTF-8; the offset counts from the start of the file.
    InvalidUtf8 { offset_bytes: usize },
}

impl ValidationError {
    /// The stable name of the reason, for attributes and counts.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "empty",
            Self::TooLarge { .. } => "too_large",
            Self::Binary { .. } => "binary",
            Self::InvalidUtf8 { .. } => "invalid_utf8",
        }
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { size_bytes } => {
                write!(f, "document is blank: {size_bytes} bytes without a visible character, at least one is needed")
            }
            Self::TooLarge { size_bytes, limit_bytes } => {
                write!(f, "document is too large: {size_bytes} bytes, at most {limit_bytes} are accepted")
            }
            Self::Binary { offset_bytes } => {
                write!(f, "document is binary: NUL byte at offset {offset_bytes}, only text is accepted")
            }
            Self::InvalidUtf8 { offset_bytes } => {
                write!(f, "document is not UTF-8: invalid byte at offset {offset_bytes}, only UTF-8 text is accepted")
            }
        }
    }
}

impl Error for ValidationError {}

/// Turns the bytes of the file at `path` into a [`Document`].
///
/// The size is checked first, so that a huge binary file is refused without being read through. A
/// UTF-8 byte order mark is accepted and stripped. `limit_bytes` counts the mark; 0 admits nothing.
///
/// # Errors
/// A [`ValidationError`] naming the first reason that applies, in the order size, emptiness, NUL
/// byte, encoding, blankness.
pub(crate) fn validate(path: &Path, bytes: Vec<u8>, limit_bytes: usize) -> Result<Document, ValidationError> {
    let size_bytes = bytes.len();
    if size_bytes > limit_bytes {
        return Err(ValidationError::TooLarge { size_bytes, limit_bytes });
    }
    let probe = bytes.iter().take(BINARY_PROBE_BYTES);
    if let Some(offset_bytes) = probe.into_iter().position(|byte| *byte == 0) {
        return Err(ValidationError::Binary { offset_bytes });
    }
    let content = bytes.strip_prefix(UTF8_BYTE_ORDER_MARK).unwrap_or(&bytes);
    let text = match str::from_utf8(content) {
        Ok(text) => text,
        Err(error) => {
            let mark_bytes = size_bytes.saturating_sub(content.len());
            return Err(ValidationError::InvalidUtf8 { offset_bytes: mark_bytes.saturating_add(error.valid_up_to()) });
        }
    };
    if text.trim().is_empty() {
        return Err(ValidationError::Empty { size_bytes });
    }
    Ok(Document { path: path.to_path_buf(), text: Arc::from(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<String, ValidationError> {
        validate(Path::new("notes.txt"), bytes.to_vec(), 10_000).map(|document| document.text.to_string())
    }

    #[test]
    fn text_is_kept_as_it_is_with_its_path() {
        let document = validate(Path::new("a/b.md"), b"# Hi\r\n".to_vec(), 6).unwrap();
        assert_eq!(document, Document { path: PathBuf::from("a/b.md"), text: Arc::from("# Hi\r\n") });
    }

    #[test]
    fn nothing_and_white_space_are_blank() {
        assert_eq!(check(b""), Err(ValidationError::Empty { size_bytes: 0 }));
        let error = check(b" \t\r\n").unwrap_err();
        assert_eq!(error.reason(), "empty");
        assert_eq!(error.to_string(), "document is blank: 4 bytes without a visible character, at least one is needed");
    }

    #[test]
    fn a_byte_order_mark_is_stripped_and_is_not_content() {
        assert_eq!(check(b"\xEF\xBB\xBFtext"), Ok("text".to_owned()));
        assert_eq!(check(b"\xEF\xBB\xBF"), Err(ValidationError::Empty { size_bytes: 3 }));
    }

    #[test]
    fn a_file_at_the_limit_passes_and_one_byte_more_does_not() {
        assert!(validate(Path::new("x"), vec![b'a'; 5], 5).is_ok());
        let error = validate(Path::new("x"), vec![b'a'; 6], 5).unwrap_err();
        assert_eq!(
            (error.reason(), error.to_string().as_str()),
            ("too_large", "document is too large: 6 bytes, at most 5 are accepted")
        );
    }

    #[test]
    fn a_nul_byte_is_binary_within_the_probe_and_text_after_it() {
        let error = check(b"PNG\0\x01").unwrap_err();
        assert_eq!(error.reason(), "binary");
        assert_eq!(error.to_string(), "document is binary: NUL byte at offset 3, only text is accepted");
        let mut bytes = vec![b'a'; BINARY_PROBE_BYTES];
        bytes.push(0);
        assert!(check(&bytes).is_ok());
        bytes[BINARY_PROBE_BYTES - 1] = 0;
        assert_eq!(check(&bytes), Err(ValidationError::Binary { offset_bytes: 8191 }));
    }

    #[test]
    fn invalid_utf8_names_the_first_bad_byte_counted_from_the_start_of_the_file() {
        let error = check(b"caf\xE9 noir").unwrap_err();
        assert_eq!(error.reason(), "invalid_utf8");
        assert_eq!(error.to_string(), "document is not UTF-8: invalid byte at offset 3, only UTF-8 text is accepted");
        assert_eq!(check(b"\xEF\xBB\xBFcaf\xE9"), Err(ValidationError::InvalidUtf8 { offset_bytes: 6 }));
        // A character cut in half at the end of the file.
        assert_eq!(check(b"caf\xC3"), Err(ValidationError::InvalidUtf8 { offset_bytes: 3 }));
    }
}
