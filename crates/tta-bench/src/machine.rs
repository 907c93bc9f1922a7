//! Describes the machine and the moment of a run, for the head of the report.

use std::process::Command;

/// One line: what the figures depend on.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let rustc = first_line(&std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()), &["-V"]);
    format!("{cores} cores, {}, Linux {}, {rustc}", cpu_model(), kernel.trim())
}

/// How many threads wanted a core in the last minute, in the mean.
pub(crate) fn load_average() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown").to_owned()
}

/// The date of the run, by the system's clock.
pub(crate) fn date() -> String {
    first_line("date", &["-u", "+%Y-%m-%d"])
}

fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|rest| rest.split_once(':')).map(|(_, name)| name.trim());
    model.unwrap_or("unknown CPU").to_owned()
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().next().map_or_else(|| format!("unknown {program}"), str::to_owned)
}
