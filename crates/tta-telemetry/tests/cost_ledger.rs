//! The ledger: exact in every dimension, bounded whatever is named, never seen by half.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use tta_telemetry::{Charge, CostEntry, CostLedger, CostLine, CostOverflow, CostReport, Name, SavingsSource, Usd};

fn nanos(amount: u64) -> Usd {
    Usd::from_nanos(amount)
}

fn name(text: impl Into<String>) -> Name {
    Name::from(text.into())
}

fn costs(lines: &[CostLine]) -> Vec<(&str, u64)> {
    lines.iter().map(|line| (line.name.as_str(), line.totals.cost.nanos())).collect()
}

fn dimensions(report: &CostReport) -> [&Vec<CostLine>; 4] {
    [&report.by_category, &report.by_workflow, &report.by_model, &report.by_user]
}

/// That every dimension adds up to the total.
fn adds_up(report: &CostReport) -> bool {
    let sums = |line: &CostLine| {
        let saved = SavingsSource::ALL.map(|source| line.totals.saved_by(source).nanos());
        [line.totals.entries, line.totals.unpriced, line.totals.cost.nanos(), saved[0], saved[1], saved[2]]
    };
    let total = sums(&CostLine { name: name("total"), totals: report.total });
    dimensions(report).into_iter().all(|lines| {
        let add = |sum: [u64; 6], line: &CostLine| std::array::from_fn(|at| sum[at] + sums(line)[at]);
        lines.iter().fold([0; 6], add) == total
    })
}

#[test]
fn entries_add_up_exactly_in_every_dimension() {
    let ledger = CostLedger::new();
    ledger.record(CostEntry::priced("llm", nanos(300)).workflow("a").model("big").user("ann"));
    ledger.record(CostEntry::priced("llm", nanos(20)).workflow("b").model("small").user("ann"));
    ledger.record(CostEntry::priced("search", nanos(1)).workflow("a").saving(SavingsSource::Routing, nanos(79)));
    ledger.record(CostEntry::saved("llm", SavingsSource::Caching, nanos(28)).workflow("a").model("big"));
    let report = ledger.report();
    assert_eq!((report.total_cost(), report.total_savings(), report.total.entries), (nanos(321), nanos(107), 4));
    assert_eq!((report.net_cost_nano_usd(), report.savings_rate()), (214, 0.25));
    assert_eq!(costs(&report.by_category), [("llm", 320), ("search", 1)]);
    assert_eq!(costs(&report.by_workflow), [("a", 301), ("b", 20)]);
    assert_eq!(costs(&report.by_model), [("big", 300), ("small", 20), ("", 1)]);
    assert_eq!(costs(&report.by_user), [("ann", 320), ("", 1)]);
    let sources = SavingsSource::ALL.map(|source| report.total.saved_by(source).nanos());
    assert_eq!((sources, report.overflow), ([28, 79, 0], CostOverflow::default()));
    assert_eq!(ledger.clone().report(), report);
}

#[test]
fn a_call_of_unknown_price_is_counted_apart_and_is_not_a_free_one() {
    let ledger = CostLedger::new();
    ledger.record(CostEntry::unpriced("llm").model("new"));
    ledger.record(CostEntry::priced("llm", Usd::ZERO).model("free"));
    let report = ledger.report();
    assert_eq!((report.total.entries, report.total.unpriced, report.total_cost()), (2, 1, Usd::ZERO));
    let unpriced = report.by_model.iter().map(|line| (line.name.as_str(), line.totals.unpriced)).collect::<Vec<_>>();
    assert_eq!(unpriced, [("free", 0), ("new", 1)]);
}

#[test]
fn an_empty_ledger_reports_nothing() {
    let ledger = CostLedger::new();
    let asked = ledger.account("llm", "w", "m", "u");
    assert_eq!(ledger.report(), CostReport::default());
    asked.record(&Charge::priced(nanos(1)));
    assert_eq!(costs(&ledger.report().by_user), [("u", 1)]);
}

#[test]
fn the_same_combination_is_the_same_account() {
    let ledger = CostLedger::new();
    let account = ledger.account("llm", "w", "m", "u");
    assert!(Arc::ptr_eq(&account, &ledger.account("llm", String::from("w"), "m", "u")));
    assert!(!Arc::ptr_eq(&account, &ledger.account("llm", "w", "m", "v")));
    let key = [account.category(), account.workflow(), account.model(), account.user()];
    assert_eq!(key.map(Name::as_str), ["llm", "w", "m", "u"]);
}

