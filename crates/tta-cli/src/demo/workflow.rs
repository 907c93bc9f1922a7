//! The analysis workflow: real steps with real failures.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tta::telemetry::StepStatistics;
use tta::{Context, Error, ErrorKind, IntoError, PolicyError, Result, Retry, Timeout, Workflow};
use tta::{blocking, either, step, sync, workflow};

use crate::analysis::{
    self, Detection, Document, Keyword, Readability, Report, Statistics, Summary, ValidationError, summary,
};

/// Larger files are refused.
const LIMIT_BYTES: usize = 5_000_000;
/// Keywords shown per document.
const KEYWORDS: usize = 8;
/// Documents with at most this many words get the short summary.
const SHORT_WORDS: usize = 200;
/// Sentences of a long summary.
const LONG_SENTENCES: usize = 5;

/// From a file's path to what is known of it.
pub(super) type Analyse = Workflow<Arc<PathBuf>, Report>;

/// What the parallel analyses found, before the summary.
struct Measured {
    document: Arc<Document>,
    statistics: Statistics,
    keywords: Vec<Keyword>,
    readability: Readability,
    language: Detection,
}

type Parts = (Statistics, Vec<Keyword>, Readability, Detection, Arc<Document>);

/// Builds the workflow.
pub(super) fn build() -> Result<Analyse, PolicyError> {
    let again = Retry::new().max_retries(2).initial_delay(Duration::from_millis(50)).build()?;
    let in_time = Timeout::after(Duration::from_secs(10)).build()?;
    let read = step(blocking(read)).timeout(in_time).retry(again);
    // Each branch computes, so each gets a task of its own and all processors are used.
    let measures = (step(sync(statistics)) | sync(keywords) | sync(readability) | sync(language) | sync(document))
        .named("measure")
        .spawned();
    let is_short = |measured: &Measured| measured.statistics.words <= SHORT_WORDS;
    Ok(workflow("analyse", read)
        >> sync(validate)
        >> measures
        >> sync(collect)
        >> either(is_short, sync(short_summary), sync(long_summary)).named("summarise")
        >> sync(report))
}

/// The steps in the order in which the workflow's drawing has them: they are counted in the order
/// in which they were first met, which is another one each time.
pub(super) fn in_order(workflow: &Analyse, mut steps: Vec<StepStatistics>) -> Vec<StepStatistics> {
    let drawing = workflow.graph().to_text();
    let is_of = |line: &str, step: &StepStatistics| line.split_whitespace().any(|word| word == step.name.as_str());
    steps.sort_by_cached_key(|step| drawing.lines().position(|line| is_of(line, step)).unwrap_or(usize::MAX));
    steps
}

/// Reads a file, and at most one byte more than [`validate`] accepts: files of `/proc` claim to be
/// empty, and others grow while they are read.
fn read(path: Arc<PathBuf>) -> Result<(Arc<PathBuf>, Vec<u8>)> {
    let cx = Context::current();
    if let Some(cx) = &cx {
        cx.set("document.path", &path.display().to_string());
    }
    let unreadable = |error: io::Error| {
        tracing::warn!(document.path = %path.display(), error = %error, "cannot read");
        classify(error)
    };
    let file = File::open(&*path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if let Some(cx) = &cx {
        cx.set("document.bytes", length);
    }
    let size_bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if size_bytes > LIMIT_BYTES {
        // Not worth reading to find out.
        return Err(refused(&path, ValidationError::TooLarge { size_bytes, limit_bytes: LIMIT_BYTES }));
    }
    let mut bytes = Vec::with_capacity(size_bytes);
    file.take(LIMIT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok((path, bytes))
}

/// What may pass (too many open files, an interrupted call) is worth another try; what will not
/// is not.
fn classify(error: io::Error) -> Error {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::Interrupted | Io::WouldBlock | Io::TimedOut | Io::ResourceBusy => error.with_kind(ErrorKind::Upstream),
        // EMFILE and ENFILE: other runs close files soon.
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => error.with_kind(ErrorKind::Upstream),
        _ => error.with_kind(ErrorKind::Upstream).never_retry(),
    }
}

fn refused(path: &Path, error: ValidationError) -> Error {
    tracing::warn!(document.path = %path.display(), document.refused = error.reason(), "refused");
    if let Some(cx) = Context::current() {
        cx.set("document.refused", error.reason());
    }
    error.with_kind(ErrorKind::InvalidInput)
}

fn validate((path, bytes): (Arc<PathBuf>, Vec<u8>)) -> Result<Arc<Document>> {
    analysis::validate(&path, bytes, LIMIT_BYTES).map(Arc::new).map_err(|error| refused(&path, error))
}

fn statistics(document: Arc<Document>) -> Result<Statistics> {
    Ok(analysis::statistics(&document))
}

fn keywords(document: Arc<Document>) -> Result<Vec<Keyword>> {
    Ok(analysis::keywords(&document, KEYWORDS))
}

fn readability(document: Arc<Document>) -> Result<Readability> {
    Ok(analysis::readability(&document))
}

fn language(document: Arc<Document>) -> Result<Detection> {
    let detection = analysis::language(&document);
    if let Some(cx) = Context::current() {
        cx.set("document.language", detection.language.code());
    }
    Ok(detection)
}

/// Carries the document past the analyses, for the summary.
fn document(document: Arc<Document>) -> Result<Arc<Document>> {
    Ok(document)
}

fn collect((statistics, keywords, readability, language, document): Parts) -> Result<Measured> {
    Ok(Measured { document, statistics, keywords, readability, language })
}

fn short_summary(measured: Measured) -> Result<(Measured, Summary)> {
    let summary = summary::short(&measured.document);
    Ok((measured, summary))
}

fn long_summary(measured: Measured) -> Result<(Measured, Summary)> {
    let summary = summary::long(&measured.document, LONG_SENTENCES);
    Ok((measured, summary))
}

fn report((measured, summary): (Measured, Summary)) -> Result<Report> {
    tracing::info!(
        document.path = %measured.document.path.display(),
        document.words = measured.statistics.words,
        document.language = measured.language.language.code(),
        "analysed"
    );
    Ok(Report {
        path: measured.document.path.clone(),
        statistics: measured.statistics,
        keywords: measured.keywords,
        readability: measured.readability,
        language: measured.language,
        summary,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tta::RetryHint;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (code, hint) in [
            (2, RetryHint::Never),
            (4, RetryHint::Unspecified),
            (5, RetryHint::Never),
            (11, RetryHint::Unspecified),
            (13, RetryHint::Never),
            (23, RetryHint::Unspecified),
            (24, RetryHint::Unspecified),
        ] {
            let error = classify(io::Error::from_raw_os_error(code));
            assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Upstream, hint), "{code}");
        }
    }

    #[test]
    fn steps_are_ordered_as_they_are_drawn_and_unknown_ones_come_last() {
        let step = |name: &'static str| StepStatistics {
            workflow: "analyse".into(),
            name: name.into(),
            kind: "lambda".into(),
            success: 0,
            failure: 0,
            cancelled: 0,
            durations: tta::telemetry::Histogram::default(),
        };
        let met = ["report", "other", "long_summary", "read", "language", "analyse", "measure"].map(step);
        let ordered = in_order(&build().unwrap(), met.to_vec());
        let names: Vec<&str> = ordered.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["analyse", "read", "measure", "language", "long_summary", "report", "other"]);
    }
}
