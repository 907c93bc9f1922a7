//! `tta sampling dry-run`: what a configuration would keep of the traces in a file.
//!
//! Owns reading, one trace at a time, and the exit code. How a trace is decided about is the
//! library's, how the result looks is `dry_run_text`'s and `dry_run_json`'s.

use std::path::Path;
use std::process::ExitCode;

use tta::host::{ConfigLoadError, ConfigSource, ReadError, read_traces};
use tta::telemetry::config::Config;
use tta::telemetry::sampling::{DryRun, DryRunReport};

use crate::args::{DryRunArguments, ReportForm};
use crate::output::{self, Failure};
use crate::sampling_command::{dry_run_json, dry_run_text};

/// Lines that are told when they cannot be read; further ones are only counted.
const MOST_TOLD: u64 = 100;

/// What there is to print.
pub(super) struct Found<'a> {
    pub(super) config: &'a Path,
    pub(super) file: &'a Path,
    pub(super) report: DryRunReport,
    /// Lines that are no traces.
    pub(super) unreadable: u64,
    /// What has to be known to read the numbers right.
    pub(super) notes: Vec<String>,
}

pub(super) fn run(arguments: &DryRunArguments) -> Result<ExitCode, Failure> {
    let config = ConfigSource::of_process().file(&arguments.config).load().map_err(|error| refused(&error))?;
    let policy = config.sampling_policy().map_err(|problem| Failure::new(problem.to_string()))?;
    let mut dry_run = DryRun::new(policy).map_err(|error| Failure::new(error.to_string()))?;
    let (unreadable, is_whole) = read(&arguments.traces, &mut dry_run);
    let report = dry_run.report();
    let has_read = report.total.traces + report.late_parts > 0;
    if !has_read {
        output::error(&format!("no trace could be read in {}", arguments.traces.display()));
        return Ok(ExitCode::from(1));
    }
    let code = u8::from(report.lost_errors > 0 || !is_whole);
    let notes = notes(&config, &report);
    let found = Found { config: &arguments.config, file: &arguments.traces, report, unreadable, notes };
    output::print(&match arguments.format {
        ReportForm::Text => dry_run_text::write(&found),
        ReportForm::Json => dry_run_json::write(&found),
    })?;
    Ok(ExitCode::from(code))
}

fn refused(error: &ConfigLoadError) -> Failure {
    let cause = std::error::Error::source(error).filter(|_| !matches!(error, ConfigLoadError::Config(_)));
    Failure::new(format!("{error}{}", cause.map(|cause| format!(": {cause}")).unwrap_or_default()))
}

/// Gives every trace of a file to the dry run. How many lines are none, and whether the file was read
/// to its end.
fn read(file: &Path, dry_run: &mut DryRun) -> (u64, bool) {
    let (mut unreadable, mut is_whole) = (0, true);
    let mut traces = read_traces(file);
    while let Some(read) = traces.next() {
        match read {
            Ok(trace) => {
                let _ = dry_run.add(&trace, traces.line_bytes());
            }
            Err(error) => {
                let is_line = matches!(error, ReadError::Line { .. } | ReadError::TooLong { .. });
                unreadable += u64::from(is_line);
                is_whole &= is_line;
                if unreadable <= MOST_TOLD {
                    output::error(&error.to_string());
                }
            }
        }
    }
    if let Some(more) = unreadable.checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        output::error(&format!("{more} more lines are no traces"));
    }
    (unreadable, is_whole)
}

fn notes(config: &Config, report: &DryRunReport) -> Vec<String> {
    let sampling = &config.tracing.sampling;
    let mut notes = Vec::new();
    let mut note = |applies: bool, text: String| notes.extend(applies.then_some(text));
    let is_off = !config.enabled || !config.tracing.enabled;
    note(is_off, "This configuration records no traces: this is what it would keep if it did.".to_owned());
    note(
        sampling.adaptive_enabled,
        format!("The rate is adaptive and may move; here it stays at default_rate, {}.", sampling.default_rate),
    );
    note(
        sampling.max_traces_per_second > 0.0 || sampling.max_bytes_per_second > 0.0,
        format!(
            "The limits per second were simulated by the ends of the traces and their bytes in this file; they alone \
             drop {} of the traces.",
            report.budget_dropped
        ),
    );
    note(
        report.without_quantiles > 0,
        format!(
            "{} traces are of more workflows than the 256 whose latency is remembered: rules with a quantile did not \
             match them.",
            report.without_quantiles
        ),
    );
    note(
        report.late_parts > 0,
        format!(
            "{} parts ({}) came after their traces and follow them; they are in no row.",
            report.late_parts,
            dry_run_text::bytes(report.late_bytes as f64)
        ),
    );
    notes
}
