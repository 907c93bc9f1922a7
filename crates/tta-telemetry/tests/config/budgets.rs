//! Budgets by name: what the configuration says of them takes effect, also while they are spent from.

use std::time::Duration;

use serde_json::{Value, json};
use tta_telemetry::config::{Config, ConfigLayers, Preset};
use tta_telemetry::{Budget, BudgetPolicy, BudgetState, Clock, HealthStatus, ManualClock, Telemetry, Usd};

fn engine(toml: &str) -> (Telemetry, Config, ManualClock) {
    let config = ConfigLayers::new().toml("test", toml).build().unwrap();
    let (clock, hand) = Clock::manual();
    let builder = Telemetry::builder().config(&config).unwrap().clock(clock).by_hand();
    (builder.build().unwrap(), config, hand)
}

fn dollars(dollars: f64) -> Usd {
    Usd::from_dollars(dollars).unwrap()
}

fn patched(config: &Config, budgets: Value) -> Config {
    config.patched("patch", &json!({ "cost": { "budgets": budgets } })).unwrap()
}

#[test]
fn a_budget_has_the_limit_period_policy_and_degradation_that_are_configured() {
    let text = "[cost.budgets]\nllm = { limit_usd = 2, period = \"rolling 3600\", policy = \"reject\", degrade_at = 0.25 }\n\
                search = { limit_usd = 0.5 }\n";
    let (telemetry, _, hand) = engine(text);
    let names: Vec<_> = telemetry.budgets().iter().map(|budget| budget.name().to_string()).collect();
    assert_eq!(names, ["llm", "search"]);
    let llm = telemetry.budget("llm").unwrap();
    llm.charge(dollars(0.5));
    assert_eq!((llm.status().limit, llm.status().state), (dollars(2.0), BudgetState::Degraded));
    assert_eq!(telemetry.health().component("budget:llm").unwrap().status, HealthStatus::Degraded);
    assert!(llm.try_reserve(dollars(1.6)).is_err());
    // An hour later, by the engine's clock, it is there again.
    hand.advance(Duration::from_secs(2 * 3_600));
    llm.try_reserve(dollars(1.6)).unwrap().release();
    let search = telemetry.budget("search").unwrap();
    assert!(search.try_reserve(dollars(7.0)).is_ok() && !search.is_degraded(), "it only warns");
    assert!(telemetry.budget("other").is_none());
}

#[test]
fn every_period_is_what_it_says() {
    for (period, hours) in [("hour", 1), ("day", 24), ("every 60", 1), ("month", 24 * 31), ("rolling 86400", 25)] {
        let (telemetry, _, hand) = engine(&format!("cost.budgets.llm = {{ limit_usd = 1, period = \"{period}\" }}"));
        let llm = telemetry.budget("llm").unwrap();
        llm.charge(dollars(1.0));
        assert_eq!(llm.status().spent, dollars(1.0));
        hand.advance(Duration::from_secs(hours * 3_600));
        assert_eq!(llm.status().spent, Usd::ZERO, "{period}");
    }
    let (telemetry, _, hand) = engine("cost.budgets.llm = { limit_usd = 1 }");
    telemetry.budget("llm").unwrap().charge(dollars(1.0));
    hand.advance(Duration::from_secs(400 * 86_400));
    assert_eq!(telemetry.budget("llm").unwrap().status().spent, dollars(1.0));
}

#[test]
fn an_update_changes_a_budget_that_is_spent_from_and_forgets_nothing() {
    let (telemetry, config, _) = engine("cost.budgets.llm = { limit_usd = 1, policy = \"reject\" }");
    let llm = telemetry.budget("llm").unwrap();
    let run = llm.try_reserve(dollars(0.75)).unwrap();
    assert!(llm.try_reserve(dollars(0.75)).is_err());
    let more = patched(&config, json!({ "llm": { "limit_usd": 2, "degrade_at": 0.5 }, "search": { "limit_usd": 3 } }));
    assert_eq!(telemetry.update(&config, &more).unwrap().needs_restart, [""; 0]);
    let status = llm.status();
    assert_eq!((status.limit, status.reserved, status.state), (dollars(2.0), dollars(0.75), BudgetState::Normal));
    run.settle(dollars(1.0));
    assert_eq!((llm.status().remaining, llm.status().state), (dollars(1.0), BudgetState::Degraded));
    assert_eq!(telemetry.budget("search").unwrap().status().limit, dollars(3.0));
    let warn = patched(&more, json!({ "llm": { "policy": "warn", "limit_usd": 0.5 } }));
    telemetry.update(&more, &warn).unwrap();
    assert!(llm.try_reserve(dollars(9.0)).is_ok());
    assert_eq!(llm.status().state, BudgetState::Exhausted);
}

