//! `tta trace`: one trace out of a file, as a tree.

use std::process::ExitCode;

use tta::host::{ReadError, find_trace, find_trace_by_prefix};
use tta::telemetry::{TraceId, TraceTree};

use crate::args::Trace;
use crate::output::{self, Failure};

pub(crate) fn run(arguments: &Trace) -> Result<ExitCode, Failure> {
    let found = match arguments.id.parse::<TraceId>() {
        Ok(id) => find_trace(&arguments.from, id),
        Err(_) => find_trace_by_prefix(&arguments.from, &arguments.id),
    };
    match found.map_err(|error| Failure::new(explain(&error)))? {
        Some(trace) => {
            output::print(&format!("trace {}\n{}", trace.trace_id, TraceTree::new(&trace).attributes(true)))?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            output::error(&format!("no trace `{}` in {}", arguments.id, arguments.from.display()));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn explain(error: &ReadError) -> String {
    if error.is_torn_tail() {
        return format!("{error}; the file ends in this line, whose writer was stopped or is not done yet");
    }
    error.to_string()
}
