//! `tta sampling`: why a trace is kept or dropped, for anyone who has its id.

mod dry_run;
mod dry_run_json;
mod dry_run_text;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tta::telemetry::sampling::{FinishedTrace, HeadDecision, HeadSampler, Rate, SamplingHash, TailPolicy};
use tta::telemetry::{IdSource, TraceClass};

use crate::args::{SamplingArguments, SamplingCommand};
use crate::output::{self, Failure};

/// A line is an id or a small object.
const MOST_LINE_BYTES: u64 = 64 * 1024;

pub(crate) fn run(arguments: &SamplingArguments) -> Result<ExitCode, Failure> {
    let ids = IdSource::random();
    let wrong = match &arguments.command {
        SamplingCommand::Decide { rate, hash } => {
            let sampler = HeadSampler::new(*hash, *rate);
            each_line(|line| decide(&sampler, line, &ids))?
        }
        SamplingCommand::Tail { hash } => each_line(|line| tail(*hash, line, &ids))?,
        SamplingCommand::DryRun(arguments) => return dry_run::run(arguments),
    };
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Answers every line of standard input with one of standard output; what is wrong with a line goes
/// to standard error, with its number. How many were wrong.
fn each_line(mut answer: impl FnMut(&str) -> Result<Value, String>) -> Result<u64, Failure> {
    let mut input = io::stdin().lock();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
        _ => Failure::new(format!("cannot write to standard output: {error}")),
    };
    let (mut number, mut wrong, mut line) = (0_u64, 0, Vec::new());
    loop {
        line.clear();
        let read = io::Read::take(&mut input, MOST_LINE_BYTES + 1).read_until(b'\n', &mut line);
        let read = read.map_err(|error| Failure::new(format!("cannot read standard input: {error}")))?;
        if read == 0 {
            break;
        }
        number += 1;
        let answered = match std::str::from_utf8(&line) {
            _ if line.len() as u64 > MOST_LINE_BYTES && !line.ends_with(b"\n") => {
                skip_line(&mut input)?;
                Err("is longer than 64 KiB".to_owned())
            }
            Ok(text) => answer(text.trim_end_matches(['\n', '\r'])),
            Err(_) => Err("is not UTF-8".to_owned()),
        };
        match answered {
            Ok(value) => writeln!(out, "{value}").map_err(broken)?,
            Err(problem) => {
                wrong += 1;
                output::error(&format!("line {number}: {problem}"));
            }
        }
    }
    out.flush().map_err(broken)?;
    Ok(wrong)
}

fn skip_line(input: &mut impl BufRead) -> Result<(), Failure> {
    input.skip_until(b'\n').map(drop).map_err(|error| Failure::new(format!("cannot read standard input: {error}")))
}

/// A number from 0 to below 1, for a key that is empty.
fn draw(ids: &IdSource) -> f64 {
    (ids.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn word(keep: bool) -> &'static str {
    if keep { "sample" } else { "drop" }
}

fn decide(sampler: &HeadSampler, key: &str, ids: &IdSource) -> Result<Value, String> {
    let head = sampler.decide_key(key, || draw(ids)).map_err(|error| error.to_string())?;
    Ok(json!({ "trace_id": key, "decision": word(head.keep), "reason": head.reason.as_str(), "rate": head.rate }))
}

/// A finished trace, as lines of `tta sampling tail` have it.
#[derive(Deserialize)]
struct Finished {
    trace_id: String,
    default_rate: f64,
    always_sample_errors: bool,
    always_sample_slow: bool,
    slow_threshold_ms: f64,
    has_error: bool,
    duration_ms: f64,
}

fn tail(hash: SamplingHash, line: &str, ids: &IdSource) -> Result<Value, String> {
    let mut answer: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("is not a JSON object: {error}"))?;
    let finished: Finished = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let rate = Rate::named("default_rate", finished.default_rate).map_err(|error| error.to_string())?;
    if !(finished.duration_ms.is_finite() && finished.duration_ms >= 0.0) {
        return Err(format!("`duration_ms` is {}, accepted is a number of at least 0", finished.duration_ms));
    }
    let policy = TailPolicy {
        always_sample_errors: finished.always_sample_errors,
        always_sample_slow: finished.always_sample_slow,
        slow_threshold_ms: finished.slow_threshold_ms,
        ..TailPolicy::default()
    };
    policy.check().map_err(|error| error.to_string())?;
    let head: HeadDecision =
        HeadSampler::new(hash, rate).decide_key(&finished.trace_id, || draw(ids)).map_err(|error| error.to_string())?;
    let class = if finished.has_error { TraceClass::Failed } else { TraceClass::Normal };
    let trace = FinishedTrace { duration_ms: finished.duration_ms, ..FinishedTrace::new(class, 0, head) };
    let decided = policy.decide(&trace, None).decision;
    answer.insert("head".to_owned(), word(head.keep).into());
    answer.insert("tail".to_owned(), word(decided.keep).into());
    answer.insert("tail_reason".to_owned(), decided.reason.as_str().into());
    Ok(Value::Object(answer))
}
