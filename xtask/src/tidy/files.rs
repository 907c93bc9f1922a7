//! The text files of the repository and how rules look at their lines.

use crate::process;

use super::Problem;

/// A text file, and which of its lines are test code.
pub(super) struct SourceFile {
    /// Relative to the repository's root, with `/` between parts.
    pub(super) path: String,
    pub(super) text: String,
}

/// Every text file that is tracked, or would be by `git add`.
pub(super) fn load() -> Result<Vec<SourceFile>, String> {
    // In CI the checkout may belong to another user, which git would otherwise refuse to read.
    let mut git = process::command("git");
    git.args(["-c", "safe.directory=*", "ls-files", "-z"]);
    let listed = process::capture(git.args(["--cached", "--others", "--exclude-standard"]))?;
    let mut files = Vec::new();
    for path in listed.stdout.split('\0').filter(|path| !path.is_empty()) {
        // Deleted but still in the index, or a directory of its own (a nested repository).
        let Ok(bytes) = std::fs::read(path) else {
            continue;
        };
        if let (false, Ok(text)) = (bytes.contains(&0), String::from_utf8(bytes)) {
            files.push(SourceFile { path: path.to_owned(), text });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

impl SourceFile {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// A Rust file of a crate, an example or this tool: not an integration test and not a bench.
    pub(super) fn is_module(&self) -> bool {
        let mut parts = self.path.split('/');
        self.is_rust()
            && match parts.next() {
                Some("crates") => parts.nth(1) == Some("src"),
                Some("xtask") => parts.next() == Some("src"),
                Some("examples") => true,
                _ => false,
            }
    }

    /// A file with nothing but tests in it.
    pub(super) fn is_test_file(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or("");
        self.path.split('/').any(|part| part == "tests")
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
            || self.text.lines().any(|line| line.starts_with("#![cfg(test)"))
    }

    /// Lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// How many lines come before the first module of tests.
    pub(super) fn code_line_count(&self) -> usize {
        if self.is_test_file() {
            return 0;
        }
        let mut attribute_line = None;
        for (number, line) in self.lines() {
            if is_test_attribute(line) {
                attribute_line = Some(number);
            } else if let Some(start) = attribute_line {
                if line.starts_with("mod ") && line.ends_with('{') {
                    return start - 1;
                }
                if !line.starts_with("#[") {
                    attribute_line = None;
                }
            }
        }
        self.text.lines().count()
    }

    /// The lines of the documentation the module opens with.
    pub(super) fn module_doc(&self) -> impl Iterator<Item = &str> {
        self.text.lines().take_while(|line| line.starts_with("//!"))
    }

    pub(super) fn problem(&self, line: usize, rule: &'static str, message: String) -> Problem {
        Problem { path: self.path.clone(), line, rule, message }
    }
}

/// `#[cfg(test)]` and its like, such as `#[cfg(all(test, not(loom)))]`.
fn is_test_attribute(line: &str) -> bool {
    line.starts_with("#[cfg(") && has_word(line, "test") && !line.contains("not(test)")
}

/// Whether `word` occurs in `line` and is not part of a longer name.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

/// A line of Rust without its line comment and without what is between quotes, so that words in
/// messages are not taken for code.
pub(super) fn code_of(line: &str) -> String {
    let mut code = String::with_capacity(line.len());
    let mut in_string = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if in_string => drop(characters.next()),
            // The character literals for a quote: they open no string.
            '\'' if !in_string && characters.peek() == Some(&'"') => drop(characters.next()),
            '"' => {
                in_string = !in_string;
                code.push('"');
            }
            '/' if !in_string && characters.peek() == Some(&'/') => break,
            _ if in_string => {}
            _ => code.push(character),
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_the_sources_of_crates_examples_and_this_tool() {
        let is_module = |path| SourceFile::new(path, "").is_module();
        assert!(is_module("crates/tta/src/lib.rs"));
        assert!(is_module("examples/src/bin/first.rs"));
        assert!(!is_module("crates/tta/tests/cancel.rs"));
        assert!(!is_module("crates/tta/src/notes.md"));
    }

    #[test]
    fn code_ends_where_the_module_of_tests_begins() {
        let count = |text| SourceFile::new("crates/tta/src/a.rs", text).code_line_count();
        assert_eq!(count("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(count("fn a() {}\n#[cfg(all(test, not(loom)))]\n#[allow(x)]\nmod tests {\n}\n"), 1);
        assert_eq!(count("#[cfg(test)]\nmod tests;\nfn a() {}\n"), 3);
        assert_eq!(count("#[cfg(test)]\nuse a;\nmod b {\n}\n"), 4);
        assert_eq!(SourceFile::new("crates/tta/src/a/tests.rs", "fn a() {}\n").code_line_count(), 0);
    }

    #[test]
    fn code_has_neither_comments_nor_the_contents_of_strings() {
        assert_eq!(code_of("let a = \"un\\\"safe\"; // unsafe"), "let a = \"\"; ");
        assert_eq!(code_of("let quote = '\"'; unsafe {}"), "let quote = '; unsafe {}");
    }

    #[test]
    fn a_word_is_not_part_of_a_longer_one() {
        assert!(has_word("it is long.", "long"));
        assert!(!has_word("along, longer, long_ago", "long"));
    }
}
