//! The parts whose names are the user's own: objectives, buckets, rules, workflows, budgets.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::apply;
use super::export;
use super::nearest::nearest;
use super::parts;
use super::problem::ConfigProblem;
use super::server;
use super::types::{BudgetConfig, Config, RedactionRuleConfig, SamplingRuleConfig, SloConfig, WorkflowSampling};
use super::value::{Accepts, FieldValue};
use crate::cost::BudgetPolicy;

/// Entries of each section.
const MOST_ENTRIES: usize = 256;
const SHARE: Accepts = Accepts::Number(0.0, 1.0);
const BUCKETS: &str = "1 to 64 rising numbers of at least 0";

/// A part of the configuration that is read as a whole.
pub(super) struct Section {
    pub(super) path: &'static str,
    pub(super) doc: &'static str,
    /// Whether a change takes effect in a running engine.
    pub(super) is_live: bool,
    /// Replaces what is given, entry by entry; what is wrong changes nothing.
    pub(super) read: fn(&mut Config, &Value, &mut Report<'_>),
    pub(super) write: fn(&Config) -> Value,
    /// Makes it as another configuration has it.
    pub(super) copy: fn(&mut Config, &Config),
    /// What it accepts, as a JSON Schema.
    pub(super) schema: fn() -> Value,
}

/// The section at this path.
pub(super) fn section(path: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.path == path)
}

/// Where problems go.
pub(super) struct Report<'a> {
    pub(super) source: &'a str,
    /// What `null` sets back to.
    pub(super) base: &'a Config,
    pub(super) problems: &'a mut Vec<ConfigProblem>,
}

impl Report<'_> {
    pub(super) fn wrong(&mut self, path: &str, given: &Value, accepted: impl Into<String>) {
        if given.is_null() {
            return self.problems.push(ConfigProblem::value(self.source, path, "missing", accepted));
        }
        self.problems.push(ConfigProblem::value(self.source, path, &given.to_string(), accepted));
    }

    /// What is given may be a secret: it is not repeated.
    pub(super) fn wrong_unseen(&mut self, path: &str, accepted: impl Into<String>) {
        self.problems.push(ConfigProblem::value(self.source, path, "something else (not shown)", accepted));
    }

    /// A problem that was found elsewhere, with what was said here.
    pub(super) fn add(&mut self, problem: ConfigProblem) {
        self.problems.push(ConfigProblem { source: self.source.to_owned(), ..problem });
    }

    /// The entries of a table.
    fn entries<'v>(&mut self, path: &str, value: &'v Value) -> Option<&'v Map<String, Value>> {
        let entries = value.as_object();
        match entries {
            None => self.wrong(path, value, "a table"),
            Some(entries) if entries.len() > MOST_ENTRIES => {
                self.wrong(path, &json!(entries.len()), format!("at most {MOST_ENTRIES} entries"));
                return None;
            }
            Some(_) => {}
        }
        entries
    }

    /// Reads the fields of one entry; `None` when one is wrong. `null` makes a field as `reset` has it.
    fn fields<T: Clone>(&mut self, path: &str, value: &Value, into: &T, reset: &T, known: &[Known<T>]) -> Option<T> {
        let before = self.problems.len();
        let mut entry = into.clone();
        for (key, value) in self.entries(path, value)? {
            let path = format!("{path}.{key}");
            match known.iter().find(|field| field.key == key) {
                Some(field) if value.is_null() => (field.copy)(&mut entry, reset),
                Some(field) if field.accepts.accepts(value) => (field.read)(&mut entry, value),
                Some(field) => self.wrong(&path, value, field.accepts.describe()),
                None => {
                    let near = nearest(key, known.iter().map(|field| field.key)).map(str::to_owned);
                    self.problems.push(ConfigProblem::unknown(self.source, &path, near));
                }
            }
        }
        (self.problems.len() == before).then_some(entry)
    }
}

/// A field of an entry.
struct Known<T> {
    key: &'static str,
    accepts: Accepts,
    read: fn(&mut T, &Value),
    copy: fn(&mut T, &T),
}

macro_rules! known {
    ($($key:ident : $accepts:expr => |$entry:ident, $value:ident| $read:expr;)+) => {
        &[$(Known {
            key: stringify!($key),
            accepts: $accepts,
            read: |$entry, $value| $read,
            copy: |to, from| to.$key.clone_from(&from.$key),
        }),+]
    };
}

