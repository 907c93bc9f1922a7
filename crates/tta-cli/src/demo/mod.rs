//! `tta demo`: the analysis workflow over every file, and what it showed.
//!
//! Owns the order of things; the workflow is in `workflow`, the files in `files`,
//! serving in `metrics`, what is shown in `report`, `table`, `wrap` and `json`.

mod files;
mod highlights;
mod json;
mod metrics;
mod report;
mod table;
mod workflow;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use tta::host::{CpuClock, TraceFileSink, trace_files};
use tta::telemetry::{Limits, ShutdownReport, StepStatistics};
use tta::tracing::log_decisions;
use tta::tracing::logging::{Logging, LoggingConfig};
use tta::{Context, Telemetry};

use crate::analysis::Report;
use crate::args::{Demo, GraphForm};
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::output::{self, Failure};
use highlights::Highlights;

/// How long the end waits for traces to be written.
const FLUSH: Duration = Duration::from_secs(30);
/// The same after Ctrl-C, when somebody waits for the end.
const FLUSH_INTERRUPTED: Duration = Duration::from_secs(3);
/// Room for the traces of tens of thousands of files, while a disk stalls.
const QUEUE_SPANS: usize = 1_000_000;
const QUEUE_BYTES: usize = 1024 * 1024 * 1024;
/// The exit code when output could not be written, as in `main`.
const UNWRITTEN: u8 = 2;

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

impl Outcome {
    /// Spans that reached the first sink, which keeps every trace.
    fn spans_recorded(&self) -> u64 {
        self.telemetry.sinks.first().map_or(0, |sink| sink.exported_spans)
    }
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
    start_log(&arguments)?;
    let found = find(&arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the async runtime: {error}")))?;
    let highlights = Highlights::default();
    let telemetry = engine(&arguments, &highlights)?;
    let mut stop = Interrupt::listen()?;
    let serve = |address| runtime.block_on(metrics::serve(&telemetry, address, arguments.insecure));
    let server = arguments.metrics.map(serve).transpose()?;
    let outcome = runtime.block_on(analyse(&arguments, &workflow, found, &telemetry, highlights, &mut stop));
    // Whoever does not go on serving ends at the next Ctrl-C, be it while output cannot be written.
    let serving = server.filter(|_| !outcome.interrupted).map(|server| (server, stop));
    show(&arguments, &outcome)?;
    let code = exit_code(&outcome);
    if let Some((server, mut stop)) = serving {
        runtime.block_on(metrics::serve_on(server, &telemetry, &mut stop));
    }
    // Reads that hang (a dead network mount) must not hold up the end.
    runtime.shutdown_background();
    Ok(code)
}

/// Logs what happens in the runs, where that was asked for. The events are those of `workflow`.
fn start_log(arguments: &Demo) -> Result<(), Failure> {
    let (level, format) = (arguments.log_level.clone(), arguments.log_format);
    if level.is_none() && format.is_none() {
        return Ok(());
    }
    let config = LoggingConfig { level: level.unwrap_or_default(), format: format.unwrap_or_default() };
    Logging::builder().config(config).build().init().map_err(|error| Failure::new(error.to_string()))
}

/// Finds the files; not those that traces go to, which grow while they are read.
fn find(arguments: &Demo) -> Result<files::Found, Failure> {
    let traces = arguments.traces.as_ref().map(trace_files);
    // Where they cannot be listed, opening them tells why.
    let traces = traces.and_then(Result::ok).unwrap_or_default();
    files::find(&arguments.paths, arguments.limit.map_or(usize::MAX, NonZeroUsize::get), &traces)
}

/// An engine that keeps every trace: each file is one run, and the demo is there to show them.
fn engine(arguments: &Demo, highlights: &Highlights) -> Result<Telemetry, Failure> {
    let limits = Limits { queue_spans: QUEUE_SPANS, queue_bytes: QUEUE_BYTES, ..Limits::default() };
    let mut builder =
        Telemetry::builder().cpu_time(CpuClock).limits(limits).sink(highlights.clone()).observer(log_decisions());
    if let Some(path) = &arguments.traces {
        // All traces go to the one file that was asked for.
        let sink = TraceFileSink::builder(path).rotate_at_bytes(0);
        builder = builder.sink(sink.open().map_err(|error| Failure::new(error.to_string()))?);
    }
    builder.build().map_err(|error| Failure::new(error.to_string()))
}

async fn analyse(
    arguments: &Demo,
    workflow: &workflow::Analyse,
    found: files::Found,
    telemetry: &Telemetry,
    highlights: Highlights,
    stop: &mut Interrupt,
) -> Outcome {
    let total = found.files.len();
    let is_logged = arguments.log_level.is_some() || arguments.log_format.is_some();
    // Both would write to the same place.
    let bar = progress_bar(total, arguments.json || is_logged);
    let cx = Context::on(telemetry.clone());
    let start = cx.clock().ticks();
    let mut failures = found.unreadable;
    let files = total + failures.len();
    let (mut succeeded, mut interrupted, mut single) = (0, false, None);
    {
        let inputs = futures_util::stream::iter(found.files.clone());
        let runs = workflow.for_each(inputs, concurrency(arguments), &cx);
        let mut runs = std::pin::pin!(runs);
        loop {
            let (index, result) = tokio::select! {
                biased;
                () = stop.first() => {
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
    let report = match (interrupted, arguments.metrics) {
        (true, _) => telemetry.shutdown(FLUSH_INTERRUPTED).await,
        (false, None) => telemetry.shutdown(FLUSH).await,
        // Its metrics are still served: those of an engine that lives.
        (false, Some(_)) => telemetry.flush(FLUSH).await,
    };
    let steps = workflow::in_order(workflow, telemetry.step_statistics());
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
    // The bar takes what the numbers leave, so that it fits any terminal.
    let style = ProgressStyle::with_template("{pos}/{len} files {wide_bar} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total as u64).with_style(style);
    bar.tick();
    bar
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
    let losses = report::losses(outcome);
    losses.iter().for_each(|loss| output::error(loss));
    if outcome.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if outcome.succeeded == 0 {
        output::error(&match outcome.files {
            0 => "no files found to analyse".to_owned(),
            1 => "the one file found could not be analysed".to_owned(),
            files => format!("none of the {files} files found could be analysed"),
        });
        ExitCode::FAILURE
    } else if losses.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(UNWRITTEN)
    }
}
