//! Rules about a file as a whole: how it opens and how long it is.

use super::Problem;
use super::files::{SourceFile, has_word};

/// Above this many lines the module's documentation has to say why.
const EXPLAINED_LINES: usize = 500;
const MAXIMUM_LINES: usize = 800;

pub(super) fn start_with_documentation(file: &SourceFile) -> Vec<Problem> {
    if !file.is_module() || file.text.starts_with("//!") {
        return Vec::new();
    }
    let message = "a module opens with `//!`: what it owns and what it does not".to_owned();
    vec![file.problem(1, "module-doc", message)]
}

pub(super) fn are_short(file: &SourceFile) -> Vec<Problem> {
    let count = file.code_line_count();
    if !file.is_rust() || count <= EXPLAINED_LINES {
        return Vec::new();
    }
    let is_explained = file.module_doc().any(|line| has_word(line, "lines") || has_word(line, "long"));
    let message = if count > MAXIMUM_LINES {
        format!("{count} lines before the tests, more than {MAXIMUM_LINES}: split the module")
    } else if !is_explained {
        format!(
            "{count} lines before the tests, more than {EXPLAINED_LINES}: split the module, or say \
             in its documentation why it is long"
        )
    } else {
        return Vec::new();
    };
    vec![file.problem(1, "module-length", message)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(doc: &str, code_lines: usize) -> SourceFile {
        SourceFile::new("crates/tta/src/a.rs", &format!("{doc}\n{}", "x;\n".repeat(code_lines)))
    }

    #[test]
    fn a_module_without_documentation_is_reported_and_a_test_is_not() {
        assert_eq!(start_with_documentation(&module("use a;", 1)).len(), 1);
        assert!(start_with_documentation(&module("//! Owns a.", 1)).is_empty());
        let test = SourceFile::new("crates/tta/tests/cancel.rs", "use a;\n");
        assert!(start_with_documentation(&test).is_empty());
    }

    #[test]
    fn a_long_module_has_to_say_why_and_a_very_long_one_may_not_be() {
        assert!(are_short(&module("//! Owns a.", 499)).is_empty());
        assert_eq!(are_short(&module("//! Owns a, along with b.", 500)).len(), 1);
        assert!(are_short(&module("//! Is long because of its table.", 799)).is_empty());
        assert_eq!(are_short(&module("//! Is long because of its table.", 800)).len(), 1);
    }

    #[test]
    fn tests_do_not_count_towards_the_length() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    x;\n".repeat(900));
        assert!(are_short(&module(&format!("//! Owns a.\n{tests}"), 0)).is_empty());
        let file = SourceFile::new("crates/tta/tests/cancel.rs", &"x;\n".repeat(900));
        assert!(are_short(&file).is_empty());
    }
}
