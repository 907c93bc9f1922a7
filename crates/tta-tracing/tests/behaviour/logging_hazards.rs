//! Lines that could do harm: text that is not one line, text without an end, writers that fail.

use std::fmt;
use std::io::{Error, ErrorKind, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::Value;
use tracing::{info, info_span};
use tracing_subscriber::prelude::*;
use tta_primitives::Context;
use tta_telemetry::{Redaction, Telemetry};
use tta_tracing::logging::{LogFormat, Logging, LoggingCounts};

use super::logging::{logged, objects};
use crate::support::Lines;

const FORMATS: [LogFormat; 2] = [LogFormat::Text, LogFormat::Json];

/// What a terminal, an editor or a reader of lines would take for something else than text.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn control_characters_are_escaped_wherever_they_come_from() {
    let evil = "a\nb\r\t\u{1b}[31m\u{0}\u{7f}\u{9b}31m\u{2028}\u{202e}z";
    for format in FORMATS {
        let text = logged(format, || info!(text = evil, debug = ?evil, display = %evil, "{evil}"));
        assert_eq!(text.matches(is_harmful).collect::<String>(), "\n", "{text:?}");
        assert!(text.ends_with("}\n") || format == LogFormat::Text);
    }
    let text = logged(LogFormat::Json, || info!(text = evil, "{evil}"));
    let line = &objects(&text)[0];
    assert_eq!((line["message"].as_str(), line["fields"]["text"].as_str()), (Some(evil), Some(evil)));
    let text = logged(LogFormat::Text, || info!("a\nb"));
    assert!(text.ends_with(": a\\nb\n"), "{text}");
}

#[test]
fn a_line_that_is_too_long_is_cut_says_so_and_stays_whole() {
    let long = "0123456789".repeat(20_000);
    let escapes = "\u{1}".repeat(100_000);
    for (text, name) in [(&long, "plain"), (&escapes, "escapes")] {
        for format in FORMATS {
            let lines = logged(format, || {
                info!("{text}");
                info!(text, more = text, after = 1, "short");
                info!(debug = ?text, last = true, "short");
            });
            let lines: Vec<_> = lines.lines().collect();
            assert_eq!(lines.len(), 3, "{name}");
            for line in &lines {
                assert!(line.len() < 64 * 1024, "{name} {format}: {}", line.len());
                // Cut for the line, or where redaction stops looking.
                let is_cut = line.contains('…') || line.contains("[REDACTED]");
                assert!(is_cut && line.contains("truncated"), "{name} {format}");
            }
            // Most of the room is used, or of what is looked at.
            assert!(lines[0].len() > 16 * 1024, "{name} {format}: {}", lines[0].len());
            assert!(lines[1].len() > 28 * 1024, "{name} {format}: {}", lines[1].len());
            if format == LogFormat::Json {
                let line: Value = serde_json::from_str(lines[1]).unwrap();
                assert_eq!((&line["message"], &line["truncated"]), (&"short".into(), &true.into()));
                let end = if name == "plain" { "[REDACTED]" } else { "…" };
                assert!(line["fields"]["text"].as_str().unwrap().ends_with(end));
            }
        }
    }
}

#[test]
fn many_fields_are_kept_as_far_as_they_fit() {
    let half = "x".repeat(16_384);
    let text = logged(LogFormat::Json, || info!(a = half, b = half, c = half, d = 1, "short"));
    let line = &objects(&text)[0];
    let fields = line["fields"].as_object().unwrap();
    assert_eq!(fields["a"].as_str().unwrap(), half);
    assert!(fields["b"].as_str().unwrap().ends_with('…'));
    assert!(!fields.contains_key("c") && line["truncated"] == true, "{:?}", fields.keys());
}

#[test]
fn only_the_innermost_spans_are_named() {
    fn nest(depth: u32) {
        if depth == 0 {
            return info!("deep");
        }
        info_span!("level").in_scope(|| nest(depth - 1));
    }
    let text = logged(LogFormat::Json, || info_span!("outermost").in_scope(|| nest(30)));
    assert_eq!(objects(&text)[0]["spans"], Value::from(vec!["level"; 16]));
}

struct Bomb;

impl fmt::Debug for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("so far")?;
        panic!("a bomb")
    }
}

