//! A dry run as text, 80 columns wide.

use tta::telemetry::format;
use tta::telemetry::sampling::{DryRunReport, DryRunRow, DryRunRule, UnknownName};

use super::dry_run::Found;

const WIDTH: usize = 80;
const NAME: usize = 32;

pub(super) fn write(found: &Found<'_>) -> String {
    let report = &found.report;
    let total = &report.total;
    let mut out = String::new();
    paragraph(
        &mut out,
        &format!(
            "{} by {}: of {} traces ({}) it would keep {}, {} ({}).",
            found.file.display(),
            found.config.display(),
            total.traces,
            whole(bytes(total.bytes as f64)),
            total.kept,
            whole(share(total.kept, total.traces)),
            whole(bytes(total.kept_bytes as f64)),
        ),
    );
    out.push('\n');
    stored(&mut out, report);
    estimated(&mut out, report);
    lost(&mut out, report);
    let rules = |applies: fn(&DryRunRule) -> bool| {
        let names = report.rules.iter().filter(|rule| applies(rule)).map(|rule| rule.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    told(&mut out, "Rules that match no trace", &rules(|rule| rule.matched == 0));
    told(
        &mut out,
        "Rules that match and decide nothing, for what they match is kept anyway or an earlier rule's",
        &rules(|rule| rule.matched > 0 && rule.decided == 0),
    );
    told(&mut out, "Attributes in rules that no trace has", &names(&report.unknown_attributes));
    told(&mut out, "Workflows with settings of which there is no trace", &names(&report.unknown_workflows));
    if found.unreadable > 0 {
        paragraph(&mut out, &format!("Lines that are no traces and were passed over: {}.", found.unreadable));
    }
    found.notes.iter().for_each(|note| paragraph(&mut out, note));
    out
}

fn paragraph(out: &mut String, text: &str) {
    for (place, line) in format::wrap(text, WIDTH).iter().enumerate() {
        out.push_str(if place == 0 { "" } else { "  " });
        out.push_str(line);
        out.push('\n');
    }
}

fn told(out: &mut String, what: &str, names: &str) {
    if !names.is_empty() {
        paragraph(out, &format!("{what}: {names}."));
    }
}

/// What is in the file.
fn stored(out: &mut String, report: &DryRunReport) {
    let line = |name: &str, cells: [String; 5]| {
        let [traces, share, kept, dropped, bytes] = cells;
        named(name, &format!("{traces:>9}{share:>9}{kept:>9}{dropped:>9}{bytes:>12}"))
    };
    out.push_str(&line("decided by", ["traces", "share", "kept", "dropped", "kept bytes"].map(str::to_owned)));
    for row in report.rows.iter().chain([&report.total]) {
        let cells = [
            count(row.traces as f64),
            share(row.traces, report.total.traces),
            count(row.kept as f64),
            count((row.traces - row.kept) as f64),
            bytes(row.kept_bytes as f64),
        ];
        out.push_str(&line(&row.reason, cells));
    }
    out.push('\n');
}

/// What that stands for, unless every trace stands for itself.
fn estimated(out: &mut String, report: &DryRunReport) {
    let total = &report.total;
    let is_sampled = |row: &DryRunRow| row.stands_for.value > row.stands_for.kept as f64 + 0.5;
    if is_sampled(total) {
        let interval = total.stands_for.interval.map(|(low, high)| format!(" ({} to {})", count(low), count(high)));
        let about = format!(
            "By their weights they stand for about {}{} runs, of which {} are expected to be kept:",
            count(total.stands_for.value),
            interval.unwrap_or_default(),
            count(total.expected_kept),
        );
        paragraph(out, &about);
        let line =
            |name: &str, [runs, kept, bytes]: [String; 3]| named(name, &format!("{runs:>12}{kept:>12}{bytes:>12}"));
        out.push_str(&line("decided by", ["runs", "kept", "kept bytes"].map(str::to_owned)));
        for row in report.rows.iter().chain([total]) {
            let cells = [count(row.stands_for.value), count(row.expected_kept), bytes(row.expected_kept_bytes)];
            out.push_str(&line(&row.reason, cells));
        }
        out.push('\n');
    }
    if total.of_unknown_weight > 0 {
        paragraph(
            out,
            &format!("Traces of unknown weight, which stand for nobody knows how many: {}.", total.of_unknown_weight),
        );
    }
}

fn lost(out: &mut String, report: &DryRunReport) {
    if report.lost_errors == 0 {
        out.push_str("No failed trace would be lost.\n");
        return;
    }
    out.push_str(&format!("Failed traces that would be LOST: {}\n", report.lost_errors));
    report.first_lost.iter().for_each(|id| out.push_str(&format!("  {id}\n")));
    if let Some(more) = report.lost_errors.checked_sub(report.first_lost.len() as u64).filter(|more| *more > 0) {
        out.push_str(&format!("  and {more} more\n"));
    }
}

/// A name and what there is of it; below the name where that is long.
fn named(name: &str, cells: &str) -> String {
    if name.chars().count() > NAME {
        return format!("{}\n{:NAME$}{cells}\n", format::clip(name, WIDTH), "");
    }
    format!("{name:<NAME$}{cells}\n")
}

fn names(names: &[UnknownName]) -> String {
    let name = |unknown: &UnknownName| match &unknown.nearest {
        Some(nearest) => format!("`{}` (did you mean `{nearest}`?)", unknown.name),
        None => format!("`{}`", unknown.name),
    };
    names.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A number that a line break does not part from its unit: control characters become blanks once lines
/// are broken.
fn whole(number: String) -> String {
    number.replace(' ', "\u{1f}")
}

fn share(part: u64, all: u64) -> String {
    format!("{:.1} %", if all > 0 { part as f64 / all as f64 * 100.0 } else { 0.0 })
}

/// At most 8 characters.
fn count(number: f64) -> String {
    match number {
        ..99_999_999.5 => format!("{number:.0}"),
        ..1e12 => format!("{:.1} M", number / 1e6),
        _ => format!("{number:.1e}"),
    }
}

pub(super) fn bytes(bytes: f64) -> String {
    let units = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", bytes / size),
        None => format!("{bytes:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_their_columns_however_large_they_are() {
        for (number, want) in
            [(0.0, "0"), (99_999_999.0, "99999999"), (123_456_789.0, "123.5 M"), (9.99e11, "999000.0 M")]
        {
            assert_eq!(count(number), want);
        }
        assert_eq!(count(1.8e19), "1.8e19");
        for (size, want) in
            [(0.0, "0 B"), (999.0, "999 B"), (1_500.0, "1.5 kB"), (2.5e6, "2.5 MB"), (7e15, "7000.0 TB")]
        {
            assert_eq!(bytes(size), want);
        }
        assert_eq!((share(1, 3), share(0, 0)), ("33.3 %".to_owned(), "0.0 %".to_owned()));
    }

    #[test]
    fn a_number_and_its_unit_stay_on_one_line() {
        let mut out = String::new();
        paragraph(&mut out, &format!("{} ({})", "x".repeat(73), whole(bytes(21_700.0))));
        assert_eq!(out, format!("{}\n  (21.7 kB)\n", "x".repeat(73)));
    }

    #[test]
    fn a_long_name_stands_above_its_numbers() {
        let long = format!("rule:{}", "x".repeat(32));
        let lines = named(&long, "    1");
        assert_eq!(lines.lines().map(str::len).collect::<Vec<_>>(), [37, 37]);
        assert_eq!(named("rule:short", "    1"), format!("{:32}    1\n", "rule:short"));
    }
}
