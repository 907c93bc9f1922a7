//! What fits together only in part: pairs of fields of which one may not be above the other, and fields that
//! want another one to be set.
//!
//! Owns which these are, which of two is blamed, and that nothing is said of fields whose
//! values are not known because they are wrong themselves.

use serde_json::Value;

use super::export::MetricsPushFormat;
use super::fields::field;
use super::problem::ConfigProblem;
use super::said::Sources;
use super::types::Config;

const LEAST: &str = "tracing.sampling.adaptive_min_rate";
const MOST: &str = "tracing.sampling.adaptive_max_rate";
const RATE: &str = "tracing.sampling.default_rate";
const ADAPTIVE: &str = "tracing.sampling.adaptive_enabled";
const BATCH: &str = "tracing.batch_size";
const QUEUE: &str = "tracing.max_queue_size";

/// A pair of paths: the first may not be above the second, while a third one, if any, is true.
type Pair = (&'static str, &'static str, Option<&'static str>);

/// Adds every contradiction to the problems that there are already.
pub(super) fn check(config: &Config, said: &Sources, problems: &mut Vec<ConfigProblem>) {
    let mut found = Vec::new();
    for pair in violated(config) {
        let (lower, upper, while_true) = pair;
        let paths = [Some(lower), Some(upper), while_true];
        if paths.into_iter().flatten().all(|path| is_known(path, said, problems)) {
            found.push(said.blame(problem(config, said, pair)));
        }
    }
    for (path, others, accepted) in incomplete(config) {
        if [path].into_iter().chain(others).all(|path| is_known(path, said, problems)) {
            let given = value(config, path).to_string();
            found.push(said.blame(ConfigProblem::value(&said.rest, path, &given, accepted)));
        }
    }
    problems.extend(found);
}

/// A path, those that its meaning depends on, and what is accepted as they are.
type Incomplete = (&'static str, [&'static str; 2], &'static str);

fn incomplete(config: &Config) -> Vec<Incomplete> {
    const PUSH: &str = "metrics.push";
    const TARGETS: [&str; 2] = ["metrics.push_endpoint", "otlp.endpoint"];
    const CERTIFICATE: &str = "otlp.client_certificate_file";
    const KEY: &str = "otlp.client_key_file";
    let mut found = Vec::new();
    if config.metrics_target().is_none() {
        match config.metrics.push {
            MetricsPushFormat::Off => {}
            MetricsPushFormat::Otlp => {
                found.push((
                    PUSH,
                    TARGETS,
                    "off, while neither `metrics.push_endpoint` nor `otlp.endpoint` says where to",
                ));
            }
            MetricsPushFormat::RemoteWrite => {
                found.push((PUSH, TARGETS, "off or otlp, while `metrics.push_endpoint` does not say where to"));
            }
        }
    }
    match (config.otlp.client_certificate_file == "off", config.otlp.client_key_file == "off") {
        (false, true) => {
            found.push((CERTIFICATE, [KEY; 2], "off, while `otlp.client_key_file` is: they belong together"))
        }
        (true, false) => {
            found.push((KEY, [CERTIFICATE; 2], "off, while `otlp.client_certificate_file` is: they belong together"));
        }
        _ => {}
    }
    found
}

fn violated(config: &Config) -> Vec<Pair> {
    let above = |a: f64, b: f64| a > b;
    let sampling = &config.tracing.sampling;
    let (least, most, rate) = (sampling.adaptive_min_rate, sampling.adaptive_max_rate, sampling.default_rate);
    let mut pairs = Vec::new();
    if above(least, most) {
        pairs.push((LEAST, MOST, None));
    } else if sampling.adaptive_enabled {
        pairs.extend(above(least, rate).then_some((LEAST, RATE, Some(ADAPTIVE))));
        pairs.extend(above(rate, most).then_some((RATE, MOST, Some(ADAPTIVE))));
    }
    pairs.extend((config.tracing.batch_size > config.tracing.max_queue_size).then_some((BATCH, QUEUE, None)));
    pairs
}

/// Whether the value that a field has is the one that is wanted: nothing that was said of it is wrong.
fn is_known(path: &str, said: &Sources, problems: &[ConfigProblem]) -> bool {
    let variable = field(path).map(super::fields::Field::variable);
    let is_about = |problem: &ConfigProblem| {
        let meant = problem.nearest.as_deref();
        let is_meant = meant.is_some_and(|meant| meant == path || Some(meant) == variable.as_deref());
        let is_around = path.strip_prefix(problem.path.as_str()).is_some_and(|rest| rest.starts_with('.'));
        // A text that does not read at all may have said anything.
        let is_unread = problem.path.is_empty();
        let is_of_preset = !said.say(path) && (problem.path == "environment" || meant == Some("environment"));
        problem.path == path || is_meant || is_around || is_unread || is_of_preset
    };
    !problems.iter().any(is_about)
}

/// The one that somebody has set is blamed, the first when that is so of both, or of none.
fn problem(config: &Config, said: &Sources, (lower, upper, while_true): Pair) -> ConfigProblem {
    let is_lower = said.say(lower) || !said.say(upper);
    let (path, other, order) = if is_lower { (lower, upper, "at most") } else { (upper, lower, "at least") };
    let mut accepted = format!("{order} `{other}`, which is {} ({})", value(config, other), said.show(other));
    if let Some(flag) = while_true {
        accepted.push_str(&format!(", while `{flag}` is true ({})", said.show(flag)));
    }
    ConfigProblem::value(&said.rest, path, &value(config, path).to_string(), accepted)
}

fn value(config: &Config, path: &str) -> Value {
    field(path).map_or(Value::Null, |field| (field.write)(config))
}
