//! The language: what is read, and where and how it is refused.

use proptest::prelude::*;
use tta_telemetry::{RuleAction, SamplingRule};

use crate::support::{refused, rule, when};

/// The first line of an error, and the column of its caret.
fn short(text: &str) -> (String, usize) {
    let shown = refused(text);
    let mut lines = shown.lines();
    (lines.next().unwrap().to_owned(), lines.nth(1).unwrap().len() - 3)
}

#[test]
fn a_rule_is_shown_in_its_canonical_form() {
    for (text, want) in [
        ("a:keep", "a: keep"),
        (" a.b-c_1 :\n drop when\thandled", "a.b-c_1: drop when handled"),
        ("a: rate 0.10 when duration>=1500ms", "a: rate 0.1 when duration >= 1500ms"),
        (
            "a: rate 0.5 when duration>=p99.90 and not duration<p50",
            "a: rate 0.5 when duration >= p99.9 and not duration < p50",
        ),
        ("a: keep when duration < 0.5m or duration > 120000ms", "a: keep when duration < 30s or duration > 2m"),
        ("a: keep when cost != $5", "a: keep when cost != $5.00"),
        ("a: keep when ((handled))", "a: keep when handled"),
        (
            "a: keep when (handled or handled) and not (not handled and handled) or handled",
            "a: keep when (handled or handled) and not (not handled and handled) or handled",
        ),
        ("a: keep when attr(\"k\")in[1,-2.50,\"x\",true]", "a: keep when attr(\"k\") in [1, -2.5, \"x\", true]"),
        (
            r#"a: keep when root.attr("\u{6b}\n\"") matches /a\/[\/]\//"#,
            r#"a: keep when root.attr("k\n\"") matches /a\/[\/]\//"#,
        ),
        ("a: keep when attr(\"k\") > 2.0", "a: keep when attr(\"k\") > 2.0"),
    ] {
        assert_eq!(rule(text).to_string(), want);
        assert_eq!(rule(want), rule(text).to_string().parse().unwrap());
    }
    assert!(when(r#"attr("k") matches /^a\/b$/"#).attributes() == ["k"]);
}

#[test]
fn errors_say_where_what_was_found_and_what_is_accepted() {
    assert_eq!(
        refused("slow:\n  keep when handled\n  and durration > 2s"),
        "line 3, column 7: found `durration`, expected a test (did you mean `duration`?)\n    and durration > 2s\n        ^"
    );
    for (text, want, caret) in [
        ("", "found no colon, expected a rule such as `slow: keep when duration > 2s`", 0),
        (": keep", "found no name, expected a name of 1 to 32 of `a` to `z`, digits, `_`, `-` and `.`", 0),
        ("a b: keep", "found ' ', expected a name of 1 to 32 of `a` to `z`, digits, `_`, `-` and `.`", 1),
        ("a: rate 1.5", "found `1.5`, expected a rate of 0 to 1", 8),
        ("a: rate 10%", "found `10%`, expected a rate of 0 to 1", 8),
        ("a: keep handled", "found `handled`, expected `when` or the end", 8),
        ("a: keep when", "found the end, expected a test, such as `duration > 2s` or `attr(\"key\") == \"value\"`", 12),
        ("a: keep when handled handled", "found `handled`, expected `and`, `or` or the end", 21),
        ("a: keep when (handled", "found the end, expected `and`, `or` or `)`", 21),
        ("a: keep when spam_count > 1", "found `spam_count`, expected a test (did you mean `span_count`?)", 13),
        (
            "a: keep when status == 503",
            "found `status`, expected a test, such as `duration > 2s` or `attr(\"key\") == \"value\"`",
            13,
        ),
        ("a: keep when error_type exists", "found `error_type`, expected a test (did you mean `error.type`?)", 13),
        (
            "a: keep when duration == \"2s\"",
            "found `\"2s\"`, expected a time with its unit (ns, us, ms, s or m), such as `2s`",
            25,
        ),
        (
            "a: keep when duration > 2",
            "found `2`, expected a time with its unit (ns, us, ms, s or m), such as `2s`, or a quantile from `p0.0001` \
             to `p99.9999`",
            24,
        ),
        (
            "a: keep when duration >= p100",
            "found `p100`, expected a time with its unit (ns, us, ms, s or m), such as `2s`, or a quantile from \
             `p0.0001` to `p99.9999`",
            25,
        ),
        (
            "a: keep when duration >= P99",
            "found `P99`, expected a time with its unit (ns, us, ms, s or m), such as `2s`, or a quantile from \
             `p0.0001` to `p99.9999` (did you mean `p99`?)",
            25,
        ),
        (
            "a: keep when duration == p99",
            "found `p99`, expected a time with its unit (ns, us, ms, s or m), such as `2s`; a quantile goes with `<`, \
             `<=`, `>`, `>=`",
            25,
        ),
        ("a: keep when cost > p99", "found `p99`, expected an amount of dollars, such as `$0.05`", 20),
        ("a: keep when cost > 0.05", "found `0.05`, expected an amount of dollars, such as `$0.05`", 20),
        ("a: keep when tokens > 1.5", "found `1.5`, expected a whole number", 22),
        ("a: keep when tokens exists", "found `exists`, expected a comparison (`==`, `!=`, `<`, `<=`, `>`, `>=`)", 20),
        (
            "a: keep when class == fialed",
            "found `fialed`, expected `failed`, `slow`, `cancelled` or `normal` (did you mean `failed`?)",
            22,
        ),
        ("a: keep when class > failed", "found `>`, expected `==` or `!=` or `in`", 19),
        ("a: keep when workflow == 5", "found `5`, expected a text in quotes", 25),
        (
            "a: keep when workflow > \"x\"",
            "found `>`, expected `==` or `!=`, `exists`, `contains`, `starts_with`, `ends_with`, `matches` or `in`",
            22,
        ),
        ("a: keep when attr(\"k\") > \"x\"", "found `\"x\"`, expected a number without a unit", 25),
        (
            "a: keep when attr(\"k\") == 2s",
            "found `2s`, expected a text in quotes, a number without a unit, `true` or `false`",
            26,
        ),
        ("a: keep when attr(k) exists", "found `k`, expected the attribute's key in quotes", 18),
        ("a: keep when attr(\"\") exists", "found `\"\"`, expected the attribute's key in quotes", 18),
        (
            "a: keep when attr(\"k\") in []",
            "found `]`, expected a text in quotes, a number without a unit, `true` or `false`",
            27,
        ),
        ("a: keep when attr(\"k\") = 1", "found `=`, expected `==`", 23),
        ("a: keep when handled && handled", "found `&`, expected the word `and`", 21),
        (
            "a: keep when attr(\"k) exists",
            "found a text that does not end, expected a `\"` at its end, in the same line",
            18,
        ),
        (
            "a: keep when attr(\"\\x\") exists",
            "found `\\x`, expected `\\\"`, `\\\\`, `\\n`, `\\r`, `\\t` or `\\u{..}`",
            19,
        ),
        ("a: keep when attr(\"é\") matches /é(b/", "found a wrong pattern, expected a regex: unclosed group", 33),
        (
            "a: keep when attr(\"k\") matches /a",
            "found a pattern that does not end, expected a `/` at its end, in the same line",
            31,
        ),
        ("a: keep when attr(\"k\") matches \"a\"", "found `\"a\"`, expected a pattern, such as `/^a+$/`", 31),
    ] {
        assert_eq!(short(text), (format!("line 1, column {}: {want}", caret + 1), caret), "{text}");
    }
}

#[test]
fn rules_are_bounded_in_length_depth_and_lists() {
    let nested = |levels: usize| format!("a: keep when {}handled{}", "(".repeat(levels), ")".repeat(levels));
    assert!(nested(31).parse::<SamplingRule>().is_ok());
    assert!(refused(&nested(33)).contains("expected at most 32 levels of `not` and parentheses"));
    let beside = format!("a: keep when {}not handled", "(handled) or not handled and ".repeat(50));
    assert!(beside.parse::<SamplingRule>().is_ok(), "what stands beside each other is not deep");
    assert!(refused(&format!("a: keep when {}handled", "not ".repeat(1_000))).contains("at most 32 levels"));
    let listed = |count: usize| format!("a: keep when attr(\"k\") in [{}1]", "1,".repeat(count - 1));
    assert!(listed(100).parse::<SamplingRule>().is_ok());
    assert!(refused(&listed(101)).contains("expected at most 100 in a list"));
    assert!(
        refused(&format!("a: keep when {}", " ".repeat(4_100))).contains("found 4113 bytes, expected at most 4096")
    );
    let dense = format!("a: keep when {}handled", "cost<$1 or ".repeat(370));
    assert!(refused(&dense).contains("bytes when written out, expected at most 4096"), "{}", dense.len());
    let named = |bytes: usize| format!("{}: keep", "n".repeat(bytes));
    assert!(named(32).parse::<SamplingRule>().is_ok() && refused(&named(33)).contains("found 33 of them"));
}

#[test]
fn a_long_line_is_shown_around_the_place() {
    let text = format!("a: keep when {}handeld", "handled or ".repeat(100));
    let shown = refused(&text);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].ends_with("found `handeld`, expected a test (did you mean `handled`?)"), "{shown}");
    let widths = |lines: &[&str]| [lines[1], lines[2]].map(|line| line.chars().count());
    assert_eq!(widths(&lines), [2 + 74, 2 + 74 - 6]);
    assert!(lines[1].starts_with("  …") && lines[1].ends_with("or handeld"), "{shown}");
    // In the middle there is as much on both sides, and what was left out shows on both.
    let shown = refused(&format!("a: keep when {}handeld or {}", "handled or ".repeat(50), "handled or ".repeat(50)));
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(widths(&lines), [2 + 74, 2 + 37 + 1]);
    assert!(lines[1].starts_with("  …") && lines[1].ends_with('…'), "{shown}");
    assert!(lines[1].chars().skip(2 + 37).collect::<String>().starts_with("handeld or"), "{shown}");
    // At the start nothing is left out before it.
    let shown = refused(&format!("a: kep when {}handled", "handled or ".repeat(100)));
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(widths(&lines), [2 + 74, 2 + 3 + 1]);
    assert!(lines[1].starts_with("  a: kep") && lines[1].ends_with('…'), "{shown}");
}

