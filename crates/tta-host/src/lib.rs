//! What `tta` needs from the operating system.
//!
//! Owns trace files: the JSON of a trace ([`trace_json`]), a sink that appends it to a file with
//! rotation ([`TraceFileSink`]), and reading it back ([`read_traces`], [`find_trace`]); the file
//! that keeps the state of SLOs ([`SloStateFile`]); the configuration of a process from a file and
//! its environment ([`ConfigSource`]), and reading it again while the process runs
//! ([`ConfigReload`]); and its CPU time ([`CpuClock`]). Does not decide which traces are kept, and knows
//! neither HTTP nor primitives.
//!
//! ```
//! use std::time::Duration;
//! use tta_host::{TraceFileSink, find_trace};
//! use tta_telemetry::Telemetry;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("traces.jsonl");
//! let sink = TraceFileSink::builder(&path).rotate_at_bytes(1024 * 1024).keep_files(3).open()?;
//! let telemetry = Telemetry::builder().sink(sink).build()?;
//! let run = telemetry.start_trace("import");
//! let id = run.handle().trace_id().ok_or("not recorded")?;
//! run.end();
//! assert!(telemetry.shutdown_blocking(Duration::from_secs(5)).complete);
//! let trace = find_trace(&path, id)?.ok_or("not found")?;
//! assert_eq!(trace.spans[0].name, "import");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod config_reload;
mod config_source;
mod cpu_clock;
mod siblings;
mod slo_file;
mod trace_file;
pub mod trace_json;
mod trace_reader;

#[cfg(unix)]
pub use config_reload::ConfigWatch;
pub use config_reload::{ConfigReload, ConfigReloadBuilder, ReloadCause, ReloadCounts, ReloadOutcome};
pub use config_source::{ConfigLoadError, ConfigSource};
pub use cpu_clock::CpuClock;
pub use slo_file::{SloFileError, SloStateFile};
pub use trace_file::{TraceFileBuilder, TraceFileError, TraceFileSink};
pub use trace_reader::{ReadError, TraceReader, find_trace, find_trace_by_prefix, read_traces, trace_files};
