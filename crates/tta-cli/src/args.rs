//! The command line's grammar and help.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Exit codes: 0 when something was analysed, 1 when nothing could be, 2 for bad arguments,
    /// 130 after Ctrl-C (what was done until then is shown).
    Demo(Demo),
    /// Show one trace of a trace file as a tree
    ///
    /// Trace files are written by `tta demo --traces FILE`. Exit codes: 0 found, 1 not found, 2
    /// for bad arguments or an unreadable file.
    Trace(Trace),
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Files and directories to analyse; .gitignore is respected, .git skipped [default: the
    /// repository around the current directory]
    pub(crate) paths: Vec<PathBuf>,
    /// Files analysed at the same time, 1 to 10000 [default: 4 for each processor]
    #[arg(long, value_name = "N", value_parser = concurrency)]
    pub(crate) concurrency: Option<NonZeroUsize>,
    /// Analyse at most N files
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the workflow's graph and exit
    #[arg(long, value_name = "FORM", num_args = 0..=1, default_missing_value = "text")]
    pub(crate) graph: Option<GraphForm>,
    /// Also write every trace to FILE, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub(crate) traces: Option<PathBuf>,
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

fn concurrency(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= 10_000);
    number.ok_or_else(|| "accepted is a whole number from 1 to 10000".to_owned())
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
    fn concurrency_names_what_it_accepts() {
        for text in ["0", "10001", "-1", "many"] {
            let error = Arguments::try_parse_from(["tta", "demo", "--concurrency", text]).unwrap_err().to_string();
            assert!(error.contains(&format!("'{text}'")) || text == "-1", "{error}");
        }
        let arguments = Arguments::try_parse_from(["tta", "demo", "--concurrency", "7", "a", "b"]).unwrap();
        let Command::Demo(demo) = arguments.command else { panic!("parsed as another command") };
        assert_eq!((demo.concurrency.map(NonZeroUsize::get), demo.paths.len()), (Some(7), 2));
    }
}