#[test]
fn a_hundred_thousand_users_are_a_thousand_and_the_rest() {
    let ledger = CostLedger::new();
    for user in 0..100_000 {
        ledger.record(CostEntry::priced("llm", nanos(1)).user(format!("user {user}")));
    }
    // Those who were first are still known.
    ledger.record(CostEntry::priced("llm", nanos(500)).user("user 7"));
    let report = ledger.report();
    assert_eq!((report.by_user.len(), report.total_cost()), (1_001, nanos(100_500)));
    assert_eq!(costs(&report.by_user)[..2], [("other", 99_000), ("user 7", 501)]);
    assert_eq!(report.overflow, CostOverflow { users: 99_000, ..CostOverflow::default() });
    assert!(adds_up(&report));
}

#[test]
fn each_dimension_has_its_own_bound_and_its_own_count() {
    let ledger = CostLedger::builder().max_values(2).build().unwrap();
    for (category, workflow, model, user) in [(1, 1, 1, 1), (2, 2, 2, 2), (3, 1, 1, 1), (4, 3, 2, 2), (5, 4, 3, 1)] {
        let at = |what: &str, number: i32| format!("{what}{number}");
        let entry = CostEntry::priced(at("c", category), nanos(1)).workflow(at("w", workflow));
        ledger.record(entry.model(at("m", model)).user(at("u", user)));
    }
    let report = ledger.report();
    let want = CostOverflow { categories: 3, workflows: 2, models: 1, users: 0, combinations: 0 };
    assert_eq!(report.overflow, want);
    assert_eq!(costs(&report.by_category), [("other", 3), ("c1", 1), ("c2", 1)]);
    assert_eq!(costs(&report.by_workflow), [("other", 2), ("w1", 2), ("w2", 1)].map(|line| line));
    assert_eq!(costs(&report.by_user), [("u1", 3), ("u2", 2)]);
}

#[test]
fn a_value_called_other_takes_no_room_and_is_no_overflow() {
    let ledger = CostLedger::builder().max_values(1).build().unwrap();
    ledger.record(CostEntry::priced("other", nanos(1)).workflow("other").model("other").user("other"));
    ledger.record(CostEntry::priced("llm", nanos(1)).workflow("w").model("m").user("u"));
    let report = ledger.report();
    assert_eq!(
        (costs(&report.by_category), report.overflow),
        (vec![("llm", 1), ("other", 1)], CostOverflow::default())
    );
}

#[test]
fn combinations_beyond_their_bound_are_as_exact_and_counted() {
    let ledger = CostLedger::builder().max_combinations(3).build().unwrap();
    let accounts: Vec<_> = (0..10).map(|i| ledger.account("llm", format!("w{i}"), "m", "u")).collect();
    for account in &accounts {
        account.record(&Charge::priced(nanos(2)).saving(SavingsSource::Other, nanos(1)));
        account.record(&Charge::unpriced());
    }
    let report = ledger.report();
    assert_eq!((report.by_workflow.len(), report.overflow.combinations), (10, 7));
    assert!(report.by_workflow.iter().all(|line| line.totals.cost == nanos(2) && line.totals.unpriced == 1));
    assert_eq!((report.total_cost(), report.total_savings(), report.total.unpriced), (nanos(20), nanos(10), 10));
    assert!(adds_up(&report));
}

#[test]
fn a_name_is_cut_at_256_bytes_in_whole_characters() {
    let ledger = CostLedger::new();
    ledger.record(CostEntry::priced("llm", nanos(1)).user("é".repeat(1_000)).model(format!("x{}", "é".repeat(1_000))));
    let report = ledger.report();
    assert_eq!(report.by_user[0].name, "é".repeat(128).as_str());
    assert_eq!(report.by_model[0].name, format!("x{}", "é".repeat(127)).as_str());
}

#[test]
fn parameters_outside_their_range_are_named_with_value_and_range() {
    let refused = |builder: tta_telemetry::CostLedgerBuilder| builder.build().unwrap_err().to_string();
    let values = |count| refused(CostLedger::builder().max_values(count));
    let combinations = |count| refused(CostLedger::builder().max_combinations(count));
    assert_eq!(values(0), "cost ledger: `max_values` is 0, accepted is 1 to 100000");
    assert_eq!(values(100_001), "cost ledger: `max_values` is 100001, accepted is 1 to 100000");
    assert_eq!(combinations(0), "cost ledger: `max_combinations` is 0, accepted is 1 to 1000000");
    assert_eq!(combinations(1_000_001), "cost ledger: `max_combinations` is 1000001, accepted is 1 to 1000000");
    assert!(CostLedger::builder().max_values(100_000).max_combinations(1_000_000).build().is_ok());
}

#[test]
fn sums_stay_at_the_largest_amount_instead_of_starting_over() {
    let ledger = CostLedger::new();
    for user in ["a", "b", "a"] {
        ledger.record(CostEntry::priced("llm", nanos(u64::MAX)).user(user));
    }
    let report = ledger.report();
    assert_eq!((report.total_cost(), report.net_cost_nano_usd()), (nanos(u64::MAX), i64::MAX));
    assert_eq!(report.by_category[0].totals.cost, nanos(u64::MAX));
}

