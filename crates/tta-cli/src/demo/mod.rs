//! `tta demo`: the analysis workflow over every file, and what it showed.
//!
//! Owns the order of things; the workflow is in `workflow`, the files in `files`, what is shown
//! in `report`, `table` and `json`.

mod files;
mod highlights;
mod json;
mod report;
mod table;
mod workflow;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use tta::host::TraceFileSink;
use tta::telemetry::{Limits, ShutdownReport, StepStatistics};
use tta::{Context, Telemetry};

use crate::analysis::Report;
use crate::args::{Demo, GraphForm};
use crate::output::{self, Failure};
use highlights::Highlights;

/// How long the end waits for traces to be written.
const FLUSH: Duration = Duration::from_secs(30);
/// The exit code after Ctrl-C, by convention 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// A file that could not be analysed.
#[derive(Clone, Debug)]
struct FailedFile {
    path: PathBuf,
    kind: String,
    message: String,
}

/// What a whole demo came to.
struct Outcome {
    files: usize,
    succeeded: usize,
    failures: Vec<FailedFile>,
    interrupted: bool,
    took: Duration,
    /// The one report, when a single file was analysed.
    single: Option<Report>,
    steps: Vec<StepStatistics>,
    telemetry: ShutdownReport,
    highlights: Highlights,
}

pub(crate) fn run(arguments: Demo) -> Result<ExitCode, Failure> {
    let workflow = workflow::build().map_err(|error| Failure::new(error.to_string()))?;
    if let Some(form) = arguments.graph {
        let graph = workflow.graph();
        output::print(&match form {
            GraphForm::Text => graph.to_text(),
            GraphForm::Mermaid => graph.to_mermaid(),
            GraphForm::Dot => graph.to_dot(),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let found = files::find(&arguments.paths, arguments.limit)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the async runtime: {error}")))?;
    let highlights = Highlights::default();
    let telemetry = engine(&arguments, &highlights)?;
    let outcome = runtime.block_on(analyse(&arguments, &workflow, found, telemetry, highlights));
    // Reads that hang (a dead network mount) must not hold up the end.
    runtime.shutdown_background();
    show(&arguments, &outcome)?;
    Ok(exit_code(&outcome))
}

/// An engine that keeps every trace: each file is one run, and the demo is there to show them.
fn engine(arguments: &Demo, highlights: &Highlights) -> Result<Telemetry, Failure> {
    let limits = Limits { queue_spans: 200_000, queue_bytes: 256 * 1024 * 1024, ..Limits::default() };
    let mut builder = Telemetry::builder().limits(limits).sink(highlights.clone());
    if let Some(path) = &arguments.traces {
        let sink = TraceFileSink::builder(path).open().map_err(|error| Failure::new(error.to_string()))?;
        builder = builder.sink(sink);
    }
    builder.build().map_err(|error| Failure::new(error.to_string()))
}

async fn analyse(
    arguments: &Demo,
    workflow: &workflow::Analyse,
    found: files::Found,
    telemetry: Telemetry,
    highlights: Highlights,
) -> Outcome {
    let total = found.files.len();
    let bar = progress_bar(total, arguments.json);
    let cx = Context::on(telemetry.clone());
    let start = cx.clock().ticks();
    let mut failures = found.unreadable;
    let files = total + failures.len();
    let (mut succeeded, mut interrupted, mut single) = (0, false, None);
    {
        let inputs = futures_util::stream::iter(found.files.clone());
        let runs = workflow.for_each(inputs, concurrency(arguments), &cx);
        let mut runs = std::pin::pin!(runs);
        let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let (index, result) = tokio::select! {
                biased;
                _ = &mut stop => {
                    interrupted = true;
                    break;
                }
                next = runs.next() => match next {
                    Some(next) => next,
                    None => break,
                },
            };
            bar.inc(1);
            match result {
                Ok(report) => {
                    succeeded += 1;
                    single = (total == 1).then_some(report);
                }
                Err(error) => {
                    let path = found.files.get(index).map(|path| path.as_ref().clone()).unwrap_or_default();
                    let (kind, message) = (error.kind().to_string(), error.to_string());
                    failures.push(FailedFile { path, kind, message });
                }
            }
        }
        // Leaving this block drops the runs in flight: they are cancelled, their spans closed.
    }
    bar.finish_and_clear();
    failures.sort_by(|a, b| a.path.cmp(&b.path));
    let took = cx.clock().elapsed(start);
    drop(cx);
    let report = telemetry.shutdown(FLUSH).await;
    let steps = telemetry.step_statistics();
    Outcome { files, succeeded, failures, interrupted, took, single, steps, telemetry: report, highlights }
}

fn concurrency(arguments: &Demo) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    arguments.concurrency.map_or(processors * 4, NonZeroUsize::get)
}

fn progress_bar(total: usize, hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {per_sec}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total as u64).with_style(style)
}

fn show(arguments: &Demo, outcome: &Outcome) -> Result<(), Failure> {
    if outcome.interrupted {
        output::note("interrupted: what follows is what was done until then");
    }
    if arguments.json {
        return output::print(&json::render(outcome)?);
    }
    match arguments.trace {
        Some(which) => output::print(&report::one_trace(outcome, which)),
        None => output::print(&report::render(outcome)),
    }
}

fn exit_code(outcome: &Outcome) -> ExitCode {
    if outcome.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if outcome.succeeded == 0 {
        output::error(&match outcome.files {
            0 => "no files found to analyse".to_owned(),
            files => format!("none of {files} files could be analysed"),
        });
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
