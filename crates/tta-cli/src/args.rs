//! The command line's grammar and help.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tta::telemetry::config::Preset;
use tta::telemetry::sampling::{Rate, SamplingHash};
use tta::tracing::logging::{LogFormat, LogLevel};

use crate::send_args::Send;

/// Compose async work from small primitives; see, measure and explain every step of every run.
#[derive(Debug, Parser)]
#[command(name = "tta", version, max_term_width = 80)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Analyse documents through a workflow, and show what every step did
    ///
    /// Each file is read, validated (UTF-8, size, not empty), measured in four ways side by side
    /// (statistics, keywords, readability, language) and summarised, short or long by its size.
    /// At the end: a table of all steps, the slowest run and the first failed run as trace trees.
    ///
    /// A file that several of the paths reach is analysed once. Links, pipes and devices that are
    /// met in a directory are passed by; a link that is given is followed.
    ///
    /// Exit codes: 0 when something was analysed, 1 when nothing could be, 2 for bad arguments or
    /// output that could not be written, 130 after Ctrl-C or SIGTERM (what was done until then is
    /// shown; a second one ends at once). With --metrics these are how it is meant to end, once the
    /// work is done, and do not change the code.
    Demo(Demo),
    /// Show one trace of a trace file as a tree
    ///
    /// Trace files are written by `tta demo --traces FILE`. Exit codes: 0 found, 1 not found, 2
    /// for bad arguments or an unreadable file.
    Trace(Trace),
    /// Take spans of other processes, and serve metrics, health and queries
    ///
    /// Listens on this machine only, until SIGTERM or Ctrl-C: then senders have their answers,
    /// everything received is decided about, and what is kept is flushed. SIGHUP, and a change of the
    /// file, reads the configuration again. Exit codes: 0 after an orderly end, 1 when something was
    /// not flushed in time or the configuration is wrong, 2 when it cannot serve, 130 when it was
    /// told to end twice.
    Serve(Serve),
    /// Show, check and explain the configuration
    Config(ConfigArguments),
    /// Send recorded traces, OTLP in JSON lines, to a collector
    ///
    /// Each line is an ExportTraceServiceRequest, as the collector's file exporter writes it, or one
    /// ResourceSpans. A line that is neither is told on standard error and left out. What the
    /// environment says of exporters (OTEL_EXPORTER_OTLP_HEADERS and the others) holds where no option
    /// says otherwise.
    ///
    /// Exit codes: 0 when everything was taken, 1 when something was not, 2 for bad arguments, a file
    /// that cannot be read, or a collector that never answered, 130 after Ctrl-C or SIGTERM (what was
    /// sent until then is told; a second one ends at once).
    Send(Send),
    /// Say why traces are kept or dropped, from their ids
    Sampling(SamplingArguments),
    /// Ask a running server how it is
    ///
    /// Exit codes: 0 healthy, 1 degraded, 2 unhealthy, no answer, or bad arguments. Certificates are
    /// those that this machine trusts, or those in the file that SSL_CERT_FILE names.
    Health(HealthArguments),
}

#[derive(Debug, Args)]
pub(crate) struct HealthArguments {
    /// The server, with a path when its routes are below one
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub(crate) url: String,
    /// Print what the server replies instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// A file with a token of scope read, in its first line that is not empty and does not begin with #
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Wait at most so long for the answer, 0.001 to 3600
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) timeout: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.001..=3_600.0).contains(seconds));
    seconds.ok_or_else(|| "accepted is a number from 0.001 to 3600".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The file to read [default: the one that TTA_CONFIG names, if any]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to serve health, queries and configuration [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR")]
    pub(crate) address: Option<String>,
    /// Where to serve metrics, or `off` [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics_address: Option<String>,
    /// Where to take OTLP over gRPC, or `off` [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR")]
    pub(crate) otlp_grpc_address: Option<String>,
    /// Where to take OTLP over HTTP, or `off` [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR")]
    pub(crate) otlp_http_address: Option<String>,
    /// Serve other machines without asking for a token
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Write kept traces to this file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) traces: Option<PathBuf>,
    /// How long an orderly end may take, in seconds, 1 to 3600
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) deadline: u64,
}

