//! States as text: a line per fact, one per bucket that holds anything, and a checksum.
//!
//! ```text
//! tta-slo-states 1 1
//! subject payments
//! slo availability
//! latency_threshold_ns none
//! window_ns 2592000000000000
//! as_of_unix_ns 1800000000000000000
//! elapsed_ns 3600000000000
//! ring 5m 2
//! 0 118 2 0 0
//! 3 40 0 0 0
//! ... and so for the other windows; the objective's is called `window`
//! checksum 85944171f73967e8
//! ```
//! A bucket's line is its age in buckets, then successes, failures, slow successes, slow failures.
//! In names `\`, line feed and carriage return are written `\\`, `\n` and `\r`.

use std::fmt::{Display, Write};
use std::str::FromStr;

use super::{Bucket, SloState, SloStateError, buckets_in};
use crate::model::Name;
use crate::slo::counts::Counts;
use crate::slo::timeline::{BURN_WINDOWS, RINGS};

const MAGIC: &str = "tta-slo-states";
/// More than can happen, and so little that no sum of a ring overflows.
const MOST_IN_A_CLASS: u64 = 1 << 48;
/// A hundred years, to which a process can add without an overflow.
const LONGEST_NS: u64 = 100 * 366 * 86_400 * 1_000_000_000;
/// Of what a damaged file holds, as much is shown in an error.
const SHOWN_CHARACTERS: usize = 40;

pub(super) fn encode(states: &[SloState]) -> String {
    let mut text = String::new();
    write_line(&mut text, format_args!("{MAGIC} {} {}", SloState::VERSION, states.len()));
    states.iter().for_each(|state| write_state(&mut text, state));
    let checksum = checksum(&text);
    write_line(&mut text, format_args!("checksum {checksum:016x}"));
    text
}

pub(super) fn decode(text: &str) -> Result<Vec<SloState>, SloStateError> {
    let mut lines = Lines { rest: text, number: 0 };
    let head = lines.after(MAGIC)?;
    let (version, count) = head.split_once(' ').unwrap_or((head, ""));
    if version != SloState::VERSION.to_string() {
        return Err(SloStateError::Version { given: shown(version) });
    }
    let count: usize = lines.parse(count, "the number of states")?;
    let mut states = Vec::new();
    for _ in 0..count {
        states.push(read_state(&mut lines)?);
    }
    let computed = checksum(text.get(..text.len() - lines.rest.len()).unwrap_or_default());
    let written = lines.after("checksum")?;
    let number = u64::from_str_radix(written, 16).ok();
    // In one form only, so that no byte can change unseen.
    let number = number.filter(|number| format!("{number:016x}") == written);
    let written = number.ok_or_else(|| lines.wrong("a checksum", written))?;
    if !lines.rest.is_empty() {
        lines.number += 1;
        return Err(lines.wrong("the end", lines.rest));
    }
    if computed != written {
        return Err(SloStateError::Checksum { computed, written });
    }
    Ok(states)
}

