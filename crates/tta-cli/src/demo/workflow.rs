//! The analysis workflow: real steps with real failures.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tta::{Context, Error, ErrorKind, IntoError, PolicyError, Result, Retry, Timeout, Workflow};
use tta::{either, step, sync, with_context, workflow};

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
    let read = step(with_context(read)).timeout(in_time).retry(again);
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

/// Reads a file. What may pass (too many open files, an interrupted call) is worth another try;
/// what will not is not.
async fn read(path: Arc<PathBuf>, cx: Context) -> Result<(Arc<PathBuf>, Vec<u8>)> {
    cx.set("document.path", &path.display().to_string());
    let length = tokio::fs::metadata(&*path).await.map_err(classify)?.len();
    cx.set("document.bytes", length);
    if length > LIMIT_BYTES as u64 {
        // Not worth reading to find out.
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        return Err(refused(ValidationError::TooLarge { size_bytes: size, limit_bytes: LIMIT_BYTES }));
    }
    let bytes = tokio::fs::read(&*path).await.map_err(classify)?;
    Ok((path, bytes))
}

fn classify(error: io::Error) -> Error {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::Interrupted | Io::WouldBlock | Io::TimedOut | Io::ResourceBusy => error.with_kind(ErrorKind::Upstream),
        // EMFILE and ENFILE: other runs close files soon.
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => error.with_kind(ErrorKind::Upstream),
        _ => error.with_kind(ErrorKind::Upstream).never_retry(),
    }
}

fn refused(error: ValidationError) -> Error {
    if let Some(cx) = Context::current() {
        cx.set("document.refused", error.reason());
    }
    error.with_kind(ErrorKind::InvalidInput)
}

fn validate((path, bytes): (Arc<PathBuf>, Vec<u8>)) -> Result<Arc<Document>> {
    analysis::validate(&path, bytes, LIMIT_BYTES).map(Arc::new).map_err(refused)
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
    Ok(Report {
        path: measured.document.path.clone(),
        statistics: measured.statistics,
        keywords: measured.keywords,
        readability: measured.readability,
        language: measured.language,
        summary,
    })
}
