//! Lines of bytes with a bound on how much of one is held in memory.

use std::io::{self, BufRead, Read};

/// A buffer that a long line has grown is given back down to this.
const KEPT_BUFFER_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    number: u64,
    max_bytes: usize,
}

/// One line, without its line break.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u64,
    /// Empty when the line is too long.
    pub(super) bytes: &'a [u8],
    pub(super) is_too_long: bool,
    /// It ends in a line break, not in the end of the file. Not known of a line that is too long.
    pub(super) has_end: bool,
}

impl Line<'_> {
    pub(super) fn is_blank(&self) -> bool {
        !self.is_too_long && self.bytes.trim_ascii().is_empty()
    }
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R, max_bytes: usize) -> Self {
        Self { input, buffer: Vec::new(), number: 0, max_bytes }
    }

    /// How many lines were read.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line, or `None` at the end. After an error there is no telling where the next line
    /// starts.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER_BYTES);
        // One more than the bound, for the line break.
        let bound = (self.max_bytes as u64).saturating_add(1);
        if self.input.by_ref().take(bound).read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        let has_end = self.buffer.pop_if(|byte| *byte == b'\n').is_some();
        let is_too_long = self.buffer.len() > self.max_bytes;
        if is_too_long {
            self.buffer.clear();
            self.input.skip_until(b'\n')?;
        }
        self.number += 1;
        Ok(Some(Line { number: self.number, bytes: &self.buffer, is_too_long, has_end }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn read(text: &str, max_bytes: usize) -> Vec<(u64, String, bool, bool)> {
        // A buffer smaller than any line, so that lines are put together from pieces.
        let mut lines = Lines::new(BufReader::with_capacity(3, text.as_bytes()), max_bytes);
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            let text = String::from_utf8(line.bytes.to_vec()).unwrap();
            seen.push((line.number, text, line.is_too_long, line.has_end));
        }
        seen
    }

    #[test]
    fn the_last_line_may_lack_its_line_break() {
        let expected = [(1, "one".into(), false, true), (2, "".into(), false, true), (3, "three".into(), false, false)];
        assert_eq!(read("one\n\nthree", 9), expected);
        assert_eq!(read("", 9), []);
    }

    #[test]
    fn a_line_over_the_bound_is_skipped_and_counted_and_the_next_one_is_whole() {
        let seen = read("12345\n1234567890123456789\nlast\n", 5);
        let lines: Vec<_> =
            seen.iter().map(|(number, text, too_long, _)| (*number, text.as_str(), *too_long)).collect();
        assert_eq!(lines, [(1, "12345", false), (2, "", true), (3, "last", false)]);
    }

    #[test]
    fn a_too_long_line_without_an_end_is_the_last() {
        assert_eq!(read("123456", 5), [(1, "".into(), true, false)]);
    }

    #[test]
    fn a_large_line_does_not_keep_its_memory() {
        let text = format!("{}\nb\n", "a".repeat(4 * KEPT_BUFFER_BYTES));
        let mut lines = Lines::new(text.as_bytes(), text.len());
        assert_eq!(lines.next_line().unwrap().unwrap().bytes.len(), 4 * KEPT_BUFFER_BYTES);
        assert_eq!(lines.next_line().unwrap().unwrap().bytes, b"b");
        assert!(lines.buffer.capacity() <= 2 * KEPT_BUFFER_BYTES, "{}", lines.buffer.capacity());
    }
}
