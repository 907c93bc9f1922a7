//! Several rules: which decides, and what is refused about them.

use tta_telemetry::{RuleAction, RuleContext, RuleSet, TraceClass};

use crate::support::{checkout, rule, span, trace};

#[test]
fn the_first_rule_that_matches_decides_and_is_counted() {
    let set = RuleSet::parse([
        "dear: keep when cost > $0.05",
        "acme: rate 0.5 when root.attr(\"tenant\") == \"acme\"",
        "health: drop when workflow == \"health\"",
    ])
    .unwrap();
    let health = trace(TraceClass::Normal, vec![span(1, "health", &[])]);
    let other = trace(TraceClass::Normal, vec![span(1, "other", &[])]);
    let decided: Vec<_> = [checkout(), checkout(), health, other]
        .iter()
        .map(|trace| set.decide(trace, &RuleContext::default()).map(|rule| (rule.name(), rule.action())))
        .collect();
    let dear = Some(("dear", RuleAction::Keep));
    assert_eq!(decided, [dear, dear, Some(("health", RuleAction::Drop)), None]);
    let counts: Vec<_> = set.counts().map(|count| (count.name, count.matched)).collect();
    assert_eq!(counts, [("dear", 2), ("acme", 0), ("health", 1)]);
    assert_eq!(set.attributes(), ["tenant"]);
    assert_eq!((set.rules().len(), set.is_empty(), RuleSet::default().is_empty()), (3, false, true));
}

#[test]
fn a_hundred_rules_are_accepted_and_no_more_and_no_name_twice() {
    let rules = |count: u32| RuleSet::new((0..count).map(|number| rule(&format!("r{number}: keep"))));
    assert_eq!(rules(100).unwrap().rules().len(), 100);
    assert_eq!(rules(101).unwrap_err().to_string(), "101 sampling rules, accepted are at most 100");
    assert_eq!(
        RuleSet::parse(["a: keep", "b: keep", "a: drop"]).unwrap_err().to_string(),
        "sampling rule `a` is there twice, as number 1 and number 3: names differ"
    );
    assert_eq!(
        RuleSet::parse(["a: keep", "b: kepe"]).unwrap_err().to_string(),
        "sampling rule number 2: line 1, column 4: found `kepe`, expected `keep`, `drop` or `rate` and a number \
         (did you mean `keep`?)\n  b: kepe\n     ^"
    );
}
