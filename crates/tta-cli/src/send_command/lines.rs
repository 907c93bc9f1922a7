//! Lines of a file as requests in protobuf, read on a thread of its own.
//!
//! Owns the bounds: of a line, and of what is read ahead.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use tokio::sync::mpsc;
use tta::otlp::export::{count_spans, json_line_to_protobuf, times_of};

use super::is_standard_input;
use crate::output::Failure;

/// Bytes of a line; more than any receiver takes at once.
const MOST_LINE_BYTES: u64 = 64 << 20;
/// Lines read ahead.
const AHEAD: usize = 16;

/// What was read.
pub(super) enum Line {
    Request {
        body: Vec<u8>,
        spans: u64,
        /// Bytes of the line, for progress.
        bytes: u64,
    },
    Bad {
        number: u64,
        message: String,
    },
    /// Reading failed: nothing follows.
    Cut(String),
}

/// The lines to come, and how many bytes the file has, where that is known.
pub(super) struct Input {
    pub(super) lines: mpsc::Receiver<Line>,
    pub(super) bytes: Option<u64>,
}

pub(super) fn open(file: &Path) -> Result<Input, Failure> {
    let (tell, lines) = mpsc::channel(AHEAD);
    let (reader, bytes): (Box<dyn Read + Send>, _) = if is_standard_input(file) {
        (Box::new(io::stdin()), None)
    } else {
        let (file, bytes) = open_file(file)?;
        (Box::new(file), bytes)
    };
    let read = move || {
        for_each(BufReader::new(reader), |line| tell.blocking_send(line).is_ok());
    };
    let thread = std::thread::Builder::new().name("tta-send-lines".to_owned()).spawn(read);
    thread.map_err(|error| Failure::new(format!("cannot start the thread that reads: {error}")))?;
    Ok(Input { lines, bytes })
}

fn open_file(path: &Path) -> Result<(File, Option<u64>), Failure> {
    let failed = |error: io::Error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if about.is_dir() {
        return Err(Failure::new(format!("cannot read {}: it is a directory", path.display())));
    }
    Ok((file, about.is_file().then_some(about.len())))
}

/// The last time in a file, in nanoseconds since the Unix epoch.
pub(super) fn last_time(path: &Path) -> Result<Option<u64>, Failure> {
    let (file, bytes) = open_file(path)?;
    if bytes.is_none() {
        let message = "--rewrite-times reads a file twice: accepted are a regular file and -";
        return Err(Failure::new(format!("{} is no regular file; {message}", path.display())));
    }
    let mut last = None;
    for_each(BufReader::new(file), |line| {
        if let Line::Request { body, .. } = &line {
            last = last.max(times_of(body).map(|(_, last)| last));
        }
        true
    });
    Ok(last)
}

/// Reads to the end, or until nobody wants more.
fn for_each(reader: impl BufRead, each: impl FnMut(Line) -> bool) {
    for_each_within(MOST_LINE_BYTES, reader, each);
}

fn for_each_within(most: u64, mut reader: impl BufRead, mut each: impl FnMut(Line) -> bool) {
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        let read = reader.by_ref().take(most + 1).read_until(b'\n', &mut text);
        let line = match read {
            Ok(0) => return,
            // The byte too many may be the line's end.
            Ok(_) if text.len() as u64 > most && !text.ends_with(b"\n") => {
                if let Err(error) = reader.skip_until(b'\n') {
                    each(Line::Cut(error.to_string()));
                    return;
                }
                let message = format!("longer than the {most} bytes that are accepted");
                Line::Bad { number, message }
            }
            Ok(_) if text.trim_ascii().is_empty() => continue,
            Ok(bytes) => parsed(&text, number, bytes as u64),
            Err(error) => {
                each(Line::Cut(error.to_string()));
                return;
            }
        };
        if !each(line) {
            return;
        }
    }
}

fn parsed(text: &[u8], number: u64, bytes: u64) -> Line {
    match json_line_to_protobuf(text) {
        Ok(body) => match count_spans(&body) {
            Ok(spans) => Line::Request { body, spans, bytes },
            Err(problem) => Line::Bad { number, message: problem.to_string() },
        },
        Err(error) => {
            let message = format!("{}: {}, at column {}", error.path, error.message, error.column);
            Line::Bad { number, message }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_as_long_as_may_be_is_read_and_of_a_longer_one_only_that_one_is_lost() {
        let line = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"s"}]}]}]}"#;
        let most = line.len() as u64;
        let text = format!("{line}\n{line}x\n{line}\n{line}");
        let mut seen = Vec::new();
        for_each_within(most, text.as_bytes(), |line| {
            seen.push(match line {
                Line::Request { spans, .. } => format!("{spans} spans"),
                Line::Bad { number, message } => format!("{number}: {message}"),
                Line::Cut(message) => message,
            });
            true
        });
        let long = format!("2: longer than the {most} bytes that are accepted");
        assert_eq!(seen, ["1 spans", long.as_str(), "1 spans", "1 spans"]);
    }
}
