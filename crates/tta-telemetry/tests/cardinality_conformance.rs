//! What the original implementation made of label values, with hashing off: every case of
//! `data/label_cardinality.json`, a copy of the project's conformance data, which was computed by
//! running it. (With hashing on, the original was not bounded.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use tta_telemetry::{CardinalityLimits, CardinalityStats, LabelLimiter, Name};

struct Case<'a> {
    limits: CardinalityLimits,
    key: &'a str,
    /// Values in order of arrival, and what each became.
    sequence: Vec<(&'a str, &'a str)>,
    stats: CardinalityStats,
}

/// What follows `"name":`, up to the end of the line.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no `{name}`"));
    rest.lines().next().unwrap().trim().trim_end_matches(',').trim_matches('"')
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str, name: &str) -> T {
    field(text, name).parse().unwrap()
}

/// The numbers of an object that has one line for each key.
fn numbers(text: &str, name: &str) -> std::collections::BTreeMap<Name, u64> {
    let (_, rest) = text.split_once(&format!("\"{name}\": {{")).unwrap();
    let lines = rest.split_once('}').unwrap().0.lines().filter_map(|line| line.trim().split_once(':'));
    let entry = |(key, value): (&str, &str)| {
        (Name::from(key.trim_matches('"').to_owned()), value.trim().trim_end_matches(',').parse().unwrap())
    };
    lines.map(entry).collect()
}

/// The file's layout is fixed, so that this needs no JSON.
fn cases(file: &str) -> Vec<Case<'_>> {
    let case = |text| {
        let (head, stats): (&str, &str) = str::split_once(text, "\"stats\"").unwrap();
        let sequence = head.split_once("\"sequence\"").unwrap().1;
        let words: Vec<&str> = sequence.split('"').skip(1).step_by(2).collect();
        Case {
            limits: CardinalityLimits {
                max_label_values: number(head, "max_label_values"),
                hash_high_cardinality: number(head, "hash"),
                ..CardinalityLimits::default()
            },
            key: field(head, "key"),
            sequence: words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
            stats: CardinalityStats {
                label_cardinality: numbers(stats, "label_cardinality"),
                dropped_labels: numbers(stats, "dropped_labels"),
                max_label_values: number(stats, "max_label_values"),
                hash_high_cardinality: number(stats, "hash_high_cardinality"),
                total_labels: number(stats, "total_labels"),
                unique_primitives: number(stats, "unique_primitives"),
            },
        }
    };
    file.split("\n {\n").skip(1).map(case).collect()
}

#[test]
fn every_value_becomes_what_the_original_made_of_it() {
    let cases = cases(include_str!("data/label_cardinality.json"));
    assert_eq!(cases.iter().map(|case| case.sequence.len()).collect::<Vec<_>>(), [30, 30]);
    for case in cases {
        let limiter = LabelLimiter::new(case.limits).unwrap();
        for (arrived, (value, became)) in case.sequence.iter().enumerate() {
            assert_eq!(limiter.label(case.key, value), *became, "value {arrived} of limit {:?}", case.limits);
        }
        assert_eq!(limiter.stats(), case.stats);
    }
}
