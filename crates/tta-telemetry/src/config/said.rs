//! Who said what: the source that set a field, and the line on which it did.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fields::FIELDS;
use super::layers::put;
use super::problem::ConfigProblem;
use super::sections::SECTIONS;
use super::types::Config;

/// One source: what problems call it, what it says, and on which lines.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) tree: Value,
    lines: Lines,
}

/// All sources, the weakest first.
pub(super) struct Sources {
    pub(super) of: Vec<Source>,
    /// Where everything else is from.
    pub(super) rest: String,
}

/// The lines of a text on which keys are, by path.
#[derive(Default)]
pub(super) struct Lines(BTreeMap<String, usize>);

impl Source {
    pub(super) fn new(name: impl Into<String>, tree: Value) -> Self {
        Self { name: name.into(), tree, lines: Lines::default() }
    }

    pub(super) fn with_lines(mut self, lines: Lines) -> Self {
        self.lines = lines;
        self
    }

    /// What code has changed.
    pub(super) fn code(before: &Config, after: &Config) -> Self {
        let mut tree = Value::Object(Map::new());
        let fields = FIELDS.iter().map(|field| (field.path, (field.write)(before), (field.write)(after)));
        let sections = SECTIONS.iter().map(|section| (section.path, (section.write)(before), (section.write)(after)));
        for (path, _, new) in fields.chain(sections).filter(|(_, old, new)| old != new) {
            put(&mut tree, path, new);
        }
        Self::new("code", tree)
    }

    /// What problems with what it says at a path call it: `tta.toml:3`, where there are lines.
    fn show(&self, path: &str) -> String {
        match self.lines.of(path) {
            Some(line) => format!("{}:{line}", self.name),
            None => self.name.clone(),
        }
    }

    /// Adds to problems with what this source says the lines on which it is.
    pub(super) fn locate(&self, problems: &mut [ConfigProblem]) {
        problems.iter_mut().for_each(|problem| problem.source = self.show(&problem.path));
    }
}

impl Sources {
    /// Whether any of them says something at this path.
    pub(super) fn say(&self, path: &str) -> bool {
        self.who(path).is_some()
    }

    /// The strongest that says something at this path; one that sets it back to its preset does not.
    fn who(&self, path: &str) -> Option<&Source> {
        let said = |source: &&Source| at(&source.tree, path).is_some();
        self.of.iter().rev().find(said).filter(|source| at(&source.tree, path).is_some_and(|value| !value.is_null()))
    }

    /// In words, as `tta.toml:3`.
    pub(super) fn show(&self, path: &str) -> String {
        self.who(path).map_or_else(|| self.rest.clone(), |source| source.show(path))
    }

    /// A problem with what was said at its path, by whoever said it.
    pub(super) fn blame(&self, mut problem: ConfigProblem) -> ConfigProblem {
        // Entries of lists have no paths of their own in a tree.
        let path = problem.path.split('[').next().unwrap_or_default();
        problem.source = self.who(path).map_or_else(|| self.rest.clone(), |source| source.show(&problem.path));
        problem
    }
}

/// What is at a path; names of entries may have dots in them.
fn at<'v>(tree: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() {
        return Some(tree);
    }
    tree.as_object()?.iter().find_map(|(key, value)| {
        let rest = path.strip_prefix(key.as_str())?;
        at(value, if rest.is_empty() { rest } else { rest.strip_prefix('.')? })
    })
}

impl Lines {
    /// Of a TOML text; none of one that does not read.
    pub(super) fn of_toml(text: &str) -> Self {
        let breaks: Vec<usize> = text.match_indices('\n').map(|(place, _)| place).collect();
        let mut lines = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            lines.table("", table.get_ref(), &|place| breaks.partition_point(|end| *end < place) + 1);
        }
        lines
    }

    fn table(&mut self, path: &str, table: &DeTable<'_>, line: &impl Fn(usize) -> usize) {
        for (key, value) in table {
            let path = if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
            self.value(path, key.span().start, value, line);
        }
    }

    fn value(&mut self, path: String, place: usize, value: &Spanned<DeValue<'_>>, line: &impl Fn(usize) -> usize) {
        match value.get_ref() {
            DeValue::Table(inner) => self.table(&path, inner, line),
            DeValue::Array(list) => {
                for (number, entry) in list.iter().enumerate() {
                    self.value(format!("{path}[{number}]"), entry.span().start, entry, line);
                }
            }
            _ => {}
        }
        self.0.insert(path, line(place));
    }

    /// Of the key at this path, or of the innermost that is known around it.
    fn of(&self, path: &str) -> Option<usize> {
        // Keys that have to be quoted are shown in quotes.
        let path = path.replace('"', "");
        let mut path = path.as_str();
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_keys_and_of_what_is_around_unknown_ones() {
        let text = "a = 1\n\n[b.c]\nd = 2\n[[e]]\nf = 1\n[[e]]\nf = 2\n[\"g.h\"]\ni = [\n1,\n2]\n";
        let lines = Lines::of_toml(text);
        let paths = ["a", "b", "b.c", "b.c.d", "e[0].f", "e[1].f", "e[1].x", "g.h.i", "g.h.i[1]", "b.c.x.y"];
        let got = paths.map(|path| lines.of(path));
        assert_eq!(got, [1, 3, 3, 4, 6, 8, 7, 10, 12, 3].map(Some));
        assert_eq!((lines.of("x"), Lines::of_toml("[a").of("a")), (None, None));
    }
}