/// More threads than have cells of their own, some accounts without cells, and a reader throughout.
#[test]
fn no_entry_is_lost_or_seen_by_half_while_a_hundred_threads_record() {
    const THREADS: u64 = 100;
    const ENTRIES: u64 = 2_000;
    let ledger = CostLedger::builder().max_combinations(5).build().unwrap();
    let over = AtomicBool::new(false);
    let start = std::sync::Barrier::new(THREADS as usize);
    let charge = Charge::priced(nanos(3)).saving(SavingsSource::Caching, nanos(5));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !over.load(Ordering::Relaxed) {
                let report = ledger.report();
                let (entries, cost) = (report.total.entries, report.total_cost().nanos());
                assert_eq!((cost, report.total_savings().nanos()), (3 * entries, 5 * entries));
                assert!(adds_up(&report) && entries >= seen);
                seen = entries;
            }
        });
        let writers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (ledger, start) = (&ledger, &start);
                scope.spawn(move || {
                    start.wait();
                    for i in 0..ENTRIES {
                        ledger.account("llm", format!("w{}", (thread + i) % 7), "m", "u").record(&charge);
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    let report = ledger.report();
    assert_eq!((report.total.entries, report.by_workflow.len()), (THREADS * ENTRIES, 7));
    assert_eq!(report.total_cost(), nanos(3 * THREADS * ENTRIES));
    assert!(report.overflow.combinations > 0);
}

/// Threads beyond the 64 with cells of their own share one, and take turns.
#[test]
fn threads_that_share_a_cell_lose_nothing() {
    const THREADS: u64 = 80;
    const ENTRIES: u64 = 5_000;
    let ledger = CostLedger::new();
    let account = ledger.account("llm", "w", "m", "u");
    // All of them are alive, and have a cell or have none, before the first one goes on.
    let (met, over) = (std::sync::Barrier::new(THREADS as usize), std::sync::Barrier::new(THREADS as usize));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                account.record(&Charge::priced(nanos(1)));
                met.wait();
                (1..ENTRIES).for_each(|_| account.record(&Charge::priced(nanos(1))));
                over.wait();
            });
        }
    });
    let total = ledger.report().total;
    assert_eq!((total.entries, total.cost), (THREADS * ENTRIES, nanos(THREADS * ENTRIES)));
}

proptest! {
    /// Against one that keeps every entry and counts by hand.
    #[test]
    fn the_ledger_agrees_with_a_list_of_its_entries(
        entries in prop::collection::vec((0_u8..5, 0_u8..5, 0_u8..5, 0_u8..5, prop::option::of(0_u64..1_000), 0_u64..3), 0..80),
        max_values in 1_usize..6,
        max_combinations in 1_usize..20,
    ) {
        let ledger = CostLedger::builder().max_values(max_values).max_combinations(max_combinations).build().unwrap();
        let mut met: [Vec<u8>; 4] = Default::default();
        let mut want: [BTreeMap<String, (u64, u64, u64, u64)>; 4] = Default::default();
        let mut overflow = [0; 4];
        for (c, w, m, u, price, saved) in entries {
            let key = [c, w, m, u];
            let charge = price.map_or(Charge::unpriced(), |cost| Charge::priced(nanos(cost)));
            let charge = charge.saving(SavingsSource::Routing, nanos(saved));
            let [category, workflow, model, user] = key.map(|value| name(format!("v{value}")));
            ledger.record(CostEntry::new(category, charge).workflow(workflow).model(model).user(user));
            for at in 0..4 {
                if !met[at].contains(&key[at]) && met[at].len() < max_values {
                    met[at].push(key[at]);
                }
                let is_known = met[at].contains(&key[at]);
                overflow[at] += u64::from(!is_known);
                let line = if is_known { format!("v{}", key[at]) } else { "other".to_owned() };
                let sums = want[at].entry(line).or_default();
                sums.0 += 1;
                sums.1 += price.unwrap_or_default();
                sums.2 += saved;
                sums.3 += u64::from(price.is_none());
            }
        }
        let report = ledger.report();
        prop_assert!(adds_up(&report));
        for (lines, want) in dimensions(&report).into_iter().zip(want) {
            let got: BTreeMap<_, _> = lines.iter().map(|line| {
                let totals = line.totals;
                let saved = totals.saved_by(SavingsSource::Routing).nanos();
                (line.name.to_string(), (totals.entries, totals.cost.nanos(), saved, totals.unpriced))
            }).collect();
            prop_assert_eq!(got, want);
        }
        let CostOverflow { categories, workflows, models, users, .. } = report.overflow;
        prop_assert_eq!([categories, workflows, models, users], overflow);
    }
}
