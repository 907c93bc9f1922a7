//! Sagas against the end of their process, with a real side effect: each step creates a file, and
//! its compensation deletes it. What a process does when it is interrupted is done by a real one,
//! this binary run again.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tta_primitives::{Context, Workflow, saga, workflow};
use tta_telemetry::Telemetry;

/// Names the directory to the process that is to be interrupted.
const DIRECTORY: &str = "TTA_TEST_SAGA_DIRECTORY";
/// What it says once all files are there.
const READY: &str = "the files are there";
const LONG: Duration = Duration::from_secs(60);

async fn flight(directory: PathBuf) -> std::io::Result<PathBuf> {
    let file = directory.join("flight");
    std::fs::write(&file, "reserved").map(|()| file)
}

async fn hotel(flight: PathBuf) -> std::io::Result<PathBuf> {
    let file = flight.with_file_name("hotel");
    std::fs::write(&file, "reserved").map(|()| file)
}

async fn delete(file: PathBuf) -> std::io::Result<()> {
    // Takes a moment, so that a process that does not wait ends before.
    tokio::task::yield_now().await;
    std::fs::remove_file(file)
}

/// Waits for a payment that never comes.
async fn payment(_: PathBuf) -> std::io::Result<()> {
    println!("{READY}");
    std::future::pending().await
}

fn booking() -> Workflow<PathBuf, ()> {
    let booking = saga("book trip").step(flight).compensate(delete).step(hotel).compensate(delete);
    workflow("trips", booking.step(payment).uncompensated().build().unwrap())
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What a program does that can be interrupted: it drops its run, and shuts the engine down.
async fn run_until_interrupted(directory: PathBuf) {
    let mut interrupts = signal(SignalKind::interrupt()).unwrap();
    let telemetry = Telemetry::builder().build().unwrap();
    let (flow, cx) = (booking(), Context::on(telemetry.clone()));
    tokio::select! {
        _ = flow.run(directory, &cx) => unreachable!("the payment never comes"),
        _ = interrupts.recv() => {}
    }
    let report = telemetry.shutdown(LONG).await;
    assert!(report.complete, "not undone: {:?}", report.unfinished);
}

/// Run by the others in a process of its own; by itself it interrupts itself.
#[test]
fn an_interrupted_program_undoes_what_it_did_before_it_ends() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return runtime.block_on(run_until_interrupted(directory.into()));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = start_in(directory.path());
    interrupt(&child);
    assert!(child.wait().unwrap().success());
    assert_eq!(files(directory.path()), Vec::<String>::new());
}

/// The one end that nothing can be done about: whoever cannot afford it keeps a journal.
#[test]
fn a_killed_program_leaves_what_it_did() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start_in(directory.path());
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(files(directory.path()), ["flight", "hotel"]);
}

/// A process whose saga has created its files.
fn start_in(directory: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "an_interrupted_program_undoes_what_it_did_before_it_ends", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.as_mut().unwrap()).lines().map_while(Result::ok);
    assert!(said.into_iter().any(|line| line.contains(READY)), "it ended before it was interrupted");
    assert_eq!(files(directory), ["flight", "hotel"]);
    child
}

fn interrupt(child: &Child) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status().unwrap();
    assert!(sent.success());
}