#[test]
fn rules_are_made_from_parts_too() {
    let made = SamplingRule::new("a", RuleAction::Rate(0.5), Some("handled")).unwrap();
    assert_eq!(made, rule("a: rate 0.5 when handled"));
    assert_eq!(made.condition().as_deref(), Some("handled"));
    for (name, action, condition, want) in [
        ("a", RuleAction::Rate(f64::NAN), None, "found NaN, expected a rate of 0 to 1"),
        ("a", RuleAction::Rate(-0.1), None, "found -0.1, expected a rate of 0 to 1"),
        ("a:b", RuleAction::Keep, None, "found ':', expected a name"),
        ("", RuleAction::Keep, None, "found no name"),
        (" a", RuleAction::Keep, None, "found ' ', expected a name"),
        ("a", RuleAction::Keep, Some("a: keep"), "line 1, column 2: found `:`, expected a word"),
    ] {
        let error = SamplingRule::new(name, action, condition).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:.3}")),
        Just("true".to_owned()),
        quoted(),
    ]
}

/// Any text, escaped by the rules of Rust, which are those of the language.
fn quoted() -> impl Strategy<Value = String> {
    "\\PC{0,6}|[\"\\\\\n\t/é]{0,4}".prop_map(|text: String| {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", escaped.replace('\n', "\\n"))
    })
}

