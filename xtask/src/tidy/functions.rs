//! Rule about functions: they fit on a screen.

use super::Problem;
use super::files::SourceFile;

const MAXIMUM_LINES: usize = 70;

/// Finds functions by how rustfmt lays them out: the closing brace is alone on a line, as far in
/// as the line with `fn`. Tests may be longer.
pub(super) fn are_short(file: &SourceFile) -> Vec<Problem> {
    if !file.is_rust() {
        return Vec::new();
    }
    let code: Vec<&str> = file.text.lines().take(file.code_line_count()).collect();
    let mut problems = Vec::new();
    for (index, line) in code.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let rest = code.get(index..).unwrap_or_default();
        if let Some(count) = line_count(rest).filter(|count| *count > MAXIMUM_LINES) {
            let message = format!("`{name}` has {count} lines, more than {MAXIMUM_LINES}");
            problems.push(file.problem(index + 1, "function-length", message));
        }
    }
    problems
}

/// The name of the function that starts on this line, whatever qualifiers precede `fn`.
fn function_name(line: &str) -> Option<&str> {
    let (qualifiers, rest) = line.trim_start().split_once("fn ").unwrap_or(("//", ""));
    let is_function = qualifiers.split_whitespace().all(|word| {
        word.starts_with("pub")
            || word.ends_with(')')
            || word.starts_with('"')
            || matches!(word, "const" | "async" | "unsafe" | "extern" | "default")
    });
    let name = rest.split(['(', '<']).next().unwrap_or("");
    (is_function && !name.is_empty()).then_some(name)
}

/// Lines from the first to the closing brace; nothing for a function without a body.
fn line_count(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?;
    let indent_count = first.len() - first.trim_start().len();
    let end_of_signature = lines.iter().position(|line| line.ends_with(['{', ';', '}']))?;
    if !lines.get(end_of_signature)?.ends_with('{') {
        return None;
    }
    let closing = format!("{}}}", " ".repeat(indent_count));
    let after = lines.get(end_of_signature + 1..)?;
    let body_count = after.iter().position(|line| *line == closing)?;
    Some(end_of_signature + 1 + body_count + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SourceFile {
        SourceFile::new("crates/tta/src/a.rs", text)
    }

    fn function(line_count: usize) -> String {
        format!(
            "    pub(crate) async fn long<T>(\n        a: T,\n    ) {{\n{}    }}\n",
            "        a;\n".repeat(line_count - 4)
        )
    }

    #[test]
    fn a_function_of_71_lines_is_reported_where_it_starts_and_one_of_70_is_not() {
        let problems = are_short(&file(&format!("//! A.\nimpl A {{\n{}}}\n", function(71))));
        let line_and_message: Vec<(usize, &str)> =
            problems.iter().map(|problem| (problem.line, problem.message.as_str())).collect();
        assert_eq!(line_and_message, [(3, "`long` has 71 lines, more than 70")]);
        assert!(are_short(&file(&function(70))).is_empty());
    }

    #[test]
    fn a_declaration_does_not_swallow_what_follows_it() {
        let text = format!("    fn declared(&self) -> u8;\n    fn empty() {{}}\n{}    }}\n", "    a;\n".repeat(90));
        assert!(are_short(&file(&text)).is_empty());
    }

    #[test]
    fn tests_may_be_longer() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(90));
        assert!(are_short(&file(&tests)).is_empty());
    }

    #[test]
    fn only_a_definition_has_a_name() {
        assert_eq!(function_name("    pub const unsafe fn push<T>(a: T) {"), Some("push"));
        assert_eq!(function_name("pub(in crate::record) fn a() {"), Some("a"));
        assert_eq!(function_name("    // a fn here"), None);
        assert_eq!(function_name("    run: fn() -> u8,"), None);
    }
}