const SLO: &[Known<SloConfig>] = known! {
    primitive: Accepts::Text(1_024) => |slo, value| slo.primitive = value.as_str().unwrap_or_default().to_owned();
    target: Accepts::Above(0.0, 0.999_999_999) => |slo, value| slo.target = value.as_f64().unwrap_or_default();
    latency_threshold_ms: Accepts::Above(0.0, 86_400_000.0) => |slo, value| slo.latency_threshold_ms = value.as_f64();
    window_days: Accepts::Number(0.001, 366.0) => |slo, value| slo.window_days = value.as_f64().unwrap_or_default();
};

const WORKFLOW: &[Known<WorkflowSampling>] = known! {
    default_rate: SHARE => |own, value| own.default_rate = value.as_f64();
    always_sample_errors: Accepts::Bool => |own, value| own.always_sample_errors = value.as_bool();
    always_sample_slow: Accepts::Bool => |own, value| own.always_sample_slow = value.as_bool();
    slow_threshold_ms: Accepts::Number(0.0, f64::MAX) => |own, value| own.slow_threshold_ms = value.as_f64();
};

const BUDGET: &[Known<BudgetConfig>] = known! {
    limit_usd: Accepts::Above(0.0, 1e9) => |budget, value| budget.limit_usd = value.as_f64().unwrap_or_default();
    period: Accepts::Text(64) => |budget, value| budget.period = value.as_str().unwrap_or_default().to_owned();
    policy: Accepts::Words(&["warn", "degrade", "reject"]) => |budget, value| budget.policy = FieldValue::read(value).unwrap_or_default();
    degrade_at: Accepts::Above(0.0, 1.0) => |budget, value| budget.degrade_at = value.as_f64().unwrap_or_default();
};

const REDACTION_RULE: &[Known<RedactionRuleConfig>] = known! {
    name: Accepts::Text(64) => |rule, value| rule.name = value.as_str().unwrap_or_default().to_owned();
    key: Accepts::Text(1_024) => |rule, value| rule.key = value.as_str().map(str::to_owned);
    key_regex: Accepts::Text(1_024) => |rule, value| rule.key_regex = value.as_str().map(str::to_owned);
    value_regex: Accepts::Text(1_024) => |rule, value| rule.value_regex = value.as_str().map(str::to_owned);
    mode: Accepts::Words(&["mask", "hash", "drop"]) => |rule, value| rule.mode = FieldValue::read(value);
};

const RULE: &[Known<SamplingRuleConfig>] = known! {
    name: Accepts::Text(128) => |rule, value| rule.name = value.as_str().unwrap_or_default().to_owned();
    condition: Accepts::Text(4_096) => |rule, value| rule.condition = value.as_str().unwrap_or_default().to_owned();
    // Numbers as they are written, which read as the same numbers again.
    action: Accepts::Action => |rule, value| rule.action = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
};