#[test]
fn a_value_that_panics_leaves_a_note_in_its_line() {
    let text = logged(LogFormat::Json, || info!(before = 1, bomb = ?Bomb, after = 2, "message {:?}", Bomb));
    let line = &objects(&text)[0];
    assert_eq!(line["message"], "<panicked: a bomb>");
    assert_eq!(line["fields"], serde_json::json!({"before": 1, "bomb": "<panicked: a bomb>", "after": 2}));
}

/// Does what it is told to, one line after the other.
#[derive(Clone)]
struct Moody(Arc<Mutex<Vec<Mood>>>, Lines);

#[derive(Clone, Copy)]
enum Mood {
    Good,
    Fails,
    FailsHalfWay,
    Panics,
    FailsToFlush,
}

impl Write for Moody {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.lock().unwrap().first() {
            Some(Mood::Fails) => Err(Error::new(ErrorKind::StorageFull, "disk full")),
            Some(Mood::FailsHalfWay) if bytes.len() < 20 => Err(ErrorKind::BrokenPipe.into()),
            Some(Mood::FailsHalfWay) => self.1.write(&bytes[..bytes.len() - 10]),
            Some(Mood::Panics) => panic!("the writer panics"),
            _ => self.1.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self.0.lock().unwrap().first() {
            Some(Mood::FailsToFlush) => Err(ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_writer_that_fails_or_panics_loses_lines_and_nothing_else() {
    let moods = [Mood::Good, Mood::Fails, Mood::FailsHalfWay, Mood::Good, Mood::Panics, Mood::FailsToFlush, Mood::Good];
    let moody = Moody(Arc::new(Mutex::new(moods.to_vec())), Lines::default());
    let logging = Logging::builder().writer(moody.clone()).build();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(logging.layer()), || {
        for number in 0..moods.len() {
            info!(number, "line");
            moody.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(0);
            moody.0.clear_poison();
        }
    });
    let counts = LoggingCounts { written_lines: 3, failed_lines: 4, ..LoggingCounts::default() };
    assert_eq!(logging.counters().read(), counts);
    let text = moody.1.text();
    let whole: Vec<_> = text.lines().filter_map(|line| line.split_once("number=")).map(|(_, number)| number).collect();
    // Line 2 was cut off, and line 5 written without being flushed.
    assert_eq!(whole, ["0", "3", "5", "6"]);
}

#[test]
fn lines_of_many_threads_are_not_mixed() {
    let lines = Lines::default();
    let logging = Logging::builder().format(LogFormat::Json).writer(lines.clone()).build();
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(logging.layer()));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let dispatch = dispatch.clone();
            scope.spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || (0..250).for_each(|number| info!(thread, number, "x")));
            });
        }
    });
    let mut seen: Vec<_> = objects(&lines.text())
        .iter()
        .map(|line| (line["fields"]["thread"].as_u64().unwrap(), line["fields"]["number"].as_u64().unwrap()))
        .collect();
    // Of each thread in order.
    let mut last = [None; 4];
    for (thread, number) in &seen {
        assert!(last[*thread as usize] < Some(*number));
        last[*thread as usize] = Some(*number);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..4).flat_map(|thread| (0..250).map(move |number| (thread, number))).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn whatever_is_logged_reads_back_from_json_and_stays_on_one_line(
        message in any::<String>(),
        text in any::<String>(),
        number in any::<i64>(),
        fraction in any::<f64>(),
    ) {
        // Where nothing is redacted: one number of a thousand with so many digits is that of a card.
        let off = Redaction::builder().enabled(false).build().unwrap();
        let off = Telemetry::builder().enabled(false).redaction(off).build().unwrap();
        let run = Context::on(off).start_run("run", "test");
        let log = || run.context().in_scope(|| info!(text, number, fraction, debug = ?text, message));
        let line = objects(&logged(LogFormat::Json, log)).remove(0);
        prop_assert_eq!(&line["message"], &Value::from(message.as_str()));
        prop_assert_eq!(&line["fields"]["text"], &Value::from(text.as_str()));
        prop_assert_eq!(&line["fields"]["number"], &Value::from(number));
        prop_assert_eq!(&line["fields"]["debug"], &Value::from(format!("{text:?}")));
        let back = line["fields"]["fraction"].as_f64();
        prop_assert!(back == Some(fraction) || !fraction.is_finite() || back.is_some());
        for format in FORMATS {
            let written = logged(format, log);
            prop_assert_eq!(written.matches(is_harmful).count(), 1, "{:?}", written);
        }
    }
}
