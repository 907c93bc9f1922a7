//! `docs/metrics.md`: its tables are what the code's own table of metrics says.
//!
//! An example of `tta-telemetry` prints them, so that this program need not be built with the crates
//! that it checks.

use crate::process;
use crate::step::{Outcome, StepResult};

const DOCUMENT: &str = "docs/metrics.md";
const PACKAGE: &str = "tta-telemetry";
const EXAMPLE: &str = "metrics_tables";
/// The line after which everything is generated.
const MARK: &str = "<!-- from here to the end: `cargo xtask docs` -->\n";

/// Writes what is generated.
pub(crate) fn write() -> StepResult {
    let text = with_tables(&read()?, &tables()?)?;
    std::fs::write(DOCUMENT, text).map_err(|error| format!("cannot write {DOCUMENT}: {error}"))?;
    println!("written: {DOCUMENT}");
    Ok(Outcome::Done)
}

/// Whether what is generated is what would be written.
pub(crate) fn check() -> StepResult {
    let present = read()?;
    if with_tables(&present, &tables()?)? == present {
        Ok(Outcome::Done)
    } else {
        Err(format!("{DOCUMENT} is not what the table of metrics says: run `cargo xtask docs`"))
    }
}

fn read() -> Result<String, String> {
    std::fs::read_to_string(DOCUMENT).map_err(|error| format!("cannot read {DOCUMENT}: {error}"))
}

fn tables() -> Result<String, String> {
    let run = ["run", "--quiet", "-p", PACKAGE, "--example", EXAMPLE];
    process::capture(process::cargo().args(run)).map(|output| output.stdout)
}

fn with_tables(document: &str, tables: &str) -> Result<String, String> {
    let (written, _) =
        document.split_once(MARK).ok_or_else(|| format!("{DOCUMENT} has no line `{}`", MARK.trim_end()))?;
    Ok([written, MARK, tables].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_mark_is_replaced_and_the_rest_stays() {
        let document = format!("# Metrics\n\n{MARK}old\n");
        let want = format!("# Metrics\n\n{MARK}new\n");
        assert_eq!(with_tables(&document, "new\n"), Ok(want.clone()));
        assert_eq!(with_tables(&want, "new\n"), Ok(want));
        assert!(with_tables("# Metrics\n", "new\n").unwrap_err().starts_with("docs/metrics.md has no line `<!-- from"));
    }
}
