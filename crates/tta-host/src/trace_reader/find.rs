//! Finding one trace among many lines, parsing as few of them as possible.

use std::ops::ControlFlow;
use std::path::Path;

use tta_telemetry::{Trace, TraceId, format};

use super::merge::merge;
use super::scan::scan;
use super::{ReadError, read_line};
use crate::trace_json::{LINE_START, trace_id_of};

const MIN_PREFIX_DIGITS: usize = 4;
const ID_DIGITS: usize = 32;
/// Ids that an ambiguous prefix is answered with.
const MAX_CANDIDATES: usize = 5;

/// Finds a trace in a file or its rotated siblings (`path`, then `path.1`, ...) and puts it
/// together: its late parts ([`Trace::late`]), and the parts of other processes that continued it.
///
/// The whole has the spans of all parts, the root first, then by start time; its class and its
/// counts of what was dropped take all parts into account. If only late parts are found, the whole
/// is [`Trace::late`].
///
/// All files are read, since parts may be in any of them; but only lines in which the id occurs are
/// parsed, so what is wrong with others does not matter. A part of this trace that cannot be read
/// (the last line of a file whose writer crashed) makes the whole [`Trace::incomplete`].
///
/// # Errors
/// No file exists, or one cannot be read; or a part of this trace cannot be read, and no other one
/// is there but late ones.
pub fn find_trace(path: impl AsRef<Path>, id: TraceId) -> Result<Option<Trace>, ReadError> {
    let wanted = id.to_string();
    let mut parts: Vec<Trace> = Vec::new();
    let mut broken = None;
    scan(path.as_ref(), |file, line| {
        let owner = stated_id(line.bytes);
        if owner.map_or_else(|| contains(line.bytes, &wanted), |owner| owner == wanted) {
            match read_line(file, line) {
                // The same line again: its file was rotated while it was being read.
                Ok(part) if part.trace_id != id || parts.contains(&part) => {}
                Ok(part) => parts.push(part),
                Err(error) => drop(broken.get_or_insert(error)),
            }
        }
        ControlFlow::Continue(())
    })?;
    match broken {
        Some(error) if parts.iter().all(|part| part.late) => Err(error),
        Some(_) => Ok(merge(parts).map(|trace| Trace { incomplete: true, ..trace })),
        None => Ok(merge(parts)),
    }
}

/// [`find_trace`] by the first digits of its id: 4 to 32 hexadecimal digits, of either case.
///
/// # Errors
/// As for [`find_trace`]; also when the text is no such prefix, or when several traces have it.
pub fn find_trace_by_prefix(path: impl AsRef<Path>, prefix: &str) -> Result<Option<Trace>, ReadError> {
    let path = path.as_ref();
    let is_prefix =
        (MIN_PREFIX_DIGITS..=ID_DIGITS).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_prefix {
        return Err(ReadError::Prefix { given: format::clip(prefix, 40) });
    }
    let prefix = prefix.to_ascii_lowercase();
    let mut candidates = ids_with(path, &prefix)?;
    match *candidates.as_slice() {
        [] => Ok(None),
        [id] => find_trace(path, id),
        _ => {
            let has_more = candidates.len() > MAX_CANDIDATES;
            candidates.truncate(MAX_CANDIDATES);
            Err(ReadError::Ambiguous { prefix, candidates, has_more })
        }
    }
}

/// The ids with this prefix, in the order in which they are met; one more than is ever shown.
fn ids_with(path: &Path, prefix: &str) -> Result<Vec<TraceId>, ReadError> {
    let mut ids = Vec::new();
    scan(path, |_, line| {
        let id = match stated_id(line.bytes) {
            Some(id) if id.starts_with(prefix) => id.parse().ok(),
            Some(_) => None,
            None if contains(line.bytes, prefix) => trace_id_of(line.bytes),
            None => None,
        };
        if let Some(id) = id.filter(|id| !ids.contains(id) && id.to_string().starts_with(prefix)) {
            ids.push(id);
        }
        if ids.len() > MAX_CANDIDATES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(ids)
}

/// The trace id that a line states where the sink puts it, in whatever state the rest is. `None`
/// for lines that others wrote, and those that end before the id does.
fn stated_id(line: &[u8]) -> Option<&str> {
    let (id, rest) = line.strip_prefix(LINE_START.as_bytes())?.split_at_checked(ID_DIGITS)?;
    std::str::from_utf8(id).ok().filter(|_| rest.first() == Some(&b'"'))
}

/// Whether the bytes contain the text.
fn contains(bytes: &[u8], text: &str) -> bool {
    match std::str::from_utf8(bytes) {
        // The search in texts is many times faster than one by windows.
        Ok(line) => line.contains(text),
        Err(_) => bytes.windows(text.len()).any(|window| window == text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_line_states_its_id_only_where_the_sink_writes_it() {
        let line = format!("{LINE_START}{ID}\",\"root");
        assert_eq!(stated_id(line.as_bytes()), Some(ID));
        assert_eq!(stated_id(format!("{LINE_START}{ID}").as_bytes()), None);
        assert_eq!(stated_id(format!("{LINE_START}4bf92f").as_bytes()), None);
        assert_eq!(stated_id(format!("{{\"trace_id\":\"{ID}\"}}").as_bytes()), None);
        assert_eq!(stated_id(format!("{LINE_START}{}\u{e9}\"", &ID[1..]).as_bytes()), None);
    }

    #[test]
    fn the_id_is_found_among_bytes_that_are_no_text() {
        let mut bytes = vec![0xff, 0xfe];
        assert!(!contains(&bytes, ID));
        bytes.extend_from_slice(ID.as_bytes());
        assert!(contains(&bytes, ID));
        assert!(contains(ID.as_bytes(), ID));
        assert!(!contains(b"", ID));
    }
}
