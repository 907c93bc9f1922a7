//! Help, and arguments that are wrong.

use crate::support::Tree;

/// Runs with bad arguments; returns the first line of what is said.
fn complaint(arguments: &[&str]) -> String {
    let ran = Tree::mixed().run(arguments);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{}", ran.err);
    ran.err.lines().next().unwrap().to_owned()
}

#[test]
fn help_fits_80_columns_and_describes_every_command() {
    let tree = Tree::new(&[]);
    for arguments in [&["--help"][..], &["demo", "--help"], &["demo", "-h"], &["trace", "--help"]] {
        let ran = tree.run(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "{}", ran.out);
    }
    insta::assert_snapshot!(tree.run(&["demo", "--help"]).out, @r"
    Analyse documents through a workflow, and show what every step did

    Each file is read, validated (UTF-8, size, not empty), measured in four ways
    side by side (statistics, keywords, readability, language) and summarised, short
    or long by its size. At the end: a table of all steps, the slowest run and the
    first failed run as trace trees.

    A file that several of the paths reach is analysed once. Links, pipes and
    devices that are met in a directory are passed by; a link that is given is
    followed.

    Exit codes: 0 when something was analysed, 1 when nothing could be, 2 for bad
    arguments or output that could not be written, 130 after Ctrl-C or SIGTERM (what
    was done until then is shown; a second one ends at once). With --metrics these
    are how it is meant to end, once the work is done, and do not change the code.

    Usage: tta demo [OPTIONS] [PATH]...

    Arguments:
      [PATH]...
              Files and directories to analyse; .gitignore is respected, .git
              skipped [default: the repository around the current directory, or that
              directory outside of one]

    Options:
          --concurrency <N>
              Files analysed at the same time, 1 to 10000 [default: 4 for each
              processor]

          --limit <N>
              Analyse at most N files, 1 or more [default: all]

          --json
              Print one JSON object instead of text

          --graph [<FORM>]
              Print the workflow's graph and exit [default form: text]

              Possible values:
              - text:    A tree
              - mermaid: A Mermaid flowchart
              - dot:     Graphviz DOT

          --traces <FILE>
              Also append every trace to FILE, one JSON object per line; FILE itself
              is not analysed

          --log-level <LEVEL>
              Log to standard error what happens in the runs, each line with its
              trace id, from this level on: off, error, warn, info, debug or trace,
              also for a target, as in `warn,tta=debug` [default: info with
              --log-format, else off]

          --log-format <FORMAT>
              Log lines as text, for people, or as JSON [default: text with
              --log-level]

          --metrics [<ADDR>]
              Serve the metrics at http://ADDR/metrics from before the work until
              Ctrl-C or SIGTERM; ADDR is an address of this machine with a port, or
              only the port, 0 for any that is free [default ADDR: 127.0.0.1:9464]

          --insecure
              Serve the metrics also at an ADDR that other machines reach; everybody
              there can read them

          --trace <WHICH>
              Print only this run's trace, with all attributes

              Possible values:
              - slowest: The run that took longest
              - failed:  The first run that failed

      -h, --help
              Print help (see a summary with '-h')
    ");
    insta::assert_snapshot!(tree.run(&["trace", "--help"]).out, @r"
    Show one trace of a trace file as a tree

    Trace files are written by `tta demo --traces FILE`. Exit codes: 0 found, 1 not
    found, 2 for bad arguments or an unreadable file.

    Usage: tta trace --from <FILE> <ID>

    Arguments:
      <ID>
              The trace's id, or its first digits (at least 4)

    Options:
          --from <FILE>
              The trace file to look in; its rotated predecessors are read too

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn without_a_command_help_is_shown_as_an_error() {
    let ran = Tree::new(&[]).run(&[]);
    assert!(ran.err.contains("Usage: tta <COMMAND>"), "{}", ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
}

#[test]
fn a_path_that_does_not_exist_is_named_and_nothing_is_analysed() {
    let message = "error: cannot analyse `missing/x`: No such file or directory (os error 2)";
    assert_eq!(complaint(&["demo", "en.txt", "missing/x"]), message);
    assert_eq!(complaint(&["demo", "--json", "en.txt/x"]).split(':').nth(1), Some(" cannot analyse `en.txt/x`"));
}

#[test]
fn numbers_are_checked() {
    assert_eq!(
        complaint(&["demo", "--concurrency", "0"]),
        "error: invalid value '0' for '--concurrency <N>': accepted is a whole number from 1 to 10000"
    );
    assert_eq!(
        complaint(&["demo", "--limit", "-1"]),
        "error: invalid value '-1' for '--limit <N>': accepted is a whole number, 1 or more"
    );
}

#[test]
fn a_trace_file_that_cannot_be_written_is_named_before_anything_is_analysed() {
    let cannot = |path: &str, why: &str| format!("error: cannot open trace file `{path}`: {why}");
    assert_eq!(complaint(&["demo", "--traces", "."]), cannot(".", "the path names no file"));
    let start = complaint(&["demo", "--traces", "nested"]);
    assert!(start.ends_with("nested`: it is a directory, accepted is a file"), "{start}");
    assert_eq!(
        complaint(&["demo", "--traces", "/nowhere/x"]),
        cannot("/nowhere/x", "there is no directory `/nowhere`")
    );
}
