//! Text of somebody else's, cut to a bound.
//!
//! Owns the cutting. How much is kept is up to those who show it.

use std::fmt::{self, Write};

const ELLIPSIS: &str = "…";

/// What a value displays, in at most `limit_bytes` (at least three); text that was cut, at a
/// character, ends in an ellipsis. What lies beyond the limit is never held.
pub(crate) fn clip(value: &impl fmt::Display, limit_bytes: usize) -> String {
    let mut kept = Kept { text: String::new(), limit_bytes, is_cut: false };
    // Fails when the text is cut, or where the value does: what it said until then is kept.
    let _ = write!(kept, "{value}");
    if kept.is_cut {
        let end = kept.text.floor_char_boundary(limit_bytes.saturating_sub(ELLIPSIS.len()));
        kept.text.truncate(end);
        kept.text.push_str(ELLIPSIS);
    }
    kept.text
}

struct Kept {
    text: String,
    limit_bytes: usize,
    is_cut: bool,
}

impl Write for Kept {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.limit_bytes.saturating_sub(self.text.len());
        self.is_cut |= more.len() > room;
        if self.is_cut {
            self.text.push_str(more.get(..more.floor_char_boundary(room)).unwrap_or_default());
            return Err(fmt::Error);
        }
        self.text.push_str(more);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_within_the_limit_is_left_alone_and_longer_text_is_cut_at_a_character() {
        assert_eq!(clip(&"", 8), "");
        assert_eq!(clip(&"12345678", 8), "12345678");
        assert_eq!(clip(&"123456789", 8), "12345…");
        // Two bytes each: the fifth byte is in the middle of one.
        assert_eq!(clip(&"ääää", 8), "ääää");
        assert_eq!(clip(&"äääää", 8), "ää…");
        assert_eq!(clip(&"a😀b😀", 8), "a😀…");
    }

    /// Writes for ever, and goes on when told that nothing more fits.
    struct Endless(std::cell::Cell<u32>);

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            while self.0.get() < 1_000_000 {
                self.0.set(self.0.get() + 1);
                f.write_str("ab")?;
            }
            Ok(())
        }
    }

    struct Deaf;

    impl fmt::Display for Deaf {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for _ in 0..100 {
                let _ = f.write_str("äb");
            }
            Ok(())
        }
    }

    struct Broken;

    impl fmt::Display for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("so far")?;
            Err(fmt::Error)
        }
    }

    #[test]
    fn values_that_write_too_much_are_stopped_and_those_that_fail_do_no_harm() {
        let endless = Endless(std::cell::Cell::new(0));
        assert_eq!(clip(&endless, 8), "ababa…");
        assert_eq!(endless.0.get(), 5);
        assert_eq!(clip(&Deaf, 8), "äbä…");
        assert_eq!(clip(&Broken, 8), "so far");
    }
}
