//! Which name was probably meant, across all levels of the configuration.
//!
//! How near two texts are is `nearest`'s.

use std::cmp::Reverse;

use super::fields::{FIELDS, field};
use super::nearest::nearest;
use super::sections::{SECTIONS, section};

/// What others call a field.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("preset", "environment"),
    ("env", "environment"),
    ("profile", "environment"),
    ("service", "service_name"),
    ("name", "service_name"),
    ("version", "service_version"),
    ("rate", "tracing.sampling.default_rate"),
    ("sample_rate", "tracing.sampling.default_rate"),
    ("sampling_rate", "tracing.sampling.default_rate"),
    ("log_level", "logging.level"),
    ("log_format", "logging.format"),
    ("traces", "tracing"),
    ("slos", "slo"),
    ("objectives", "slo"),
    ("budgets", "cost.budgets"),
    ("exporter", "otlp"),
    ("export", "otlp"),
    ("collector", "otlp.endpoint"),
    ("push", "metrics.push"),
    ("listen", "server.address"),
    ("tls_cert_file", "server.tls_certificate_file"),
];

/// The paths of fields and sections.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|field| field.path).chain(SECTIONS.iter().map(|section| section.path))
}

/// Whether there are fields or sections below a path.
pub(super) fn is_table(path: &str) -> bool {
    names().any(|name| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// The path that was probably meant: of a field, a section or a table. A neighbour of the same table
/// comes first, then what ends alike on another level, then what others call it.
pub(super) fn near(path: &str) -> Option<String> {
    // A path in quotes is one key, and none.
    let path = &path.replace('"', "");
    if field(path).is_some() || section(path).is_some() || is_table(path) {
        return Some(path.clone());
    }
    let tables = names().flat_map(|name| name.match_indices('.').map(|(end, _)| name.get(..end).unwrap_or(name)));
    let mut known: Vec<&str> = names().collect();
    for table in tables {
        if !known.contains(&table) {
            known.push(table);
        }
    }
    beside(path, &known)
        .or_else(|| alike(path, &known))
        .or_else(|| other_name(path))
        .or_else(|| below(path, &known))
        .or_else(|| whole(path, &known))
}

/// Where the table itself is not known.
fn whole(path: &str, known: &[&str]) -> Option<String> {
    path.rsplit_once('.').filter(|(table, _)| !known.contains(table))?;
    nearest(path, known.iter().copied()).map(str::to_owned)
}

/// Within a known table only the last part can be wrong.
fn beside(path: &str, known: &[&str]) -> Option<String> {
    let Some((table, last)) = path.rsplit_once('.') else {
        return nearest(path, known.iter().copied().filter(|name| !name.contains('.'))).map(str::to_owned);
    };
    let siblings = known.iter().filter_map(|name| name.rsplit_once('.').filter(|(of, _)| *of == table));
    nearest(last, siblings.map(|(_, last)| last)).map(|last| format!("{table}.{last}"))
}

/// What ends in as many of the same parts as possible; of several, what begins alike, too.
fn alike(path: &str, known: &[&str]) -> Option<String> {
    let parts: Vec<&str> = path.split('.').collect();
    let ends = |name: &str, count: usize| {
        let own: Vec<&str> = name.split('.').collect();
        own.len() >= count
            && own.iter().rev().zip(parts.iter().rev()).take(count).all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    let begins = |name: &str| name.split('.').zip(&parts).take_while(|(a, b)| a == *b).count();
    let found = (1..=parts.len()).rev().find_map(|count| {
        known.iter().copied().filter(|name| ends(name, count)).min_by_key(|name| Reverse(begins(name)))
    });
    found.map(str::to_owned)
}

/// What others call the last part.
fn other_name(path: &str) -> Option<String> {
    let last = path.rsplit('.').next().unwrap_or(path);
    let found = OTHER_NAMES.iter().find(|(other, _)| last.eq_ignore_ascii_case(other));
    found.map(|(_, name)| (*name).to_owned())
}

/// What ends nearly alike: with a slip of the pen on another level.
fn below(path: &str, known: &[&str]) -> Option<String> {
    let last = path.rsplit('.').next().unwrap_or(path);
    // Short words are near too many others.
    let last = Some(last).filter(|last| last.len() >= 6)?;
    let lasts = known.iter().map(|name| name.rsplit('.').next().unwrap_or(name));
    let meant = nearest(last, lasts)?;
    known.iter().find(|name| name.rsplit('.').next() == Some(meant)).map(|name| (*name).to_owned())
}
