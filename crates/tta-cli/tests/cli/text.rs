//! `tta demo` for people: the table, the trees, the failures, the totals.

use crate::support::Tree;

/// The rows of the table: name, type, runs, errors.
fn table(out: &str) -> Vec<[String; 4]> {
    let rows = out.lines().skip_while(|line| !line.starts_with("step ")).take_while(|line| !line.is_empty());
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    rows.map(|line| cells(line)[..4].to_vec().try_into().unwrap()).collect()
}

/// The paragraph that begins with a text.
fn paragraph<'a>(out: &'a str, start: &str) -> &'a str {
    out.split("\n\n").find(|part| part.starts_with(start)).unwrap_or_else(|| panic!("no {start}:\n{out}"))
}

#[test]
fn the_table_has_a_row_for_each_step_in_the_order_of_the_workflow() {
    let ran = Tree::mixed().run(&["demo"]);
    let rows = table(&ran.out).into_iter().map(|row| row.join(" ")).collect::<Vec<_>>();
    assert_eq!(
        rows,
        [
            "step type runs errors",
            "analyse workflow 10 3",
            "read lambda 10 0",
            "validate lambda 10 3",
            "measure parallel 7 0",
            "statistics lambda 7 0",
            "keywords lambda 7 0",
            "readability lambda 7 0",
            "language lambda 7 0",
            "document lambda 7 0",
            "collect lambda 7 0",
            "summarise conditional 7 0",
            "short_summary lambda 6 0",
            "long_summary lambda 1 0",
            "report lambda 7 0",
        ]
    );
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn failures_are_listed_whole_on_lines_of_80_columns() {
    let tree = Tree::mixed();
    tree.write(&format!("{}/{}", "directory".repeat(9), "a file with a long name"), b"\0");
    tree.write("x1", b"");
    tree.write("x2", b"");
    let ran = tree.run(&["demo"]);
    insta::assert_snapshot!(paragraph(&ran.out, "failed:"), @r"
    failed: 6 invalid_input
      ./binary.bin: document is binary: NUL byte at offset 7, only text is accepted
      ./directorydirectorydirectorydirectorydirectorydirectorydirectorydirectorydire
        ctory/a file with a long name: document is binary: NUL byte at offset 0,
        only text is accepted
      ./empty.txt: document is blank: 0 bytes without a visible character, at least
        one is needed
      ./latin1.txt: document is not UTF-8: invalid byte at offset 6, only UTF-8 text
        is accepted
      ./x1: document is blank: 0 bytes without a visible character, at least one is
        needed
      and 1 more (--json lists all)
    ");
    for line in ran.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn the_slowest_and_the_first_failed_run_are_shown_as_trees_with_the_reason() {
    let tree = Tree::mixed();
    let has = |tree: &str, steps: &[&str]| {
        steps.iter().all(|step| tree.lines().any(|line| line.strip_prefix(step).is_some_and(|l| l.starts_with("   "))))
    };
    let ran = tree.run(&["demo", "en.txt", "fr.txt"]);
    let slowest = paragraph(&ran.out, "slowest run: ");
    let steps = ["analyse", "├─ read", "│  ╰─ attempt", "├─ measure (parallel)", "├─ collect", "╰─ report"];
    assert!(has(slowest, &steps), "{slowest}");
    // The branches of a fan come in the order in which they began.
    assert!(has(slowest, &["│  ├─ keywords"]) || has(slowest, &["│  ╰─ keywords"]), "{slowest}");
    let ran = tree.run(&["demo", "--concurrency", "1", "binary.bin", "empty.txt", "long.txt"]);
    let failed = ran.out.split("\n\n").find(|part| part.contains("first failed")).unwrap();
    assert!(failed.lines().next().unwrap().ends_with(": binary.bin"), "{failed}");
    assert!(has(failed, &["analyse ✗", "├─ read", "│  ╰─ attempt", "╰─ validate ✗"]), "{failed}");
    let reason = "invalid_input: document is binary: NUL byte at offset 7, only text is";
    assert_eq!(failed.matches(reason).count(), 2, "{failed}");
}

#[test]
fn a_run_that_is_the_slowest_and_the_first_failed_one_is_shown_once() {
    let ran = Tree::new(&[("a", b"\0")]).run(&["demo"]);
    let tree = paragraph(&ran.out, "slowest run, and the first failed one: ./a\ntrace ");
    assert!(tree.contains("invalid_input: document is binary"), "{tree}");
    assert_eq!(ran.out.matches("\ntrace ").count(), 1);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), "error: the one file found could not be analysed\n"));
}

#[test]
fn the_totals_say_what_was_done() {
    let ran = Tree::mixed().run(&["demo"]);
    let totals = paragraph(&ran.out, "7 of 10 files analysed, 3 failed\n");
    assert!(totals.ends_with(" files/s, 110 spans recorded\n"), "{totals}");
}

#[test]
fn a_single_file_is_reported_itself() {
    let tree = Tree::mixed();
    let ran = tree.run(&["demo", "en.txt"]);
    insta::assert_snapshot!(ran.out.split("\n\n").next().unwrap(), @r"
    en.txt
      lines 1, words 13 (11 distinct), sentences 2
      language en (87 % sure); 83 reading ease, grade 3.3
      keywords: behind, garden, house, nobody, winter
      • The garden is behind the house.
      • Nobody has been there since the winter.
    ");
    let ran = tree.run(&["demo", "zh.txt"]);
    insta::assert_snapshot!(ran.out.split("\n\n").next().unwrap(), @r"
    zh.txt
      lines 1, words 19 (19 distinct), sentences 2
      language zh (100 % sure); no readability score: unpronounceable
      keywords: 人去, 冬天, 去过, 后面, 天起, 子后, 房子, 花园
      • 花园在房子后面。
      • 从冬天起就没有人去过那里。
    ");
}

#[test]
fn one_trace_can_be_asked_for_with_its_attributes() {
    let tree = Tree::mixed();
    let ran = tree.run(&["demo", "--trace", "failed", "--concurrency", "1"]);
    assert!(ran.out.starts_with("trace "), "{}", ran.out);
    for text in ["document.path = ./binary.bin\n", "document.bytes = 10\n", "document.refused = binary\n"] {
        assert_eq!(ran.out.matches(text).count(), 1, "{text}\n{}", ran.out);
    }
    assert!(!ran.out.contains("files analysed"), "{}", ran.out);
    let ran = tree.run(&["demo", "--trace", "slowest", "en.txt", "fr.txt"]);
    assert!(ran.out.contains("document.language = "), "{}", ran.out);
    let ran = tree.run(&["demo", "--trace", "failed", "en.txt"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "no run failed\n"));
}

#[test]
fn an_empty_directory_is_nothing_to_analyse() {
    let ran = Tree::new(&[]).run(&["demo"]);
    assert!(ran.out.starts_with("0 of 0 files analysed, 0 failed\n"), "{}", ran.out);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), "error: no files found to analyse\n"));
}