fn order() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="])
}

fn test() -> impl Strategy<Value = String> {
    let key = "[a-z.]{1,8}";
    prop_oneof![
        Just("handled".to_owned()),
        (order(), 0..9_999_u32, prop::sample::select(vec!["ns", "us", "ms", "s", "m"]))
            .prop_map(|(order, number, unit)| format!("duration {order} {number}{unit}")),
        (prop::sample::select(vec!["<", "<=", ">", ">="]), 1..=999_999_u32).prop_map(|(order, millionths)| {
            format!("duration {order} p{}.{:04}", millionths / 10_000, millionths % 10_000)
        }),
        (order(), any::<u64>()).prop_map(|(order, number)| format!("tokens {order} {number}")),
        (order(), any::<u32>()).prop_map(|(order, number)| format!("span_count{order}{number}")),
        (order(), 0..1_000_u32, 0..1_000_u32).prop_map(|(order, a, b)| format!("cost {order} ${a}.{b:09}")),
        prop::sample::select(vec!["class == slow", "class != failed", "class in [normal, cancelled]"])
            .prop_map(str::to_owned),
        (quoted(), quoted()).prop_map(|(a, b)| format!("workflow in [{a}, {b}]")),
        quoted().prop_map(|text| format!("error.type != {text}")),
        (key, literal()).prop_map(|(key, literal)| format!("root.attr(\"{key}\") == {literal}")),
        (key, order(), any::<i32>()).prop_map(|(key, order, number)| format!("attr(\"{key}\") {order} {number}")),
        (key, prop::collection::vec(literal(), 1..4))
            .prop_map(|(key, literals)| format!("attr(\"{key}\") in [{}]", literals.join(","))),
        (key, "[a-z/\\\\.]{0,5}").prop_map(|(key, text): (String, String)| {
            let escaped = text.replace('\\', "\\\\").replace('/', "\\/");
            format!("attr(\"{key}\") matches /x{escaped}/")
        }),
        (key, quoted(), prop::sample::select(vec!["contains", "starts_with", "ends_with"]))
            .prop_map(|(key, text, word)| format!("attr(\"{key}\") {word} {text}")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    test().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" or "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" and "))),
            inner.clone().prop_map(|one| format!("not {one}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a}\nand {b}")),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_shown_reads_back_as_the_same_rule(condition in condition(), rate in 0.0..=1.0_f64) {
        let text = format!("r: rate {rate} when {condition}");
        prop_assume!(text.len() < 3_000);
        let rule: SamplingRule = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
        let shown = rule.to_string();
        prop_assert_eq!(shown.parse::<SamplingRule>(), Ok(rule), "{}", shown);
    }
}
