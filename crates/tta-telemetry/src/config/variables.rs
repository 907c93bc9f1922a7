//! Environment variables, as configuration.

use serde_json::{Map, Value};

use super::fields::{FIELDS, Field, field};
use super::layers::put;
use super::names::{is_table, near};
use super::nearest::nearest;
use super::presets::Preset;
use super::problem::ConfigProblem;
use super::sections::SECTIONS;

/// Variables that are ours and are no fields: read elsewhere, or by other programs of ours.
const OTHERS: &[&str] = &["TTA_CONFIG"];
const PREFIX: &str = "TTA_";
/// Where a problem is from that no single variable's value has.
const SOURCE: &str = "environment";

/// Each variable that says something as a tree of its own, the strongest last.
pub(super) fn read(variables: Vec<(String, String)>, problems: &mut Vec<ConfigProblem>) -> Vec<(String, Value)> {
    let value = |name: &str| variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let mut trees = Vec::new();
    let mut set = |name: &str, path: &str, value: Value| trees.push((name.to_owned(), tree(path, value)));
    opentelemetry(&value, &mut set, problems);
    for (name, path) in [
        ("SERVICE_VERSION", "service_version"),
        ("SERVICE_NAME", "service_name"),
        ("ENVIRONMENT", "environment"),
        ("ENABLE_OBSERVABILITY", "enabled"),
    ] {
        if let (Some(text), Some(field)) = (value(name).filter(|text| !text.is_empty()), field(path)) {
            set(name, path, field.accepts.read(text));
        }
    }
    for (name, text) in &variables {
        if !is_ours(name) || OTHERS.contains(&name.as_str()) {
            continue;
        }
        match FIELDS.iter().find(|field| field.variable() == *name) {
            Some(field) => set(name, field.path, field.accepts.read(text)),
            None => problems.push(unknown(name)),
        }
    }
    trees
}

/// In whatever case: a name that differs in that alone was meant for us.
fn is_ours(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
}

/// What is wrong with the name of a variable. Its value is not repeated: it may be a secret.
fn unknown(name: &str) -> ConfigProblem {
    let path = name.get(PREFIX.len()..).unwrap_or_default().replace("__", ".").to_ascii_lowercase();
    let around = SECTIONS
        .iter()
        .map(|section| section.path)
        .find(|section| path.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
    if let Some(section) = around {
        let given = format!("a variable for `{section}`");
        let accepted = format!(
            "`{section}` in a file (`TTA_CONFIG` names it): it is a table or a list, and variables set single values"
        );
        return ConfigProblem::value(SOURCE, name, &given, accepted);
    }
    if is_table(&path) {
        let given = format!("a variable for all of `{path}`");
        let accepted =
            format!("one variable for each field of it, as {PREFIX}{}__...", path.replace('.', "__").to_uppercase());
        return ConfigProblem::value(SOURCE, name, &given, accepted);
    }
    let known: Vec<String> =
        FIELDS.iter().map(Field::variable).chain(OTHERS.iter().map(|&name| name.to_owned())).collect();
    let by_letters = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    let by_path = || near(&path).as_deref().and_then(field).map(Field::variable);
    ConfigProblem::unknown(SOURCE, name, by_letters.or_else(by_path))
}

fn tree(path: &str, value: Value) -> Value {
    let mut tree = Value::Object(Map::new());
    put(&mut tree, path, value);
    tree
}

/// The variables of the OpenTelemetry specification that have a meaning here, from the weakest.
fn opentelemetry<'v>(
    value: &impl Fn(&str) -> Option<&'v str>,
    set: &mut impl FnMut(&str, &str, Value),
    problems: &mut Vec<ConfigProblem>,
) {
    const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
    for pair in value(ATTRIBUTES).unwrap_or_default().split(',') {
        let Some((key, text)) = pair.split_once('=') else { continue };
        match key.trim() {
            "service.name" => set(ATTRIBUTES, "service_name", text.trim().into()),
            "service.version" => set(ATTRIBUTES, "service_version", text.trim().into()),
            "deployment.environment" | "deployment.environment.name" => {
                // Other programs' names for environments are their own.
                if let Some(preset) = Preset::of(text.trim()) {
                    set(ATTRIBUTES, "environment", preset.as_str().into());
                }
            }
            _ => {}
        }
    }
    if let Some(name) = value("OTEL_SERVICE_NAME").filter(|name| !name.is_empty()) {
        set("OTEL_SERVICE_NAME", "service_name", name.into());
    }
    // The specification: anything but "true", in whatever case, is false.
    if value("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        set("OTEL_SDK_DISABLED", "enabled", Value::Bool(false));
    }
    exporters(value, set, problems);
    sampler(value, set, problems);
}