#[test]
fn another_period_and_a_budget_that_is_gone_wait_for_a_restart() {
    let (telemetry, config, _) =
        engine("cost.budgets.llm = { limit_usd = 1 }\ncost.budgets.search = { limit_usd = 1 }");
    let other = patched(&config, json!({ "llm": { "period": "day", "limit_usd": 2 }, "search": null }));
    assert_eq!(telemetry.update(&config, &other).unwrap().needs_restart, ["cost.budgets"]);
    assert_eq!(telemetry.update(&config, &other).unwrap().needs_restart, ["cost.budgets"], "still");
    let in_effect = telemetry.config().unwrap();
    assert_eq!(in_effect.cost.budgets["llm"].period, "forever");
    assert_eq!((in_effect.cost.budgets["llm"].limit_usd, in_effect.cost.budgets["search"].limit_usd), (2.0, 1.0));
    assert!(telemetry.budget("search").is_some() && telemetry.budget("llm").unwrap().status().resets_in.is_none());
    assert_eq!(telemetry.update(&config, &config).unwrap().needs_restart, [""; 0]);
}

#[test]
fn a_budget_of_code_is_stronger_and_an_engine_that_records_nothing_has_budgets_too() {
    let config =
        ConfigLayers::new().toml("test", "enabled = false\ncost.budgets.llm = { limit_usd = 1 }").build().unwrap();
    let own = Budget::named("llm").limit(dollars(9.0)).policy(BudgetPolicy::Reject).build().unwrap();
    let telemetry = Telemetry::builder().config(&config).unwrap().build().unwrap();
    assert_eq!(telemetry.budget("llm").unwrap().status().limit, dollars(1.0));
    let telemetry = Telemetry::builder().config(&config).unwrap().budget(own.clone()).build().unwrap();
    own.charge(dollars(3.0));
    assert_eq!(telemetry.budget("llm").unwrap().status().spent, dollars(3.0));
}

#[test]
fn a_budget_that_cannot_be_is_refused_with_what_can() {
    let refused = |budget: Value| {
        let patch = json!({ "cost": { "budgets": { "llm": budget } } });
        Preset::Development.config().patched("patch", &patch).unwrap_err().to_string()
    };
    for (budget, want) in [
        (json!({}), "`cost.budgets.llm.limit_usd` is missing, accepted is a number above 0"),
        (json!({ "limit_usd": 0 }), "limit_usd` is 0, accepted is a number above 0 and at most"),
        (
            json!({ "limit_usd": 1e-12 }),
            "`cost.budgets.llm.limit_usd` is 0.000000000001, accepted is an amount of at least 0.000000001",
        ),
        (
            json!({ "limit_usd": 1, "period": "week" }),
            "period` is `week`, accepted is forever, hour, day, month, `every N`",
        ),
        (json!({ "limit_usd": 1, "period": "every 0" }), "period` is `every 0`"),
        (json!({ "limit_usd": 1, "period": "rolling 1e3" }), "period` is `rolling 1e3`"),
        (json!({ "limit_usd": "20", "policy": "deny", "period": "week" }), "period` is `week`, accepted is forever"),
        (json!({ "policy": "deny" }), "`cost.budgets.llm.limit_usd` is missing"),
        (json!({ "limit_usd": 1, "policy": "deny" }), "policy` is \"deny\", accepted is warn or degrade or reject"),
        (json!({ "limit_usd": 1, "degrade_at": 1.5 }), "degrade_at` is 1.5"),
        (json!({ "limit_us": 1 }), "did you mean `limit_usd`?"),
    ] {
        let error = refused(budget);
        assert!(error.contains(want), "{error}");
    }
}