pub(super) static SECTIONS: &[Section] = &[
    Section {
        path: "tracing.sampling.rules",
        doc: "Rules, each with `name`, `condition` and `action` (keep, drop or a rate); the first that matches decides.",
        is_live: true,
        copy: |to, from| to.tracing.sampling.rules.clone_from(&from.tracing.sampling.rules),
        read: read_rules,
        write: |config| {
            let rule = |rule: &SamplingRuleConfig| json!({ "name": rule.name, "condition": rule.condition, "action": rule.action });
            config.tracing.sampling.rules.iter().map(rule).collect()
        },
        schema: || json!({ "type": "array", "maxItems": 100, "items": rule_schema() }),
    },
    Section {
        path: "tracing.sampling.workflows",
        doc: "What differs for single workflows, by name.",
        is_live: true,
        copy: |to, from| to.tracing.sampling.workflows.clone_from(&from.tracing.sampling.workflows),
        read: read_workflows,
        write: |config| {
            let own = |(name, own): (&String, &WorkflowSampling)| {
                let fields = [
                    ("default_rate", own.default_rate.map(Value::from)),
                    ("always_sample_errors", own.always_sample_errors.map(Value::from)),
                    ("always_sample_slow", own.always_sample_slow.map(Value::from)),
                    ("slow_threshold_ms", own.slow_threshold_ms.map(Value::from)),
                ];
                (name.clone(), present(fields))
            };
            Value::Object(config.tracing.sampling.workflows.iter().map(own).collect())
        },
        schema: || json!({ "type": "object", "additionalProperties": schema_of(WORKFLOW, &[]) }),
    },
    Section {
        path: "metrics.buckets",
        doc: "Upper limits in seconds of the duration buckets of single primitives, by name.",
        is_live: false,
        copy: |to, from| to.metrics.buckets.clone_from(&from.metrics.buckets),
        read: read_buckets,
        write: |config| json!(config.metrics.buckets),
        schema: || {
            let limits =
                json!({ "type": "array", "minItems": 1, "maxItems": 64, "items": { "type": "number", "minimum": 0 } });
            json!({ "type": "object", "additionalProperties": limits })
        },
    },
    Section {
        path: "slo",
        doc: "Objectives by name: `primitive` (or workflow), `target` (0.99), `latency_threshold_ms`, `window_days` (30).",
        is_live: true,
        copy: |to, from| to.slo.clone_from(&from.slo),
        read: read_slos,
        write: |config| {
            let slo = |(name, slo): (&String, &SloConfig)| {
                let fields = [
                    ("primitive", Some(slo.primitive.write())),
                    ("target", Some(slo.target.write())),
                    ("latency_threshold_ms", slo.latency_threshold_ms.map(Value::from)),
                    ("window_days", Some(slo.window_days.write())),
                ];
                (name.clone(), present(fields))
            };
            Value::Object(config.slo.iter().map(slo).collect())
        },
        schema: || json!({ "type": "object", "additionalProperties": schema_of(SLO, &["primitive"]) }),
    },
    Section {
        path: "cost.budgets",
        doc: "Budgets by name: `limit_usd`, `period` (forever, hour, day, month, `every N` or `rolling N` seconds), `policy` (warn, degrade, reject), `degrade_at` (0.8). Another period, and one that is gone, wait for a restart.",
        is_live: true,
        copy: |to, from| to.cost.budgets.clone_from(&from.cost.budgets),
        read: read_budgets,
        write: |config| {
            let budget = |(name, budget): (&String, &BudgetConfig)| {
                let BudgetConfig { limit_usd, period, policy, degrade_at } = budget;
                let fields = json!({ "limit_usd": limit_usd, "period": period, "policy": policy.write(), "degrade_at": degrade_at });
                (name.clone(), fields)
            };
            Value::Object(config.cost.budgets.iter().map(budget).collect())
        },
        schema: || json!({ "type": "object", "additionalProperties": schema_of(BUDGET, &["limit_usd"]) }),
    },
    Section {
        path: "server.tokens",
        doc: "Where the tokens are that one has to show, by scope: `read`, `write`, `admin`; each a list of `file:PATH` or `env:NAME`. With none, everything is open.",
        is_live: false,
        copy: |to, from| to.server.tokens.clone_from(&from.server.tokens),
        read: server::read_tokens,
        write: server::write_tokens,
        schema: server::tokens_schema,
    },
    Section {
        path: "otlp.headers",
        doc: "Headers of requests to the collector, by name: `env:NAME` or `file:PATH` say where the value is, `text:VALUE` is one that is no secret.",
        is_live: false,
        copy: |to, from| to.otlp.headers.clone_from(&from.otlp.headers),
        read: |config, value, report| {
            let base = report.base;
            export::read_headers("otlp.headers", value, (&mut config.otlp.headers, &base.otlp.headers), report);
        },
        write: |config| export::write_headers(&config.otlp.headers),
        schema: export::headers_schema,
    },
    Section {
        path: "metrics.push_headers",
        doc: "Headers of requests to `metrics.push_endpoint`, written as those of `otlp.headers`, which do not go there.",
        is_live: false,
        copy: |to, from| to.metrics.push_headers.clone_from(&from.metrics.push_headers),
        read: |config, value, report| {
            let (path, base) = ("metrics.push_headers", report.base);
            export::read_headers(path, value, (&mut config.metrics.push_headers, &base.metrics.push_headers), report);
        },
        write: |config| export::write_headers(&config.metrics.push_headers),
        schema: export::headers_schema,
    },
    Section {
        path: "redaction.allowed_keys",
        doc: "Keys, as globs, whose values are left as they are.",
        is_live: true,
        copy: |to, from| to.redaction.allowed_keys.clone_from(&from.redaction.allowed_keys),
        read: read_allowed_keys,
        write: |config| json!(config.redaction.allowed_keys),
        schema: || json!({ "type": "array", "maxItems": 256, "items": { "type": "string", "minLength": 1 } }),
    },
    Section {
        path: "redaction.rules",
        doc: "Rules, each with `name`, one of `key` (a glob), `key_regex` and `value_regex`, and `mode` if it is not that of all; the first that matches a key decides.",
        is_live: true,
        copy: |to, from| to.redaction.rules.clone_from(&from.redaction.rules),
        read: read_redaction_rules,
        write: |config| {
            let rule = |rule: &RedactionRuleConfig| {
                present([
                    ("name", Some(rule.name.write())),
                    ("key", rule.key.as_ref().map(FieldValue::write)),
                    ("key_regex", rule.key_regex.as_ref().map(FieldValue::write)),
                    ("value_regex", rule.value_regex.as_ref().map(FieldValue::write)),
                    ("mode", rule.mode.as_ref().map(FieldValue::write)),
                ])
            };
            config.redaction.rules.iter().map(rule).collect()
        },
        schema: || json!({ "type": "array", "maxItems": 64, "items": schema_of(REDACTION_RULE, &["name"]) }),
    },
];