/// What there is for all signals, or for what has a field here. Headers, and what else there is for single
/// signals, are the exporter's to read: the configuration holds no secret.
fn exporters<'v>(
    value: &impl Fn(&str) -> Option<&'v str>,
    set: &mut impl FnMut(&str, &str, Value),
    problems: &mut Vec<ConfigProblem>,
) {
    let value = |name: &str| value(name).map(str::trim).filter(|text| !text.is_empty());
    for (name, path) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp.endpoint"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "otlp.traces_endpoint"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "metrics.push_endpoint"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "otlp.protocol"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "otlp.compression"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "otlp.certificate_file"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "otlp.client_certificate_file"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "otlp.client_key_file"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "tracing.max_queue_size"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "tracing.batch_size"),
    ] {
        if let (Some(text), Some(field)) = (value(name), field(path)) {
            set(name, path, field.accepts.read(text));
        }
    }
    for (name, path, least) in [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "otlp.timeout_seconds", 1),
        // Others send more often than once a second; here that is the least.
        ("OTEL_BSP_SCHEDULE_DELAY", "tracing.export_interval_seconds", 1_000),
        ("OTEL_METRIC_EXPORT_INTERVAL", "metrics.export_interval_seconds", 1_000),
    ] {
        let Some(text) = value(name) else { continue };
        match text.parse::<u32>() {
            Ok(ms) => set(name, path, Value::from(f64::from(ms.max(least)) / 1e3)),
            Err(_) => problems.push(ConfigProblem::value(SOURCE, name, text, "a whole number of milliseconds")),
        }
    }
    // The specification: a list; exporters that are not ours are not for us to refuse.
    if let Some(list) = value("OTEL_METRICS_EXPORTER") {
        let is_named = |name: &str| list.split(',').any(|known| known.trim() == name);
        if is_named("otlp") {
            set("OTEL_METRICS_EXPORTER", "metrics.push", "otlp".into());
        } else if is_named("none") {
            set("OTEL_METRICS_EXPORTER", "metrics.push", "off".into());
        }
    }
}

fn sampler<'v>(
    value: &impl Fn(&str) -> Option<&'v str>,
    set: &mut impl FnMut(&str, &str, Value),
    problems: &mut Vec<ConfigProblem>,
) {
    let Some(name) = value("OTEL_TRACES_SAMPLER").filter(|name| !name.is_empty()) else { return };
    let rate = match name.strip_prefix("parentbased_").unwrap_or(name) {
        "always_on" => Value::from(1.0),
        "always_off" => Value::from(0.0),
        "traceidratio" => {
            let text = value("OTEL_TRACES_SAMPLER_ARG").unwrap_or("1.0");
            let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
            match share {
                Some(share) => Value::from(share),
                None => {
                    let accepted = "a number from 0 to 1";
                    return problems.push(ConfigProblem::value(
                        "environment",
                        "OTEL_TRACES_SAMPLER_ARG",
                        text,
                        accepted,
                    ));
                }
            }
        }
        _ => {
            let accepted = "always_on, always_off or traceidratio, each also with parentbased_ before it";
            return problems.push(ConfigProblem::value("environment", "OTEL_TRACES_SAMPLER", name, accepted));
        }
    };
    set("OTEL_TRACES_SAMPLER", "tracing.sampling.default_rate", rate);
    set("OTEL_TRACES_SAMPLER", "tracing.sampling.adaptive_enabled", Value::Bool(false));
}
