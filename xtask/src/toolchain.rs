//! Compares the compiler in use with the `rust-version` the workspace promises.
//!
//! CI is to run exactly that version, so that what the manifest promises is what was tested.

use std::cmp::Ordering;

use crate::process;
use crate::step::{Outcome, StepResult};
use crate::workspace::Workspace;

/// Says in one line how the two compare; in CI an older compiler is a failure.
pub(crate) fn check() -> StepResult {
    let workspace = Workspace::load()?;
    let minimum = workspace
        .package("xtask")
        .and_then(|package| package.rust_version.clone())
        .ok_or("`rust-version` is not set in Cargo.toml")?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let in_use = process::capture(process::command(rustc).arg("-V"))?.stdout;
    let in_use = in_use.trim();
    let line = match version(in_use).cmp(&version(&minimum)) {
        Ordering::Equal => format!("{in_use} is the minimum supported version, {minimum}"),
        Ordering::Greater => {
            format!("{in_use} is newer than the minimum supported version, {minimum}")
        }
        Ordering::Less => {
            format!("{in_use} is older than the minimum supported version, {minimum}")
        }
    };
    if version(in_use) < version(&minimum) && process::in_ci() {
        return Err(line);
    }
    println!("{line}");
    Ok(Outcome::Done)
}

/// The numbers of the first word that starts with a digit: `rustc 1.95.0 (…)` is `[1, 95, 0]`.
/// A part that is left out is zero.
fn version(text: &str) -> [u32; 3] {
    let word =
        text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit())).unwrap_or("");
    let mut numbers = word.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_a_missing_part_is_zero() {
        assert_eq!(version("rustc 1.95.0 (59807616e 2026-04-14)"), version("1.95"));
        assert_eq!(version("rustc 1.97.1-nightly (e50aa6fba 2026-05-19)"), [1, 97, 1]);
        assert!(version("1.100") > version("1.95.3"));
    }
}
