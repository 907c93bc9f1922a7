//! Conditions as text, such that reading it gives the same condition.

use std::fmt::{self, Display, Formatter, Write};

use super::ast::{Check, Class, Condition, Literal, Test};

/// From the largest unit that leaves no fraction.
const UNITS: [(u64, &str); 5] =
    [(60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Or(all) => joined(f, all, " or ", |inner| matches!(inner, Condition::Or(_))),
            Condition::And(all) => {
                joined(f, all, " and ", |inner| matches!(inner, Condition::Or(_) | Condition::And(_)))
            }
            Condition::Not(inner) => match **inner {
                Condition::Or(_) | Condition::And(_) => write!(f, "not ({inner})"),
                _ => write!(f, "not {inner}"),
            },
            Condition::Test(test) => test.fmt(f),
        }
    }
}

fn joined(
    f: &mut Formatter<'_>,
    all: &[Condition],
    word: &str,
    needs_parentheses: fn(&Condition) -> bool,
) -> fmt::Result {
    for (place, inner) in all.iter().enumerate() {
        if place > 0 {
            f.write_str(word)?;
        }
        if needs_parentheses(inner) { write!(f, "({inner})")? } else { inner.fmt(f)? }
    }
    Ok(())
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Test::Handled => f.write_str("handled"),
            Test::Duration(order, ns) => write!(f, "duration {} {}", order.as_str(), time(*ns)),
            Test::Latency(order, quantile) => write!(f, "duration {} {quantile}", order.as_str()),
            Test::SpanCount(order, count) => write!(f, "span_count {} {count}", order.as_str()),
            Test::Tokens(order, count) => write!(f, "tokens {} {count}", order.as_str()),
            Test::Cost(order, usd) => write!(f, "cost {} {usd}", order.as_str()),
            Test::Class { listed: true, any_of, .. } => {
                f.write_str("class in [")?;
                list(f, any_of.iter().copied().map(Class::as_str))?;
                f.write_char(']')
            }
            Test::Class { negated, any_of, .. } => {
                let class = any_of.first().copied().map_or("", Class::as_str);
                write!(f, "class {} {class}", if *negated { "!=" } else { "==" })
            }
            Test::Text(field, check) => write!(f, "{} {check}", field.as_str()),
            Test::Attribute { root, key, check } => {
                write!(f, "{}attr({}) {check}", if *root { "root." } else { "" }, Quoted(key))
            }
        }
    }
}

impl Display for Check {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Check::Exists => f.write_str("exists"),
            Check::Compare(order, literal) => write!(f, "{} {literal}", order.as_str()),
            Check::Contains(text) => write!(f, "contains {}", Quoted(text)),
            Check::StartsWith(text) => write!(f, "starts_with {}", Quoted(text)),
            Check::EndsWith(text) => write!(f, "ends_with {}", Quoted(text)),
            Check::Matches(pattern) => write!(f, "matches /{}/", slashes_escaped(pattern.0.as_str())),
            Check::In(literals) => {
                f.write_str("in [")?;
                list(f, literals)?;
                f.write_char(']')
            }
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Text(text) => Quoted(text).fmt(f),
            Literal::Int(number) => write!(f, "{number}"),
            // Always with a point, so that it reads back as what it is.
            Literal::Float(number) if number.fract() == 0.0 => write!(f, "{number:.1}"),
            Literal::Float(number) => write!(f, "{number}"),
            Literal::Bool(truth) => write!(f, "{truth}"),
        }
    }
}

fn list(f: &mut Formatter<'_>, items: impl IntoIterator<Item = impl Display>) -> fmt::Result {
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

fn time(ns: u64) -> String {
    let unit = UNITS.iter().find(|(unit, _)| ns.is_multiple_of(*unit)).filter(|_| ns > 0);
    unit.map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", ns / unit))
}

/// A text in quotes.
struct Quoted<'t>(&'t str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Slashes end a pattern; those that have a backslash already keep it.
fn slashes_escaped(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 2);
    let mut is_escaped = false;
    for c in pattern.chars() {
        if c == '/' && !is_escaped {
            text.push('\\');
        }
        text.push(c);
        is_escaped = c == '\\' && !is_escaped;
    }
    text
}