fn present<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    Value::Object(fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
}

fn schema_of<T>(known: &[Known<T>], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        known.iter().map(|field| (field.key.to_owned(), super::schema::of(field.accepts))).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// A rule's name is checked with the rest of it, so that all of that is told at once.
fn rule_schema() -> Value {
    let mut schema = schema_of(RULE, &["name", "condition", "action"]);
    if let Some(name) = schema.pointer_mut("/properties/name") {
        *name = json!({ "type": "string", "pattern": "^[a-z0-9_.-]{1,32}$" });
    }
    schema
}

/// Reads a table of entries by name: `null` makes one as the base has it, or removes it.
fn read_table<T: Clone>(
    path: &str,
    value: &Value,
    (into, base): (&mut BTreeMap<String, T>, &BTreeMap<String, T>),
    report: &mut Report<'_>,
    mut read: impl FnMut(&str, &Value, [Option<&T>; 2], &mut Report<'_>) -> Option<T>,
) {
    let Some(entries) = report.entries(path, value) else { return };
    for (name, value) in entries {
        let entry = if value.is_null() {
            into.remove(name);
            base.get(name).cloned()
        } else {
            read(&format!("{path}.{name}"), value, [into.get(name), base.get(name)], report)
        };
        if let Some(entry) = entry {
            into.insert(name.clone(), entry);
        }
    }
}

fn read_slos(config: &mut Config, value: &Value, report: &mut Report<'_>) {
    let new = SloConfig { primitive: String::new(), target: 0.99, latency_threshold_ms: None, window_days: 30.0 };
    let tables = (&mut config.slo, &report.base.slo);
    read_table("slo", value, tables, report, |path, value, [known, base], report| {
        let slo = report.fields(path, value, known.unwrap_or(&new), base.unwrap_or(&new), SLO)?;
        if slo.primitive.is_empty() {
            report.wrong(&format!("{path}.primitive"), &Value::Null, "the name of a primitive or workflow");
            return None;
        }
        let name = path.strip_prefix("slo.").unwrap_or(path);
        let built = apply::objective(name, &slo).map_err(|problem| report.add(problem));
        built.ok().map(|_| slo)
    });
}

fn read_workflows(config: &mut Config, value: &Value, report: &mut Report<'_>) {
    let (path, new) = ("tracing.sampling.workflows", WorkflowSampling::default());
    let tables = (&mut config.tracing.sampling.workflows, &report.base.tracing.sampling.workflows);
    read_table(path, value, tables, report, |path, value, [known, base], report| {
        report.fields(path, value, known.unwrap_or(&new), base.unwrap_or(&new), WORKFLOW)
    });
}

fn read_buckets(config: &mut Config, value: &Value, report: &mut Report<'_>) {
    let tables = (&mut config.metrics.buckets, &report.base.metrics.buckets);
    read_table("metrics.buckets", value, tables, report, |path, value, _, report| {
        let limits: Option<Vec<f64>> = value.as_array().and_then(|limits| limits.iter().map(Value::as_f64).collect());
        let is_rising = |limits: &Vec<f64>| {
            let rises = limits.array_windows().all(|[low, high]| low < high);
            (1..=64).contains(&limits.len()) && rises && limits.iter().all(|limit| (0.0..1e9).contains(limit))
        };
        let limits = limits.filter(is_rising);
        if limits.is_none() {
            report.wrong(path, value, BUCKETS);
        }
        limits
    });
}

/// A list is replaced as a whole.
fn read_rules(config: &mut Config, value: &Value, report: &mut Report<'_>) {
    const PATH: &str = "tracing.sampling.rules";
    let Some(list) = value.as_array().filter(|list| list.len() <= 100) else {
        return report.wrong(PATH, value, "a list of at most 100 tables");
    };
    let before = report.problems.len();
    let (mut rules, new): (Vec<SamplingRuleConfig>, _) = (Vec::new(), SamplingRuleConfig::default());
    for (place, value) in list.iter().enumerate() {
        let path = format!("{PATH}[{place}]");
        let Some(rule) = report.fields(&path, value, &new, &new, RULE) else { continue };
        let texts = [("name", &rule.name), ("condition", &rule.condition), ("action", &rule.action)];
        for (key, _) in texts.iter().filter(|(_, text)| text.is_empty()) {
            report.wrong(&format!("{path}.{key}"), &Value::Null, "a text");
        }
        if texts.iter().all(|(_, text)| !text.is_empty()) {
            apply::rule(&rule, |key, given, accepted| report.wrong(&format!("{path}.{key}"), &json!(given), accepted));
        }
        if rules.iter().any(|known| known.name == rule.name) {
            report.wrong(&format!("{path}.name"), &json!(rule.name), "a name that no other rule has");
        }
        rules.push(rule);
    }
    if report.problems.len() == before {
        config.tracing.sampling.rules = rules;
    }
}

fn read_budgets(config: &mut Config, value: &Value, report: &mut Report<'_>) {
    let new =
        BudgetConfig { limit_usd: 0.0, period: "forever".to_owned(), policy: BudgetPolicy::Warn, degrade_at: 0.8 };
    let tables = (&mut config.cost.budgets, &report.base.cost.budgets);
    read_table("cost.budgets", value, tables, report, |path, value, [known, base], report| {
        let read = report.fields(path, value, known.unwrap_or(&new), base.unwrap_or(&new), BUDGET);
        let is_limited = value.get("limit_usd").is_some() || known.is_some();
        if !is_limited {
            report.wrong(&format!("{path}.limit_usd"), &Value::Null, "a number above 0");
        }
        let Some(budget) = read.filter(|_| is_limited) else {
            // What else is wrong is told at once.
            if let Some((given, accepted)) = value.get("period").and_then(Value::as_str).and_then(parts::check_period) {
                report.add(ConfigProblem::value("", &format!("{path}.period"), &given, accepted));
            }
            return None;
        };
        let name = path.strip_prefix("cost.budgets.").unwrap_or(path);
        let built = parts::budget(&budget, name, |key, given, accepted| {
            report.add(ConfigProblem::value("", &format!("{path}{key}"), given, accepted));
        });
        built.map(|_| budget)
    });
}

/// A list is replaced as a whole.
fn read_allowed_keys(config: &mut Config, value: &Value, report: &mut Report<'_>) {
    let keys = value.as_array().filter(|list| list.len() <= 256);
    let keys: Option<Vec<String>> =
        keys.and_then(|list| list.iter().map(|key| key.as_str().map(str::to_owned)).collect());
    let Some(keys) = keys else {
        return report.wrong("redaction.allowed_keys", value, "a list of at most 256 globs");
    };
    let before = report.problems.len();
    for (place, key) in keys.iter().enumerate() {
        if let Some((given, accepted)) = parts::check_allowed_key(key) {
            report.add(ConfigProblem::value("", &format!("redaction.allowed_keys[{place}]"), &given, accepted));
        }
    }
    if report.problems.len() == before {
        config.redaction.allowed_keys = keys;
    }
}

/// A list is replaced as a whole.
fn read_redaction_rules(config: &mut Config, value: &Value, report: &mut Report<'_>) {
    const PATH: &str = "redaction.rules";
    let Some(list) = value.as_array().filter(|list| list.len() <= 64) else {
        return report.wrong(PATH, value, "a list of at most 64 tables");
    };
    let before = report.problems.len();
    let (mut rules, new): (Vec<RedactionRuleConfig>, _) = (Vec::new(), RedactionRuleConfig::default());
    for (place, value) in list.iter().enumerate() {
        let path = format!("{PATH}[{place}]");
        let Some(rule) = report.fields(&path, value, &new, &new, REDACTION_RULE) else { continue };
        let places = [&rule.key, &rule.key_regex, &rule.value_regex].into_iter().flatten().count();
        if rule.name.is_empty() {
            report.wrong(&format!("{path}.name"), &Value::Null, "a text");
        } else if rules.iter().any(|known| known.name == rule.name) {
            report.wrong(&format!("{path}.name"), &json!(rule.name), "a name that no other rule has");
        }
        if places != 1 {
            report.wrong(&path, value, "one of key, key_regex and value_regex");
        } else if !rule.name.is_empty()
            && let Some((given, accepted)) = parts::check_redaction_rule(&rule)
        {
            report.add(ConfigProblem::value("", &path, &given, accepted));
        }
        rules.push(rule);
    }
    if report.problems.len() == before {
        config.redaction.rules = rules;
    }
}