fn write_line(text: &mut String, line: impl Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

fn write_state(text: &mut String, state: &SloState) {
    write_line(text, format_args!("subject {}", escape(&state.subject)));
    write_line(text, format_args!("slo {}", escape(&state.slo)));
    match state.latency_threshold_ns {
        Some(threshold_ns) => write_line(text, format_args!("latency_threshold_ns {threshold_ns}")),
        None => write_line(text, "latency_threshold_ns none"),
    }
    write_line(text, format_args!("window_ns {}", state.window_ns));
    write_line(text, format_args!("as_of_unix_ns {}", state.as_of_unix_ns));
    write_line(text, format_args!("elapsed_ns {}", state.elapsed_ns));
    for (ring, buckets) in state.rings.iter().enumerate() {
        write_line(text, format_args!("ring {} {}", label(ring), buckets.len()));
        for Bucket { age, counts: Counts([ok, failed, slow, failed_and_slow]) } in buckets {
            write_line(text, format_args!("{age} {ok} {failed} {slow} {failed_and_slow}"));
        }
    }
}

fn read_state(lines: &mut Lines<'_>) -> Result<SloState, SloStateError> {
    let subject = read_name(lines, "subject")?;
    let slo = read_name(lines, "slo")?;
    let threshold = lines.after("latency_threshold_ns")?;
    let latency_threshold_ns =
        if threshold == "none" { None } else { Some(lines.parse(threshold, "nanoseconds or none")?) };
    let mut number = |key| {
        let value = lines.after(key)?;
        lines.parse::<u64>(value, "a number")
    };
    let (window_ns, as_of_unix_ns, elapsed_ns) =
        (number("window_ns")?, number("as_of_unix_ns")?, number("elapsed_ns")?);
    if elapsed_ns > LONGEST_NS {
        return Err(lines.wrong("at most a hundred years", &elapsed_ns.to_string()));
    }
    let mut rings = [const { Vec::new() }; RINGS];
    for (ring, buckets) in rings.iter_mut().enumerate() {
        *buckets = read_ring(lines, ring)?;
    }
    Ok(SloState { subject, slo, latency_threshold_ns, window_ns, as_of_unix_ns, elapsed_ns, rings })
}

fn read_ring(lines: &mut Lines<'_>, ring: usize) -> Result<Vec<Bucket>, SloStateError> {
    let head = lines.after("ring")?;
    let count = head.strip_prefix(label(ring)).and_then(|rest| rest.strip_prefix(' '));
    let count = count.ok_or_else(|| lines.wrong(&format!("the ring {}", label(ring)), head))?;
    let count: usize = lines.parse(count, "the number of buckets")?;
    let mut buckets: Vec<Bucket> = Vec::new();
    for _ in 0..count {
        let line = lines.next()?;
        let numbers: Option<Vec<u64>> = line.split(' ').map(|number| number.parse().ok()).collect();
        let Some(&[age, ok, failed, slow, failed_and_slow]) = numbers.as_deref() else {
            return Err(lines.wrong("an age and four counts", line));
        };
        let counts = Counts([ok, failed, slow, failed_and_slow]);
        if counts.0.iter().any(|count| *count > MOST_IN_A_CLASS) {
            return Err(lines.wrong("counts of at most 2^48", line));
        }
        let from = buckets.last().map_or(0, |last| last.age + 1);
        let age = usize::try_from(age).ok().filter(|age| (from..buckets_in(ring)).contains(age));
        let age = age.ok_or_else(|| lines.wrong(&format!("an age from {from} to {}", buckets_in(ring) - 1), line))?;
        buckets.push(Bucket { age, counts });
    }
    Ok(buckets)
}

fn read_name(lines: &mut Lines<'_>, key: &str) -> Result<Name, SloStateError> {
    let written = lines.after(key)?;
    let name = unescape(written).ok_or_else(|| lines.wrong("only \\\\, \\n and \\r after a backslash", written))?;
    Ok(Name::from(name))
}

fn label(ring: usize) -> &'static str {
    BURN_WINDOWS.get(ring).map_or("window", |(label, _)| label)
}

fn escape(name: &str) -> String {
    name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

fn unescape(written: &str) -> Option<String> {
    let mut name = String::with_capacity(written.len());
    let mut characters = written.chars();
    while let Some(character) = characters.next() {
        name.push(match character {
            '\\' => match characters.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            other => other,
        });
    }
    Some(name)
}

/// FNV-1a of 64 bits: against accidents, not against forgery.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect()
}

struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    /// The next line; every line has an end.
    fn next(&mut self) -> Result<&'a str, SloStateError> {
        self.number += 1;
        let (line, rest) = self.rest.split_once('\n').ok_or_else(|| self.wrong("a line", self.rest))?;
        self.rest = rest;
        Ok(line)
    }

    /// What follows a key on the next line.
    fn after(&mut self, key: &str) -> Result<&'a str, SloStateError> {
        let line = self.next()?;
        let value = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(' '));
        value.ok_or_else(|| self.wrong(&format!("`{key}` and a value"), line))
    }

    fn parse<T: FromStr>(&self, value: &str, expected: &str) -> Result<T, SloStateError> {
        value.parse().map_err(|_| self.wrong(expected, value))
    }

    fn wrong(&self, expected: &str, found: &str) -> SloStateError {
        let problem = format!("expected {expected}, found `{}`", shown(found));
        SloStateError::Line { line: self.number, problem }
    }
}