#[derive(Debug, Args)]
pub(crate) struct SamplingArguments {
    #[command(subcommand)]
    pub(crate) command: SamplingCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SamplingCommand {
    /// Decide about trace ids, one a line on standard input, at a rate
    ///
    /// Answers with a JSON line each: trace_id, decision (sample or drop), reason, rate. A line that
    /// cannot be decided about is told on standard error. Exit codes: 0, 1 when a line was wrong, 2
    /// for bad arguments.
    Decide {
        /// The share that is kept, 0 to 1
        #[arg(long, value_name = "RATE", value_parser = rate, allow_negative_numbers = true)]
        rate: Rate,
        /// How chance is taken: otel (OpenTelemetry's consistent probability) or md5
        #[arg(long, value_name = "HASH", default_value = "otel", value_parser = hash)]
        hash: SamplingHash,
    },
    /// Decide about finished traces, one JSON object a line on standard input
    ///
    /// Each has trace_id, default_rate, always_sample_errors, always_sample_slow, slow_threshold_ms,
    /// has_error and duration_ms. Answers with the object and head, tail (sample or drop) and
    /// tail_reason. Exit codes as of decide.
    Tail {
        /// How chance is taken: otel (OpenTelemetry's consistent probability) or md5
        #[arg(long, value_name = "HASH", default_value = "otel", value_parser = hash)]
        hash: SamplingHash,
    },
    /// Show what a configuration would keep of the traces in a file, before it is put to use
    ///
    /// Each trace of FILE is decided about as a program with this configuration would have: failed,
    /// cancelled and slow ones, rules in their order, settings of workflows, else by its id. Shown
    /// are traces and bytes by what decides, failed traces that would be lost, rules that match
    /// nothing, and names in the configuration that no trace has. The environment counts as for
    /// `tta config check`. Rotated predecessors of FILE are not read.
    ///
    /// Exit codes: 0; 1 when failed traces would be lost, or nothing or not all could be read; 2 for
    /// bad arguments or a configuration that is none. Lines that are no traces are told on standard
    /// error and passed over.
    DryRun(DryRunArguments),
}

#[derive(Debug, Args)]
pub(crate) struct DryRunArguments {
    /// The configuration, in TOML
    #[arg(long, value_name = "F")]
    pub(crate) config: PathBuf,
    /// The traces, as `tta demo --traces FILE` and the trace file sink write them
    #[arg(long, value_name = "FILE")]
    pub(crate) traces: PathBuf,
    /// How to print the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: ReportForm,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReportForm {
    /// For people, 80 columns wide
    Text,
    /// One object
    Json,
}

fn rate(text: &str) -> Result<Rate, String> {
    let rate = text.parse().ok().and_then(|rate: f64| Rate::new(rate).ok());
    rate.ok_or_else(|| "accepted is a number from 0 to 1".to_owned())
}

fn hash(text: &str) -> Result<SamplingHash, String> {
    text.parse().map_err(|_| "accepted is otel or md5".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every field as it is in effect: preset, file, environment
    Show {
        /// Print this preset instead: development, staging or production
        #[arg(long, value_name = "PRESET", value_parser = preset)]
        preset: Option<Preset>,
        /// The file to read [default: the one that TTA_CONFIG names, if any]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// How to print it
        #[arg(long, value_name = "FORMAT", default_value = "toml")]
        format: ConfigForm,
    },
    /// Check a file together with the environment; all problems at once
    ///
    /// Exit codes: 0 when it is a configuration, 1 when something in it is wrong, 2 when it cannot
    /// be read.
    Check {
        /// The file, in TOML
        file: PathBuf,
    },
    /// Print the JSON Schema, for editors
    Schema,
    /// Print in what the presets differ
    Presets,
    /// Print every field with what it accepts and means
    Reference {
        /// How to print it [default: a list on a terminal, else a Markdown table]
        #[arg(long, value_name = "FORMAT")]
        format: Option<ReferenceForm>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ReferenceForm {
    /// For people: lines of at most 80 columns
    List,
    /// For documents: a row for each field
    Markdown,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ConfigForm {
    /// As a configuration file has it
    Toml,
    /// As the configuration API has it
    Json,
}

fn preset(text: &str) -> Result<Preset, String> {
    Preset::of(text).ok_or_else(|| "accepted is development, staging or production".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Files and directories to analyse; .gitignore is respected, .git skipped [default: the
    /// repository around the current directory, or that directory outside of one]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Files analysed at the same time, 1 to 10000 [default: 4 for each processor]
    #[arg(long, value_name = "N", value_parser = concurrency, allow_negative_numbers = true)]
    pub(crate) concurrency: Option<NonZeroUsize>,
    /// Analyse at most N files, 1 or more [default: all]
    #[arg(long, value_name = "N", value_parser = limit, allow_negative_numbers = true)]
    pub(crate) limit: Option<NonZeroUsize>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the workflow's graph and exit [default form: text]
    #[arg(
        long, value_name = "FORM", num_args = 0..=1, default_missing_value = "text",
        conflicts_with_all = ["json", "traces", "trace"]
    )]
    pub(crate) graph: Option<GraphForm>,
    /// Also append every trace to FILE, one JSON object per line; FILE itself is not analysed
    #[arg(long, value_name = "FILE")]
    pub(crate) traces: Option<PathBuf>,
    /// Log to standard error what happens in the runs, each line with its trace id, from this level
    /// on: off, error, warn, info, debug or trace, also for a target, as in `warn,tta=debug`
    /// [default: info with --log-format, else off]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// Log lines as text, for people, or as JSON [default: text with --log-level]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// Serve the metrics at http://ADDR/metrics from before the work until Ctrl-C or SIGTERM; ADDR is
    /// an address of this machine with a port, or only the port, 0 for any that is free
    /// [default ADDR: 127.0.0.1:9464]
    #[arg(
        long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:9464",
        value_parser = address, conflicts_with = "graph"
    )]
    pub(crate) metrics: Option<SocketAddr>,
    /// Serve the metrics also at an ADDR that other machines reach; everybody there can read them
    #[arg(long, requires = "metrics")]
    pub(crate) insecure: bool,
    /// Print only this run's trace, with all attributes
    #[arg(long, value_name = "WHICH", conflicts_with = "json")]
    pub(crate) trace: Option<Which>,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// The trace's id, or its first digits (at least 4)
    pub(crate) id: String,
    /// The trace file to look in; its rotated predecessors are read too
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum GraphForm {
    /// A tree
    Text,
    /// A Mermaid flowchart
    Mermaid,
    /// Graphviz DOT
    Dot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The run that took longest
    Slowest,
    /// The first run that failed
    Failed,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.parse().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    port.or_else(|_| text.parse()).map_err(|_| {
        "accepted is an address with a port, as 127.0.0.1:9464 or [::1]:9464, or a port, 0 to 65535; paths go before \
         --metrics"
            .to_owned()
    })
}

fn concurrency(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= 10_000);
    number.ok_or_else(|| "accepted is a whole number from 1 to 10000".to_owned())
}

fn limit(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "accepted is a whole number, 1 or more".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn numbers_out_of_range_are_named_with_what_is_accepted() {
        let error = |option, text| Arguments::try_parse_from(["tta", "demo", option, text]).unwrap_err().to_string();
        for text in ["0", "10001", "-1", "many", "1.5", "99999999999999999999"] {
            let start = format!("error: invalid value '{text}' for '--concurrency <N>': accepted is a whole number ");
            assert!(error("--concurrency", text).starts_with(&format!("{start}from 1 to 10000\n")));
            if text != "10001" {
                let start = format!("error: invalid value '{text}' for '--limit <N>': accepted is a whole number, ");
                assert!(error("--limit", text).starts_with(&format!("{start}1 or more\n")));
            }
        }
    }

    #[test]
    fn metrics_are_served_at_an_address_or_a_port_of_this_machine() {
        let parse = |arguments: &[&str]| {
            let all = [&["tta", "demo"], arguments].concat();
            Arguments::try_parse_from(all).map(|parsed| match parsed.command {
                Command::Demo(demo) => demo.metrics.map(|address| address.to_string()),
                _ => None,
            })
        };
        assert_eq!(parse(&[]).unwrap(), None);
        for (text, want) in [("0", "127.0.0.1:0"), ("9000", "127.0.0.1:9000"), ("[::1]:9464", "[::1]:9464")] {
            assert_eq!(parse(&["--metrics", text]).unwrap().as_deref(), Some(want));
        }
        assert_eq!(parse(&["docs", "--metrics"]).unwrap().as_deref(), Some("127.0.0.1:9464"));
        for text in ["localhost:9464", "65536", "127.0.0.1", "docs"] {
            let error = parse(&["--metrics", text]).unwrap_err().to_string();
            let start = format!("error: invalid value '{text}' for '--metrics [<ADDR>]': accepted is an address with");
            assert!(error.starts_with(&start), "{error}");
        }
        assert!(parse(&["--metrics", "0", "--graph"]).is_err());
    }

    #[test]
    fn numbers_in_range_and_any_number_of_paths_are_accepted() {
        for text in ["1", "10000"] {
            assert!(Arguments::try_parse_from(["tta", "demo", "--concurrency", text]).is_ok());
        }
        let arguments = Arguments::try_parse_from(["tta", "demo", "--concurrency", "7", "a", "b"]).unwrap();
        let Command::Demo(demo) = arguments.command else { panic!("parsed as another command") };
        assert_eq!((demo.concurrency.map(NonZeroUsize::get), demo.paths.len()), (Some(7), 2));
    }
}
